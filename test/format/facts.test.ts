import { describe, expect, test } from 'vitest'
import { Internal } from '../../src/errors.ts'
import { encrypt, kidOf, lengthPrefixed } from '../../src/format/derive.ts'
import { type Facts, factsKey, factsKid, openFacts, sealFacts } from '../../src/format/facts.ts'
import { flipped, seeded } from './sealed-objects.ts'

const random = seeded('facts')
const K = random(32)
const FACTS: Facts = {
  plaintextBytes: 5_000_000_000_000,
  generation: random(8),
  md5: random(16),
  partCount: 10_000,
  checksumAlgorithm: 5,
  checksumType: 1,
}

function seal(facts: Facts = FACTS): Buffer {
  return sealFacts({ factsKey: factsKey(K), kid: kidOf(K), facts, namespace: 'photos', key: 'a/b', random })
}

describe('facts', () => {
  test('come back under their name, and name their bucket key', () => {
    const raw = seal()
    expect(raw).toHaveLength(81)
    expect(factsKid(raw)).toEqual(kidOf(K))
    expect(openFacts(factsKey(K), raw, 'photos', 'a/b')).toEqual(FACTS)
  })

  test('may lack an MD5', () => {
    const { md5: _, ...rest } = FACTS
    expect(openFacts(factsKey(K), seal(rest), 'photos', 'a/b')).toEqual(rest)
  })

  test('do not open under another name or key', () => {
    const raw = seal()
    expect(openFacts(factsKey(K), raw, 'photos', 'a/c')).toBeUndefined()
    expect(openFacts(factsKey(K), raw, 'photosa', '/b')).toBeUndefined()
    expect(openFacts(factsKey(flipped(K, 0)), raw, 'photos', 'a/b')).toBeUndefined()
  })

  test('do not open with a turned bit behind the kid, or at another length', () => {
    const raw = seal()
    for (let bit = 16 * 8; bit < raw.length * 8; bit++) {
      expect(openFacts(factsKey(K), flipped(raw, bit >> 3, bit & 7), 'photos', 'a/b')).toBeUndefined()
    }
    for (let length = 0; length < raw.length; length++) {
      expect(openFacts(factsKey(K), raw.subarray(0, length), 'photos', 'a/b')).toBeUndefined()
    }
    expect(factsKid(raw.subarray(0, 20))).toBeUndefined()
  })

  test('of an unknown version, or of a length out of range, are no facts', () => {
    const name = Buffer.concat([lengthPrefixed('photos'), lengthPrefixed('a/b')])
    const nonce = random(12)
    const raw = (content: Buffer): Buffer =>
      Buffer.concat([kidOf(K), nonce, encrypt(factsKey(K), nonce, content, name)])
    const content = Buffer.concat([Buffer.of(1), Buffer.alloc(36)])
    expect(openFacts(factsKey(K), raw(content), 'photos', 'a/b')?.plaintextBytes).toBe(0)
    expect(openFacts(factsKey(K), raw(flipped(content, 0, 1)), 'photos', 'a/b')).toBeUndefined()
    expect(openFacts(factsKey(K), raw(flipped(content, 1, 7)), 'photos', 'a/b')).toBeUndefined()
  })

  test('are not written with fields of a wrong length', () => {
    expect(() => seal({ ...FACTS, md5: random(15) })).toThrow(Internal)
    expect(() => seal({ ...FACTS, generation: random(9) })).toThrow(Internal)
  })
})
