/** The whole list in the order in which it is played: later steps use what earlier ones made. */
import { BUCKETS } from './buckets.mjs'
import { CONDITIONS } from './conditions.mjs'
import { CONFIGURATIONS, LOCKS, TAGS, VERSIONS } from './configurations.mjs'
import { COPIES } from './copies.mjs'
import { DELETES } from './deletes.mjs'
import { KEYS } from './keys.mjs'
import { LISTINGS } from './listings.mjs'
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
  ...TAGS,
  ...LOCKS,
  ...CONFIGURATIONS,
  ...SIGNATURES,
]
