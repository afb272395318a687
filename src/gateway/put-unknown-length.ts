/**
 * PutObject without a length (Transfer-Encoding: chunked). Up to 8 MiB it is gathered and written as any small object;
 * beyond, the gateway writes it in parts of its own choosing, one gathered at a time, and the object is presented as not
 * multipart (docs/format.md, "Bodies that do not fit one backend request").
 */
import type { Body, UploadRef } from '../backends/object-store.ts'
import { newObjectKey } from '../format/derive.ts'
import { encodeFoot } from '../format/envelope.ts'
import { NO_SALT } from '../format/metadata.ts'
import { DATA_OF_PART, sealSegment } from '../format/segment.ts'
import { segmentSize } from '../format/sizes.ts'
import { finishObject } from '../format/tail.ts'
import type { TailEntry } from '../format/tail-record.ts'
import type { Tlv } from '../format/tlv.ts'
import type { WriteConditions } from '../s3/conditions.ts'
import type { Gateway, OperationRequest, OperationResponse } from './gateway.ts'
import { type GatheredPart, PartGatherer } from './part-gatherer.ts'
import { type PlaintextClaims, PlaintextVerifier, type VerifiedPlaintext } from './plaintext-verifier.ts'
import { putResponse, tooLarge } from './put-response.ts'
import { type SealedDescription, sealDescription, sealListed } from './sealed-description.ts'
import type { Place } from './sealed-object.ts'
import { writingUnder } from './write-conditions.ts'
import { factsOfPut, writeObject } from './write-object.ts'

const MIB = 1024 * 1024
const FIRST_PART_BYTES = 8 * MIB
const LARGEST_PART_BYTES = 128 * MIB
/** Part sizes double after this many parts: 10,000 parts reach 484 GiB. */
const PARTS_OF_ONE_SIZE = 2_000
const MAX_PARTS = 10_000
const LARGEST_BYTES = 484 * 1024 * MIB

/** Plaintext bytes of part `n` (from 1). */
export function partBytes(n: number): number {
  return Math.min(LARGEST_PART_BYTES, FIRST_PART_BYTES * 2 ** Math.floor((n - 1) / PARTS_OF_ONE_SIZE))
}

interface UnknownLengthPut {
  readonly place: Place
  readonly tlvs: readonly Tlv[]
  readonly claims: PlaintextClaims
  readonly conditions: WriteConditions
}

/** What all parts of the upload are sealed with. */
interface Upload {
  readonly ref: UploadRef
  readonly description: SealedDescription
}

export async function putUnknownLength(
  gateway: Gateway,
  request: OperationRequest,
  put: UnknownLengthPut,
): Promise<OperationResponse> {
  const { place, tlvs, claims, conditions } = put
  const parts = new PartGatherer(request.body.stream, gateway.limits.gather)
  const verifier = new PlaintextVerifier(claims)
  try {
    const first = await parts.next(partBytes(1))
    if (first.last) {
      for (const piece of first.pieces) verifier.update(piece)
      const plaintext = {
        kind: 'gathered' as const,
        pieces: first.pieces,
        verified: verifier.finish(request.body.trailers()),
      }
      const { verified } = await writingUnder(gateway, place, conditions, true, (condition) =>
        writeObject(gateway, { place, tlvs, plaintext, condition, signal: request.signal }),
      )
      return putResponse(verified)
    }
    const verified = await writeParts(gateway, request, put, { parts, first, verifier })
    return putResponse(verified)
  } finally {
    parts.release()
  }
}

interface Source {
  readonly parts: PartGatherer
  readonly first: GatheredPart
  readonly verifier: PlaintextVerifier
}

