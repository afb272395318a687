import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Internal } from '../../src/errors.ts'
import {
  AREA_LIMIT,
  CHUNK_BYTES,
  chunkedSize,
  FOOT_LIMIT,
  MAX_OBJECT_BYTES,
  MAX_SEGMENTS,
  MIN_SEGMENT_BYTES,
  padSize,
  plaintextOfChunked,
  plaintextSize,
  segmentSize,
  storedSize,
  TRAILER_BYTES,
  tailReadSize,
  upperSegments,
} from '../../src/format/sizes.ts'
import { tailRecordSize } from '../../src/format/tail-record.ts'

const FIVE_TIB = 5 * 2 ** 40
const FIVE_GIB = 5 * 2 ** 30

/** Any length up to 5 TiB, with the neighbourhood of every kind of step as likely as the rest. */
const length = fc.oneof(
  fc.integer({ min: 0, max: FIVE_TIB }),
  fc.integer({ min: 0, max: 10 * CHUNK_BYTES }),
  near(MIN_SEGMENT_BYTES, MAX_SEGMENTS + 2),
  near(CHUNK_BYTES, FIVE_TIB / CHUNK_BYTES),
)

function near(step: number, most: number): fc.Arbitrary<number> {
  return fc
    .tuple(fc.integer({ min: 0, max: most }), fc.integer({ min: -40, max: 40 }))
    .map(([times, off]) => Math.max(0, times * step + off))
}

const layout = fc.record({
  segments: fc.oneof(fc.constant(1), fc.integer({ min: 2, max: 20 }), fc.integer({ min: 1, max: MAX_SEGMENTS })),
  most: fc.oneof(fc.constant(0), fc.constant(CHUNK_BYTES), fc.integer({ min: 0, max: 500 * 2 ** 20 })),
  last: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 * MIN_SEGMENT_BYTES })),
  areaBytes: fc.integer({ min: 41, max: AREA_LIMIT }),
  footBytes: fc.integer({ min: 0, max: FOOT_LIMIT }),
  seed: fc.nat(),
})

/** What the segments of a random layout take, and its total: all but the last have at least D bytes. */
function sumsOf(shape: { segments: number; most: number; last: number; seed: number }): { P: number; stored: number } {
  let P = shape.last
  let stored = segmentSize(shape.last)
  let state = shape.seed
  for (let i = 1; i < shape.segments; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const bytes = MIN_SEGMENT_BYTES + Math.floor((state / 2 ** 32) * shape.most)
    P += bytes
    stored += segmentSize(bytes)
  }
  return { P, stored }
}

describe('chunked sizes', () => {
  test('add a tag for each full chunk and one for the short last chunk', () => {
    expect([0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1].map(chunkedSize)).toEqual([
      16, 17, 65_551, 65_568, 65_569,
    ])
  })

  test('are inverted for every length, and nothing else is a chunked size', () => {
    const image = new Map(Array.from({ length: 3 * CHUNK_BYTES }, (_, p) => [chunkedSize(p), p]))
    for (let y = -2; y < 3 * CHUNK_BYTES; y++) {
      if (plaintextOfChunked(y) !== image.get(y)) expect(`${y} ${plaintextOfChunked(y)}`).toBe(`${y} ${image.get(y)}`)
    }
    fc.assert(fc.property(length, (p) => plaintextOfChunked(chunkedSize(p)) === p))
  })

  test('refuse what is no whole number of bytes', () => {
    expect([Number.NaN, 16.5, -1, Infinity].map(plaintextOfChunked)).toEqual(Array(4).fill(undefined))
  })
})

