/** The FIPS profile where it cannot be had, and what it refuses. Whether OpenSSL has a provider is a matter of the machine. */
import { createHash, getFips, randomBytes, setFips } from 'node:crypto'
import { existsSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { requireFips } from '../../src/compose/fips.ts'
import { loadSettings } from '../../src/config/load.ts'
import { Invalid } from '../../src/errors.ts'
import { newHasher } from '../../src/s3/checksum.ts'
import { contentMd5, parseContentMd5 } from '../../src/s3/content-md5.ts'
import { parseCustomerKey } from '../../src/s3/encryption-headers.ts'
import { Headers } from '../../src/s3/headers.ts'
import { Workplace } from '../helpers/command.ts'

const provided = hasProvider()
if (provided) console.log('the refusal of the FIPS profile was not tried: this OpenSSL has a FIPS provider')

function hasProvider(): boolean {
  setFips(true)
  try {
    createHash('sha512')
    return true
  } catch {
    return false
  } finally {
    setFips(false)
  }
}

afterEach(() => setFips(false))

test.skipIf(provided)('without a FIPS provider the profile is refused, and everything works as before', () => {
  expect(() => requireFips({ fips: true })).toThrow(Invalid)
  expect(() => requireFips({ fips: true })).toThrow(/^fips is true, and the OpenSSL of this Node \(\d\S+\) has no FIPS/)
  expect(getFips()).toBe(0)
  expect(createHash('md5').update('').digest('hex')).toBe('d41d8cd98f00b204e9800998ecf8427e')
})

test('who does not ask for it is not asked for anything', () => {
  requireFips({ fips: false })
  expect(getFips()).toBe(0)
})

test.skipIf(provided)('a gateway that must have it does not start, and makes no keys', async () => {
  const place = new Workplace({
    SEALGATE_FIPS: 'true',
    SEALGATE_BACKEND_TYPE: 's3',
    SEALGATE_BACKEND_ENDPOINT: 'http://127.0.0.1:1',
    SEALGATE_BACKEND_ACCESS_KEY_ID: 'x',
    SEALGATE_BACKEND_SECRET_ACCESS_KEY: 'not-used-here',
  })
  for (const command of [['serve'], ['doctor'], ['keys', 'generate']]) {
    const { code, stderr } = await place.run(command)
    expect(stderr).toContain('has no FIPS provider that works')
    expect(code).toBe(2)
  }
  expect(existsSync(place.path('sealgate-data'))).toBe(false)
  place.remove()
})

test('what is not approved is refused in the settings, each by its name', () => {
  const load = (yaml: string) => () =>
    loadSettings({
      configPath: 'c',
      env: {},
      readFile: () => `fips: true\nbackend: { type: s3, endpoint: "https://s" }\n${yaml}`,
    })
  expect(load('')).not.toThrow()
  expect(load('keys: { managers: { local: { type: local, passphraseFile: /p } } }')).toThrow(
    'keys.managers.local.passphraseFile: fips is true, and scrypt is not approved',
  )
  expect(load('keys: { managers: { local: { type: local, passphrase: long enough for it } } }')).toThrow(
    'keys.managers.local.passphrase: fips is true, and scrypt is not approved',
  )
  expect(() => loadSettings({ env: { SEALGATE_FIPS: 'true' }, readFile: () => '' })).toThrow(
    'backend.type: "local" is refused: fips is true, and this backend answers with MD5s',
  )
})

test.each<[string, () => unknown]>([
  ['Content-MD5', () => parseContentMd5(new Headers(['content-md5', '1B2M2Y8AsgTpgAmY7PhCfg==']))],
  ['a document that a store wants with Content-MD5', () => contentMd5([Buffer.from('x')])],
  ['an MD5 as checksum', () => newHasher('MD5')],
  [
    "a customer's key",
    () =>
      parseCustomerKey(
        new Headers(
          Object.entries({
            algorithm: 'AES256',
            key: randomBytes(32).toString('base64'),
            'key-MD5': randomBytes(16).toString('base64'),
          }).flatMap(([name, value]) => [`x-amz-server-side-encryption-customer-${name}`, value]),
        ),
      ),
  ],
])('MD5 is not to be had under the profile: %s is NotImplemented', (_, use) => {
  setFips(true)
  expect(use).toThrow(expect.objectContaining({ code: 'NotImplemented' }))
})
