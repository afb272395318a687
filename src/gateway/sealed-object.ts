/** What the gateway knows of a stored object before it reads the body: keys, sealed metadata, exact size and ETag. */
import { type ListedObject, type ObjectInfo, StoreError } from '../backends/object-store.ts'
import { Denied, Integrity } from '../errors.ts'
import { type Envelope, openCustomerKey, openEnvelope, parseEnvelope } from '../format/envelope.ts'
import { type Facts, factsKey, factsKid, openFacts } from '../format/facts.ts'
import { fromStoredMetadata, openMetadata, type SealedMetadata } from '../format/metadata.ts'
import { plaintextSize, storedSize, tailReadSize } from '../format/sizes.ts'
import { openArea, openTail } from '../format/tail.ts'
import type { TailRecord } from '../format/tail-record.ts'
import { mergeTlvs, type Tlv } from '../format/tlv.ts'
import type { CustomerKey } from '../s3/encryption-headers.ts'
import { S3Error } from '../s3/errors.ts'
import type { Secret } from '../secret-bytes.ts'
import { alarm } from '../telemetry/channels.ts'
import { clientEtag, keepsMd5 } from './etag.ts'
import type { Gateway } from './gateway.ts'
import { keyUsed } from './metered.ts'
import { atVersion, type Place } from './place.ts'
import { type PlainObject, readPlain } from './plain-object.ts'

/** What a read finds: sealed by us, or plaintext where the bucket allows it. */
export type StoredObject = SealedObject | PlainObject

export interface SealedObject {
  readonly kind: 'sealed'
  readonly place: Place
  readonly info: ObjectInfo
  readonly envelope: Envelope
  /** R, the object's own key. */
  readonly objectKey: Secret
  /** The key that the customer brought for it (SSE-C). */
  readonly customerKey: CustomerKey | undefined
  readonly metadata: SealedMetadata
  readonly facts: Facts | undefined
  /** Plaintext bytes. */
  readonly size: number
  /** The client's ETag, without quotes. */
  readonly etag: string
}

/**
 * Opens envelope, metadata and facts. Throws `AccessDenied` for plaintext that the bucket does not allow and for another
 * customer's key, `InvalidRequest` where the object needs one or has none, `Integrity` for an object that was changed.
 */
export async function unseal(
  gateway: Gateway,
  place: Place,
  info: ObjectInfo,
  customerKey?: CustomerKey,
): Promise<StoredObject> {
  const stored = fromStoredMetadata(info.metadata)
  if (stored === 'foreign') {
    const plain = readPlain(gateway, place, info)
    if (customerKey !== undefined) throw notApplicable()
    return plain
  }
  const { namespace } = gateway.rules(place.bucket)
  const envelope = parseEnvelope(stored.envelope)
  const key = await wrappingKeyOf(gateway, envelope, namespace, customerKey)
  const objectKey = openEnvelope(envelope, key, namespace, place.key)
  const metadata = openMetadata(objectKey, stored.envelope, stored.metadata)
  const facts = await openFactsOf(gateway, place, info.facts, namespace)
  return {
    kind: 'sealed',
    place,
    info,
    envelope,
    objectKey,
    customerKey,
    metadata,
    facts,
    size: exactSize(envelope, metadata, info.size),
    etag: clientEtag(facts, info.etag),
  }
}

/** K: opened by its manager, or made from the key that the customer brings (SSE-C, S3 behaviour 54). */
async function wrappingKeyOf(
  gateway: Gateway,
  envelope: Envelope,
  namespace: string,
  customerKey: CustomerKey | undefined,
): Promise<Buffer> {
  if (!isCustomers(envelope)) {
    if (customerKey !== undefined) throw notApplicable()
    return (await keyUsed(gateway.meter, gateway.keys.open(envelope, namespace))).key
  }
  if (customerKey === undefined) {
    throw new S3Error('InvalidRequest', {
      message:
        'The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.',
    })
  }
  const key = openCustomerKey(envelope, customerKey.bytes)
  if (key !== undefined) return key
  throw new S3Error('AccessDenied', {
    message:
      'Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret key.',
  })
}

const isCustomers = ({ tag }: Envelope): boolean => tag === 'c'

const notApplicable = (): S3Error =>
  new S3Error('InvalidRequest', { message: 'The encryption parameters are not applicable to this object.' })

