/**
 * Bodies without a length (Transfer-Encoding: chunked), and those beyond what the store takes in one request. Up to 8 MiB they are
 * gathered and written as any small object; beyond, the gateway writes parts of its own choosing, one gathered at a time, and the
 * object is presented as not multipart (docs/format.md, "Bodies that do not fit one backend request").
 */
import { type Body, HeldBody } from '../backends/body.ts'
import type { UploadRef, WriteCondition, WriteResult } from '../backends/object-store.ts'
import { newObjectKey } from '../format/derive.ts'
import { encodeFoot } from '../format/envelope.ts'
import { NO_SALT } from '../format/metadata.ts'
import { DATA_OF_PART, sealSegment } from '../format/segment.ts'
import { segmentSize } from '../format/sizes.ts'
import { finishObject } from '../format/tail.ts'
import { NO_MD5, type TailEntry } from '../format/tail-record.ts'
import type { Tlv } from '../format/tlv.ts'
import type { ForStore } from './attributes.ts'
import type { Encryption } from './encryption.ts'
import { keepsMd5, writtenEtag } from './etag.ts'
import type { Gateway } from './gateway.ts'
import { type GatheredPart, PartGatherer } from './part-gatherer.ts'
import { type PlaintextClaims, PlaintextVerifier, type VerifiedPlaintext } from './plaintext-verifier.ts'
import { tooLarge } from './put-response.ts'
import { type SealedDescription, sealDescription, sealListed } from './sealed-description.ts'
import type { Place } from './place.ts'
import { factsOfPut, foundOursOrThrow, writeObject, type WrittenObject } from './write-object.ts'

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

/** A write whose body does not go into one request, or may not: its length is unknown, or beyond the store's limit. */
export interface PartsWrite {
  readonly place: Place
  readonly tlvs: readonly Tlv[]
  readonly encryption: Encryption
  readonly body: Body
  readonly claims: PlaintextClaims
  /** An upper bound of the body's length, if one is known. */
  readonly atMost?: number | undefined
  readonly trailers: () => Readonly<Record<string, string>>
  readonly attributes: ForStore
  /** Runs the write that makes the object under the conditions on its target. `repeatable`: its body can be sent again. */
  readonly under: <T>(repeatable: boolean, write: (condition: WriteCondition | undefined) => Promise<T>) => Promise<T>
  readonly signal: AbortSignal
}

/** What all parts of the upload are sealed with. */
interface Upload {
  readonly ref: UploadRef
  readonly description: SealedDescription
}

/** Writes the object; one that fits the first part is written as any other. */
export async function putInParts(gateway: Gateway, write: PartsWrite): Promise<WrittenObject> {
  const { place, tlvs, encryption, claims, attributes, signal } = write
  const parts = new PartGatherer(write.body, gateway.limits.gather)
  const verifier = new PlaintextVerifier(claims)
  try {
    const first = await parts.next(Math.min(partBytes(1), write.atMost ?? Number.MAX_SAFE_INTEGER))
    if (!first.last) return await writeParts(gateway, write, { parts, first, verifier })
    for (const piece of first.pieces) verifier.update(piece)
    const verified = verifier.finish(write.trailers())
    const plaintext = { kind: 'gathered' as const, pieces: first.pieces, verified }
    return await write.under(true, (condition) =>
      writeObject(gateway, { place, tlvs, encryption, plaintext, condition, ...attributes, signal }),
    )
  } finally {
    parts.release()
  }
}

interface Source {
  readonly parts: PartGatherer
  readonly first: GatheredPart
  readonly verifier: PlaintextVerifier
}

async function writeParts(gateway: Gateway, write: PartsWrite, source: Source): Promise<WrittenObject> {
  const upload = await createUpload(gateway, write)
  const written: WrittenParts = { entries: [], listed: [] }
  try {
    for (let n = 1, part = source.first; ; n += 1) {
      if (n > MAX_PARTS) throw tooLarge(plaintextOf(written.entries), LARGEST_BYTES)
      for (const piece of part.pieces) source.verifier.update(piece)
      const verified = part.last ? source.verifier.finish(write.trailers()) : undefined
      await writePart(gateway, write, upload, { n, part, verified, written })
      if (verified !== undefined) {
        const result = await complete(gateway, write, upload, written, verified)
        return { verified, written: result, etag: writtenEtag(result.etag, verified.md5) }
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
  { signal }: PartsWrite,
  upload: Upload,
  { n, part, verified, written }: PartStep,
): Promise<void> {
  const { objectKey } = upload.description
  const sealed = sealSegment({ objectKey, type: DATA_OF_PART, partNumber: n, random: gateway.random }, part.pieces)
  written.entries.push({ partNumber: n, plaintextBytes: part.bytes, salt: sealed.salt })
  const end = verified === undefined ? [] : ending(gateway, upload, written.entries, verified)
  const pieces = [...sealed.pieces, ...end]
  const options = { length: total(pieces), signal }
  const { etag } = await gateway.store.putPart(upload.ref, n, new HeldBody(pieces), options)
  written.listed.push({ partNumber: n, etag })
}

async function complete(
  gateway: Gateway,
  { place, under }: PartsWrite,
  { ref, description }: Upload,
  { listed }: WrittenParts,
  verified: VerifiedPlaintext,
): Promise<WriteResult> {
  const facts = keepsMd5(gateway)
    ? { facts: sealListed(gateway, place, description, factsOfPut(verified, description.generation)) }
    : {}
  return under(false, (condition) =>
    gateway.store
      .completeUpload(ref, { parts: listed, ...facts, ...(condition === undefined ? {} : { condition }) })
      .catch((error: unknown) => foundOursOrThrow(gateway, place, description, error)),
  )
}

async function createUpload(gateway: Gateway, write: PartsWrite): Promise<Upload> {
  const { place, tlvs, encryption, attributes } = write
  const objectKey = newObjectKey(gateway.random)
  const description = await sealDescription(gateway, place, { objectKey, tlvs, encryption, areaAllowed: true })
  const { metadata } = description
  const uploadId = await gateway.store.createUpload(place.bucket, place.key, { metadata, ...attributes })
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
      md5Valid: md5 !== undefined,
      checksumValid: checksum !== undefined,
      segments: entries.length,
      plaintextBytes: bytes,
      md5: md5 ?? NO_MD5,
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
