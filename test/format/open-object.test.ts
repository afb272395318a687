/** Whole objects and ranges: every way of feeding them, every shape, and what damage releases (docs/format.md, "Segment" and "Object body"). */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Integrity } from '../../src/errors.ts'
import { guessSpan, storedSpan } from '../../src/format/layout.ts'
import { ObjectOpener, RangeOpener } from '../../src/format/open-object.ts'
import { CHUNK_BYTES as C, MIN_SEGMENT_BYTES as D, storedSize } from '../../src/format/sizes.ts'
import { flipped, inPieces, openRange, openWhole, sealObject } from './sealed-objects.ts'

const put = (size: number) => sealObject({ seed: `put ${size}`, kind: 1, sizes: [size] })
const SIZES = [0, 1, C - 1, C, C + 1, 2 * C, 3 * C + 17]
const uploaded = sealObject({ seed: 'upload', kind: 2, sizes: [D + 3 * C + 5, D, 12_345], partNumbers: [1, 7, 9_000] })

describe('a whole object comes back', () => {
  test.each(SIZES)('of %i bytes: whole, in odd pieces, and byte by byte', (size) => {
    const object = put(size)
    expect(object.stored).toHaveLength(storedSize(size))
    for (const piece of [object.stored.length, 65_537, 4_099, 1]) {
      expect(openWhole(object, object.stored, piece).equals(object.plaintext)).toBe(true)
    }
  })

  test.each([D - 1, D, D + 1])('of %i bytes, around the size where pad and foot begin', (size) => {
    const object = put(size)
    for (const piece of [object.stored.length, 70_001]) {
      expect(openWhole(object, object.stored, piece).equals(object.plaintext)).toBe(true)
    }
  })

  test('of several parts, with the tail read before', () => {
    for (const piece of [uploaded.stored.length, 65_536, 9_973]) {
      expect(openWhole(uploaded, uploaded.stored, piece).equals(uploaded.plaintext)).toBe(true)
    }
  })

  test('of one part, small and large', () => {
    for (const size of [0, 100, D + 1]) {
      const object = sealObject({ seed: `one ${size}`, kind: 2, sizes: [size], partNumbers: [5] })
      expect(openWhole(object, object.stored).equals(object.plaintext)).toBe(true)
    }
  })
})

describe('what is released', () => {
  test('below one chunk nothing comes before the end, and of more never the last chunk', () => {
    for (const size of SIZES) {
      const { objectKey, layout, stored } = put(size)
      const opener = new ObjectOpener({ objectKey, layout })
      const before = inPieces(stored, 1_000).flatMap((piece) => opener.push(piece))
      const released = before.reduce((sum, piece) => sum + piece.length, 0)
      // The last non-empty chunk waits for tail and trailer.
      const last = size === 0 ? 0 : size % C === 0 ? C : size % C
      expect(released).toBe(size - last)
      expect(Buffer.concat(opener.end())).toHaveLength(last)
    }
  })

  test('of a damaged object is a correct beginning, strictly shorter than promised', () => {
    const object = put(3 * C + 17)
    const { objectKey, layout, stored, plaintext } = object
    fc.assert(
      fc.property(
        fc.nat(stored.length - 1),
        fc.nat(7),
        fc.constantFrom(1_000, 65_536, stored.length),
        (at, bit, size) => {
          const released: Buffer[] = []
          const read = (): void => {
            const opener = new ObjectOpener({ objectKey, layout })
            for (const piece of inPieces(flipped(stored, at, bit), size)) released.push(...opener.push(piece))
            released.push(...opener.end())
          }
          expect(read).toThrow(Integrity)
          const bytes = Buffer.concat(released)
          expect(bytes.length).toBeLessThan(plaintext.length)
          expect(bytes.equals(plaintext.subarray(0, bytes.length))).toBe(true)
        },
      ),
      { numRuns: 150 },
    )
  })

  test('of a truncated or longer object is never the whole', () => {
    const { objectKey, layout, stored } = put(2 * C + 5)
    fc.assert(
      fc.property(fc.nat(stored.length - 1), (length) => {
        const opener = new ObjectOpener({ objectKey, layout })
        expect(() => {
          opener.push(stored.subarray(0, length))
          opener.end()
        }).toThrow(Integrity)
      }),
      { numRuns: 100 },
    )
    const opener = new ObjectOpener({ objectKey, layout })
    expect(() => {
      opener.push(Buffer.concat([stored, Buffer.alloc(1)]))
      opener.end()
    }).toThrow(Integrity)
  })
})