/** The client's ETag alone. Facts are sealed under the bucket's key, so that it takes no key of a customer to know it. */
export async function storedEtag(gateway: Gateway, place: Place, info: ObjectInfo): Promise<string> {
  const stored = fromStoredMetadata(info.metadata)
  if (stored === 'foreign' || !isCustomers(parseEnvelope(stored.envelope))) {
    return (await unseal(gateway, place, info)).etag
  }
  const { namespace } = gateway.rules(place.bucket)
  return clientEtag(await openFactsOf(gateway, place, info.facts, namespace), info.etag)
}

/** The plaintext size: authenticated where the metadata has it, else what the stored size implies (docs/format.md, "Segment", rule 5). */
function exactSize(envelope: Envelope, metadata: SealedMetadata, stored: number): number {
  const implied = plaintextSize(stored)
  if (envelope.flags.sizeInMetadata) {
    if (storedSize(metadata.plaintextBytes) !== stored) {
      throw new Integrity('size mismatch', `${stored} bytes are stored where ${metadata.plaintextBytes} were sealed`)
    }
    return metadata.plaintextBytes
  }
  if (implied === undefined) throw new Integrity('size mismatch', `${stored} is not the size of a sealed object`)
  return implied
}

async function openFactsOf(
  gateway: Gateway,
  place: Place,
  raw: Buffer | undefined,
  namespace: string,
): Promise<Facts | undefined> {
  const kid = raw === undefined ? undefined : factsKid(raw)
  if (raw === undefined || kid === undefined) return undefined
  const key = await keyOfFacts(gateway, kid, namespace)
  const facts = key === undefined ? undefined : openFacts(key, raw, namespace, place.key)
  if (facts === undefined) {
    alarm.publish({ what: 'facts of an object do not open', detail: { bucket: place.bucket, key: place.key } })
  }
  return facts
}

/** `undefined` for a key that nobody has any more: clients choose among key managers, and the loss of one must not hide what the others keep. */
async function keyOfFacts({ keys }: Gateway, kid: Buffer, namespace: string): Promise<Buffer | undefined> {
  const bucketKey = await keys.byKid(kid, namespace).catch((error: unknown) => {
    if (!(error instanceof Denied)) throw error
  })
  return bucketKey === undefined ? undefined : factsKey(bucketKey.key)
}

/** What a listing shows of one object: facts where they open, else the implied size and the store's ETag. A stored size outside the formula's image is shown raw. */
export interface ListedFacts {
  readonly object: ListedObject
  readonly size: number
  readonly etag: string
  readonly facts: Facts | undefined
}

/** Opens the facts of a page. The key that opens them is derived once for each bucket key of the page. */
export async function openListed(
  gateway: Gateway,
  bucket: string,
  objects: readonly ListedObject[],
): Promise<ListedFacts[]> {
  const { namespace } = gateway.rules(bucket)
  const keys = new Map<string, Buffer | undefined>()
  const keyOf = async (kid: Buffer): Promise<Buffer | undefined> => {
    const id = kid.toString('latin1')
    if (!keys.has(id)) keys.set(id, await keyOfFacts(gateway, kid, namespace))
    return keys.get(id)
  }
  const results: ListedFacts[] = []
  const unopened: string[] = []
  for (const object of objects) {
    const kid = object.facts === undefined ? undefined : factsKid(object.facts)
    const key = kid === undefined ? undefined : await keyOf(kid)
    const facts =
      object.facts === undefined || key === undefined ? undefined : openFacts(key, object.facts, namespace, object.key)
    if (facts === undefined && keepsMd5(gateway)) unopened.push(object.key)
    const size = facts?.plaintextBytes ?? plaintextSize(object.size) ?? object.size
    results.push({ object, size, etag: clientEtag(facts, object.etag), facts })
  }
  if (unopened.length > 0) {
    const detail = { bucket, objects: unopened.length, first: unopened[0] ?? '' }
    alarm.publish({ what: 'listed objects whose facts do not open', detail })
  }
  return results
}

/** The verified tail: from the cache, else one suffix range of the very object that `sealed` describes. */
export async function readTail(
  gateway: Gateway,
  sealed: Pick<SealedObject, 'place' | 'info' | 'objectKey' | 'envelope'>,
  signal: AbortSignal,
): Promise<TailRecord> {
  const { place, info, objectKey, envelope } = sealed
  const id = JSON.stringify([place.bucket, place.key, info.versionId ?? '', info.etag])
  const cached = gateway.tails.get(id)
  if (cached !== undefined) return cached
  const bytes = tailReadSize(info.size)
  if (bytes === undefined) throw new Integrity('size mismatch', `${info.size} is not the size of a sealed object`)
  const first = info.size - bytes
  const { body } = await getSame(gateway, sealed, { first, last: info.size - 1 }, signal)
  const pieces: Buffer[] = []
  for await (const batch of body) pieces.push(...batch)
  const { record } = openTail(objectKey, Buffer.concat(pieces), info.size, envelope.suite)
  gateway.tails.put(id, record)
  return record
}

