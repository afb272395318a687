import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Internal } from '../../src/errors.ts'
import { LABELS, sealSmall } from '../../src/format/derive.ts'
import { sha256 } from '../../src/format/hash.ts'
import {
  fromStoredMetadata,
  metadataCapacity,
  NO_COMMITMENT,
  NO_SALT,
  openMetadata,
  type SealedMetadata,
  sealMetadata,
  toStoredMetadata,
} from '../../src/format/metadata.ts'
import { TLV, textTlv, userMetadataTlv } from '../../src/format/tlv.ts'
import { expectRefusal, flipped, seeded } from './sealed-objects.ts'

const random = seeded('metadata')
const R = random(32)
const SIZED = Buffer.from([1, 1, 2, ...random(90)])
const TAIL_FIRST = Buffer.from([1, 1, 1, ...random(90)])
const CONTENT: SealedMetadata = {
  plaintextBytes: 2 ** 52 + 1,
  salt: random(24),
  commitment: random(32),
  generation: random(8),
  writeTime: 1_700_000_000_000,
  tlvs: [textTlv(TLV.contentType, 'text/plain'), userMetadataTlv('a', '1')],
}

function seal(content: SealedMetadata = CONTENT, envelopeRaw: Buffer = SIZED): Buffer {
  return sealMetadata({ objectKey: R, envelopeRaw, content, random })
}

describe('sealed metadata', () => {
  test('comes back as it was', () => {
    expect(openMetadata(R, SIZED, seal())).toEqual(CONTENT)
  })

  test('refuses every turned bit and every truncation', () => {
    const raw = seal()
    for (let bit = 0; bit < raw.length * 8; bit++) {
      expectRefusal('metadata failure', () => openMetadata(R, SIZED, flipped(raw, bit >> 3, bit & 7)))
    }
    for (let length = 0; length < raw.length; length++) {
      expectRefusal('metadata failure', () => openMetadata(R, SIZED, raw.subarray(0, length)))
    }
  })

  test('belongs to one envelope and one object key', () => {
    const raw = seal()
    expectRefusal('metadata failure', () => openMetadata(R, flipped(SIZED, 50), raw))
    expectRefusal('metadata failure', () => openMetadata(flipped(R, 0), SIZED, raw))
  })

  test('has no length, salt or commitment where the tail has to be read first', () => {
    const empty = { ...CONTENT, plaintextBytes: 0, salt: NO_SALT, commitment: NO_COMMITMENT }
    expect(openMetadata(R, TAIL_FIRST, seal(empty, TAIL_FIRST))).toEqual(empty)
    for (const field of ['plaintextBytes', 'salt', 'commitment'] as const) {
      expect(() => seal({ ...empty, [field]: CONTENT[field] }, TAIL_FIRST)).toThrow(Internal)
    }
  })

  const bound = (content: Buffer, envelope: Buffer = SIZED): Buffer =>
    sealSmall(R, LABELS.metadata, sha256(envelope), content, random)
  const fixed = Buffer.concat([Buffer.of(1), Buffer.alloc(81)])
  test.each([
    ['an unknown version', bound(flipped(fixed, 0, 1)), SIZED],
    ['a byte that is not zero', bound(flipped(fixed, 1)), SIZED],
    ['a length of 2^63', bound(flipped(fixed, 2, 7)), SIZED],
    ['a write time of 2^63', bound(flipped(fixed, 74, 7)), SIZED],
    ['a fixed part that is cut short', bound(fixed.subarray(1)), SIZED],
    ['a malformed entry', bound(Buffer.concat([fixed, Buffer.of(1)])), SIZED],
    ['a length that is for the tail to say', bound(flipped(fixed, 9), TAIL_FIRST), TAIL_FIRST],
    ['a salt that is for the tail to say', bound(flipped(fixed, 10), TAIL_FIRST), TAIL_FIRST],
  ])('is refused with %s', (_, raw, envelope) => {
    expectRefusal('metadata failure', () => openMetadata(R, envelope, raw))
  })

  test('is not written with fields of a wrong length', () => {
    expect(() => seal({ ...CONTENT, salt: random(23) })).toThrow(Internal)
    expect(() => seal({ ...CONTENT, commitment: random(31) })).toThrow(Internal)
    expect(() => seal({ ...CONTENT, generation: random(7) })).toThrow(Internal)
  })
})

