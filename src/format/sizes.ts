/**
 * Sizes: the stored size of an object is a function of its plaintext size alone (docs/format.md, "Segment" and "Object body").
 * All arguments and results are bytes, below 2^53.
 */
import { Internal } from '../errors.ts'

/** C: plaintext bytes of a full chunk. A constant of the suite, never a setting: stored sizes depend on it. */
export const CHUNK_BYTES = 65_536
/** T: the AES-GCM tag behind each chunk. */
export const TAG_BYTES = 16
/** A full chunk as it is stored. */
export const SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES
/** H: the clear header of a segment. */
export const HEADER_BYTES = 64
/** D: the least plaintext of every segment but the last; S3's 5 MiB rule. */
export const MIN_SEGMENT_BYTES = 5_242_880
/** The most data segments of an object, and the highest part number. */
export const MAX_SEGMENTS = 10_000
/** The most bytes of a foot. */
export const FOOT_LIMIT = 2_048
/** The clear trailer that ends each object. */
export const TRAILER_BYTES = 16
/** Tail record: its fixed part, the most bytes of its area as sealed, the most bytes of TLVs in it, and one entry. */
export const TAIL_FIXED_BYTES = 160
export const AREA_LIMIT = 4_096
export const AREA_TLV_LIMIT = 4_056
export const TAIL_ENTRY_BYTES = 120
/** The largest object of a store that allows 5 TiB: `storedSize` of it still fits, of one byte more it does not. */
export const MAX_OBJECT_BYTES = 5_496_214_282_712

/** What S(P) adds to one chunked segment of P bytes: below D, and from D on before the part for each possible segment. */
const SMALL_EXTRA = HEADER_BYTES + HEADER_BYTES + TAIL_FIXED_BYTES + TAG_BYTES + TRAILER_BYTES
const LARGE_EXTRA = 6_848
const EXTRA_PER_SEGMENT = 200

/** g(p): bytes of p plaintext bytes as chunks, the always short last chunk included. */
export function chunkedSize(plaintextBytes: number): number {
  return plaintextBytes + TAG_BYTES * (Math.floor(plaintextBytes / CHUNK_BYTES) + 1)
}

/** The inverse of `chunkedSize`; `undefined` if no plaintext has that size, as after most truncations. */
export function plaintextOfChunked(chunkedBytes: number): number | undefined {
  if (!Number.isSafeInteger(chunkedBytes) || chunkedBytes < TAG_BYTES) return undefined
  const fullChunks = Math.floor((chunkedBytes - TAG_BYTES) / SEALED_CHUNK_BYTES)
  const rest = chunkedBytes - TAG_BYTES - fullChunks * SEALED_CHUNK_BYTES
  return rest < CHUNK_BYTES ? fullChunks * CHUNK_BYTES + rest : undefined
}

/** A whole segment: header and chunks. */
export function segmentSize(plaintextBytes: number): number {
  return HEADER_BYTES + chunkedSize(plaintextBytes)
}

/** u(P): the most segments of at least D bytes that P bytes can hold, which bounds the number of segments less one. */
export function upperSegments(plaintextBytes: number): number {
  return Math.min(MAX_SEGMENTS - 1, Math.floor(plaintextBytes / MIN_SEGMENT_BYTES))
}

/** S(P): the stored size of an object of P plaintext bytes, however it was written. */
export function storedSize(plaintextBytes: number): number {
  const segments = upperSegments(plaintextBytes)
  return chunkedSize(plaintextBytes) + SMALL_EXTRA + extraOf(segments)
}

/** The inverse of `storedSize`; `undefined` if no sealed object has that size. */
export function plaintextSize(storedBytes: number): number | undefined {
  if (!Number.isSafeInteger(storedBytes) || storedBytes < 0) return undefined
  const most = upperSegments(Math.max(0, storedBytes - SMALL_EXTRA - TAG_BYTES))
  for (let segments = most; segments >= Math.max(0, most - 4); segments--) {
    const plaintext = plaintextOfChunked(storedBytes - SMALL_EXTRA - extraOf(segments))
    if (plaintext !== undefined && upperSegments(plaintext) === segments) return plaintext
  }
  return undefined
}

/** Bytes at the end of an object of that stored size that always hold the whole tail; `undefined` if no sealed object has that size. */
export function tailReadSize(storedBytes: number): number | undefined {
  const plaintext = plaintextSize(storedBytes)
  if (plaintext === undefined) return undefined
  const entries = TAIL_ENTRY_BYTES * (upperSegments(plaintext) + 1)
  const record = TAIL_FIXED_BYTES + 2 + AREA_LIMIT + entries
  return Math.min(storedBytes, FOOT_LIMIT + TRAILER_BYTES + HEADER_BYTES + chunkedSize(record))
}

/** Zero bytes between the segments and the tail. Throws `Internal` if the pieces do not fit the size that P demands. */
export function padSize(
  plaintextBytes: number,
  segmentsStoredBytes: number,
  tailBytes: number,
  footBytes: number,
): number {
  const pad = storedSize(plaintextBytes) - segmentsStoredBytes - tailBytes - footBytes - TRAILER_BYTES
  if (pad < 0) throw new Internal(`the parts of an object of ${plaintextBytes} bytes exceed its stored size by ${-pad}`)
  return pad
}

function extraOf(segments: number): number {
  return segments > 0 ? LARGE_EXTRA + EXTRA_PER_SEGMENT * segments : 0
}
