/** Every vector, by name. */
import type { Vector } from '../vector-file.ts'
import { envelopeVectors } from './envelope.ts'
import { metadataVectors } from './metadata.ts'
import { multipartVectors } from './multipart.ts'
import { multipartTailVectors } from './multipart-tail.ts'
import { customerVectors } from './customer.ts'
import { recordVectors } from './records.ts'
import { streamVectors } from './stream.ts'
import { tailVectors } from './tail.ts'

/** All vectors of all families. Throws if two have one name. */
export function allVectors(): Vector[] {
  const vectors = [
    ...streamVectors(),
    ...envelopeVectors(),
    ...customerVectors(),
    ...metadataVectors(),
    ...tailVectors(),
    ...multipartVectors(),
    ...multipartTailVectors(),
    ...recordVectors(),
  ].sort((a, b) => (a.name < b.name ? -1 : 1))
  const twice = vectors.find(({ name }, i) => name === vectors[i + 1]?.name)
  if (twice) throw new Error(`two vectors are called ${twice.name}`)
  return vectors
}