describe('capacity', () => {
  test('is what just fits the limit of a store', () => {
    fc.assert(
      fc.property(fc.integer({ min: 60, max: 700 }), fc.integer({ min: 1_000, max: 9_000 }), (envelopeBytes, limit) => {
        const capacity = metadataCapacity(limit, envelopeBytes)
        const counted = (tlvBytes: number): number => {
          const stored = toStoredMetadata(Buffer.alloc(envelopeBytes), Buffer.alloc(40 + 82 + Math.max(0, tlvBytes)))
          return Object.entries(stored).reduce((sum, [k, v]) => sum + 'x-amz-meta-'.length + k.length + v.length, 0)
        }
        if (capacity >= 0) expect(counted(capacity)).toBeLessThanOrEqual(limit)
        if (capacity >= -1) expect(counted(capacity + 1)).toBeGreaterThan(limit)
      }),
    )
  })

  test('beside an AWS KMS blob is about 1.1 KB', () => {
    expect(metadataCapacity(2_048, 4 + 9 + 4 + 16 + 2 + 184 + 24 + 48)).toBeGreaterThan(1_090)
  })
})

describe('the metadata keys of a store', () => {
  const [envelope, metadata] = [random(100), random(1_000)]

  test('give back envelope and metadata, whole or cut into any parts', () => {
    for (const limit of [Infinity, 5_000, 1_334, 1_333, 700, 100, 7]) {
      const stored = toStoredMetadata(envelope, metadata, limit)
      for (const [name, value] of Object.entries(stored)) {
        if (name !== 'sg-e') expect(value.length).toBeLessThanOrEqual(limit)
      }
      expect(fromStoredMetadata({ ...stored, other: 'x' })).toEqual({ envelope, metadata })
    }
    expect(Object.keys(toStoredMetadata(envelope, metadata, 700))).toEqual(['sg-e', 'sg-m', 'sg-m2'])
  })

  test('are foreign where there is neither', () => {
    expect(fromStoredMetadata({})).toBe('foreign')
    expect(fromStoredMetadata({ 'content-type': 'text/plain', 'sg-x': '1' })).toBe('foreign')
  })

  test('are refused by halves', () => {
    const { 'sg-e': sgE = '', 'sg-m': sgM = '' } = toStoredMetadata(envelope, metadata)
    expectRefusal('envelope failure', () => fromStoredMetadata({ 'sg-m': sgM }))
    expectRefusal('metadata failure', () => fromStoredMetadata({ 'sg-e': sgE }))
    expectRefusal('envelope failure', () => fromStoredMetadata({ 'sg-e': `${sgE}=`, 'sg-m': sgM }))
    expectRefusal('metadata failure', () => fromStoredMetadata({ 'sg-e': sgE, 'sg-m': `${sgM}=` }))
  })

  test('are refused with parts missing, empty or left over', () => {
    const stored = toStoredMetadata(envelope, metadata, 500)
    expect(Object.keys(stored)).toHaveLength(4)
    const { 'sg-m2': _, ...gap } = stored
    const { 'sg-m': __, ...headless } = stored
    const { 'sg-e': ___, ...bodiless } = stored
    expectRefusal('metadata failure', () => fromStoredMetadata(gap))
    expectRefusal('metadata failure', () => fromStoredMetadata(headless))
    expectRefusal('envelope failure', () => fromStoredMetadata(bodiless))
    for (const extra of [
      { 'sg-m4': '' },
      { 'sg-m5': 'AAAA' },
      { 'sg-m0': 'AAAA' },
      { 'sg-m1': 'AAAA' },
      { 'sg-m02': 'AAAA' },
    ]) {
      expectRefusal('metadata failure', () => fromStoredMetadata({ ...stored, ...extra }))
    }
    expectRefusal('metadata failure', () => fromStoredMetadata({ ...stored, 'sg-m': '' }))
  })
})
