import { expect, it } from 'vitest'
import { loadSettings } from '../../src/config/load.ts'

const SECRET = 'ab'.repeat(32)
const FILES: Readonly<Record<string, string>> = { '/run/wrapping': `${SECRET}\n`, '/run/password': 'open sesame\n' }

const load = (kmip: object) =>
  loadSettings({
    env: { SEALGATE_KEYS_ACTIVE: 'kmip', SEALGATE_KEYS_MANAGERS: JSON.stringify({ kmip: { type: 'kmip', ...kmip } }) },
    readFile: (path) => FILES[path] ?? '',
  }).keys.managers.kmip

const WHOLE = { address: 'kmip.example.com:5696', certFile: '/c.pem', keyFile: '/k.pem', key: { name: 'sealgate' } }

it('a KMIP server needs an address, a client certificate and a key', () => {
  expect(load(WHOLE)).toMatchObject({
    address: { host: 'kmip.example.com', port: 5_696 },
    certFile: '/c.pem',
    keyFile: '/k.pem',
    key: { name: 'sealgate', mechanism: 'encrypt' },
    formerKeys: [],
    connections: 2,
    timeout: 5_000,
  })
  for (const name of ['address', 'certFile', 'keyFile', 'key'])
    expect(() => load({ ...WHOLE, [name]: undefined })).toThrow(`keys.managers.kmip.${name}`)
})

it('secrets come from files', () => {
  const get = { key: { id: '7', mechanism: 'get' }, wrappingKey: { name: 'wrap', keyFile: '/run/wrapping' } }
  expect(load({ ...WHOLE, ...get, username: 'gateway', passwordFile: '/run/password' })).toMatchObject({
    password: 'open sesame',
    wrappingKey: { name: 'wrap', key: SECRET },
  })
})

it.each([
  [{ address: 'kmip.example.com' }, 'write host:port'],
  [{ key: {} }, 'by id or by name'],
  [{ key: { id: '1', name: 'sealgate' } }, 'by id or by name'],
  [{ formerKeys: [{}] }, 'by id or by name'],
  [{ key: { name: ' sealgate' } }, 'without spaces at its ends'],
  [{ key: { name: 'sealgate', mechanism: 'aes-cbc' } }, 'write encrypt or get'],
  [{ key: { name: 'sealgate', mechanism: 'get' } }, 'keys.managers.kmip.wrappingKey'],
  [{ formerKeys: [{ name: 'old', mechanism: 'get' }] }, 'keys.managers.kmip.wrappingKey'],
  [{ wrappingKey: { name: 'wrap' } }, 'keys.managers.kmip.wrappingKey.key'],
  [{ username: 'gateway' }, 'go together'],
  [{ passwordFile: '/run/password' }, 'go together'],
  [{ connections: 0 }, 'from 1 to 32'],
  [{ serverName: 'a b' }, 'write a host name'],
  [{ caPath: '/x' }, 'caPath'],
])('%j is refused', (change, hint) => {
  expect(() => load({ ...WHOLE, ...change })).toThrow(hint)
})

it('a wrapping key that is none is not told', () => {
  const wrong = 'zz'.repeat(32)
  const attempt = () => load({ ...WHOLE, wrappingKey: { name: 'wrap', key: wrong } })
  expect(attempt).toThrow('64 hex digits')
  expect(attempt).not.toThrow(wrong)
})
