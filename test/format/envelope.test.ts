import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Internal } from '../../src/errors.ts'
import { kidOf, toBase64url } from '../../src/format/derive.ts'
import {
  decodeFoot,
  type EnvelopeInput,
  encodeFoot,
  envelopePrefix,
  openCustomerKey,
  openEnvelope,
  parseEnvelope,
  parseEnvelopePrefix,
  type SealingKey,
  sealCustomerEnvelope,
  sealEnvelope,
} from '../../src/format/envelope.ts'
import { expectRefusal, flipped, layerOf, seeded } from './sealed-objects.ts'

const random = seeded('envelopes')
const K = random(32)
const R = random(32)
const BUCKET_KEY: SealingKey = { tag: 'l', alias: 'main', day: 20_000, kid: kidOf(K), wrapped: random(60), key: K }
const INPUT: EnvelopeInput = {
  bucketKey: BUCKET_KEY,
  objectKey: R,
  namespace: 'photos',
  key: 'a//b/é.jpg',
  flags: { tailFirst: false, sizeInMetadata: true, areaUsed: false, md5NotKept: false },
  inline: true,
  random,
}

describe('an envelope', () => {
  test('opens under the namespace and key that it was sealed for', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 30 }),
        fc.string({ unit: 'binary', maxLength: 100 }),
        fc.tuple(fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean()),
        (namespace, key, [tailFirst, areaUsed, md5NotKept, inline]) => {
          const flags = { tailFirst, sizeInMetadata: !tailFirst, areaUsed, md5NotKept }
          const envelope = parseEnvelope(toBase64url(sealEnvelope({ ...INPUT, namespace, key, flags, inline })))
          expect(envelope.flags).toEqual({ ...flags, inlineKey: inline })
          expect(envelope).toMatchObject({ suite: 1, tag: 'l', alias: 'main', day: 20_000, kid: BUCKET_KEY.kid })
          expect(envelope.wrapped).toEqual(inline ? BUCKET_KEY.wrapped : Buffer.alloc(0))
          expect(openEnvelope(envelope, K, namespace, key)).toEqual(R)
        },
      ),
    )
  })

  test('has each field where the specification has it', () => {
    const raw = sealEnvelope(INPUT)
    expect(raw.subarray(0, 4).toString('hex')).toBe('01011205')
    expect(raw.subarray(4, 9).toString('latin1')).toBe('lmain')
    expect(raw.readUInt32BE(9)).toBe(20_000)
    expect(raw.subarray(13, 29)).toEqual(BUCKET_KEY.kid)
    expect(raw.readUInt16BE(29)).toBe(60)
    expect(raw).toHaveLength(31 + 60 + 24 + 48)
  })

  test('does not open under another name, or with names that only run together the same', () => {
    const envelope = parseEnvelope(sealEnvelope(INPUT))
    for (const [namespace, key] of [
      ['photos', 'a/b/é.jpg'],
      ['photo', 'sa//b/é.jpg'],
      ['photos', 'a//b/e\u0301.jpg'],
      ['other', INPUT.key],
      ['', ''],
    ] as const) {
      expectRefusal('unwrap failure', () => openEnvelope(envelope, K, namespace, key))
    }
  })

  test('does not open under another bucket key, which is seen by the kid', () => {
    const envelope = parseEnvelope(sealEnvelope(INPUT))
    expectRefusal('unwrap failure', () => openEnvelope(envelope, flipped(K, 0), INPUT.namespace, INPUT.key))
  })

  test('refuses every turned bit and every truncation', () => {
    const raw = sealEnvelope(INPUT)
    const open = (bytes: Buffer): Buffer => openEnvelope(parseEnvelope(bytes), K, INPUT.namespace, INPUT.key)
    for (let bit = 0; bit < raw.length * 8; bit++) {
      const layer = layerOf(() => open(flipped(raw, bit >> 3, bit & 7)))
      if (layer !== 'envelope failure' && layer !== 'unwrap failure') expect(`bit ${bit}: ${layer}`).toBe('refused')
    }
    for (let length = 0; length < raw.length; length++) {
      expectRefusal('envelope failure', () => open(raw.subarray(0, length)))
    }
  })

  test('wraps each object key anew', () => {
    expect(sealEnvelope(INPUT).equals(sealEnvelope(INPUT))).toBe(false)
  })

  const raw = sealEnvelope(INPUT)
  const patched = (at: number, ...bytes: number[]): Buffer => {
    const out = Buffer.from(raw)
    Buffer.from(bytes).copy(out, at)
    return out
  }
  test.each([
    ['an unknown version', patched(0, 2)],
    ['the reserved suite 2', patched(1, 2)],
    ['the reserved suite 3', patched(1, 3)],
    ['an unknown flag', patched(2, 0x32)],
    ['both places of the length', patched(2, 0x13)],
    ['no place of the length', patched(2, 0x10)],
    ['an inline key without its flag', patched(2, 0x02)],
    ['a key reference that is too long', patched(3, 17)],
    ['an unknown provider', patched(4, 0x78)],
    ['an alias behind the tag of SSE-C', patched(4, 0x63)],
    ['an alias in capitals', patched(5, 0x4d)],
    ['trailing bytes', Buffer.concat([raw, Buffer.of(0)])],
    ['nothing', Buffer.alloc(0)],
  ])('is refused with %s', (_, bytes) => expectRefusal('envelope failure', () => parseEnvelope(bytes)))

  test('is refused in base64url that is not canonical', () => {
    const text = toBase64url(raw)
    expectRefusal('envelope failure', () => parseEnvelope(`${text}=`))
    expectRefusal('envelope failure', () => parseEnvelope(`${text}\n`))
    expectRefusal('envelope failure', () => parseEnvelope(''))
  })

  test('is not written with fields that no reader accepts', () => {
    const wrong: readonly Partial<EnvelopeInput>[] = [
      { flags: { ...INPUT.flags, tailFirst: true } },
      { flags: { ...INPUT.flags, sizeInMetadata: false } },
      { bucketKey: { ...BUCKET_KEY, alias: 'An Alias' } },
      { bucketKey: { ...BUCKET_KEY, alias: '' } },
      { bucketKey: { ...BUCKET_KEY, alias: 'x'.repeat(16) } },
      { bucketKey: { ...BUCKET_KEY, tag: 'c' } },
      { bucketKey: { ...BUCKET_KEY, kid: Buffer.alloc(15) } },
      { bucketKey: { ...BUCKET_KEY, wrapped: Buffer.alloc(0) } },
      { key: '\udc00' },
    ]
    for (const part of wrong) expect(() => sealEnvelope({ ...INPUT, ...part })).toThrow(Internal)
  })
})

