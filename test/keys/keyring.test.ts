import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { formatKeyringRecord, type KeyringRecord, parseKeyringRecord } from '../../src/keys/keyring.ts'

const RECORD: KeyringRecord = {
  kid: Buffer.alloc(16, 0xab),
  tag: 'l',
  alias: 'main',
  wrapped: Buffer.from('0102fffe', 'hex'),
  day: 20_417,
  namespace: 'Ünïcode "quoted"',
  created: Date.UTC(2025, 10, 25, 1, 2, 3, 4),
  status: 'active',
}

describe('a keyring record', () => {
  it('is JSON with the fields of the format', () => {
    expect(JSON.parse(formatKeyringRecord(RECORD))).toEqual({
      kid: 'ab'.repeat(16),
      provider: 'l',
      alias: 'main',
      wrapped: 'AQL__g',
      day: 20_417,
      namespace: 'Ünïcode "quoted"',
      created: '2025-11-25T01:02:03.004Z',
      status: 'active',
    })
  })

  it('that is damaged is not quoted, not even behind the error', () => {
    for (const text of ['{"kid":WRAPPED-SECRET}', '{"kid":"WRAPPED-SECRET"}', 'WRAPPED-SECRET']) {
      try {
        parseKeyringRecord(text)
        expect.unreachable()
      } catch (error) {
        expect(inspect(error)).not.toContain('WRAPPED-SECRET')
      }
    }
  })

  it('comes back as it was', () => {
    for (const record of [RECORD, { ...RECORD, status: 'retired' as const, tag: 'a' as const, day: 0 }]) {
      expect(parseKeyringRecord(formatKeyringRecord(record))).toEqual(record)
    }
  })

  it.each([
    ['an unknown field', { extra: 1 }],
    ['a kid that is too short', { kid: 'ab' }],
    ['a kid in capitals', { kid: 'AB'.repeat(16) }],
    ['an unknown provider', { provider: 'x' }],
    ['an alias that no configuration can have', { alias: 'Main' }],
    ['a padded wrapped key', { wrapped: 'AQL__g==' }],
    ['an empty wrapped key', { wrapped: '' }],
    ['a negative day', { day: -1 }],
    ['a day that is no u32', { day: 2 ** 32 }],
    ['an unknown status', { status: 'maybe' }],
    ['no namespace', { namespace: undefined }],
    ['a time that is none', { created: 'now' }],
  ])('with %s is an unwrap failure', (_, change) => {
    const fields: object = JSON.parse(formatKeyringRecord(RECORD))
    const parse = (): unknown => parseKeyringRecord(JSON.stringify({ ...fields, ...change }))
    expect(parse).toThrow(expect.objectContaining({ layer: 'unwrap failure' }))
  })

  it.each(['', 'null', '[]', '{"kid":'])('that reads %j is an unwrap failure', (text) => {
    expect(() => parseKeyringRecord(text)).toThrow(expect.objectContaining({ layer: 'unwrap failure' }))
  })
})
