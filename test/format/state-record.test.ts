import { describe, expect, test } from 'vitest'
import { Internal } from '../../src/errors.ts'
import { kidOf, LABELS, lengthPrefixed, sealSmall } from '../../src/format/derive.ts'
import { envelopePrefix, type SealingKey } from '../../src/format/envelope.ts'
import { openStateRecord, parseStateRecordPrefix, sealStateRecord } from '../../src/format/state-record.ts'
import { expectRefusal, flipped, layerOf, seeded } from './sealed-objects.ts'

const random = seeded('state')
const K = random(32)
const BUCKET_KEY: SealingKey = { tag: 'v', alias: 'vault-1', day: 20_001, kid: kidOf(K), wrapped: random(80), key: K }
const PATH = 'uploads/0123456789abcdef0123456789abcdef/create'
const JSON_VALUE = { name: 'é', parts: [1, 2, 3], none: null }

describe('a state record', () => {
  const raw = sealStateRecord(BUCKET_KEY, PATH, JSON_VALUE, random)

  test('comes back under its path', () => {
    expect(openStateRecord(K, PATH, raw)).toEqual(JSON_VALUE)
  })

  test('names the bucket key that it needs', () => {
    const { key: _, ...fields } = BUCKET_KEY
    expect(parseStateRecordPrefix(raw).wrapped).toEqual(fields)
  })

  test('does not open under another path or bucket key', () => {
    expectRefusal('metadata failure', () => openStateRecord(K, PATH.replace('create', 'done'), raw))
    expectRefusal('unwrap failure', () => openStateRecord(flipped(K, 0), PATH, raw))
  })

  test('refuses a turned bit in everything that it rests on, and every truncation', () => {
    const { sealed } = parseStateRecordPrefix(raw)
    for (let at = raw.length - sealed.length; at < raw.length; at++) {
      expectRefusal('metadata failure', () => openStateRecord(K, PATH, flipped(raw, at)))
    }
    for (let length = 0; length < raw.length; length++) {
      const layer = layerOf(() => openStateRecord(K, PATH, raw.subarray(0, length)))
      expect(layer === 'envelope failure' || layer === 'metadata failure').toBe(true)
    }
    expectRefusal('envelope failure', () => openStateRecord(K, PATH, flipped(raw, 0, 1)))
    expectRefusal('envelope failure', () => openStateRecord(K, PATH, flipped(raw, 2)))
  })

  test('must hold JSON', () => {
    expect(() => sealStateRecord(BUCKET_KEY, PATH, undefined, random)).toThrow(Internal)
    const prefix = envelopePrefix(BUCKET_KEY)
    const sealed = sealSmall(K, LABELS.state, lengthPrefixed(PATH), Buffer.from('{'), random)
    const bad = Buffer.concat([Buffer.of(1, 0, prefix.length), prefix, sealed])
    expectRefusal('metadata failure', () => openStateRecord(K, PATH, bad))
  })
})
