/** Where the plaintext of an object lies in its stored bytes (docs/format.md, "Object body" and "What a read costs"). */
import { Integrity, Internal } from '../errors.ts'
import type { SealedMetadata } from './metadata.ts'
import { DATA_OF_PART, DATA_OF_PUT, type SegmentFacts } from './segment.ts'
import { CHUNK_BYTES, chunkedSize, HEADER_BYTES, SEALED_CHUNK_BYTES, segmentSize, storedSize } from './sizes.ts'
import type { TailEntry, TailRecord } from './tail-record.ts'

/** One data segment: what it must be, and where it lies. Offsets and lengths are bytes. */
export interface SegmentPlace extends Omit<SegmentFacts, 'suite'> {
  readonly plaintextBytes: number
  readonly plaintextOffset: number
  /** Of the segment's header. */
  readonly storedOffset: number
}

/** A trusted map of an object: from its sealed metadata, or from its verified tail. */
export interface Layout {
  readonly suite: number
  readonly plaintextBytes: number
  readonly storedBytes: number
  readonly segments: readonly SegmentPlace[]
}

/**
 * The layout of an object written with one PUT of known length, from metadata whose envelope has `sizeInMetadata`. Throws
 * `Integrity('size mismatch')` if the stored size is not the one that its length demands.
 */
export function layoutOfMetadata(
  suite: number,
  metadata: Pick<SealedMetadata, 'plaintextBytes' | 'salt' | 'commitment'>,
  storedBytes: number,
): Layout {
  const { plaintextBytes, salt, commitment } = metadata
  checkSize(plaintextBytes, storedBytes)
  const segment = { type: DATA_OF_PUT, partNumber: 0, salt, commitment, plaintextBytes, ...START } as const
  return { suite, plaintextBytes, storedBytes, segments: [segment] }
}

/** The layout that a verified tail fixes. Throws `Integrity('size mismatch')` if it does not fit the stored size. */
export function layoutOfTail(suite: number, record: TailRecord, storedBytes: number): Layout {
  const { plaintextBytes } = record
  checkSize(plaintextBytes, storedBytes)
  if (record.segments > 1) return { suite, plaintextBytes, storedBytes, segments: placesOf(record.entries) }
  const type = record.kind === 1 ? DATA_OF_PUT : DATA_OF_PART
  const { partNumber, salt } = record
  return { suite, plaintextBytes, storedBytes, segments: [{ type, partNumber, salt, plaintextBytes, ...START }] }
}

/** Stored bytes of all data segments: where the pad begins. */
export function segmentsEnd(layout: Layout): number {
  const last = layout.segments.at(-1)
  return last === undefined ? 0 : last.storedOffset + segmentSize(last.plaintextBytes)
}

/**
 * The stored bytes, inclusive, that hold the chunks of plaintext bytes `first` to `last`. They begin at a chunk, never at
 * a header. Throws `Internal` unless 0 ≤ first ≤ last < P.
 */
export function storedSpan(layout: Layout, first: number, last: number): { first: number; last: number } {
  checkRange(layout, first, last)
  const head = placeAt(layout, first)
  const end = placeAt(layout, last)
  const firstChunk = Math.floor((first - head.plaintextOffset) / CHUNK_BYTES)
  const lastChunk = Math.floor((last - end.plaintextOffset) / CHUNK_BYTES)
  const endOfChunks = Math.min((lastChunk + 1) * SEALED_CHUNK_BYTES, chunkedSize(end.plaintextBytes))
  return {
    first: head.storedOffset + HEADER_BYTES + firstChunk * SEALED_CHUNK_BYTES,
    last: end.storedOffset + HEADER_BYTES + endOfChunks - 1,
  }
}

/**
 * The span to ask for before anything is known of an object, right if it has one segment. It begins where `storedSpan`
 * would and may end later, so `RangeOpener` takes the answer as it is.
 */
export function guessSpan(first: number, last?: number): { first: number; last?: number } {
  const start = HEADER_BYTES + Math.floor(first / CHUNK_BYTES) * SEALED_CHUNK_BYTES
  if (last === undefined) return { first: start }
  return { first: start, last: HEADER_BYTES + (Math.floor(last / CHUNK_BYTES) + 1) * SEALED_CHUNK_BYTES - 1 }
}

/** Throws `Internal` unless 0 ≤ first ≤ last < P. */
export function checkRange(layout: Layout, first: number, last: number): void {
  if (!(first >= 0 && first <= last && last < layout.plaintextBytes)) {
    throw new Internal(`no bytes ${first} to ${last} in an object of ${layout.plaintextBytes}`)
  }
}

/** The segment that holds a plaintext byte, by bisection: there may be 10,000. */
export function placeAt(layout: Layout, offset: number): SegmentPlace {
  let low = 0
  let high = layout.segments.length - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if ((layout.segments[middle]?.plaintextOffset ?? Infinity) <= offset) low = middle
    else high = middle - 1
  }
  const place = layout.segments[low]
  if (place === undefined) throw new Internal('a layout without segments')
  return place
}

const START = { plaintextOffset: 0, storedOffset: 0 } as const

function placesOf(entries: readonly TailEntry[]): SegmentPlace[] {
  let plaintextOffset = 0
  let storedOffset = 0
  return entries.map(({ partNumber, salt, plaintextBytes }) => {
    const place = { type: DATA_OF_PART, partNumber, salt, plaintextBytes, plaintextOffset, storedOffset } as const
    plaintextOffset += plaintextBytes
    storedOffset += segmentSize(plaintextBytes)
    return place
  })
}

function checkSize(plaintextBytes: number, storedBytes: number): void {
  if (storedSize(plaintextBytes) !== storedBytes) {
    throw new Integrity(
      'size mismatch',
      `an object of ${plaintextBytes} bytes takes ${storedSize(plaintextBytes)}, not ${storedBytes}`,
    )
  }
}
