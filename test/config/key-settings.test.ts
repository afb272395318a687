import { describe, expect, it } from 'vitest'
import { loadSettings } from '../../src/config/load.ts'

const load = (hsm: object) =>
  loadSettings({
    env: { SEALGATE_KEYS_ACTIVE: 'hsm', SEALGATE_KEYS_MANAGERS: JSON.stringify({ hsm: { type: 'pkcs11', ...hsm } }) },
    readFile: (path) => (path === '/run/pin' ? '2468\n' : ''),
  }).keys.managers.hsm

const WHOLE = { module: '/lib/hsm.so', token: { label: 'vault' }, pinFile: '/run/pin', key: { label: 'main' } }

it('a token needs a library, a PIN, and a way to find it and its key', () => {
  expect(load(WHOLE)).toMatchObject({
    pin: '2468',
    sessions: 2,
    timeout: 5_000,
    key: { mechanism: 'aes-gcm' },
    formerKeys: [],
  })
  expect(load({ ...WHOLE, key: { id: 'AB01', mechanism: 'aes-key-wrap' } })).toMatchObject({ key: { id: 'ab01' } })
})

it.each([
  [{ token: {} }, 'name the token by label, serial or slot'],
  [{ key: {} }, 'name the key by label or id'],
  [{ key: { mechanism: 'aes-gcm' } }, 'name the key by label or id'],
  [{ formerKeys: [{}] }, 'name the key by label or id'],
  [{ key: { id: 'abc' } }, 'pairs of hex digits'],
  [{ key: { label: 'main', mechanism: 'rsa' } }, 'aes-gcm or aes-key-wrap'],
  [{ token: { label: ' vault' } }, 'without spaces at its ends'],
  [{ sessions: 0 }, 'from 1 to 32'],
  [{ pinFile: undefined }, 'keys.managers.hsm.pin'],
])('%j is refused', (change, hint) => {
  expect(() => load({ ...WHOLE, ...change })).toThrow(hint)
})

describe('aliases', () => {
  const MANAGERS = 'managers: { main: { type: local }, other: { type: local } }'
  const read = (keys: string, rest = '') =>
    loadSettings({ env: {}, configPath: 'x', readFile: () => `keys: { active: main, ${MANAGERS}${keys} }\n${rest}` })

  it('of a fail-over order and of buckets are taken', () => {
    const { keys, buckets } = read(', failover: [other]', 'buckets: [{ match: a, keys: other }]')
    expect([keys.failover, buckets[0]?.keys]).toEqual([['other'], 'other'])
  })

  it.each([
    [
      ', failover: [lost]',
      '',
      'keys.failover[0]: the value is refused: no key manager has this alias; there is: main, other',
    ],
    [', failover: [main]', '', 'for which it would stand in'],
    [', failover: [other, other]', '', 'keys.failover[1]: the value is refused: stands in the list twice'],
    [
      '',
      'buckets: [{ match: a }, { match: b, keys: lost }]',
      'buckets[1].keys: "lost" is refused: no key manager has this alias; there is: main, other',
    ],
  ])('that lead nowhere are refused with their path: %s %s', (keys, rest, hint) => {
    expect(() => read(keys, rest)).toThrow(hint)
  })
})
