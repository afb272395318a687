import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { Internal } from '../../src/errors.ts'
import { ObjectOpener } from '../../src/format/open-object.ts'
import { CHUNK_BYTES, MIN_SEGMENT_BYTES, segmentSize } from '../../src/format/sizes.ts'
import { textTlv } from '../../src/format/tlv.ts'
import {
  expectRefusal,
  flipped,
  inPieces,
  layerOf,
  lengthOf,
  openWhole,
  type SealedObject,
  sealObject,
  seeded,
} from './sealed-objects.ts'

const C = CHUNK_BYTES
const D = MIN_SEGMENT_BYTES
const FOOT = seeded('foot')(300)
const ONE_SEGMENT = [0, 1, C - 1, C, C + 1, 2 * C, 3 * C + 5]

describe('a whole object of one segment', () => {
  test('opens for every length around the chunks, in pieces of any length', () => {
    for (const size of ONE_SEGMENT) {
      for (const kind of [1, 2] as const) {
        const object = sealObject({ seed: `one ${size}`, kind, sizes: [size] })
        for (const pieceBytes of [object.stored.length, C, 4_093, 1_000_003]) {
          expect(openWhole(object, object.stored, pieceBytes).equals(object.plaintext)).toBe(true)
        }
      }
    }
  })

  test('opens byte by byte', () => {
    for (const size of [0, 1, 200, C, C + 1]) {
      const object = sealObject({ seed: `bytes ${size}`, kind: 1, sizes: [size] })
      expect(openWhole(object, object.stored, 1).equals(object.plaintext)).toBe(true)
    }
  })

  test('opens at and beyond 5 MiB, with area and foot and without', () => {
    for (const size of [D - 1, D, D + C]) {
      for (const extras of size < D ? [{}] : [{}, { foot: FOOT, area: [textTlv(1, 'x'.repeat(4_000))] }]) {
        const object = sealObject({ seed: `large ${size}`, kind: 1, sizes: [size], ...extras })
        for (const pieceBytes of [C, 10_007]) {
          expect(openWhole(object, object.stored, pieceBytes).equals(object.plaintext)).toBe(true)
        }
      }
    }
  })

  test('keeps the last plaintext until the end, and below a chunk all of it', () => {
    for (const [size, kept] of [
      [0, 0],
      [C - 1, C - 1],
      [C, C],
      [C + 1, 1],
      [2 * C, C],
      [3 * C + 5, 5],
    ] as const) {
      const { objectKey, layout, stored } = sealObject({ seed: `held ${size}`, kind: 1, sizes: [size] })
      const opener = new ObjectOpener({ objectKey, layout })
      expect(lengthOf(opener.push(stored))).toBe(size - kept)
      expect(() => opener.tail).toThrow(Internal)
      expect(lengthOf(opener.end())).toBe(kept)
    }
  })

  test('tells its tail at the end', () => {
    const object = sealObject({ seed: 'tail', kind: 1, sizes: [5] })
    const opener = new ObjectOpener(object)
    opener.push(object.stored)
    opener.end()
    expect(opener.tail).toEqual(object.record)
  })

  test('refuses every turned bit of a small object', () => {
    const object = sealObject({ seed: 'bits', kind: 1, sizes: [20] })
    const { objectKey, layout } = object
    for (let bit = 0; bit < object.stored.length * 8; bit++) {
      const layer = layerOf(() => openWhole({ objectKey, layout }, flipped(object.stored, bit >> 3, bit & 7)))
      if (layer === undefined) expect(`bit ${bit} opens`).toBe('refused')
    }
  })

  test('names the layer that refuses', () => {
    const { stored, ...object } = sealObject({ seed: 'layers', kind: 1, sizes: [C + 20] })
    const first = { objectKey: object.objectKey, layout: object.layout }
    const tail = stored.length - 256
    const refused = (at: number) => layerOf(() => openWhole(first, flipped(stored, at)))
    expect([0, 8, 40, 64, tail, tail + 8, tail + 40, tail + 70, stored.length - 1].map(refused)).toEqual([
      'commitment failure',
      'commitment failure',
      'commitment failure',
      'payload failure',
      'tail failure',
      'commitment failure',
      'commitment failure',
      'tail failure',
      'tail failure',
    ])
    expectRefusal('commitment failure', () => openWhole({ ...first, objectKey: flipped(first.objectKey, 0) }, stored))
  })

  test('gives nothing of the end when the end is damaged', () => {
    const { objectKey, layout, stored } = sealObject({ seed: 'damaged end', kind: 1, sizes: [100] })
    const opener = new ObjectOpener({ objectKey, layout })
    expect(opener.push(flipped(stored, stored.length - 1))).toEqual([])
    expectRefusal('tail failure', () => opener.end())
  })

  test('refuses every truncation and anything that follows', () => {
    const object = sealObject({ seed: 'truncated', kind: 1, sizes: [40] })
    for (let length = 0; length < object.stored.length; length++) {
      expectRefusal('size mismatch', () => openWhole(object, object.stored.subarray(0, length)))
    }
    expectRefusal('size mismatch', () => openWhole(object, Buffer.concat([object.stored, Buffer.of(0)])))
  })

  test('refuses the genuine end of another object under the same key', () => {
    const objectKey = seeded('shared')(32)
    const [one, two] = ['a', 'b'].map((seed) => sealObject({ seed, kind: 1, sizes: [50], objectKey }))
    if (one === undefined || two === undefined) throw new Error('two objects')
    const spliced = Buffer.concat([one.stored.subarray(0, 64 + 66), two.stored.subarray(64 + 66)])
    expectRefusal('tail failure', () => openWhole({ objectKey, layout: one.layout }, spliced))
  })
})

