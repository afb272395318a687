/**
 * What follows the segments of an object: pad, tail, foot and trailer (docs/format.md, "Object body" and "Tail record").
 */
import { Integrity, Internal } from '../errors.ts'
import { LABELS, openSmall, type RandomSource, sealSmall } from './derive.ts'
import { layoutOfTail, segmentsEnd } from './layout.ts'
import { openSegment, parseHeader, sealSegment, TAIL } from './segment.ts'
import { AREA_TLV_LIMIT, FOOT_LIMIT, HEADER_BYTES, padSize, segmentSize, tailReadSize, TRAILER_BYTES } from './sizes.ts'
import { decodeTail, encodeTail, type TailRecord, tailRecordSize } from './tail-record.ts'
import { decodeTlvs, encodeTlvs, type Tlv } from './tlv.ts'

/** A record before its place is known. */
export type TailContent = Omit<TailRecord, 'tailOffset' | 'footPresent' | 'areaUsed'>

export interface FinishInput {
  readonly objectKey: Buffer
  readonly content: TailContent
  /** Bytes of all data segments as stored. */
  readonly segmentsStoredBytes: number
  /** At most 2,048 bytes; empty if P < D. */
  readonly foot: Buffer
  readonly random: RandomSource
}

const TRAILER_MAGIC = Buffer.from('SGT1TAIL', 'latin1')
const OFFSET_BYTES = 6
const ZEROS = Buffer.alloc(65_536)
const EMPTY = Buffer.alloc(0)

/** Everything behind the segments: pad ‖ tail ‖ foot ‖ trailer. The pad's pieces are shared: never write to them. */
export function finishObject(input: FinishInput): Buffer[] {
  const { padBytes, pieces } = finishParts(input)
  return [...zeroPieces(padBytes), ...pieces]
}

/** The same with the pad as a number, for a plan that keeps the finished bytes: `pieces` are tail ‖ foot ‖ trailer. */
export function finishParts(input: FinishInput): { readonly padBytes: number; readonly pieces: Buffer[] } {
  const { objectKey, content, segmentsStoredBytes, foot, random } = input
  if (foot.length > FOOT_LIMIT) throw new Internal(`a foot of ${foot.length} bytes`)
  const tailBytes = segmentSize(tailRecordSize(content))
  const padBytes = padSize(content.plaintextBytes, segmentsStoredBytes, tailBytes, foot.length)
  const tailOffset = segmentsStoredBytes + padBytes
  const areaUsed = content.area !== undefined
  const record = { ...content, tailOffset, areaUsed, footPresent: foot.length > 0 }
  const tail = sealSegment({ objectKey, type: TAIL, partNumber: 0, random }, encodeTail(record))
  const trailer = Buffer.alloc(TRAILER_BYTES)
  trailer.writeUInt16BE(foot.length, 0)
  trailer.writeUIntBE(tailOffset, 2, OFFSET_BYTES)
  TRAILER_MAGIC.copy(trailer, 2 + OFFSET_BYTES)
  return { padBytes, pieces: [...tail.pieces, ...(foot.length > 0 ? [foot] : []), trailer] }
}

/** Zero bytes in slices of one shared buffer: never write to them. */
export function zeroPieces(bytes: number): Buffer[] {
  const pieces: Buffer[] = []
  for (let left = bytes; left > 0; left -= ZEROS.length) pieces.push(ZEROS.subarray(0, Math.min(left, ZEROS.length)))
  return pieces
}

/** Whether bytes are all zero, at the speed of a comparison. */
export function isZeros(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const piece = bytes.subarray(at, at + ZEROS.length)
    if (!piece.equals(ZEROS.subarray(0, piece.length))) return false
  }
  return true
}

/**
 * The record and foot from the end of an object: at least its last `tailReadSize(storedBytes)` bytes. Checks all that can
 * be checked there: trailer, commitment, record, sizes, and the part of the pad that is in sight. Throws `Integrity` with
 * `size mismatch` (no object has that size, or the record's length demands another), `commitment failure` (another object
 * key) or `tail failure`.
 */
