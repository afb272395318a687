import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Internal } from '../../src/errors.ts'
import { CHECKSUM_BYTES } from '../../src/format/checksum-codes.ts'
import { MIN_SEGMENT_BYTES } from '../../src/format/sizes.ts'
import {
  decodeTail,
  encodeTail,
  type TailEntry,
  type TailRecord,
  tailRecordSize,
} from '../../src/format/tail-record.ts'
import { expectRefusal, flipped, layerOf, seeded } from './sealed-objects.ts'

const D = MIN_SEGMENT_BYTES
const random = seeded('records')
const PUT: TailRecord = {
  kind: 1,
  md5Valid: true,
  checksumValid: true,
  areaUsed: false,
  footPresent: false,
  segments: 1,
  plaintextBytes: 1_000,
  tailOffset: 1_080,
  md5: random(16),
  checksum: { algorithm: 5, type: 0, value: random(8) },
  partNumber: 0,
  salt: random(24),
  generation: random(8),
  writeTime: 1_700_000_000_123,
  entries: [],
}
const UPLOAD: TailRecord = {
  ...PUT,
  kind: 2,
  segments: 3,
  plaintextBytes: 2 * D + 7,
  tailOffset: 3 * D,
  areaUsed: true,
  footPresent: true,
  area: random(60),
  checksum: { algorithm: 4, type: 1, value: random(32) },
  salt: Buffer.alloc(24),
  entries: [
    { partNumber: 1, plaintextBytes: D, salt: random(24), md5: random(16), checksum: random(32) },
    { partNumber: 5, plaintextBytes: D + 7, salt: random(24), md5: random(16) },
    { partNumber: 10_000, plaintextBytes: 0, salt: random(24) },
  ],
}

const bytesOf = (length: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Buffer.from(bytes))

const aRecord: fc.Arbitrary<TailRecord> = fc
  .record({
    seed: fc.string(),
    kind: fc.constantFrom(1 as const, 2 as const),
    segments: fc.integer({ min: 1, max: 6 }),
    last: fc.integer({ min: 0, max: 3 * D }),
    algorithm: fc.integer({ min: 0, max: 10 }),
    flags: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean()),
    generation: bytesOf(8),
  })
  .map(({ seed, kind, segments, last, algorithm, flags, generation }) => {
    const [md5Valid, hasSum, hasArea, hasFoot, partSums] = flags
    const random = seeded(seed)
    const sizes = Array.from({ length: segments }, (_, i) => (i === segments - 1 ? last : D + i))
    const plaintextBytes = sizes.reduce((sum, size) => sum + size, 0)
    const sumBytes = CHECKSUM_BYTES.get(algorithm) ?? 0
    const checksumValid = hasSum && algorithm > 0
    const large = plaintextBytes >= D
    const entries = sizes.map((size, i): TailEntry => {
      const entry = { partNumber: kind === 1 ? i + 1 : 3 * i + 2, plaintextBytes: size, salt: random(24) }
      if (kind === 1) return entry
      return { ...entry, md5: random(16), ...(partSums && sumBytes > 0 ? { checksum: random(sumBytes) } : {}) }
    })
    return {
      kind,
      md5Valid,
      checksumValid,
      areaUsed: hasArea && large,
      footPresent: hasFoot && large,
      segments,
      plaintextBytes,
      tailOffset: 12_345,
      md5: md5Valid ? random(16) : Buffer.alloc(16),
      ...(algorithm > 0
        ? { checksum: { algorithm, type: partSums ? 1 : 0, value: random(checksumValid ? sumBytes : 0) } }
        : {}),
      partNumber: segments === 1 && kind === 2 ? 77 : 0,
      salt: segments === 1 ? random(24) : Buffer.alloc(24),
      generation,
      writeTime: 99,
      ...(hasArea && large ? { area: random(100) } : {}),
      entries: segments === 1 ? [] : entries,
    }
  })

describe('a tail record', () => {
  test('comes back as it was written, for any PUT and any upload', () => {
    fc.assert(
      fc.property(aRecord, (record) => {
        const bytes = encodeTail(record)
        expect(bytes.length).toBe(tailRecordSize(record))
        expect(decodeTail(bytes)).toEqual(record)
      }),
      { numRuns: 500 },
    )
  })

  test('has each field at the offset of the specification', () => {
    const bytes = encodeTail({ ...PUT, kind: 2, partNumber: 9 })
    expect(bytes).toHaveLength(160)
    expect(bytes.subarray(0, 8).toString('hex')).toBe('0102000300000001')
    expect(bytes.readBigUInt64BE(8)).toBe(1_000n)
    expect(bytes.readBigUInt64BE(16)).toBe(1_080n)
    expect(bytes.subarray(24, 40)).toEqual(PUT.md5)
    expect(bytes.subarray(40, 44).toString('hex')).toBe('05000009')
    expect(bytes.subarray(44, 52)).toEqual(PUT.checksum?.value)
    expect(bytes.subarray(108, 132)).toEqual(PUT.salt)
    expect(bytes.subarray(132, 140)).toEqual(PUT.generation)
    expect(bytes.readBigUInt64BE(140)).toBe(1_700_000_000_123n)
    const upload = encodeTail(UPLOAD)
    expect(upload).toHaveLength(160 + 62 + 360)
    expect(upload.readUInt16BE(2)).toBe(15)
    expect(upload.readUInt16BE(160)).toBe(60)
    expect(upload.subarray(222 + 120, 222 + 124).toString('hex')).toBe('00050001')
  })

  test('has one spelling: what opens after a turned bit is another record', () => {
    for (const record of [PUT, UPLOAD]) {
      const bytes = encodeTail(record)
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const other = flipped(bytes, bit >> 3, bit & 7)
        if (layerOf(() => decodeTail(other)) === undefined && !encodeTail(decodeTail(other)).equals(other)) {
          expect(`bit ${bit} is read and ignored`).toBe('')
        }
      }
    }
  })

  test('is refused when it is cut short or goes on', () => {
    for (const bytes of [encodeTail(PUT), encodeTail(UPLOAD)]) {
      for (let length = 0; length < bytes.length; length++) {
        expectRefusal('tail failure', () => decodeTail(bytes.subarray(0, length)))
      }
      expectRefusal('tail failure', () => decodeTail(Buffer.concat([bytes, Buffer.alloc(1)])))
    }
  })
})

