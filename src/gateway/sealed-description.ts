/** Everything about an object that travels beside its body: envelope, sealed metadata, the overflow area, facts (docs/format.md, "Envelope", "Sealed metadata"). */
import { type EnvelopeInput, sealCustomerEnvelope, sealEnvelope } from '../format/envelope.ts'
import { type Facts, factsKey, sealFacts } from '../format/facts.ts'
import { metadataCapacity, NO_COMMITMENT, NO_SALT, sealMetadata, toStoredMetadata } from '../format/metadata.ts'
import { AREA_TLV_LIMIT } from '../format/sizes.ts'
import { sealArea } from '../format/tail.ts'
import { splitTlvs, type Tlv, tlvBytes } from '../format/tlv.ts'
import { newGeneration } from '../format/derive.ts'
import type { BucketKey } from '../keys/key-manager.ts'
import { S3Error } from '../s3/errors.ts'
import type { Secret } from '../secret-bytes.ts'
import type { Encryption } from './encryption.ts'
import { keepsMd5 } from './etag.ts'
import type { Gateway } from './gateway.ts'
import { keyUsed } from './metered.ts'
import type { Place } from './place.ts'

export interface DescriptionInput {
  readonly objectKey: Secret
  readonly tlvs: readonly Tlv[]
  /** Whose key the object is sealed under; its entries come on top of `tlvs`. */
  readonly encryption: Encryption
  /** By default the active one of the manager that `encryption` names. */
  readonly bucketKey?: BucketKey
  /** The one segment of a PUT; absent where the tail must be read first. */
  readonly segment?: { readonly plaintextBytes: number; readonly salt: Buffer; readonly commitment: Buffer }
  /** Whether TLVs that do not fit the headers may go to the tail's area: false for bodies under 5 MiB and for copies. */
  readonly areaAllowed: boolean
  /** The area of a finished body that the copy keeps: the flag stays set. */
  readonly keepsArea?: boolean
}

export interface SealedDescription {
  /** The bucket's own, also of an object under a customer's key. */
  readonly bucketKey: BucketKey
  readonly namespace: string
  readonly objectKey: Secret
  /** Raw bytes. */
  readonly envelope: Buffer
  readonly generation: Buffer
  /** Milliseconds since 1970. */
  readonly writeTime: number
  /** Sealed overflow for the tail, if any. */
  readonly area: Buffer | undefined
  /** What the store keeps as user metadata. */
  readonly metadata: Readonly<Record<string, string>>
}

/** Seals a description under the bucket's active key, or the customer's. Throws `MetadataTooLarge` with the capacity. */
export async function sealDescription(
  gateway: Gateway,
  place: Place,
  input: DescriptionInput,
): Promise<SealedDescription> {
  const { random } = gateway
  const { objectKey, segment, encryption } = input
  const { namespace } = gateway.rules(place.bucket)
  const bucketKey =
    input.bucketKey ?? (await keyUsed(gateway.meter, gateway.keys.active(namespace, encryption.manager)))
  const fields = { objectKey, namespace, key: place.key, random }
  const flags = {
    tailFirst: segment === undefined,
    sizeInMetadata: segment !== undefined,
    areaUsed: false,
    md5NotKept: !keepsMd5(gateway),
  }
  const draft = wrapped(encryption, { ...fields, bucketKey, flags })
  const tlvs = [...input.tlvs, ...encryption.tlvs]
  const split = fit(gateway, tlvs, draft.length, input.areaAllowed)
  const areaUsed = split.area.length > 0 || input.keepsArea === true
  const envelope = areaUsed ? wrapped(encryption, { ...fields, bucketKey, flags: { ...flags, areaUsed } }) : draft
  const generation = newGeneration(random)
  const writeTime = gateway.clock()
  const { plaintextBytes, salt, commitment } = segment ?? {
    plaintextBytes: 0,
    salt: NO_SALT,
    commitment: NO_COMMITMENT,
  }
  const content = { plaintextBytes, salt, commitment, generation, writeTime, tlvs: split.headers }
  const sealed = sealMetadata({ objectKey, envelopeRaw: envelope, content, random })
  return {
    bucketKey,
    namespace,
    objectKey,
    envelope,
    generation,
    writeTime,
    area: split.area.length > 0 ? sealArea(objectKey, split.area, random) : undefined,
    metadata: toStoredMetadata(envelope, sealed),
  }
}

function wrapped({ customerKey }: Encryption, { bucketKey, ...content }: Omit<EnvelopeInput, 'inline'>): Buffer {
  if (customerKey === undefined) return sealEnvelope({ ...content, bucketKey, inline: true })
  return sealCustomerEnvelope({ ...content, customerKey: customerKey.bytes })
}

/** Which TLVs go into the headers and which into the tail's area (docs/format.md, "Sealed metadata": capacity). */
function fit(
  gateway: Gateway,
  tlvs: readonly Tlv[],
  envelopeBytes: number,
  areaAllowed: boolean,
): { headers: Tlv[]; area: Tlv[] } {
  const capacity = metadataCapacity(gateway.store.capabilities.metadataLimit, envelopeBytes)
  const split = splitTlvs(tlvs, capacity)
  if (split.area.length === 0) return split
  if (areaAllowed && tlvBytes(split.area) <= AREA_TLV_LIMIT) return split
  const room = Math.max(0, capacity) + (areaAllowed ? AREA_TLV_LIMIT : 0)
  throw new S3Error('MetadataTooLarge', {
    message: `Your metadata headers need ${tlvBytes(tlvs)} bytes; sealed for this store there is room for ${room}.`,
    extra: { Size: String(tlvBytes(tlvs)), MaxSizeAllowed: String(room) },
  })
}

/** Facts for the store's listing, sealed under the bucket's key and bound to the name. */
export function sealListed(
  gateway: Gateway,
  place: Place,
  { bucketKey, namespace }: { readonly bucketKey: BucketKey; readonly namespace: string },
  facts: Facts,
): Buffer {
  return sealFacts({
    factsKey: factsKey(bucketKey.key),
    kid: bucketKey.kid,
    facts,
    namespace,
    key: place.key,
    random: gateway.random,
  })
}

/** The same for an object that was there before, where the store has a place for them: what was said of it, as of this write. */
export function listedAgain(
  gateway: Gateway,
  place: Place,
  description: SealedDescription,
  facts: Omit<Facts, 'generation'>,
): { readonly facts?: Buffer } {
  if (!keepsMd5(gateway)) return {}
  return { facts: sealListed(gateway, place, description, { ...facts, generation: description.generation }) }
}
