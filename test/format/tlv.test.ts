import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Internal } from '../../src/errors.ts'
import {
  checksumOf,
  checksumTlv,
  decodeTlvs,
  encodeTlvs,
  md5Of,
  md5Tlv,
  mergeTlvs,
  splitTlvs,
  sseOf,
  sseTlv,
  TLV,
  type Tlv,
  textOf,
  textTlv,
  tlvBytes,
  userMetadataOf,
  userMetadataTlv,
} from '../../src/format/tlv.ts'
import { expectRefusal, seeded } from './sealed-objects.ts'

const latin1 = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)), maxLength: 40 })
const someTlvs: fc.Arbitrary<Tlv[]> = fc
  .tuple(
    fc.uniqueArray(fc.tuple(fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 12, 60, 127), latin1), {
      selector: ([tag]) => tag,
    }),
    fc.uniqueArray(
      fc.tuple(
        latin1.filter((name) => name.length > 0),
        latin1,
      ),
      { selector: ([name]) => name },
    ),
  )
  .map(([texts, users]) => [
    ...users.map(([name, value]) => userMetadataTlv(name, value)),
    ...texts.map(([tag, text]) => textTlv(tag, text)),
  ])
const raw = (...entries: readonly (readonly [number, string])[]): Buffer =>
  Buffer.concat(entries.map(([tag, hex]) => Buffer.from([tag, 0, hex.length / 2, ...Buffer.from(hex, 'hex')])))

describe('metadata entries', () => {
  test('come back in their one order, whatever order they were given in', () => {
    fc.assert(
      fc.property(someTlvs, (tlvs) => {
        const bytes = encodeTlvs(tlvs)
        const decoded = decodeTlvs(bytes, 'metadata failure')
        expect(bytes.length).toBe(tlvBytes(tlvs))
        expect(encodeTlvs(decoded)).toEqual(bytes)
        expect(new Set(decoded.map((tlv) => tlv.value))).toEqual(new Set(tlvs.map((tlv) => tlv.value)))
      }),
    )
  })

  test('keep what this version does not know, below 128', () => {
    const tlvs = [{ tag: 127, value: Buffer.of(1) }]
    expect(decodeTlvs(encodeTlvs(tlvs), 'metadata failure')).toEqual(tlvs)
  })

  test.each([
    ['a critical entry that is unknown', raw([129, '00'])],
    ['compression, which is reserved', raw([128, '01'])],
    ['an entry twice', raw([1, '61'], [1, '61'])],
    ['entries out of order', raw([2, '61'], [1, '61'])],
    ['a name of user metadata twice', raw([8, '016161'], [8, '016162'])],
    ['user metadata out of order', raw([8, '0162'], [8, '0161'])],
    ['user metadata without a name', raw([8, '00'])],
    ['user metadata whose name is cut short', raw([8, '0261'])],
    ['empty user metadata', raw([8, ''])],
    ['a checksum of a wrong length', raw([9, '0100aabbcc'])],
    ['a checksum of an unknown algorithm', raw([9, '0b00aabbccdd'])],
    ['a checksum of an unknown type', raw([9, '0102aabbccdd'])],
    ['a checksum by no algorithm', raw([9, '0000'])],
    ['an MD5 of a wrong length', raw([10, '00'.repeat(17)])],
    ['an unknown kind of encryption', raw([11, '05'])],
    ['half a frame', Buffer.of(1, 0)],
    ['a value that is cut short', Buffer.of(1, 0, 2, 65)],
  ])('refuse %s', (_, bytes) => expectRefusal('metadata failure', () => decodeTlvs(bytes, 'metadata failure')))

  test('charge the layer that they lie in', () => {
    expectRefusal('tail failure', () => decodeTlvs(Buffer.of(1), 'tail failure'))
  })

  test('are not written twice or malformed', () => {
    expect(() => encodeTlvs([textTlv(1, 'a'), textTlv(1, 'b')])).toThrow(Internal)
    expect(() => encodeTlvs([userMetadataTlv('a', '1'), userMetadataTlv('a', '2')])).toThrow(Internal)
    expect(() => encodeTlvs([textTlv(200, 'a')])).toThrow(Internal)
    expect(() => encodeTlvs([textTlv(1, 'x'.repeat(65_536))])).toThrow(Internal)
    expect(() => textTlv(1, '€')).toThrow(Internal)
    expect(() => userMetadataTlv('', 'a')).toThrow(Internal)
    expect(() => userMetadataTlv('x'.repeat(256), 'a')).toThrow(Internal)
  })
})

describe('typed entries', () => {
  const md5 = seeded('md5')(16)
  const tlvs = [
    textTlv(TLV.contentType, 'text/plain; charset=\xe9'),
    userMetadataTlv('zoo', 'last'),
    userMetadataTlv('art', ''),
    checksumTlv({ algorithm: 1, type: 0, value: Buffer.of(1, 2, 3, 4) }),
    md5Tlv(md5, 10_000),
    sseTlv({ mode: 2, keyId: 'arn:aws:kms:key' }),
  ]
  const read = decodeTlvs(encodeTlvs(tlvs), 'metadata failure')

  test('come back by their kind', () => {
    expect(textOf(read, TLV.contentType)).toBe('text/plain; charset=\xe9')
    expect(userMetadataOf(read)).toEqual([
      ['art', ''],
      ['zoo', 'last'],
    ])
    expect(checksumOf(read)).toEqual({ algorithm: 1, type: 0, value: Buffer.of(1, 2, 3, 4) })
    expect(md5Of(read)).toEqual({ md5, partCount: 10_000 })
    expect(sseOf(read)).toEqual({ mode: 2, keyId: 'arn:aws:kms:key' })
  })

  test('are undefined where they are not', () => {
    expect([textOf([], 1), checksumOf([]), md5Of([]), sseOf([])]).toEqual(Array(4).fill(undefined))
    expect(userMetadataOf([])).toEqual([])
  })
})

describe('entries that do not fit the headers', () => {
  test('go whole to the area, and together they are what they were', () => {
    fc.assert(
      fc.property(someTlvs, fc.integer({ min: -5, max: 400 }), (tlvs, capacity) => {
        const { headers, area } = splitTlvs(tlvs, capacity)
        expect(tlvBytes(headers)).toBeLessThanOrEqual(Math.max(0, capacity))
        for (const tlv of area) expect(tlvBytes(headers) + tlvBytes([tlv])).toBeGreaterThan(capacity)
        expect(encodeTlvs(mergeTlvs(headers, area))).toEqual(encodeTlvs(tlvs))
      }),
    )
  })

  test('lose against the headers where both have them', () => {
    const [headers, area] = [[userMetadataTlv('a', 'new')], [userMetadataTlv('a', 'old'), userMetadataTlv('b', 'old')]]
    expect(userMetadataOf(mergeTlvs(headers, area))).toEqual([
      ['a', 'new'],
      ['b', 'old'],
    ])
  })
})