export function openTail(
  objectKey: Buffer,
  suffix: Buffer,
  storedBytes: number,
  suite: number,
): { readonly record: TailRecord; readonly foot: Buffer } {
  const wanted = tailReadSize(storedBytes)
  if (wanted === undefined) throw new Integrity('size mismatch', `no sealed object has ${storedBytes} bytes`)
  if (suffix.length < wanted)
    throw new Integrity('tail failure', `${suffix.length} bytes for a tail that needs ${wanted}`)
  if (suffix.length > storedBytes) throw new Internal(`${suffix.length} bytes of an object of ${storedBytes}`)
  const end = openEnd(objectKey, suffix, storedBytes, suite)
  if (!isZeros(suffix.subarray(Math.max(0, end.padOffset - (storedBytes - suffix.length)), end.tailStart))) {
    throw new Integrity('tail failure', 'the pad is not zero')
  }
  return { record: end.record, foot: end.foot }
}

/** The end of an object from bytes that hold the whole tail: everything that `openTail` checks but the pad's bytes. */
export function openEnd(
  objectKey: Buffer,
  suffix: Buffer,
  storedBytes: number,
  suite: number,
): { record: TailRecord; foot: Buffer; padOffset: number; tailStart: number } {
  const start = storedBytes - suffix.length
  const { tailOffset, footOffset, footEnd } = readTrailer(suffix, start)
  const stored = suffix.subarray(tailOffset - start, footOffset - start)
  const record = decodeTail(openTailSegment(objectKey, stored, suite))
  const foot = suffix.subarray(footOffset - start, footEnd - start)
  const padOffset = segmentsEnd(layoutOfTail(suite, record, storedBytes))
  if (record.tailOffset !== tailOffset) throw new Integrity('tail failure', 'the tail is not where its record says')
  if (padOffset > tailOffset) throw new Integrity('tail failure', 'the segments run into the tail')
  if (record.footPresent !== foot.length > 0) throw new Integrity('tail failure', 'the foot is not as the record says')
  return { record, foot, padOffset, tailStart: tailOffset - start }
}

/** Metadata entries for the tail's area: at most 4,056 bytes, at least one entry. */
export function sealArea(objectKey: Buffer, tlvs: readonly Tlv[], random: RandomSource): Buffer {
  const plaintext = encodeTlvs(tlvs)
  if (plaintext.length === 0 || plaintext.length > AREA_TLV_LIMIT) {
    throw new Internal(`an area of ${plaintext.length} bytes`)
  }
  return sealSmall(objectKey, LABELS.area, EMPTY, plaintext, random)
}

/** The entries of an area. Throws `Integrity('tail failure')`. */
export function openArea(objectKey: Buffer, sealed: Buffer): Tlv[] {
  const plaintext = openSmall(objectKey, LABELS.area, EMPTY, sealed)
  if (plaintext === undefined) throw new Integrity('tail failure', 'the area does not open')
  return decodeTlvs(plaintext, 'tail failure')
}

/** The offsets that a trailer states, checked against what is in sight. Offsets are of the whole object. */
function readTrailer(suffix: Buffer, start: number): { tailOffset: number; footOffset: number; footEnd: number } {
  const at = suffix.length - TRAILER_BYTES
  if (at < 0 || !suffix.subarray(at + 2 + OFFSET_BYTES).equals(TRAILER_MAGIC)) {
    throw new Integrity('tail failure', 'there is no trailer')
  }
  const footBytes = suffix.readUInt16BE(at)
  const tailOffset = suffix.readUIntBE(at + 2, OFFSET_BYTES)
  const footOffset = start + at - footBytes
  if (footBytes > FOOT_LIMIT || tailOffset < start || tailOffset + HEADER_BYTES > footOffset) {
    throw new Integrity('tail failure', 'the trailer names a tail that cannot be')
  }
  return { tailOffset, footOffset, footEnd: start + at }
}

function openTailSegment(objectKey: Buffer, stored: Buffer, suite: number): Buffer {
  const facts = parseHeader(stored.subarray(0, HEADER_BYTES))
  if (facts === undefined || facts.suite !== suite || facts.type !== TAIL || facts.partNumber !== 0) {
    throw new Integrity('tail failure', 'the tail has no header of a tail')
  }
  return openSegment(objectKey, facts, stored, 'tail failure')
}
