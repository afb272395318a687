/** One part from plaintext to a place where it is safe (docs/format.md, "The 5 MiB rule" and "State store"). UploadPart and UploadPartCopy end here. */
import type { Body } from '../../backends/body.ts'
import { StoreError } from '../../backends/object-store.ts'
import { Unavailable } from '../../errors.ts'
import { DATA_OF_PART, SegmentSealer } from '../../format/segment.ts'
import { MIN_SEGMENT_BYTES, segmentSize } from '../../format/sizes.ts'
import type { PartAttempt } from '../../format/journal.ts'
import { writtenEtag } from '../etag.ts'
import type { Gateway } from '../gateway.ts'
import { type PlaintextClaims, PlaintextVerifier, type VerifiedPlaintext } from '../plaintext-verifier.ts'
import { tooLarge } from '../put-response.ts'
import { noSuchUpload, type OpenUpload } from './upload-of.ts'

/** The last part number; it is held back because the gateway's own part must come after it. */
export const LAST_PART = 10_000
/** Stored bytes of one backend request; the last part leaves room for the tail (docs/format.md, "Limits"). */
const REQUEST_BYTES = 5 * 1024 ** 3
const TAIL_ROOM_BYTES = 4 * 1024 ** 2

export interface PartWrite {
  readonly upload: OpenUpload
  readonly partNumber: number
  readonly length: number
  readonly body: Body
  readonly claims: PlaintextClaims
  readonly trailers: () => Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

export interface StoredPart {
  readonly verified: VerifiedPlaintext
  /** The client's. */
  readonly etag: string
}

/** Seals and stores one attempt of a part and records it. Throws what the client's claims, the limits or the store refuse. */
export async function storePart(gateway: Gateway, write: PartWrite): Promise<StoredPart> {
  const { upload, partNumber, length, signal } = write
  const { ref, record } = upload
  const stored = segmentSize(length)
  const limit = partNumber === LAST_PART ? REQUEST_BYTES - TAIL_ROOM_BYTES : REQUEST_BYTES
  if (stored > limit) throw tooLarge(length, largestPart(limit))

  const sealer = new SegmentSealer({
    objectKey: record.objectKey,
    type: DATA_OF_PART,
    partNumber,
    random: gateway.random,
  })
  const attempt = gateway.uploads.newAttempt()
  const outcome: { verified?: VerifiedPlaintext } = {}
  const body = sealPart(gateway, sealer, write, outcome)
  const heldBack = length < MIN_SEGMENT_BYTES || partNumber === LAST_PART
  let backendEtag = ''
  try {
    if (heldBack) await gateway.uploads.hold(ref, partNumber, attempt, body, { length: stored, signal })
    else backendEtag = (await gateway.store.putPart(ref, partNumber, body, { length: stored, signal })).etag
  } catch (error) {
    throw error instanceof StoreError && error.refusal === 'no-such-upload' ? noSuchUpload(ref, error) : error
  }
  const { verified } = outcome
  if (verified === undefined) throw new Unavailable('the store took a part without reading it')
  const etag = partEtag(gateway, verified, heldBack, backendEtag)
  await gateway.uploads.journal(ref, record.objectKey, partNumber, attempt, {
    ...attemptOf(sealer, verified),
    heldBack,
    clientEtag: etag,
    backendEtag,
  })
  if (heldBack) await stillOpen(gateway, write, attempt)
  return { verified, etag }
}

function attemptOf(
  sealer: SegmentSealer,
  { bytes, md5, checksum }: VerifiedPlaintext,
): Pick<PartAttempt, 'bytes' | 'segmentSalt' | 'md5' | 'checksum'> {
  return {
    bytes,
    segmentSalt: sealer.salt,
    ...(md5 === undefined ? {} : { md5 }),
    ...(checksum === undefined ? {} : { checksum: { algorithm: checksum.algorithm, value: checksum.value } }),
  }
}

/** The client's name for an attempt: where it is not the MD5, the backend's name for it, and for a held-back one a name of our own. */
function partEtag(gateway: Gateway, { md5 }: VerifiedPlaintext, heldBack: boolean, backendEtag: string): string {
  return writtenEtag(heldBack ? gateway.random(16).toString('hex') : backendEtag, md5)
}

/** A held-back part never met the backend, which decides whether an upload lives: look again, so that no part outlives an abort. */
async function stillOpen(gateway: Gateway, { upload, partNumber }: PartWrite, attempt: string): Promise<void> {
  const { ref, namespace } = upload
  const gone =
    (await gateway.uploads.find(ref, namespace)) === undefined ||
    (await gateway.uploads.done(ref, namespace)) !== undefined
  if (!gone) return
  await gateway.uploads.dropAttempt(ref, partNumber, attempt)
  throw noSuchUpload(ref)
}

async function* sealPart(
  { meter }: Gateway,
  sealer: SegmentSealer,
  write: PartWrite,
  outcome: { verified?: VerifiedPlaintext },
): Body {
  const verifier = new PlaintextVerifier(write.claims)
  try {
    yield [sealer.header]
    for await (const batch of write.body) {
      const sealed: Buffer[] = []
      const begun = performance.now()
      for (const piece of batch) {
        verifier.update(piece)
        for (const part of sealer.update(piece)) sealed.push(part)
      }
      meter.cipherMilliseconds += performance.now() - begun
      if (sealed.length > 0) yield sealed
    }
    // The last ciphertext bytes leave only now that length, digests and signatures have held.
    outcome.verified = verifier.finish(write.trailers())
    yield sealer.final()
  } finally {
    sealer.dispose()
  }
}

/** The most plaintext whose segment fits `limit` stored bytes. */
function largestPart(limit: number): number {
  let bytes = limit
  while (segmentSize(bytes) > limit) bytes -= segmentSize(bytes) - limit
  return bytes
}