describe('the prefix of an envelope', () => {
  test('names the bucket key', () => {
    const { key: _, ...fields } = BUCKET_KEY
    expect(parseEnvelopePrefix(envelopePrefix(BUCKET_KEY))).toEqual(fields)
  })

  test('is refused with other flags, bytes behind it or cut short', () => {
    const prefix = envelopePrefix(BUCKET_KEY)
    expectRefusal('envelope failure', () => parseEnvelopePrefix(flipped(prefix, 2, 0)))
    expectRefusal('envelope failure', () => parseEnvelopePrefix(Buffer.concat([prefix, Buffer.of(0)])))
    expectRefusal('envelope failure', () => parseEnvelopePrefix(prefix.subarray(0, -1)))
  })
})

describe('the foot', () => {
  test('gives back the envelope and the names it was sealed for', () => {
    const key = '\ufeffé\u0000'
    const raw = sealEnvelope({ ...INPUT, key })
    const foot = decodeFoot(encodeFoot(raw, 'photos', key))
    expect(foot).toMatchObject({ namespace: 'photos', key })
    expect(foot.envelope.raw).toEqual(raw)
    expect(openEnvelope(foot.envelope, K, foot.namespace, foot.key)).toEqual(R)
  })

  test('is empty when it would exceed 2,048 bytes', () => {
    const raw = sealEnvelope(INPUT)
    const room = 2_048 - raw.length - 4 - 6
    expect(encodeFoot(raw, 'photos', 'k'.repeat(room))).toHaveLength(2_048)
    expect(encodeFoot(raw, 'photos', 'k'.repeat(room + 1))).toHaveLength(0)
    expect(encodeFoot(raw, 'photos', 'k'.repeat(70_000))).toHaveLength(0)
  })

  test('is refused when it is cut short, goes on, or holds names that are not UTF-8', () => {
    const foot = encodeFoot(sealEnvelope(INPUT), 'photos', 'k\u00e9')
    for (let length = 0; length < foot.length; length++) {
      expectRefusal('envelope failure', () => decodeFoot(foot.subarray(0, length)))
    }
    expectRefusal('envelope failure', () => decodeFoot(Buffer.concat([foot, Buffer.of(0)])))
    expectRefusal('envelope failure', () => decodeFoot(flipped(foot, foot.length - 1, 6)))
  })
})

describe("an envelope under a customer's key", () => {
  const { bucketKey: _ours, inline: _inline, ...content } = INPUT
  const customerKey = Buffer.alloc(32, 7)
  const raw = sealCustomerEnvelope({ ...content, customerKey })

  test('names no manager, no day and no wrapped key, and opens with that key for that name', () => {
    const envelope = parseEnvelope(raw)
    expect(envelope).toMatchObject({ tag: 'c', alias: '', day: 0, wrapped: Buffer.alloc(0) })
    const key = openCustomerKey(envelope, customerKey)
    expect(openEnvelope(envelope, key!, content.namespace, content.key).equals(content.objectKey)).toBe(true)
    expectRefusal('unwrap failure', () => openEnvelope(envelope, key!, content.namespace, `${content.key}x`))
    expect(encodeFoot(raw, content.namespace, content.key)).toHaveLength(0)
  })

  test('opens with no other key, and its kid is new each time', () => {
    const again = sealCustomerEnvelope({ ...content, customerKey })
    expect(parseEnvelope(again).kid.equals(parseEnvelope(raw).kid)).toBe(false)
    expect(openCustomerKey(parseEnvelope(raw), Buffer.alloc(32, 8))).toBeUndefined()
    expect(() => openCustomerKey(parseEnvelope(raw), Buffer.alloc(16))).toThrow()
  })
})
