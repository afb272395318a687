/** Seals one body as a one-segment object (docs/format.md, "Object body") and gives it to the store. PutObject and streaming copies end here. */
import { type Body, HeldBody } from '../backends/body.ts'
import {
  type Attributes,
  type PutOptions,
  StoreError,
  type StoreRefusal,
  type WriteCondition,
  type WriteResult,
} from '../backends/object-store.ts'
import { Unavailable } from '../errors.ts'
import { newObjectKey } from '../format/derive.ts'
import { encodeFoot } from '../format/envelope.ts'
import type { Facts } from '../format/facts.ts'
import { DATA_OF_PUT, SegmentSealer } from '../format/segment.ts'
import { MIN_SEGMENT_BYTES, segmentSize, storedSize } from '../format/sizes.ts'
import { finishObject } from '../format/tail.ts'
import { NO_MD5 } from '../format/tail-record.ts'
import { checksumTlv, md5Tlv, type Tlv } from '../format/tlv.ts'
import { S3Error } from '../s3/errors.ts'
import type { Encryption } from './encryption.ts'
import { keepsMd5, writtenEtag } from './etag.ts'
import type { Gateway } from './gateway.ts'
import { type PlaintextClaims, PlaintextVerifier, type VerifiedPlaintext } from './plaintext-verifier.ts'
import { type SealedDescription, sealDescription, sealListed } from './sealed-description.ts'
import type { Place } from './place.ts'

/** The body of a write: already in memory and verified, or a stream that is verified while it is sealed. */
export type Plaintext =
  | { readonly kind: 'gathered'; readonly pieces: readonly Buffer[]; readonly verified: VerifiedPlaintext }
  | {
      readonly kind: 'stream'
      readonly length: number
      readonly body: Body
      readonly claims: PlaintextClaims
      readonly trailers: () => Readonly<Record<string, string>>
    }

export interface ObjectWrite {
  readonly place: Place
  readonly tlvs: readonly Tlv[]
  readonly encryption: Encryption
  readonly plaintext: Plaintext
  readonly condition?: WriteCondition | undefined
  readonly attributes?: Attributes
  readonly signal: AbortSignal
}

export interface WrittenObject {
  readonly written: WriteResult
  /** The client's. */
  readonly etag: string
  readonly verified: VerifiedPlaintext
}

/** What one attempt to write is sealed with. Made anew for every attempt: R and salt never serve two bodies (docs/format.md, "Segment", rule 4). */
interface Attempt {
  readonly place: Place
  readonly sealer: SegmentSealer
  readonly description: SealedDescription
}

/** Writes the object. Throws `S3Error` for a claim that does not hold and whatever the store refuses; then no object appears. */
export async function writeObject(gateway: Gateway, write: ObjectWrite): Promise<WrittenObject> {
  const { plaintext, place, attributes, condition, signal } = write
  const bytes = plaintext.kind === 'gathered' ? plaintext.verified.bytes : plaintext.length
  const attempt = await newAttempt(gateway, write, bytes)
  const { description } = attempt
  let verified: VerifiedPlaintext | undefined
  const body =
    plaintext.kind === 'gathered'
      ? sealGathered(gateway, attempt, plaintext)
      : sealStream(gateway, attempt, plaintext, (result) => {
          verified = result
        })
  if (plaintext.kind === 'gathered') verified = plaintext.verified
  const options: PutOptions = {
    length: storedSize(bytes),
    metadata: description.metadata,
    ...(condition === undefined ? {} : { condition }),
    ...(attributes === undefined ? {} : { attributes }),
    signal,
    commit: async () => {
      if (!keepsMd5(gateway)) return {}
      const facts = factsOfPut(done(verified), description.generation)
      return { facts: sealListed(gateway, place, description, facts) }
    },
  }
  const written = await gateway.store.put(place.bucket, place.key, body, options).catch(async (error: unknown) => {
    // An answer that was lost, or a repeated request that met its own first attempt.
    const ours = verified === undefined ? undefined : await foundOurs(gateway, place, description, error)
    if (ours !== undefined) return ours
    throw (await bucketIsMissing(gateway, place, error)) ? new S3Error('NoSuchBucket', { cause: error }) : error
  })
  return { written, verified: done(verified), etag: writtenEtag(written.etag, done(verified).md5) }
}

/** A store that refuses while a body is under way may close the connection before its answer was read: one cause can be asked for. */
async function bucketIsMissing({ store }: Gateway, { bucket }: Place, error: unknown): Promise<boolean> {
  if (!(error instanceof Unavailable) || store.capabilities.near) return false
  return store.headBucket(bucket).then(
    (found) => found === undefined,
    () => false,
  )
}

/**
 * Whether the object that is there now is the one that a failed write has sent: sealed metadata is drawn anew for every attempt,
 * so that the same text means the same write. `undefined` if it is not, or nobody can tell.
 */
export async function foundOurs(
  gateway: Gateway,
  { bucket, key }: Place,
  description: SealedDescription,
  error: unknown,
): Promise<WriteResult | undefined> {
  if (!isAmbiguous(error)) return undefined
  const info = await gateway.store.head(bucket, key).catch(() => undefined)
  if (info === undefined || info.metadata['sg-m'] !== description.metadata['sg-m']) return undefined
  const { etag, lastModified, versionId, attributes } = info
  return {
    etag,
    lastModified,
    ...(versionId === undefined ? {} : { versionId }),
    ...(attributes === undefined ? {} : { attributes }),
  }
}