describe('a whole object of several segments', () => {
  const sizes = [D, D + 3 * C + 7, C + 1]
  let object: SealedObject
  beforeAll(() => {
    object = sealObject({ seed: 'several', kind: 2, sizes, partNumbers: [2, 3, 10_000], foot: FOOT })
  })
  /** Stored offsets where the segments begin, and the end of the last. */
  const bounds = sizes.reduce<number[]>((sums, size) => [...sums, (sums.at(-1) ?? 0) + segmentSize(size)], [0])
  const [, b1 = 0, b2 = 0, b3 = 0] = bounds

  test('opens in pieces of any length, with the record read before and without', () => {
    for (const pieceBytes of [object.stored.length, C, 50_021]) {
      expect(openWhole(object, object.stored, pieceBytes).equals(object.plaintext)).toBe(true)
    }
    const { objectKey, layout } = object
    expect(openWhole({ objectKey, layout }, object.stored, C).equals(object.plaintext)).toBe(true)
  })

  test('opens with an empty last part, whose predecessor’s last chunk is kept', () => {
    const other = sealObject({ seed: 'empty last', kind: 2, sizes: [D, 0] })
    expect(openWhole(other, other.stored, C).equals(other.plaintext)).toBe(true)
    const opener = new ObjectOpener(other)
    expect(lengthOf(inPieces(other.stored, C).flatMap((piece) => opener.push(piece)))).toBe(D - C)
    expect(lengthOf(opener.end())).toBe(C)
  })

  test('opens when the gateway cut a PUT into parts', () => {
    const other = sealObject({ seed: 'cut', kind: 1, sizes: [D, D, 9] })
    expect(openWhole(other, other.stored, C).equals(other.plaintext)).toBe(true)
  })

  test('refuses a turned bit anywhere but in the foot', () => {
    const { stored } = object
    const footStart = stored.length - 16 - FOOT.length
    const random = seeded('flips')
    const drawn = Array.from({ length: 60 }, () => random(4).readUInt32BE(0) % stored.length)
    const edges = [...bounds, b1 - 1, b2 - 1, b3 - 1, b1 + 8, b2 + 40, b3 + 50, object.record.tailOffset - 1]
    const last = stored.length - 1
    const ends = [object.record.tailOffset, object.record.tailOffset + 70, footStart - 1, last, last - 8, last - 15]
    for (const at of [...drawn, ...edges, ...ends]) {
      const layer = layerOf(() => openWhole(object, flipped(stored, at, at % 8), C))
      const inFoot = at >= footStart && at < stored.length - 16
      if ((layer === undefined) !== inFoot) expect(`${at}: ${layer}`).toBe(inFoot ? 'opens' : 'refused')
    }
  })

  test('refuses bytes in the pad, wherever they are', () => {
    const { stored, record } = object
    for (const at of [b3, b3 + 1, Math.floor((b3 + record.tailOffset) / 2), record.tailOffset - 1]) {
      expectRefusal('tail failure', () => openWhole(object, flipped(stored, at), C))
    }
  })

  test('refuses a longer pad before a shorter end', () => {
    const { stored, record } = object
    const end = stored.subarray(record.tailOffset)
    const moved = Buffer.concat([stored.subarray(0, record.tailOffset - 1), end, Buffer.alloc(1)])
    expectRefusal('tail failure', () => openWhole(object, moved, C))
  })

  test('refuses exchanged, repeated and dropped segments', () => {
    const { stored } = object
    const [one, two, rest] = [stored.subarray(0, b1), stored.subarray(b1, b2), stored.subarray(b2)]
    expectRefusal('commitment failure', () => openWhole(object, Buffer.concat([two, one, rest]), C))
    expectRefusal('commitment failure', () => openWhole(object, Buffer.concat([one, one, rest]), C))
    expect(layerOf(() => openWhole(object, Buffer.concat([one, rest]), C))).toBeDefined()
  })

  test('refuses an older attempt of a part in the place of the newer', () => {
    const { objectKey, plaintext } = object
    const older = sealObject({ seed: 'older', kind: 2, sizes, partNumbers: [2, 3, 10_000], objectKey, plaintext })
    const spliced = Buffer.concat([
      object.stored.subarray(0, b1),
      older.stored.subarray(b1, b2),
      object.stored.subarray(b2),
    ])
    expectRefusal('commitment failure', () => openWhole(object, spliced, C))
  })

  test('refuses the end of an earlier object of the same upload', () => {
    const { objectKey, layout, plaintext } = object
    const other = sealObject({
      seed: 'earlier',
      kind: 2,
      sizes,
      partNumbers: [2, 3, 10_000],
      objectKey,
      plaintext,
      foot: FOOT,
    })
    const spliced = Buffer.concat([object.stored.subarray(0, b3), other.stored.subarray(b3)])
    expectRefusal('tail failure', () => openWhole({ objectKey, layout }, spliced, C))
  })

  test('refuses a genuine tail that is not the one read before', () => {
    const { objectKey, layout, stored, record } = object
    const before = { ...record, writeTime: record.writeTime + 1 }
    expectRefusal('tail failure', () => openWhole({ objectKey, layout, record: before }, stored, C))
  })
})

test('any small object opens in any pieces, and not with any one bit turned', () => {
  const objects = [3, C - 2, C + 3].map((size) => sealObject({ seed: `any ${size}`, kind: 1, sizes: [size] }))
  fc.assert(
    fc.property(
      fc.constantFrom(...objects),
      fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 9 }),
      fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      fc.nat(7),
      ({ objectKey, layout, stored, plaintext }, cuts, at, bit) => {
        const open = (bytes: Buffer): Buffer => {
          const opener = new ObjectOpener({ objectKey, layout })
          const out: Buffer[] = []
          for (let start = 0, i = 0; start < bytes.length; i++) {
            const end = start + (cuts[i % cuts.length] ?? 1)
            out.push(...opener.push(bytes.subarray(start, end)))
            start = end
          }
          return Buffer.concat([...out, ...opener.end()])
        }
        expect(open(stored).equals(plaintext)).toBe(true)
        expect(layerOf(() => open(flipped(stored, Math.floor(at * stored.length), bit)))).toBeDefined()
      },
    ),
    { numRuns: 60 },
  )
})
