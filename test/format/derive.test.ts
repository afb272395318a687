import { createHmac, hkdfSync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Internal } from '../../src/errors.ts'
import {
  expand,
  fromBase64url,
  kidOf,
  LABELS,
  lengthPrefixed,
  newGeneration,
  newObjectKey,
  openSmall,
  SEAL_OVERHEAD,
  sameBytes,
  sealSmall,
  toBase64url,
} from '../../src/format/derive.ts'
import { flipped, seeded } from './sealed-objects.ts'

const PRK = seeded('prk')(32)
const NONE = Buffer.alloc(0)

describe('expand', () => {
  test('is the second half of HKDF with SHA-512', () => {
    const ikm = seeded('ikm')(32)
    const salt = seeded('salt')(24)
    const prk = createHmac('sha512', salt).update(ikm).digest()
    for (const bytes of [1, 16, 44, 63, 64, 65, 76, 128, 1_000, 255 * 64]) {
      const info = Buffer.from('some label\0some data')
      const expected = Buffer.from(hkdfSync('sha512', ikm, salt, info, bytes))
      expect(expand(prk, 'some label', Buffer.from('some data'), bytes).equals(expected)).toBe(true)
    }
  })

  test('gives other bytes for another label, other data or another key', () => {
    const outputs = [
      expand(PRK, 'a', NONE, 32),
      expand(PRK, 'b', NONE, 32),
      expand(PRK, 'a', Buffer.of(0), 32),
      expand(flipped(PRK, 0), 'a', NONE, 32),
    ]
    expect(new Set(outputs.map(toBase64url)).size).toBe(4)
  })

  test('refuses more than 255 blocks and less than one byte', () => {
    expect(() => expand(PRK, 'a', NONE, 255 * 64 + 1)).toThrow(Internal)
    expect(() => expand(PRK, 'a', NONE, 0)).toThrow(Internal)
  })

  test('has a label of its own for each use', () => {
    expect(new Set(Object.values(LABELS)).size).toBe(Object.keys(LABELS).length)
    for (const label of Object.values(LABELS)) expect(label).toMatch(/^sealgate\/v1\/[a-z]+$/)
  })
})

describe('small sealed boxes', () => {
  test('open with what they were sealed with', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.uint8Array({ maxLength: 50 }),
        fc.string(),
        (text, bound, seed) => {
          const [plaintext, data] = [Buffer.from(text), Buffer.from(bound)]
          const sealed = sealSmall(PRK, LABELS.state, data, plaintext, seeded(seed))
          expect(sealed.length).toBe(plaintext.length + SEAL_OVERHEAD)
          expect(openSmall(PRK, LABELS.state, data, sealed)).toEqual(plaintext)
        },
      ),
    )
  })

  test('do not open with any bit turned, any byte cut off, or another key, label or data', () => {
    const data = Buffer.from('data')
    const sealed = sealSmall(PRK, LABELS.area, data, Buffer.from('plaintext'), seeded('s'))
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      expect(openSmall(PRK, LABELS.area, data, flipped(sealed, bit >> 3, bit & 7))).toBeUndefined()
    }
    for (let length = 0; length < sealed.length; length++) {
      expect(openSmall(PRK, LABELS.area, data, sealed.subarray(0, length))).toBeUndefined()
    }
    expect(openSmall(flipped(PRK, 3), LABELS.area, data, sealed)).toBeUndefined()
    expect(openSmall(PRK, LABELS.state, data, sealed)).toBeUndefined()
    expect(openSmall(PRK, LABELS.area, Buffer.from('date'), sealed)).toBeUndefined()
    expect(openSmall(PRK, LABELS.area, data, Buffer.concat([sealed, Buffer.of(0)]))).toBeUndefined()
  })

  test('draw a new salt each time', () => {
    const random = seeded('salts')
    const [one, two] = [1, 2].map(() => sealSmall(PRK, LABELS.area, NONE, Buffer.from('same'), random))
    expect(one?.equals(two ?? NONE)).toBe(false)
  })
})

describe('base64url', () => {
  test('takes back exactly what it gives', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => fromBase64url(toBase64url(Buffer.from(bytes)))?.equals(bytes) === true),
    )
  })

  test('refuses padding, other alphabets, white space and stray bits', () => {
    for (const text of ['AA==', 'AA=', '+/+/', 'A', 'AB', 'AAB', ' AAAA', 'AAAA\n', 'AAé']) {
      expect([text, fromBase64url(text)]).toEqual([text, undefined])
    }
    expect(fromBase64url('')).toEqual(NONE)
    expect(fromBase64url('-_-_')).toEqual(Buffer.from('+/+/', 'base64'))
  })
})

describe('small helpers', () => {
  test('compare bytes of equal and of other lengths', () => {
    expect(sameBytes(Buffer.from('ab'), Buffer.from('ab'))).toBe(true)
    expect(sameBytes(Buffer.from('ab'), Buffer.from('ac'))).toBe(false)
    expect(sameBytes(Buffer.from('ab'), Buffer.from('abc'))).toBe(false)
  })

  test('prefix strings with their length in bytes of UTF-8', () => {
    expect(lengthPrefixed('né').toString('hex')).toBe('000000036ec3a9')
    expect(lengthPrefixed(Buffer.of(7)).toString('hex')).toBe('0000000107')
    expect(() => lengthPrefixed('\ud800')).toThrow(Internal)
  })

  test('name a key by 16 bytes that depend on all of it', () => {
    expect(kidOf(PRK)).toHaveLength(16)
    expect(kidOf(PRK).equals(kidOf(flipped(PRK, 31)))).toBe(false)
  })

  test('refuse a random source that gives too little', () => {
    expect(newObjectKey(seeded('r'))).toHaveLength(32)
    expect(newGeneration(seeded('r'))).toHaveLength(8)
    expect(() => newObjectKey(() => Buffer.alloc(31))).toThrow(Internal)
  })
})
