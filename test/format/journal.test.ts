import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Internal } from '../../src/errors.ts'
import { CHECKSUM_BYTES } from '../../src/format/checksum-codes.ts'
import { LABELS, sealSmall, toBase64url } from '../../src/format/derive.ts'
import { newAttempt, openJournalName, type PartAttempt, sealJournalName, stateId } from '../../src/format/journal.ts'
import { expectRefusal, flipped, seeded } from './sealed-objects.ts'

const random = seeded('journal')
const NAME = {
  objectKey: random(32),
  id: stateId('bucket', 'key', 'upload'),
  part: 10_000,
  attempt: newAttempt(1_700_000_000_000, random),
}
const FULL: PartAttempt = {
  bytes: 5_367_398_640,
  segmentSalt: random(24),
  md5: random(16),
  heldBack: true,
  checksum: { algorithm: 7, value: random(64) },
  clientEtag: 'c'.repeat(255),
  backendEtag: 'b'.repeat(255),
}

const anAttempt: fc.Arbitrary<PartAttempt> = fc
  .record({
    bytes: fc.integer({ min: 0, max: 5 * 2 ** 30 }),
    seed: fc.string(),
    algorithm: fc.integer({ min: 0, max: 10 }),
    hasMd5: fc.boolean(),
    heldBack: fc.boolean(),
    clientEtag: fc.string({ unit: 'grapheme-ascii', maxLength: 255 }),
    backendEtag: fc.string({ unit: 'grapheme-ascii', maxLength: 60 }),
  })
  .map(({ bytes, seed, algorithm, hasMd5, heldBack, clientEtag, backendEtag }) => {
    const random = seeded(seed)
    return {
      bytes,
      segmentSalt: random(24),
      ...(hasMd5 ? { md5: random(16) } : {}),
      heldBack,
      ...(algorithm > 0 ? { checksum: { algorithm, value: random(CHECKSUM_BYTES.get(algorithm) ?? 0) } } : {}),
      clientEtag,
      backendEtag,
    }
  })

describe('a journal name', () => {
  test('gives back any attempt', () => {
    fc.assert(
      fc.property(anAttempt, (content) => {
        const name = sealJournalName({ ...NAME, content, random })
        expect(openJournalName({ ...NAME, name })).toEqual(content)
      }),
    )
  })

  test('is cut into path segments of at most 180 characters and fits a key of 1,024', () => {
    const name = sealJournalName({ ...NAME, content: FULL, random })
    const segments = name.split('/')
    expect(segments.slice(0, -1).every((segment) => segment.length === 180)).toBe(true)
    expect(segments.at(-1)?.length).toBeLessThanOrEqual(180)
    expect(segments.every((segment) => /^[\w-]+$/.test(segment))).toBe(true)
    expect(`uploads/${NAME.id}/p/10000/${NAME.attempt}~${name}`.length).toBeLessThan(1_024)
  })

  test('opens for its own upload, part, attempt and key alone', () => {
    const name = sealJournalName({ ...NAME, content: FULL, random })
    const others = [
      { ...NAME, objectKey: flipped(NAME.objectKey, 0) },
      { ...NAME, id: stateId('bucket', 'key', 'other') },
      { ...NAME, part: 1 },
      { ...NAME, attempt: newAttempt(1_700_000_000_000, random) },
    ]
    for (const other of others) expectRefusal('tail failure', () => openJournalName({ ...other, name }))
  })

  test('has one spelling', () => {
    const name = sealJournalName({ ...NAME, content: FULL, random })
    const wrong = [
      name.replaceAll('/', ''),
      `${name}/`,
      `/${name}`,
      name.replace('/', '//'),
      `${name}=`,
      name.slice(0, -4),
      name.slice(1),
      `${name.slice(0, 10)}${name[10] === 'A' ? 'B' : 'A'}${name.slice(11)}`,
      '',
    ]
    for (const other of wrong) expectRefusal('tail failure', () => openJournalName({ ...NAME, name: other }))
  })

  const bound = Buffer.concat([Buffer.from(NAME.id), Buffer.of(0x27, 0x10), Buffer.from(NAME.attempt)])
  const small = Buffer.concat([
    Buffer.of(1, 1),
    Buffer.alloc(8),
    random(40),
    Buffer.of(0, 0),
    Buffer.from('\x01c\x01b'),
  ])
  const named = (content: Buffer): string =>
    toBase64url(sealSmall(NAME.objectKey, LABELS.journal, bound, content, random))
  test.each([
    ['an unknown version', flipped(small, 0, 1)],
    ['unknown flags', flipped(small, 1, 3)],
    ['a length of 2^63', flipped(small, 2, 7)],
    ['an MD5 that is not valid', flipped(small, 1, 0)],
    ['a checksum flag without a checksum', flipped(small, 1, 1)],
    ['an algorithm without its flag', flipped(small, 50, 0)],
    ['an unknown algorithm', flipped(small, 50, 7)],
    ['a checksum length without a checksum', flipped(small, 51, 1)],
    ['an ETag that is cut short', flipped(small, 52, 3)],
    ['an ETag that is not ASCII', flipped(small, 53, 7)],
    ['bytes behind its end', Buffer.concat([small, Buffer.of(0)])],
    ['an end too early', small.subarray(0, -2)],
  ])('is refused with %s', (_, content) => {
    expect(openJournalName({ ...NAME, name: named(small) }).clientEtag).toBe('c')
    expectRefusal('tail failure', () => openJournalName({ ...NAME, name: named(content) }))
  })

  test('is not written with fields that no reader accepts', () => {
    const wrong: readonly Partial<PartAttempt>[] = [
      { segmentSalt: random(23) },
      { md5: random(15) },
      { checksum: { algorithm: 1, value: random(5) } },
      { checksum: { algorithm: 11, value: random(5) } },
      { clientEtag: 'x'.repeat(256) },
      { backendEtag: 'é' },
    ]
    for (const part of wrong)
      expect(() => sealJournalName({ ...NAME, content: { ...FULL, ...part }, random })).toThrow(Internal)
    for (const name of [{ part: 0 }, { part: 10_001 }, { id: 'x' }, { attempt: 'x' }]) {
      expect(() => sealJournalName({ ...NAME, ...name, content: FULL, random })).toThrow(Internal)
    }
  })
})

describe('attempts and ids', () => {
  test('attempts have 18 characters and sort by time', () => {
    const times = [0, 1, 35, 36, 1_700_000_000_000, 1_700_000_000_001, 4_000_000_000_000]
    const attempts = times.map((time) => newAttempt(time, random))
    for (const attempt of attempts) expect(attempt).toMatch(/^[0-9a-z]{9}-[0-9a-z]{8}$/)
    expect([...attempts].sort()).toEqual(attempts)
    expect(newAttempt(0, random)).not.toBe(newAttempt(0, random))
    expect(() => newAttempt(Number.NaN, random)).toThrow(Internal)
  })

  test('an id is the first 32 hex digits of a hash of bucket, key and upload', () => {
    expect(stateId('b', 'k', 'u')).toMatch(/^[0-9a-f]{32}$/)
    expect(stateId('b', 'k', 'u')).not.toBe(stateId('bk', '', 'u'))
  })
})
