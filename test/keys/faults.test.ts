/** What goes wrong with key managers: start-up message, S3 answers, log line and metric, as the table "Faults of key managers" of docs/operations.md says. */
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { bytes } from '../../src/keys/kmip/messages.ts'
import { REASON, TAG } from '../../src/keys/kmip/protocol.ts'
import type { Item } from '../../src/keys/kmip/ttlv.ts'
import { CKR } from '../../src/keys/pkcs11/cryptoki.ts'
import { CLIENT, TENANT } from '../helpers/azure-server.ts'
import { AZURE_FAULTS, GCP_FAULTS } from '../helpers/cloud-faults.ts'
import {
  AWAY,
  BROKEN,
  changes,
  DISABLED,
  type Fault,
  MISSING,
  of,
  OK,
  REFUSED,
  SHORT,
  STATE,
  stopStrangers,
  stranger,
  TLS,
} from '../helpers/key-faults.ts'
import { KmsServer } from '../helpers/kms-server.ts'
import { MINUTE, OutageWorld } from '../helpers/outage-world.ts'
import { pemFile, type ProviderName, SECRETS } from '../helpers/remote-providers.ts'
import { VaultServer } from '../helpers/vault-server.ts'

const kms = (world: OutageWorld): KmsServer => of(world, 'aws-kms').kms
const vault = (world: OutageWorld): VaultServer => of(world, 'vault-transit').vault
const kmip = (world: OutageWorld) => of(world, 'kmip').kmip
const token = (world: OutageWorld) => of(world, 'pkcs11').token

afterAll(stopStrangers)

/** A login is the whole process's: the next session would find it done. */
const logOut = (world: OutageWorld): void =>
  token(world).change((state) => {
    state.loggedIn = false
  })

