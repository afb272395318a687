/** The whole list in the order in which it is played: later steps use what earlier ones made. */
import { OBJECT_ACLS, OBJECT_TAGS } from './beside-objects.mjs'
import { BUCKETS } from './buckets.mjs'
import { CONDITIONS } from './conditions.mjs'
import { CONFIGURATIONS, VERSIONS } from './configurations.mjs'
import { COPIES } from './copies.mjs'
import { DELETES } from './deletes.mjs'
import { KEYS } from './keys.mjs'
import { LISTINGS } from './listings.mjs'
import { LOCKS } from './locks.mjs'
import { MULTIPART } from './multipart.mjs'
import { OBJECTS } from './objects.mjs'
import { SIGNATURES } from './signatures.mjs'

export const STEPS = [
  ...BUCKETS,
  ...OBJECTS,
  ...CONDITIONS,
  ...LISTINGS,
  ...KEYS,
  ...MULTIPART,
  ...COPIES,
  ...DELETES,
  ...VERSIONS,
  ...OBJECT_TAGS,
  ...LOCKS,
  ...OBJECT_ACLS,
  ...CONFIGURATIONS,
  ...SIGNATURES,
]