async function writeParts(
  gateway: Gateway,
  request: OperationRequest,
  put: UnknownLengthPut,
  source: Source,
): Promise<VerifiedPlaintext> {
  const upload = await createUpload(gateway, put)
  const written: WrittenParts = { entries: [], listed: [] }
  try {
    for (let n = 1, part = source.first; ; n += 1) {
      if (n > MAX_PARTS) throw tooLarge(plaintextOf(written.entries), LARGEST_BYTES)
      for (const piece of part.pieces) source.verifier.update(piece)
      const verified = part.last ? source.verifier.finish(request.body.trailers()) : undefined
      await writePart(gateway, request, upload, { n, part, verified, written })
      if (verified !== undefined) {
        await complete(gateway, put, upload, written, verified)
        return verified
      }
      part = await source.parts.next(partBytes(n + 1))
    }
  } catch (error) {
    await gateway.store.abortUpload(upload.ref).catch(() => undefined)
    throw error
  }
}

interface WrittenParts {
  readonly entries: TailEntry[]
  readonly listed: { readonly partNumber: number; readonly etag: string }[]
}

interface PartStep {
  readonly n: number
  readonly part: GatheredPart
  /** Set for the last part, which carries the object's ending. */
  readonly verified: VerifiedPlaintext | undefined
  readonly written: WrittenParts
}

async function writePart(
  gateway: Gateway,
  request: OperationRequest,
  upload: Upload,
  { n, part, verified, written }: PartStep,
): Promise<void> {
  const { objectKey } = upload.description
  const sealed = sealSegment({ objectKey, type: DATA_OF_PART, partNumber: n, random: gateway.random }, part.pieces)
  written.entries.push({ partNumber: n, plaintextBytes: part.bytes, salt: sealed.salt })
  const end = verified === undefined ? [] : ending(gateway, upload, written.entries, verified)
  const pieces = [...sealed.pieces, ...end]
  const options = { length: total(pieces), signal: request.signal }
  const { etag } = await gateway.store.putPart(upload.ref, n, once(pieces), options)
  written.listed.push({ partNumber: n, etag })
}

async function complete(
  gateway: Gateway,
  { place, conditions }: UnknownLengthPut,
  { ref, description }: Upload,
  { listed }: WrittenParts,
  verified: VerifiedPlaintext,
): Promise<void> {
  const facts = sealListed(gateway, place, description, factsOfPut(verified, description.generation))
  await writingUnder(gateway, place, conditions, false, (condition) =>
    gateway.store.completeUpload(ref, { parts: listed, facts, ...(condition === undefined ? {} : { condition }) }),
  )
}

async function createUpload(gateway: Gateway, { place, tlvs }: UnknownLengthPut): Promise<Upload> {
  const objectKey = newObjectKey(gateway.random)
  const description = await sealDescription(gateway, place, { objectKey, tlvs, areaAllowed: true })
  const uploadId = await gateway.store.createUpload(place.bucket, place.key, { metadata: description.metadata })
  return { ref: { ...place, uploadId }, description }
}

function ending(
  gateway: Gateway,
  { ref, description }: Upload,
  entries: readonly TailEntry[],
  { bytes, md5, checksum }: VerifiedPlaintext,
): Buffer[] {
  const { objectKey, envelope, namespace, generation, writeTime, area } = description
  return finishObject({
    objectKey,
    content: {
      kind: 1,
      md5Valid: true,
      checksumValid: checksum !== undefined,
      segments: entries.length,
      plaintextBytes: bytes,
      md5,
      ...(checksum === undefined ? {} : { checksum }),
      partNumber: 0,
      salt: NO_SALT,
      generation,
      writeTime,
      ...(area === undefined ? {} : { area }),
      entries,
    },
    segmentsStoredBytes: entries.reduce((sum, entry) => sum + segmentSize(entry.plaintextBytes), 0),
    foot: encodeFoot(envelope, namespace, ref.key),
    random: gateway.random,
  })
}

const plaintextOf = (entries: readonly TailEntry[]): number =>
  entries.reduce((sum, entry) => sum + entry.plaintextBytes, 0)
const total = (pieces: readonly Buffer[]): number => pieces.reduce((sum, piece) => sum + piece.length, 0)

async function* once(pieces: readonly Buffer[]): Body {
  yield pieces
}