const FAULTS: Readonly<Record<ProviderName, readonly Fault[]>> = {
  'aws-kms': [
    {
      fault: 'another key than the one that wrapped',
      arrange: (world) => {
        kms(world).createKey('alias/other')
        return { keyId: 'alias/other' }
      },
      read: BROKEN,
      write: OK,
      why: 'wrapped by an AWS KMS key that key manager main does not name in keyId or formerKeyIds',
      outcome: 'integrity',
    },
    {
      fault: 'the key is disabled',
      arrange: changes((world) => kms(world).setState('alias/main', 'Disabled')),
      start: 'the AWS KMS key of main is Disabled, not Enabled',
      read: DISABLED,
      write: DISABLED,
      why: 'kms:Decrypt failed (DisabledException): the key is disabled',
      outcome: 'denied',
    },
    {
      fault: 'the key is about to be deleted',
      arrange: changes((world) => kms(world).setState('alias/main', 'PendingDeletion')),
      start: 'the AWS KMS key of main is PendingDeletion, not Enabled',
      read: STATE,
      write: STATE,
      why: 'kms:Decrypt failed (KMSInvalidStateException): the key is disabled or about to be deleted',
      outcome: 'denied',
    },
    {
      fault: '`keyId` names no key',
      arrange: () => ({ keyId: 'alias/lost' }),
      start: 'kms:DescribeKey failed (NotFoundException): there is no such key in this region and account',
      read: MISSING,
      write: MISSING,
      why: 'kms:DescribeKey failed (NotFoundException)',
      outcome: 'denied',
    },
    {
      fault: '`kms:Decrypt` is not allowed',
      arrange: changes((world) => kms(world).denied.push('Decrypt')),
      read: REFUSED,
      write: REFUSED,
      why: 'kms:Decrypt failed (AccessDeniedException): the credentials lack the permission',
      outcome: 'denied',
    },
    {
      fault: 'the wrong region',
      arrange: () => ({ region: 'us-east-1' }),
      start: 'kms:DescribeKey failed (NotFoundException): there is no such key in this region and account',
      read: REFUSED,
      write: MISSING,
      why: 'kms:Decrypt failed (AccessDeniedException): the credentials lack the permission',
      outcome: 'denied',
    },
    {
      fault: 'the session token has expired',
      arrange: changes((world) => {
        kms(world).fault = { name: 'ExpiredTokenException', status: 400 }
      }),
      start: 'kms:DescribeKey failed (ExpiredTokenException)',
      read: AWAY,
      write: AWAY,
      why: 'kms:Decrypt failed (ExpiredTokenException)',
      outcome: 'unavailable',
    },
    {
      fault: 'the access key was deleted',
      arrange: changes((world) => {
        kms(world).fault = { name: 'UnrecognizedClientException', status: 400 }
      }),
      start: 'kms:DescribeKey failed (UnrecognizedClientException): the access key is unknown',
      read: REFUSED,
      write: REFUSED,
      why: 'kms:Decrypt failed (UnrecognizedClientException): the access key is unknown',
      outcome: 'denied',
    },
    {
      fault: 'a certificate that nobody vouches for',
      arrange: async () => ({ endpoint: await stranger(new KmsServer({ tls: TLS })) }),
      start: 'kms:DescribeKey failed (DEPTH_ZERO_SELF_SIGNED_CERT)',
      read: AWAY,
      write: AWAY,
      why: 'kms:Decrypt failed (DEPTH_ZERO_SELF_SIGNED_CERT)',
      outcome: 'unavailable',
    },
    {
      fault: 'slow: no answer within `timeout`',
      arrange: (world) => {
        kms(world).fault = 'silence'
        return SHORT
      },
      start: 'kms:DescribeKey failed (AbortError): no answer in time',
      read: AWAY,
      write: AWAY,
      why: 'kms:Decrypt failed (AbortError): no answer in time',
      outcome: 'unavailable',
    },
    {
      fault: 'garbage',
      arrange: changes((world) => {
        kms(world).fault = { body: '<html>key-1234</html>' }
      }),
      start: 'kms:DescribeKey failed (SyntaxError)',
      read: AWAY,
      write: AWAY,
      why: 'kms:Decrypt failed (SyntaxError)',
      outcome: 'unavailable',
    },
    {
      fault: 'an answer of something else',
      arrange: changes((world) => {
        kms(world).fault = { body: '{}' }
      }),
      start: 'something answers that is not AWS KMS',
      read: AWAY,
      write: AWAY,
      why: 'something answers that is not AWS KMS',
      outcome: 'unavailable',
    },
    {
      fault: "another key's plaintext",
      arrange: changes((world) => {
        kms(world).confused = true
      }),
      read: BROKEN,
      write: AWAY,
      why: 'unwrap failure: the wrapped key is not the key',
      outcome: 'ok',
    },
  ],
  'vault-transit': [
    {
      fault: 'another key than the one that wrapped',
      arrange: (world) => {
        vault(world).createKey('other')
        return { keyName: 'other' }
      },
      read: BROKEN,
      write: OK,
      why: 'transit decrypt failed (400)',
      outcome: 'integrity',
    },
    {
      fault: 'the version of the key is disabled',
      arrange: changes((world) => {
        vault(world).run('vault write transit/keys/main/rotate')
        vault(world).run('vault write transit/keys/main/config min_decryption_version=2')
      }),
      read: DISABLED,
      write: OK,
      why: 'the key version 1 is below min_decryption_version; allow it again',
      outcome: 'denied',
    },
    {
      fault: 'the key was deleted',
      arrange: changes((world) => vault(world).run('vault delete transit/keys/main')),
      start: 'there is no such key; make it: vault write transit/keys/main',
      read: MISSING,
      write: MISSING,
      why: 'there is no such key; make it: vault write transit/keys/main',
      outcome: 'denied',
    },
    {
      fault: '`transit/decrypt` is not allowed',
      arrange: changes((world) => vault(world).denied.push('transit/decrypt')),
      read: REFUSED,
      write: REFUSED,
      why: 'the token has ended, or lacks a permission of the policy in docs/keys.md',
      outcome: 'denied',
    },
    {
      fault: 'the token of a file has expired',
      arrange: (world) => {
        const tokenFile = join(of(world, 'vault-transit').folder, 'token')
        writeFileSync(tokenFile, vault(world).createToken({ lease: 60, renewable: false }))
        world.now += 2 * MINUTE
        return { login: { method: 'token', tokenFile } }
      },
      start: 'the token has ended, or lacks a permission of the policy in docs/keys.md',
      read: REFUSED,
      write: REFUSED,
      why: 'the token has ended, or lacks a permission of the policy in docs/keys.md',
      outcome: 'denied',
    },
    {
      fault: 'the password was changed',
      arrange: changes((world) => vault(world).allowLogin('auth/userpass/login/gateway', () => false)),
      start: 'login by userpass failed (400)',
      read: REFUSED,
      write: REFUSED,
      why: 'login by userpass failed (400)',
      outcome: 'denied',
    },
    {
      fault: 'Vault is sealed',
      arrange: changes((world) => {
        vault(world).sealed = true
      }),
      start: 'login by userpass failed (503): Vault is sealed',
      read: AWAY,
      write: AWAY,
      why: 'login by userpass failed (503): Vault is sealed',
      outcome: 'unavailable',
    },
    {
      fault: 'a certificate that nobody vouches for',
      arrange: async () => ({ address: await stranger(new VaultServer({ tls: TLS })) }),
      start: 'no connection, or one that broke (DEPTH_ZERO_SELF_SIGNED_CERT)',
      read: AWAY,
      write: AWAY,
      why: 'no connection, or one that broke (DEPTH_ZERO_SELF_SIGNED_CERT)',
      outcome: 'unavailable',
    },
    {
      fault: 'slow: no answer within `timeout`',
      arrange: (world) => {
        vault(world).fault = 'silence'
        return SHORT
      },
      start: 'no answer within 150 ms',
      read: AWAY,
      write: AWAY,
      why: 'no answer within 150 ms',
      outcome: 'unavailable',
    },
    {
      fault: 'garbage',
      arrange: changes((world) => {
        vault(world).fault = { body: '<html>key-1234</html>' }
        vault(world).faultAt = 'transit'
      }),
      start: 'something answers that is not Vault',
      read: AWAY,
      write: AWAY,
      why: 'something answers that is not Vault',
      outcome: 'unavailable',
    },
    {
      fault: "another key's plaintext",
      arrange: changes((world) => {
        vault(world).confused = true
      }),
      read: BROKEN,
      write: AWAY,
      why: 'unwrap failure: the wrapped key is not the key',
      outcome: 'ok',
    },
  ],
  pkcs11: [
    {
      fault: 'another key than the one that wrapped',
      arrange: () => ({ key: { label: 'other' } }),
      read: BROKEN,
      write: OK,
      why: 'no key of it opens these bytes in this namespace and day',
      outcome: 'integrity',
    },
    {
      fault: 'the key was deleted',
      arrange: changes((world) =>
        token(world).change((state) => {
          state.keys = []
        }),
      ),
      start: 'the token has no AES key that fits `key`',
      read: MISSING,
      write: MISSING,
      why: 'the token has no AES key that fits `key`',
      outcome: 'denied',
    },
    {
      fault: 'the key may not decrypt',
      arrange: changes((world) => token(world).fault('C_DecryptInit', { code: CKR.KEY_FUNCTION_NOT_PERMITTED })),
      start: 'C_DecryptInit failed (CKR_KEY_FUNCTION_NOT_PERMITTED)',
      read: REFUSED,
      write: REFUSED,
      why: 'C_DecryptInit failed (CKR_KEY_FUNCTION_NOT_PERMITTED)',
      outcome: 'denied',
    },
    {
      fault: 'the PIN is wrong',
      arrange: (world) => {
        logOut(world)
        return { pin: '1357-pin' }
      },
      start: 'C_Login failed (CKR_PIN_INCORRECT): the token refuses `pin`',
      read: REFUSED,
      write: REFUSED,
      why: 'C_Login failed (CKR_PIN_INCORRECT): the token refuses `pin`',
      outcome: 'denied',
    },
    {
      fault: 'the PIN has expired',
      arrange: changes((world) => {
        logOut(world)
        token(world).fault('C_Login', { code: CKR.PIN_EXPIRED })
      }),
      start: 'C_Login failed (CKR_PIN_EXPIRED)',
      read: REFUSED,
      write: REFUSED,
      why: 'C_Login failed (CKR_PIN_EXPIRED)',
      outcome: 'denied',
    },
    {
      fault: 'the PIN is locked',
      arrange: changes((world) =>
        token(world).change((state) => {
          Object.assign(state, { loggedIn: false, tries: 0 })
        }),
      ),
      start: "the PIN is locked; have the token's security officer unlock it",
      read: REFUSED,
      write: REFUSED,
      why: "the PIN is locked; have the token's security officer unlock it",
      outcome: 'denied',
    },
    {
      fault: 'slow: no answer within `timeout`',
      arrange: (world) => {
        token(world).fault('C_OpenSession', { milliseconds: 1_000 })
        return SHORT
      },
      start: 'the token does not answer',
      read: AWAY,
      write: AWAY,
      why: 'the token does not answer',
      outcome: 'unavailable',
    },
    {
      fault: 'garbage',
      arrange: changes((world) =>
        token(world).change((state) => {
          state.confused = 5
        }),
      ),
      start: 'no key of it opens these bytes in this namespace and day',
      read: BROKEN,
      write: AWAY,
      why: 'no key of it opens these bytes in this namespace and day',
      outcome: 'integrity',
    },
    {
      fault: "another key's plaintext",
      arrange: changes((world) =>
        token(world).change((state) => {
          state.confused = 32
        }),
      ),
      start: 'the token gave something else than was asked for',
      read: BROKEN,
      write: AWAY,
      why: 'unwrap failure: the wrapped key is not the key',
      outcome: 'ok',
    },
  ],
  kmip: [
    {
      fault: 'another key than the one that wrapped',
      arrange: (world) => {
        kmip(world).createKey('other')
        return { key: { name: 'other' } }
      },
      read: BROKEN,
      write: OK,
      why: 'no key of it opens these bytes in this namespace and day',
      outcome: 'integrity',
    },
    {
      fault: 'the key is deactivated',
      arrange: changes((world) => kmip(world).set(of(world, 'kmip').id, { state: 'Deactivated' })),
      start: 'the key is Deactivated',
      read: DISABLED,
      write: DISABLED,
      why: 'the key is Deactivated',
      outcome: 'denied',
    },
    {
      fault: 'the key was deleted',
      arrange: changes((world) => kmip(world).keys.clear()),
      start: 'the server has no symmetric key of this name, or does not show it to this client',
      read: MISSING,
      write: MISSING,
      why: 'the server has no symmetric key of this name, or does not show it to this client',
      outcome: 'denied',
    },
    {
      fault: 'Decrypt is not allowed',
      arrange: changes((world) =>
        Object.assign(kmip(world), { faultAt: 'Decrypt', fault: { code: REASON.PermissionDenied } }),
      ),
      start: 'Decrypt failed (PermissionDenied)',
      read: REFUSED,
      write: REFUSED,
      why: 'Decrypt failed (PermissionDenied)',
      outcome: 'denied',
    },
    {
      fault: 'a password is wanted, and none is set',
      arrange: changes((world) => {
        kmip(world).credential = 'gateway:kmip-password'
      }),
      start: 'the server refuses the client certificate, or `username` and `password`',
      read: REFUSED,
      write: REFUSED,
      why: 'the server refuses the client certificate, or `username` and `password`',
      outcome: 'denied',
    },
    {
      fault: 'a client certificate that the server does not know',
      arrange: () => ({ certFile: pemFile('cert'), keyFile: pemFile('key') }),
      start: 'no connection, or one that broke',
      read: AWAY,
      write: AWAY,
      why: 'no connection, or one that broke',
      outcome: 'unavailable',
    },
    {
      fault: 'a certificate that nobody vouches for',
      arrange: () => ({ caFile: pemFile('other-cert') }),
      start: 'no connection, or one that broke (DEPTH_ZERO_SELF_SIGNED_CERT)',
      read: AWAY,
      write: AWAY,
      why: 'no connection, or one that broke (DEPTH_ZERO_SELF_SIGNED_CERT)',
      outcome: 'unavailable',
    },
    {
      fault: 'slow: no answer within `timeout`',
      arrange: (world) => {
        kmip(world).fault = 'silence'
        return SHORT
      },
      start: 'the server does not answer in time',
      read: AWAY,
      write: AWAY,
      why: 'the server does not answer in time',
      outcome: 'unavailable',
    },
    {
      fault: 'garbage',
      arrange: changes((world) => {
        kmip(world).fault = { bytes: () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\nkey-1234') }
      }),
      start: 'something answers that is not KMIP, or breaks off',
      read: AWAY,
      write: AWAY,
      why: 'something answers that is not KMIP, or breaks off',
      outcome: 'unavailable',
    },
    {
      fault: "another key's plaintext",
      arrange: changes((world) => {
        const payload = (items: readonly Item[]): Item[] =>
          items.map((item) => (item.tag === TAG.data ? bytes(TAG.data, randomBytes(32)) : item))
        Object.assign(kmip(world), { faultAt: 'Decrypt', fault: { payload } })
      }),
      start: 'the server gave something else than was asked for',
      read: BROKEN,
      write: AWAY,
      why: 'unwrap failure: the wrapped key is not the key',
      outcome: 'ok',
    },
  ],
  'azure-key-vault': AZURE_FAULTS,
  'gcp-kms': GCP_FAULTS,
}

const DOCUMENT = readFileSync(fileURLToPath(new URL('../../docs/operations.md', import.meta.url)), 'utf8')
const cell = (text: string | undefined): string => (text === undefined ? '' : `“${text}”`)
const rowOf = (name: string, { fault, start, read, write, why, outcome }: Fault): string =>
  `| ${name} | ${fault} | ${cell(start)} | ${read} | ${write} | ${why === start ? 'the same' : cell(why)} | ${outcome} |`

/** Of the providers and of the settings: none of it belongs anywhere. */
const HIDDEN = [
  ...Object.values(SECRETS),
  '1357-pin',
  'hvs.',
  'arn:aws',
  'secret-',
  'key-1234',
  'kmip-password',
  CLIENT,
  TENANT,
]

let world: OutageWorld | undefined
afterEach(() => world?.close())

describe.each(Object.entries(FAULTS))('%s', (name, faults) => {
  it.each(faults)('$fault', async (row) => {
    const managers: Record<string, object> = {}
    const here = await OutageWorld.open({ main: name as ProviderName }, { managers })
    world = here
    await here.createBuckets('used', 'new')
    expect(await here.put(await here.replica(), 'used', 'k', 'content')).toMatchObject({ status: 200 })
    managers['main'] = { ...here.provider().settings, ...(await row.arrange(here)) }

    const late = await here.replica()
    await late.look()
    const [start] = here.lines('a key manager cannot be used')
    expect(JSON.stringify(start?.['why'] ?? [])).toContain(row.start ?? '')
    expect(start === undefined).toBe(row.start === undefined)

    const read = await here.get(late, 'used', 'k')
    expect(shown(read)).toBe(row.read)
    expect(String(here.lines('request refused')[0]?.['why'])).toContain(row.why)
    const calls = `sealgate_key_calls_total{manager="main",call="unwrap",outcome="${row.outcome}"}`
    expect(await here.metric(calls)).toBeGreaterThan(0)
    expect(shown(await here.put(late, 'new', 'k'))).toBe(row.write)

    const all = JSON.stringify([here.log, read])
    for (const text of HIDDEN) expect(all).not.toContain(text)
    expect(DOCUMENT.includes(rowOf(name, row)), rowOf(name, row)).toBe(true)
  })
})

const shown = ({ status, code }: { readonly status: number; readonly code: string }): string =>
  code === '' ? String(status) : `${status} \`${code}\``

it('a lease that was revoked while a gateway runs is noticed by nobody: it logs in anew', async () => {
  const here = await OutageWorld.open({ main: 'vault-transit' }, { keys: { cache: { lifetime: '1m' } } })
  world = here
  await here.createBuckets('used', 'new')
  const running = await here.replica()
  expect(await here.put(running, 'used', 'k')).toMatchObject({ status: 200 })
  vault(here).revokeTokens()
  here.now += 5 * MINUTE
  expect(await here.get(running, 'used', 'k')).toMatchObject({ status: 200 })
  expect(await here.put(running, 'new', 'k')).toMatchObject({ status: 200 })
  expect(here.log.filter(({ level }) => level === 'error')).toEqual([])
})

it('a provider that opens something else is counted, and its key is not used', async () => {
  const here = await OutageWorld.open({ main: 'aws-kms' })
  world = here
  await here.createBuckets('used')
  await here.put(await here.replica(), 'used', 'k')
  kms(here).confused = true
  expect(await here.get(await here.replica(), 'used', 'k')).toMatchObject({ status: 500 })
  expect(await here.metric('sealgate_key_cache_total{event="rejected"}')).toBe(1)
})