describe('stored sizes', () => {
  test('are those of the specification at its steps', () => {
    const D = MIN_SEGMENT_BYTES
    expect([0, 1, 65_535, 65_536, D - 1, D, 2 * D].map(storedSize)).toEqual([
      336,
      337,
      65_871,
      65_888,
      D - 1 + 16 * 79 + 336,
      D + 16 * 80 + 7_184 + 200,
      2 * D + 16 * 160 + 7_184 + 400,
    ])
  })

  test('keep to the limits that the specification states', () => {
    expect(storedSize(MAX_OBJECT_BYTES)).toBeLessThanOrEqual(FIVE_TIB)
    expect(storedSize(MAX_OBJECT_BYTES + 1)).toBeGreaterThan(FIVE_TIB)
    expect(storedSize(5_367_187_000)).toBeLessThanOrEqual(FIVE_GIB)
    expect(segmentSize(5_367_398_640)).toBeLessThanOrEqual(FIVE_GIB)
    expect(segmentSize(5_367_398_641)).toBeGreaterThan(FIVE_GIB)
  })

  test('are inverted and grow with every byte, from nothing to 5 TiB', () => {
    fc.assert(
      fc.property(length, (P) => plaintextSize(storedSize(P)) === P && storedSize(P + 1) > storedSize(P)),
      { numRuns: 20_000 },
    )
  })

  test('up to 200,000 bytes are exactly the image of the size function', () => {
    const image = new Map(Array.from({ length: 200_000 }, (_, P) => [storedSize(P), P]))
    for (let s = -1; s < 200_000; s++) {
      if (plaintextSize(s) !== image.get(s)) expect(`${s} ${plaintextSize(s)}`).toBe(`${s} ${image.get(s)}`)
    }
  })

  test('around every kind of step are exactly the image of the size function', () => {
    const steps = [1, 2, 3, 4, 17, 100, 1_999, 5_000, 9_997, 9_998, 9_999, 10_000, 10_001, 1_000_000]
    for (const at of steps.map((k) => k * MIN_SEGMENT_BYTES).concat(CHUNK_BYTES * 12_345_678, MAX_OBJECT_BYTES)) {
      const lengths = Array.from({ length: 800 }, (_, i) => at - 400 + i)
      const image = new Map(lengths.map((P) => [storedSize(P), P]))
      for (let s = storedSize(at - 400); s <= storedSize(at + 399); s++) {
        if (plaintextSize(s) !== image.get(s)) expect(`${s} ${plaintextSize(s)}`).toBe(`${s} ${image.get(s)}`)
      }
    }
  })

  test('refuse what is no whole number of bytes', () => {
    expect([Number.NaN, 336.5, -1, 0, 335, Infinity].map(plaintextSize)).toEqual(Array(6).fill(undefined))
  })
})

describe('the pad', () => {
  test('is never negative, and the tail always lies in the range that is read for it', () => {
    let least = Infinity
    fc.assert(
      fc.property(layout, (shape) => {
        const { P, stored } = sumsOf(shape)
        const large = P >= MIN_SEGMENT_BYTES
        const area = large ? { area: Buffer.alloc(shape.areaBytes) } : {}
        const tail = segmentSize(tailRecordSize({ plaintextBytes: P, segments: shape.segments, ...area }))
        const foot = large ? shape.footBytes : 0
        const pad = padSize(P, stored, tail, foot)
        if (large) least = Math.min(least, pad)
        else expect(pad).toBe(0)
        expect(stored + pad + tail + foot + TRAILER_BYTES).toBe(storedSize(P))
        expect(tailReadSize(storedSize(P))).toBeGreaterThanOrEqual(tail + foot + TRAILER_BYTES)
      }),
      { numRuns: 1_500 },
    )
    expect(least).toBeGreaterThanOrEqual(294)
  })

  test('leaves 294 bytes and more with the most of everything', () => {
    for (const segments of [2, 3, 100, MAX_SEGMENTS]) {
      const { P, stored } = sumsOf({ segments, most: 0, last: 0, seed: 1 })
      const area = Buffer.alloc(AREA_LIMIT)
      const tail = segmentSize(tailRecordSize({ plaintextBytes: P, segments, area }))
      expect(padSize(P, stored, tail, FOOT_LIMIT)).toBeGreaterThanOrEqual(294)
    }
  })

  test('that would be negative is an error of the program', () => {
    expect(() => padSize(10, 1_000, 240, 0)).toThrow(Internal)
  })
})

test('the bound on segments stops at 9,999', () => {
  const D = MIN_SEGMENT_BYTES
  expect([0, D - 1, D, 9_999 * D - 1, 9_999 * D, FIVE_TIB].map(upperSegments)).toEqual([0, 0, 1, 9_998, 9_999, 9_999])
})

test('no range is read for the tail of a size that no object has', () => {
  expect(tailReadSize(335)).toBeUndefined()
  expect(tailReadSize(336)).toBe(336)
})
