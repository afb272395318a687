import { beforeAll, describe, expect, test } from 'vitest'
import { Internal } from '../../src/errors.ts'
import { guessSpan, storedSpan } from '../../src/format/layout.ts'
import { RangeOpener } from '../../src/format/open-object.ts'
import { CHUNK_BYTES, MIN_SEGMENT_BYTES, SEALED_CHUNK_BYTES, segmentSize } from '../../src/format/sizes.ts'
import {
  expectRefusal,
  flipped,
  inPieces,
  lengthOf,
  openRange,
  type SealedObject,
  sealObject,
} from './sealed-objects.ts'

const C = CHUNK_BYTES
const D = MIN_SEGMENT_BYTES

/** Every pair of a boundary and its neighbours, first not after last. */
function rangesOf(boundaries: readonly number[], total: number): { first: number; last: number }[] {
  const points = [...new Set(boundaries.flatMap((at) => [at - 1, at, at + 1]))].filter((at) => at >= 0 && at < total)
  return points.flatMap((first) => points.filter((last) => last >= first).map((last) => ({ first, last })))
}

/** The stored bytes that a backend sends for a span; `last` beyond the end is clamped. */
function sent(object: SealedObject, span: { readonly first: number; readonly last?: number }): Buffer {
  return object.stored.subarray(span.first, span.last === undefined ? undefined : span.last + 1)
}

describe('a range of an object with one segment', () => {
  test('opens at every boundary, from its exact span and from the one guessed', () => {
    for (const size of [1, C - 1, C, C + 1, 2 * C, 3 * C + 5]) {
      const object = sealObject({ seed: `range ${size}`, kind: 1, sizes: [size] })
      for (const range of rangesOf([0, C, 2 * C, 3 * C, size - 1], size)) {
        const { first, last } = range
        const expected = object.plaintext.subarray(first, last + 1)
        const exact = sent(object, storedSpan(object.layout, first, last))
        for (const bytes of [exact, sent(object, guessSpan(first, last)), sent(object, guessSpan(first))]) {
          expect(openRange(object, range, bytes).equals(expected)).toBe(true)
          expect(openRange(object, range, bytes, 10_007).equals(expected)).toBe(true)
        }
      }
    }
  })

  test('opens byte by byte', () => {
    const object = sealObject({ seed: 'range bytes', kind: 1, sizes: [C + 9] })
    for (const range of [
      { first: 0, last: 0 },
      { first: C - 1, last: C },
      { first: C + 8, last: C + 8 },
    ]) {
      const bytes = sent(object, guessSpan(range.first, range.last))
      expect(openRange(object, range, bytes, 1).equals(object.plaintext.subarray(range.first, range.last + 1))).toBe(
        true,
      )
    }
  })

  test('is done with its last chunk, and what follows is ignored', () => {
    const object = sealObject({ seed: 'done', kind: 1, sizes: [3 * C] })
    const opener = new RangeOpener({ ...object, first: 10, last: 20 })
    expect(opener.done).toBe(false)
    expect(lengthOf(opener.push(object.stored.subarray(64, 64 + SEALED_CHUNK_BYTES)))).toBe(11)
    expect(opener.done).toBe(true)
    expect(opener.push(Buffer.alloc(1_000))).toEqual([])
    opener.end()
  })

  test('gives nothing before the tag, and nothing of a damaged chunk', () => {
    const object = sealObject({ seed: 'tag', kind: 1, sizes: [2 * C] })
    const opener = new RangeOpener({ ...object, first: 0, last: 0 })
    expect(opener.push(object.stored.subarray(64, 63 + SEALED_CHUNK_BYTES))).toEqual([])
    expectRefusal('payload failure', () => opener.end())
    for (const at of [64, 64 + C - 1, 64 + C, 63 + SEALED_CHUNK_BYTES]) {
      const damaged = flipped(object.stored, at).subarray(64)
      expectRefusal('payload failure', () => openRange(object, { first: 0, last: 0 }, damaged))
    }
  })

  test('refuses another chunk in the place of its own', () => {
    const object = sealObject({ seed: 'moved', kind: 1, sizes: [3 * C] })
    const second = object.stored.subarray(64 + SEALED_CHUNK_BYTES, 64 + 2 * SEALED_CHUNK_BYTES)
    expectRefusal('payload failure', () => openRange(object, { first: 0, last: 9 }, second))
  })

  test('refuses another key by the commitment of the metadata', () => {
    const object = sealObject({ seed: 'committed', kind: 1, sizes: [9] })
    const other = { ...object, objectKey: flipped(object.objectKey, 0), first: 0, last: 0 }
    expectRefusal('commitment failure', () => new RangeOpener(other))
  })

  test('of bytes that are not there is an error of the program', () => {
    const object = sealObject({ seed: 'absent', kind: 1, sizes: [9] })
    expect(() => new RangeOpener({ ...object, first: 0, last: 9 })).toThrow(Internal)
    expect(() => new RangeOpener({ ...object, first: 5, last: 4 })).toThrow(Internal)
  })
})

describe('a range of an object with several segments', () => {
  const sizes = [D, D + C, C + 5]
  let object: SealedObject
  beforeAll(() => {
    object = sealObject({ seed: 'several ranges', kind: 2, sizes, partNumbers: [1, 2, 7] })
  })
  const total = 2 * D + 2 * C + 5

  test('opens at every boundary of segments and chunks', () => {
    for (const range of rangesOf([0, D - C, D, D + C, 2 * D + C, 2 * D + 2 * C, total - 1], total)) {
      const bytes = sent(object, storedSpan(object.layout, range.first, range.last))
      const opened = openRange(object, range, bytes, 100_003)
      expect(opened.equals(object.plaintext.subarray(range.first, range.last + 1))).toBe(true)
    }
  })

  test('ends where its span ends: one byte less is too little', () => {
    for (const [first, last] of [
      [0, 0],
      [D - 1, D],
      [D + C, total - 1],
    ] as const) {
      const bytes = sent(object, storedSpan(object.layout, first, last))
      expectRefusal('payload failure', () => openRange(object, { first, last }, bytes.subarray(0, -1)))
    }
  })

  test('checks the headers and final chunks that it passes', () => {
    const range = { first: D - 1, last: D }
    const span = storedSpan(object.layout, range.first, range.last)
    const boundary = segmentSize(D)
    for (const [at, layer] of [
      [boundary - 1, 'payload failure'],
      [boundary, 'commitment failure'],
      [boundary + 10, 'commitment failure'],
      [boundary + 63, 'commitment failure'],
      [boundary + 64, 'payload failure'],
    ] as const) {
      expectRefusal(layer, () => openRange(object, range, flipped(sent(object, span), at - span.first)))
    }
  })

  test('never passes a buffer across what it was asked for', () => {
    const opener = new RangeOpener({ ...object, first: D - 3, last: D + 2 })
    const bytes = sent(object, storedSpan(object.layout, D - 3, D + 2))
    expect(inPieces(bytes, 7_001).flatMap((piece) => opener.push(piece).map((out) => out.length))).toEqual([3, 3])
  })
})
