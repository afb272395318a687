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
      const plaintext = { kind: 'gathered' as const, pieces: first.pieces, verified: verifier.finish(request.body.trailers()) }
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
  const { store } = gateway
  const entries: TailEntry[] = []
  const listed: { partNumber: number; etag: string }[] = []
  try {
    let verified: VerifiedPlaintext | undefined
    for (let n = 1, part = source.first; ; n += 1) {
      if (n > MAX_PARTS) throw tooLarge(entries.reduce((sum, entry) => sum + entry.plaintextBytes, 0), 484 * 1024 * MIB)
      for (const piece of part.pieces) source.verifier.update(piece)
      if (part.last) verified = source.verifier.finish(request.body.trailers())
      const sealed = sealSegment({ objectKey: upload.description.objectKey, type: DATA_OF_PART, partNumber: n, random: gateway.random }, part.pieces)
      entries.push({ partNumber: n, plaintextBytes: part.bytes, salt: sealed.salt })
      const pieces = verified === undefined ? sealed.pieces : [...sealed.pieces, ...ending(gateway, upload, entries, verified)]
      const { etag } = await store.putPart(upload.ref, n, once(pieces), { length: total(pieces), signal: request.signal })
      listed.push({ partNumber: n, etag })
      if (part.last) break
      part = await source.parts.next(partBytes(n + 1))
    }
    const complete = verified as VerifiedPlaintext
    await writingUnder(gateway, put.place, put.conditions, false, (condition) =>
      store.completeUpload(upload.ref, {
        parts: listed,
        facts: sealListed(gateway, put.place, upload.description, factsOfPut(complete, upload.description.generation)),
        ...(condition === undefined ? {} : { condition }),
      }),
    )
    return complete
  } catch (error) {
    await store.abortUpload(upload.ref).catch(() => undefined)
    throw error
  }
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

const total = (pieces: readonly Buffer[]): number => pieces.reduce((sum, piece) => sum + piece.length, 0)

async function* once(pieces: readonly Buffer[]): Body {
  yield pieces
}