describe('a tail record is neither written nor read', () => {
  const patched = (record: TailRecord, at: number, bytes: readonly number[]): Buffer => {
    const out = encodeTail(record)
    Buffer.from(bytes).copy(out, at)
    return out
  }
  const ENTRIES = 222
  const cases: readonly (readonly [string, Buffer])[] = [
    ['with an unknown version', patched(PUT, 0, [2])],
    ['with an unknown kind', patched(PUT, 1, [3])],
    ['with unknown flags', patched(PUT, 3, [0x13])],
    ['with no segments', patched(PUT, 4, [0, 0, 0, 0])],
    ['with an area flag but no area', patched(PUT, 3, [7])],
    ['with a foot on a small object', patched(PUT, 3, [11])],
    ['with an MD5 that is not valid', patched(PUT, 3, [2])],
    ['with a checksum that is not valid', patched(PUT, 3, [1])],
    ['with an unknown checksum algorithm', patched(PUT, 40, [11])],
    ['with a checksum longer than its algorithm', patched(PUT, 40, [1])],
    ['with an unknown checksum type', patched(PUT, 41, [2])],
    ['with a part number on a PUT', patched(PUT, 43, [1])],
    ['with reserved bytes', patched(PUT, 159, [1])],
    ['with a length of 2^53', patched(PUT, 8, [0, 0x20, 0, 0, 0, 0, 0, 0])],
    ['with a write time of 2^63', patched(PUT, 140, [0x80])],
    ['with an area but no flag', patched(UPLOAD, 3, [11])],
    ['with an area length beyond its end', patched(UPLOAD, 160, [0x10])],
    ['with a salt beside entries', patched(UPLOAD, 108, [1])],
    ['with more segments than entries', patched(UPLOAD, 4, [0, 0, 0, 4])],
    ['with segments that do not add up', patched(UPLOAD, 15, [6])],
    ['with entries out of order', patched(UPLOAD, ENTRIES, [0, 5])],
    ['with the part number 0', patched(UPLOAD, ENTRIES, [0, 0])],
    ['with the part number 10,001', patched(UPLOAD, ENTRIES + 240, [0x27, 0x11])],
    ['with unknown entry flags', patched(UPLOAD, ENTRIES + 3, [7])],
    ['with reserved entry bytes', patched(UPLOAD, ENTRIES + 7, [1])],
    ['with an entry’s MD5 that is not valid', patched(UPLOAD, ENTRIES + 240 + 40, [1])],
    ['with an entry’s checksum that is not valid', patched(UPLOAD, ENTRIES + 240 + 56, [1])],
    ['with part entries on a PUT', patched(UPLOAD, 1, [1])],
  ]
  test.each(cases)('%s', (_, bytes) => expectRefusal('tail failure', () => decodeTail(bytes)))

  test('with a segment below 5 MiB that is not the last', () => {
    const [one, two, three] = UPLOAD.entries
    if (one === undefined || two === undefined || three === undefined) throw new Error('three entries')
    const small = { ...UPLOAD, entries: [{ ...one, plaintextBytes: D - 1 }, { ...two, plaintextBytes: D + 8 }, three] }
    expect(() => encodeTail(small)).toThrow(Internal)
    const bytes = encodeTail(UPLOAD)
    bytes.writeBigUInt64BE(BigInt(D - 1), ENTRIES + 8)
    bytes.writeBigUInt64BE(BigInt(D + 8), ENTRIES + 128)
    expectRefusal('tail failure', () => decodeTail(bytes))
  })

  test('with an area that is too long', () => {
    expect(() => encodeTail({ ...UPLOAD, area: Buffer.alloc(4_097) })).toThrow(Internal)
    expect(encodeTail({ ...UPLOAD, area: Buffer.alloc(4_096) })).toHaveLength(160 + 4_098 + 360)
  })

  test('with a number of segments that S3 does not allow', () => {
    expect(() => encodeTail({ ...PUT, segments: 10_001 })).toThrow(Internal)
  })
})