/** As `foundOurs`, of a write that may go to the store as an upload of the gateway's own. Throws what went wrong where it is not there. */
export async function foundOursOrThrow(
  gateway: Gateway,
  place: Place,
  description: SealedDescription,
  error: unknown,
): Promise<WriteResult> {
  const ours = await foundOurs(gateway, place, description, error)
  if (ours !== undefined) return ours
  // The upload is the gateway's own matter: to the client it is a write of which nobody knows whether it took place.
  const gone = error instanceof StoreError && error.refusal === 'no-such-upload'
  throw gone ? new Unavailable('the upload of a large object is gone', { cause: error }) : error
}

/** What a write that took place meets when it is sent again: its own object, or an upload that is gone because it was completed. */
const ECHOES: readonly StoreRefusal[] = ['precondition-failed', 'no-such-upload']

const isAmbiguous = (error: unknown): boolean =>
  error instanceof Unavailable || (error instanceof StoreError && ECHOES.includes(error.refusal))

function done(verified: VerifiedPlaintext | undefined): VerifiedPlaintext {
  if (verified === undefined) throw new S3Error('InternalError', { cause: 'the store committed a body before its end' })
  return verified
}

async function newAttempt(gateway: Gateway, write: ObjectWrite, bytes: number): Promise<Attempt> {
  const objectKey = newObjectKey(gateway.random)
  const sealer = new SegmentSealer({ objectKey, type: DATA_OF_PUT, partNumber: 0, random: gateway.random })
  const description = await sealDescription(gateway, write.place, {
    objectKey,
    tlvs: withDigests(write),
    encryption: write.encryption,
    segment: { plaintextBytes: bytes, salt: sealer.salt, commitment: sealer.commitment },
    areaAllowed: bytes >= MIN_SEGMENT_BYTES,
  })
  return { place: write.place, sealer, description }
}

/** The TLVs, with digests that are known before the request to the store starts: those cost a reader nothing. */
function withDigests({ tlvs, plaintext }: ObjectWrite): Tlv[] {
  if (plaintext.kind === 'stream') return [...tlvs]
  const { md5, checksum } = plaintext.verified
  return [
    ...tlvs,
    ...(checksum === undefined ? [] : [checksumTlv(checksum)]),
    ...(md5 === undefined ? [] : [md5Tlv(md5, 0)]),
  ]
}

function sealGathered(
  gateway: Gateway,
  attempt: Attempt,
  { pieces, verified }: Extract<Plaintext, { kind: 'gathered' }>,
): HeldBody {
  const { sealer } = attempt
  const begun = performance.now()
  const sealed: Buffer[] = [sealer.header]
  for (const piece of pieces) sealed.push(...sealer.update(piece))
  sealed.push(...sealer.final(), ...ending(gateway, attempt, verified))
  gateway.meter.cipherMilliseconds += performance.now() - begun
  return new HeldBody(sealed)
}

async function* sealStream(
  gateway: Gateway,
  attempt: Attempt,
  { claims, body, trailers }: Extract<Plaintext, { kind: 'stream' }>,
  onVerified: (verified: VerifiedPlaintext) => void,
): Body {
  const { sealer } = attempt
  const verifier = new PlaintextVerifier(claims)
  try {
    yield [sealer.header]
    for await (const batch of body) {
      const sealed: Buffer[] = []
      const begun = performance.now()
      for (const piece of batch) {
        verifier.update(piece)
        for (const part of sealer.update(piece)) sealed.push(part)
      }
      gateway.meter.cipherMilliseconds += performance.now() - begun
      if (sealed.length > 0) yield sealed
    }
    // The last ciphertext bytes leave only now that length, digests and signatures have held.
    const verified = verifier.finish(trailers())
    onVerified(verified)
    yield [...sealer.final(), ...ending(gateway, attempt, verified)]
  } finally {
    sealer.dispose()
  }
}

function ending(gateway: Gateway, { place, sealer, description }: Attempt, verified: VerifiedPlaintext): Buffer[] {
  const { objectKey, envelope, namespace, generation, writeTime, area } = description
  const { bytes, md5, checksum } = verified
  return finishObject({
    objectKey,
    content: {
      kind: 1,
      md5Valid: md5 !== undefined,
      checksumValid: checksum !== undefined,
      segments: 1,
      plaintextBytes: bytes,
      md5: md5 ?? NO_MD5,
      ...(checksum === undefined ? {} : { checksum }),
      partNumber: 0,
      salt: sealer.salt,
      generation,
      writeTime,
      ...(area === undefined ? {} : { area }),
      entries: [],
    },
    segmentsStoredBytes: segmentSize(bytes),
    foot: bytes < MIN_SEGMENT_BYTES ? Buffer.alloc(0) : encodeFoot(envelope, namespace, place.key),
    random: gateway.random,
  })
}

/** The facts of an object that was not written in parts. */
export function factsOfPut({ bytes, md5, checksum }: VerifiedPlaintext, generation: Buffer): Facts {
  return {
    plaintextBytes: bytes,
    generation,
    ...(md5 === undefined ? {} : { md5 }),
    partCount: 0,
    checksumAlgorithm: checksum?.algorithm ?? 0,
    checksumType: checksum?.type ?? 0,
  }
}
