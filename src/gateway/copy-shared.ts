/** A copy inside the store that shares the body of its source: the same object key, wrapped anew, and new sealed metadata (docs/format.md, "Copies"). */
import type { WriteCondition, WriteResult } from '../backends/object-store.ts'
import type { Tlv } from '../format/tlv.ts'
import type { BucketKey } from '../keys/key-manager.ts'
import { S3Error } from '../s3/errors.ts'
import type { ForStore } from './attributes.ts'
import type { Encryption } from './encryption.ts'
import type { Gateway } from './gateway.ts'
import type { Place } from './place.ts'
import { listedAgain, type SealedDescription, sealDescription } from './sealed-description.ts'
import type { SealedObject } from './sealed-object.ts'
import { foundOurs } from './write-object.ts'

/** Whether the store decides a condition on the target of a copy. Beyond one request it copies in parts, whose Complete makes the object. */
export function decidesCopies({ store }: Gateway, storedBytes: number): boolean {
  const { conditionalCopy, conditionalComplete, requestLimit } = store.capabilities
  return conditionalCopy && (storedBytes <= requestLimit || conditionalComplete)
}

/** Whether the store copies bytes of that size, and only those that were read. */
export function copiesSafely({ store }: Gateway, storedBytes: number): boolean {
  const { copySourceIfMatch, copyLimit } = store.capabilities
  return copySourceIfMatch && storedBytes <= copyLimit
}

export interface Described {
  readonly target: Place
  readonly tlvs: readonly Tlv[]
  readonly encryption: Encryption
  /** By default the active one. */
  readonly bucketKey?: BucketKey
  /** What the tail's area holds counts for the copy too. */
  readonly keepsArea: boolean
}

/** What describes the copy. `undefined` where its metadata does not fit beside a finished body. */
export async function describeShared(
  gateway: Gateway,
  { envelope, metadata, objectKey }: SealedObject,
  { target, tlvs, encryption, bucketKey, keepsArea }: Described,
): Promise<SealedDescription | undefined> {
  const { plaintextBytes, salt, commitment } = metadata
  return sealDescription(gateway, target, {
    objectKey,
    tlvs,
    encryption,
    ...(bucketKey === undefined ? {} : { bucketKey }),
    ...(envelope.flags.sizeInMetadata ? { segment: { plaintextBytes, salt, commitment } } : {}),
    areaAllowed: false,
    keepsArea,
  }).catch(unlessTooLarge)
}

function unlessTooLarge(error: unknown): undefined {
  if (error instanceof S3Error && error.code === 'MetadataTooLarge') return undefined
  throw error
}

export interface SharedCopy {
  readonly target: Place
  readonly description: SealedDescription
  readonly attributes: ForStore
  readonly condition: WriteCondition | undefined
}

/** Copies if the source is still what was read. Throws what the store refuses. */
export async function copyShared(
  gateway: Gateway,
  sealed: SealedObject,
  { target, description, attributes, condition }: SharedCopy,
): Promise<WriteResult> {
  const { place, info, size } = sealed
  const facts = sealed.facts ?? { plaintextBytes: size, partCount: 0, checksumAlgorithm: 0, checksumType: 0 }
  const options = {
    sourceIfMatch: info.etag,
    size: info.size,
    metadata: description.metadata,
    ...attributes,
    ...listedAgain(gateway, target, description, facts),
    ...(condition === undefined ? {} : { condition }),
  }
  return gateway.store.copy(place, target, options).catch(async (error: unknown) => {
    // A lost answer, or a repeated copy that met its own first attempt.
    const ours = await foundOurs(gateway, target, description, error)
    if (ours === undefined) throw error
    return ours
  })
}
