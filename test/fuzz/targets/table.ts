/** All that is fuzzed. The shares add up to a hundred. */
import type { Target } from '../target.ts'
import { addressTarget } from './address.ts'
import { authenticationTarget } from './authentication.ts'
import { chunkedTarget } from './chunked.ts'
import { formsTarget } from './forms.ts'
import { headersTarget } from './headers.ts'
import { queryTarget, rangeTarget, tokenTarget } from './query.ts'
import { bytesTarget, signedTarget } from './wire.ts'
import { xmlTarget } from './xml.ts'

export const TARGETS: readonly Target[] = [
  addressTarget,
  headersTarget,
  queryTarget,
  tokenTarget,
  rangeTarget,
  xmlTarget,
  chunkedTarget,
  formsTarget,
  authenticationTarget,
  bytesTarget,
  signedTarget,
]