/** A follow-up read of the same object: the version that the first answer named, and If-Match with the store's ETag. An object overwritten meanwhile is `SlowDown`: the client's retry reads the new one. */
export async function getSame(
  gateway: Gateway,
  { place, info }: Pick<StoredObject, 'place' | 'info'>,
  range: { readonly first: number; readonly last: number },
  signal: AbortSignal,
) {
  try {
    const version = atVersion(place.versionId === undefined ? info : place)
    // Of an empty object, which only plaintext can be, there is no range.
    const span = range.last < range.first ? {} : { range }
    return await gateway.store.get(place.bucket, place.key, { ...span, ifMatch: info.etag, ...version, signal })
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    throw new S3Error('SlowDown', {
      message: 'The object was overwritten while it was read. Retry the request.',
      cause: error,
    })
  }
}

/** How often a read starts again when the object is overwritten under it, before the client is told to retry. */
const REREADS = 3

/** Runs a read that needs several requests to the store from the beginning if the object was overwritten between them. */
export async function rereading<T>(read: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await read()
    } catch (error) {
      const overwritten = error instanceof S3Error && error.code === 'SlowDown' && error.cause instanceof StoreError
      if (!overwritten || attempt === REREADS) throw error
    }
  }
}

/** All TLVs of an object: those of the headers, and those that overflowed into the tail's area. */
export async function allTlvs(gateway: Gateway, sealed: StoredObject, signal: AbortSignal): Promise<readonly Tlv[]> {
  if (sealed.kind === 'plain') return sealed.tlvs
  if (!sealed.envelope.flags.areaUsed) return sealed.metadata.tlvs
  const { area } = await readTail(gateway, sealed, signal)
  return area === undefined ? sealed.metadata.tlvs : mergeTlvs(sealed.metadata.tlvs, openArea(sealed.objectKey, area))
}

/** What the store says of a place; `undefined` also where the newest version is a delete marker. */
export async function presentInfo({ store }: Gateway, place: Place): Promise<ObjectInfo | undefined> {
  try {
    return await store.head(place.bucket, place.key, atVersion(place))
  } catch (error) {
    if (error instanceof StoreError && error.refusal === 'no-such-key') return undefined
    throw error
  }
}

/** Reads what describes an object. Throws `NoSuchKey`, and what `unseal` throws. */
export async function headStored(gateway: Gateway, place: Place, customerKey?: CustomerKey): Promise<StoredObject> {
  return unseal(gateway, place, await headInfo(gateway, place), customerKey)
}

/** What the store says of an object. Throws `NoSuchKey`, `NoSuchVersion`. */
export async function headInfo(gateway: Gateway, place: Place): Promise<ObjectInfo> {
  const info = await gateway.store.head(place.bucket, place.key, atVersion(place))
  if (info === undefined) throw missing(place)
  return info
}

/** `NoSuchKey`, or `NoSuchVersion` where one was asked for, with its name. */
export function missing({ key, versionId }: Place, cause?: unknown): S3Error {
  return versionId === undefined
    ? new S3Error('NoSuchKey', { extra: { Key: key }, cause })
    : new S3Error('NoSuchVersion', { extra: { Key: key, VersionId: versionId }, cause })
}

/** As `headStored`, for answers that have a body, and with the name of the bucket if that is missing: a far store says of a HEAD only 404, so it is asked. */
export async function headNamed(gateway: Gateway, place: Place, customerKey?: CustomerKey): Promise<StoredObject> {
  try {
    return await headStored(gateway, place, customerKey)
  } catch (error) {
    if (!(await isBucketMissing(gateway, place.bucket, error))) throw error
    throw new S3Error('NoSuchBucket', { extra: { BucketName: place.bucket }, cause: error })
  }
}

async function isBucketMissing({ store }: Gateway, bucket: string, error: unknown): Promise<boolean> {
  if (error instanceof StoreError) return error.refusal === 'no-such-bucket' && error.answer === undefined
  const asked = error instanceof S3Error && ['NoSuchKey', 'NoSuchVersion'].includes(error.code)
  return asked && !store.capabilities.near && (await store.headBucket(bucket)) === undefined
}