describe('ranges', () => {
  const edges = (size: number): number[] =>
    [0, 1, C - 1, C, C + 1, 2 * C - 1, 2 * C, size - 1, size - 2].filter((at) => at >= 0 && at < size)

  test.each([put(3 * C + 17), uploaded])('from and to every edge are exactly the bytes asked for', (object) => {
    const { plaintext, stored, layout } = object
    const places = [
      ...edges(plaintext.length),
      ...layout.segments.flatMap(({ plaintextOffset: at }) => [at - 1, at, at + 1]),
    ]
    const inside = [...new Set(places.filter((at) => at >= 0 && at < plaintext.length))]
    for (const first of inside) {
      for (const last of inside.filter((at) => at >= first)) {
        const span = storedSpan(layout, first, last)
        const bytes = openRange(object, { first, last }, stored.subarray(span.first, span.last + 1), 50_021)
        expect(bytes.equals(plaintext.subarray(first, last + 1))).toBe(true)
      }
    }
  })

  test('of a one-segment object come from the guessed span, with what is over left alone', () => {
    const object = put(3 * C + 17)
    for (const [first, last] of [
      [0, 0],
      [C - 1, C],
      [2 * C, 3 * C + 16],
      [5, undefined],
    ] as const) {
      const guess = guessSpan(first, last)
      const end = last ?? object.plaintext.length - 1
      const bytes = object.stored.subarray(guess.first, guess.last === undefined ? undefined : guess.last + 1)
      const opened = openRange(object, { first, last: end }, bytes, 999)
      expect(opened.equals(object.plaintext.subarray(first, end + 1))).toBe(true)
    }
  })

  test('read at most one chunk beyond what is asked on either side', () => {
    fc.assert(
      fc.property(fc.nat(uploaded.plaintext.length - 1), fc.nat(200_000), (first, more) => {
        const last = Math.min(uploaded.plaintext.length - 1, first + more)
        const span = storedSpan(uploaded.layout, first, last)
        const chunks = Math.ceil((last - first + 1) / C) + 1
        // Headers of segments in between, and the tags of their chunks.
        expect(span.last - span.first + 1).toBeLessThanOrEqual((chunks + 2) * (C + 16) + 3 * 64)
        const bytes = openRange(uploaded, { first, last }, uploaded.stored.subarray(span.first, span.last + 1))
        expect(bytes.equals(uploaded.plaintext.subarray(first, last + 1))).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  test('that are damaged, short or silent are refused', () => {
    const object = put(3 * C + 17)
    const range = { first: C + 3, last: 2 * C + 3 }
    const span = storedSpan(object.layout, range.first, range.last)
    const bytes = object.stored.subarray(span.first, span.last + 1)
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), (at) => {
        expect(() => openRange(object, range, flipped(bytes, at))).toThrow(Integrity)
        expect(() => openRange(object, range, bytes.subarray(0, at))).toThrow(Integrity)
      }),
      { numRuns: 60 },
    )
    const opener = new RangeOpener({ objectKey: object.objectKey, layout: object.layout, ...range })
    expect(() => opener.end()).toThrow(Integrity)
  })

  test('of another object, of the same shape, are refused', () => {
    const a = sealObject({ seed: 'a', kind: 1, sizes: [3 * C] })
    const b = sealObject({ seed: 'b', kind: 1, sizes: [3 * C] })
    const span = storedSpan(a.layout, 0, 10)
    expect(() => openRange(a, { first: 0, last: 10 }, b.stored.subarray(span.first, span.last + 1))).toThrow(Integrity)
  })
})
