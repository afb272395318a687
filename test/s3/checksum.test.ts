import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import {
  CHECKSUMS,
  type ChecksumName,
  checksumOf,
  checksumOfCode,
  loadChecksums,
  multipartChecksum,
  newHasher,
  TYPE_CODES,
  typeOfCode,
} from '../../src/s3/checksum.ts'

const NAMES = Object.values(CHECKSUMS).map(({ name }) => name)
const CRCS: readonly ChecksumName[] = ['CRC32', 'CRC32C', 'CRC64NVME']

test('what runs in WebAssembly needs loadChecksums', async () => {
  vi.resetModules()
  const { newHasher: early } = await import('../../src/s3/checksum.ts')
  for (const name of ['CRC32C', 'CRC64NVME', 'XXHASH64', 'XXHASH3', 'XXHASH128'] as const) {
    expect(() => early(name)).toThrow('loadChecksums')
  }
})

describe('Checksums', () => {
  beforeAll(loadChecksums)

  test.each([
    ['CRC32', 'cbf43926'],
    ['CRC32C', 'e3069283'],
    ['CRC64NVME', 'ae8b14860a799888'],
    ['SHA1', 'f7c3bc1d808e04732adf679965ccc34ca7ae3441'],
    ['SHA256', '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225'],
    [
      'SHA512',
      'd9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274ad27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85',
    ],
    ['MD5', '25f9e794323b453885f5181f1b624d0b'],
    ['XXHASH64', '8cb841db40e6ae83'],
    ['XXHASH3', '72dcb18b67a17dff'],
    ['XXHASH128', '33119477ede5dcd5e9716427681d5860'],
  ] as const)('%s of 123456789 is the published check value', (name, value) => {
    expect(checksumOf(name, Buffer.from('123456789')).toString('hex')).toBe(value)
  })

  test.each(NAMES)('%s of nothing has the right length', (name) => {
    expect(newHasher(name).digest()).toHaveLength(CHECKSUMS[name].bytes)
  })

  test('codes are those of the format and lead back', () => {
    expect(Object.fromEntries(NAMES.map((name) => [name, CHECKSUMS[name].code]))).toEqual({
      CRC32: 1,
      CRC32C: 2,
      SHA1: 3,
      SHA256: 4,
      CRC64NVME: 5,
      MD5: 6,
      SHA512: 7,
      XXHASH64: 8,
      XXHASH3: 9,
      XXHASH128: 10,
    })
    for (const name of NAMES) expect(checksumOfCode(CHECKSUMS[name].code)?.name).toBe(name)
    expect(checksumOfCode(0)).toBeUndefined()
    expect(checksumOfCode(11)).toBeUndefined()
    expect(typeOfCode(TYPE_CODES.COMPOSITE)).toBe('COMPOSITE')
    expect(typeOfCode(TYPE_CODES.FULL_OBJECT)).toBe('FULL_OBJECT')
  })

  test('streams that run at the same time do not disturb each other', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...NAMES),
        fc.array(fc.tuple(fc.nat(3), fc.uint8Array({ maxLength: 40 })), { maxLength: 30 }),
        (name, pieces) => {
          const hashers = [0, 1, 2, 3].map(() => newHasher(name))
          for (const [stream, piece] of pieces) hashers[stream]?.update(piece)
          hashers.forEach((hasher, stream) => {
            const whole = Buffer.concat(pieces.filter(([of]) => of === stream).map(([, piece]) => piece))
            expect(hasher.digest().toString('hex')).toBe(checksumOf(name, whole).toString('hex'))
          })
        },
      ),
    )
  })
})

describe('The checksum of an object in parts (B39)', () => {
  beforeAll(loadChecksums)

  test('FULL_OBJECT equals the checksum of the whole', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...CRCS),
        fc.array(fc.uint8Array({ maxLength: 3000 }), { minLength: 1, maxLength: 6 }),
        (name, contents) => {
          const parts = contents.map((bytes) => ({ value: checksumOf(name, bytes), bytes: bytes.length }))
          expect(multipartChecksum(name, 'FULL_OBJECT', parts).toString('hex')).toBe(
            checksumOf(name, Buffer.concat(contents)).toString('hex'),
          )
        },
      ),
    )
  })

  test.each(CRCS)('FULL_OBJECT of %s holds for parts of many megabytes', (name) => {
    const first = Buffer.alloc(5 * 1024 * 1024 + 17, 'first')
    const second = Buffer.alloc(9 * 1024 * 1024 + 1, 'second')
    const parts = [first, second].map((bytes) => ({ value: checksumOf(name, bytes), bytes: bytes.length }))
    const hasher = newHasher(name)
    hasher.update(first)
    hasher.update(second)
    expect(multipartChecksum(name, 'FULL_OBJECT', parts)).toEqual(hasher.digest())
  })

  test('combining counts bytes beyond 2^32', () => {
    // 2^33 zero bytes, once in one step and once in two halves: the map must be the same.
    const value = checksumOf('CRC32', Buffer.from('x'))
    const zeros = (bytes: number): { value: Buffer; bytes: number } => ({ value: Buffer.alloc(4), bytes })
    const halves = multipartChecksum('CRC32', 'FULL_OBJECT', [{ value, bytes: 1 }, zeros(2 ** 32), zeros(2 ** 32)])
    const once = multipartChecksum('CRC32', 'FULL_OBJECT', [{ value, bytes: 1 }, zeros(2 ** 33)])
    expect(once).toEqual(halves)
    expect(once).not.toEqual(value)
  })

  test('COMPOSITE is the checksum of the concatenated raw values', () => {
    const values = ['a', 'b', 'c'].map((text) => createHash('sha256').update(text).digest())
    const expected = createHash('sha256').update(Buffer.concat(values)).digest()
    expect(
      multipartChecksum(
        'SHA256',
        'COMPOSITE',
        values.map((value) => ({ value, bytes: 1 })),
      ),
    ).toEqual(expected)
  })

  test('FULL_OBJECT of a hash cannot be had', () => {
    expect(() => multipartChecksum('SHA256', 'FULL_OBJECT', [])).toThrow('SHA256')
  })

  test('ten thousand parts are combined in well under a second', () => {
    const parts = Array.from({ length: 10_000 }, () => ({ value: Buffer.alloc(8, 7), bytes: 5 * 1024 * 1024 + 3 }))
    const started = performance.now()
    multipartChecksum('CRC64NVME', 'FULL_OBJECT', parts)
    expect(performance.now() - started).toBeLessThan(3000)
  })
})
