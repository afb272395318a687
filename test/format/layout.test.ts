import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Internal } from '../../src/errors.ts'
import {
  guessSpan,
  type Layout,
  layoutOfMetadata,
  layoutOfTail,
  placeAt,
  segmentsEnd,
  storedSpan,
} from '../../src/format/layout.ts'
import { DATA_OF_PART, DATA_OF_PUT } from '../../src/format/segment.ts'
import { CHUNK_BYTES, MIN_SEGMENT_BYTES, SEALED_CHUNK_BYTES, segmentSize, storedSize } from '../../src/format/sizes.ts'
import type { TailRecord } from '../../src/format/tail-record.ts'
import { expectRefusal, SUITE, seeded } from './sealed-objects.ts'

const C = CHUNK_BYTES
const D = MIN_SEGMENT_BYTES
const random = seeded('layouts')

function recordOf(kind: 1 | 2, sizes: readonly number[]): TailRecord {
  const several = sizes.length > 1
  return {
    kind,
    md5Valid: false,
    checksumValid: false,
    areaUsed: false,
    footPresent: false,
    segments: sizes.length,
    plaintextBytes: sizes.reduce((sum, size) => sum + size, 0),
    tailOffset: 0,
    md5: Buffer.alloc(16),
    partNumber: several || kind === 1 ? 0 : 9,
    salt: several ? Buffer.alloc(24) : random(24),
    generation: random(8),
    writeTime: 0,
    entries: several ? sizes.map((size, i) => ({ partNumber: i + 1, plaintextBytes: size, salt: random(24) })) : [],
  }
}

function tailLayout(kind: 1 | 2, sizes: readonly number[]): Layout {
  const record = recordOf(kind, sizes)
  return layoutOfTail(SUITE, record, storedSize(record.plaintextBytes))
}

function sizedLayout(plaintextBytes: number): Layout {
  return layoutOfMetadata(
    SUITE,
    { plaintextBytes, salt: random(24), commitment: random(32) },
    storedSize(plaintextBytes),
  )
}

/** Stored offset of the chunk of a plaintext byte, counted segment by segment. */
function chunkStart(sizes: readonly number[], offset: number): number {
  let stored = 0
  let left = offset
  for (const size of sizes) {
    if (left < size) return stored + 64 + Math.floor(left / C) * SEALED_CHUNK_BYTES
    left -= size
    stored += segmentSize(size)
  }
  throw new Error('beyond the end')
}

describe('a layout', () => {
  test('of a PUT and of an upload with one part differ in the type of their segment', () => {
    expect(tailLayout(1, [10]).segments[0]).toMatchObject({ type: DATA_OF_PUT, partNumber: 0, storedOffset: 0 })
    expect(tailLayout(2, [10]).segments[0]).toMatchObject({ type: DATA_OF_PART, partNumber: 9, storedOffset: 0 })
    expect(tailLayout(1, [D, 1]).segments[1]).toMatchObject({ type: DATA_OF_PART, partNumber: 2 })
    expect(sizedLayout(10).segments[0]).toMatchObject({ type: DATA_OF_PUT, partNumber: 0, plaintextBytes: 10 })
  })

  test('refuses a stored size that its length does not demand', () => {
    const metadata = { plaintextBytes: 100, salt: random(24), commitment: random(32) }
    for (const off of [-1, 1, 16]) {
      expectRefusal('size mismatch', () => layoutOfMetadata(SUITE, metadata, storedSize(100) + off))
      expectRefusal('size mismatch', () => layoutOfTail(SUITE, recordOf(2, [D, D]), storedSize(2 * D) + off))
    }
  })

  test('finds the segment of any byte, also among 10,000', () => {
    const sizes = Array.from({ length: 10_000 }, (_, i) => D + (i % 7))
    const layout = tailLayout(2, sizes)
    expect(segmentsEnd(layout)).toBe(sizes.reduce((sum, size) => sum + segmentSize(size), 0))
    for (const place of layout.segments) {
      const last = place.plaintextOffset + place.plaintextBytes - 1
      if (placeAt(layout, place.plaintextOffset) !== place || placeAt(layout, last) !== place) {
        expect(place.partNumber).toBe('found')
      }
    }
  })

  test('of nothing has one segment', () => {
    expect(placeAt(sizedLayout(0), 0)).toMatchObject({ plaintextBytes: 0 })
    expect(segmentsEnd(sizedLayout(0))).toBe(80)
  })
})

describe('the span of a range', () => {
  test('begins at the first chunk and ends with the last, for any layout', () => {
    const shape = fc.record({
      middle: fc.array(fc.integer({ min: 0, max: 3 * C }), { maxLength: 5 }),
      last: fc.integer({ min: 1, max: 3 * C }),
      from: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      to: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    })
    fc.assert(
      fc.property(shape, ({ middle, last, from, to }) => {
        const sizes = [...middle.map((extra) => D + extra), last]
        const layout = tailLayout(2, sizes)
        const [first, end] = [from, to].map((at) => Math.floor(at * layout.plaintextBytes)).sort((a, b) => a - b)
        if (first === undefined || end === undefined) throw new Error('two offsets')
        const span = storedSpan(layout, first, end)
        expect(span.first).toBe(chunkStart(sizes, first))
        const lastChunk = chunkStart(sizes, end)
        const place = placeAt(layout, end)
        const within = Math.floor((end - place.plaintextOffset) / C) * C
        expect(span.last + 1).toBe(lastChunk + Math.min(C, place.plaintextBytes - within) + 16)
      }),
    )
  })

  test('guessed before anything is known begins the same and ends no earlier', () => {
    const offset = fc.integer({ min: 0, max: 10 * C })
    fc.assert(
      fc.property(offset, offset, offset, (a, b, more) => {
        const [first, last] = [Math.min(a, b), Math.max(a, b)]
        const layout = sizedLayout(last + 1 + more)
        const [span, guess] = [storedSpan(layout, first, last), guessSpan(first, last)]
        expect(guess.first).toBe(span.first)
        expect(guess.last).toBeGreaterThanOrEqual(span.last)
        expect(guessSpan(first)).toEqual({ first: span.first })
      }),
    )
  })

  test('is that of the specification’s example', () => {
    expect(guessSpan(70_000, 140_000)).toEqual({ first: 64 + 65_552, last: 64 + 3 * 65_552 - 1 })
  })

  test('of bytes that are not there is an error of the program', () => {
    const layout = sizedLayout(10)
    for (const [first, last] of [
      [0, 10],
      [5, 4],
      [-1, 4],
      [Number.NaN, 4],
    ] as const) {
      expect(() => storedSpan(layout, first, last)).toThrow(Internal)
    }
    expect(() => storedSpan(sizedLayout(0), 0, 0)).toThrow(Internal)
  })
})
