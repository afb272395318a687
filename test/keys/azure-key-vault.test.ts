/** The Azure Key Vault manager from its settings, by the real SDKs, against a stand-in for vault, Managed HSM and Microsoft Entra ID. */
import { createHash, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { KeyManager } from '../../src/keys/key-manager.ts'
import { keyManagerContract } from '../contract/key-manager.contract.ts'
import { AzureServer, CLIENT, TENANT } from '../helpers/azure-server.ts'
import { managerOf } from '../helpers/managers-of.ts'
import { pem, pemFile } from '../helpers/pem.ts'

const CONTEXT = { namespace: 'backups', day: 20_417 }
const server = new AzureServer()
const folder = mkdtempSync(join(tmpdir(), 'sealgate-azure-'))
const secretFile = join(folder, 'secret')
let address = ''

beforeAll(async () => {
  address = await server.start()
  writeFileSync(secretFile, `${server.secret}\n`)
  for (const name of ['main', 'other']) server.createKey(name)
  for (const name of ['hsm', 'other-hsm']) server.createKey(name, 'aes')
})
afterAll(async () => {
  await server.stop()
  rmSync(folder, { recursive: true })
})
beforeEach(() => {
  server.fault = undefined
  server.curt = false
  server.takesTokens = true
  server.calls.length = 0
})

function open(keyName: string, settings: object = {}, alias = 'main'): Promise<KeyManager> {
  const login = { method: 'client-secret', tenantId: TENANT, clientId: CLIENT, secretFile }
  const where = { vaultUrl: address, authorityHost: address, caFile: server.caFile }
  return managerOf({ type: 'azure-key-vault', ...where, login, keyName, timeout: '5s', ...settings }, alias)
}

keyManagerContract('Azure Key Vault, RSA', {
  tag: 'z',
  create: async (alias) => open('main', {}, alias),
  stranger: async (alias) => open('other', {}, alias),
  bindsContext: true,
  wrapsAtRandom: true,
})

keyManagerContract('Azure Managed HSM, AES', {
  tag: 'z',
  create: async (alias) => open('hsm', {}, alias),
  stranger: async (alias) => open('other-hsm', {}, alias),
  bindsContext: true,
  wrapsAtRandom: true,
})

describe('what is wrapped by Azure Key Vault', () => {
  it('is wrapped by the newest version and signed, each by one call', async () => {
    await (await open('main')).generate(CONTEXT)
    expect(server.calls.filter((call) => call !== 'challenge')).toEqual(['token', 'get', 'wrapkey', 'sign'])
  })

  it('is not opened if somebody else wrapped it, for which the public key is enough', async () => {
    const manager = await open('main')
    const { wrapped } = await manager.generate(CONTEXT)
    const known = Buffer.alloc(32, 7)
    const forged = Buffer.concat([wrapped.subarray(0, 17), server.wrapAsStranger('main', known), wrapped.subarray(273)])
    server.calls.length = 0
    await expect(manager.unwrap(forged, CONTEXT)).rejects.toMatchObject({ layer: 'unwrap failure' })
    expect(server.calls).toEqual([])
  })

  it('names the version of the key, opens after a rotation, and moves to the newest version by a rewrap', async () => {
    const first = server.createKey('rotating')
    const manager = await open('rotating')
    const { key, wrapped } = await manager.generate(CONTEXT)
    expect(wrapped.toString('hex', 1, 17)).toBe(first.id)
    const second = server.createKey('rotating')
    expect((await (await open('rotating')).unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
    const again = await manager.rewrap(wrapped, CONTEXT)
    expect(again.toString('hex', 1, 17)).toBe(second.id)
    first.enabled = false
    expect((await manager.unwrap(again, CONTEXT)).equals(key)).toBe(true)
    await expect(manager.unwrap(wrapped, CONTEXT)).rejects.toThrow('the key version is disabled')
  })

  it.each([3_072, 4_096])('has room for a key of %d bits', async (bits) => {
    server.createKey(`rsa-${bits}`, 'rsa', bits)
    const manager = await open(`rsa-${bits}`)
    const { key, wrapped } = await manager.generate(CONTEXT)
    expect(wrapped).toHaveLength(17 + bits / 4)
    expect((await manager.unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
  })

  it('opens and rewraps under a former key, of another kind too', async () => {
    const { key, wrapped } = await (await open('other')).generate(CONTEXT)
    const manager = await open('hsm', { formerKeyNames: ['other'] })
    expect((await manager.unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
    const again = await manager.rewrap(wrapped, CONTEXT)
    expect((await (await open('hsm')).unwrap(again, CONTEXT)).equals(key)).toBe(true)
  })

  it('opens although the key has expired, as the vault allows', async () => {
    const version = server.createKey('expired')
    const { key, wrapped } = await (await open('expired')).generate(CONTEXT)
    version.expires = 1_700_000_000
    expect((await (await open('expired')).unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
  })
})

describe('a key of Azure Key Vault that cannot be used', () => {
  it('that is not there is refused, and so is a former one where it may be the one that is needed', async () => {
    await expect((await open('absent')).health()).rejects.toMatchObject({
      key: 'missing',
      message: expect.stringContaining('there is no such key in this vault') as string,
    })
    await expect((await open('absent')).generate(CONTEXT)).rejects.toMatchObject({ kind: 'denied' })
    server.createKey('gone')
    const { wrapped } = await (await open('gone')).generate(CONTEXT)
    server.deleteKey('gone')
    const manager = await open('main', { formerKeyNames: ['gone'] })
    await expect(manager.unwrap(wrapped, CONTEXT)).rejects.toMatchObject({ kind: 'denied' })
    await expect(manager.health()).rejects.toMatchObject({ kind: 'denied' })
    await manager.generate(CONTEXT)
  })

  it('that is disabled or lacks an operation is refused with the reason', async () => {
    const version = server.createKey('limited')
    version.operations = ['wrapKey', 'unwrapKey']
    await expect((await open('limited')).health()).rejects.toThrow('the permitted operations of the key lack sign')
    version.operations = ['wrapKey', 'unwrapKey', 'sign']
    version.enabled = false
    await expect((await open('limited')).generate(CONTEXT)).rejects.toThrow('the newest version of the key is disabled')
  })
})

it('a key of Azure Key Vault that may not unwrap refuses, until it may', async () => {
  const version = server.createKey('lent')
  const { key, wrapped } = await (await open('lent')).generate(CONTEXT)
  version.operations = ['wrapKey', 'sign']
  const manager = await open('lent')
  await expect(manager.unwrap(wrapped, CONTEXT)).rejects.toMatchObject({
    kind: 'denied',
    message: expect.stringContaining('KeyOperationForbidden') as string,
  })
  version.operations = ['wrapKey', 'sign', 'unwrapKey']
  expect((await manager.unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
})

describe('what Azure answers', () => {
  it.each([
    [{ status: 403, code: 'Forbidden', inner: 'ForbiddenByRbac' }, 'denied', 'lacks the role'],
    [{ status: 403, code: 'Forbidden', inner: 'ForbiddenByFirewall' }, 'denied', 'firewall'],
    [{ status: 403, code: 'Forbidden' }, 'denied', 'diagnostic log'],
    [{ status: 429, code: 'Throttled', retryAfter: 7 }, 'unavailable', '429'],
    [{ status: 500, code: 'InternalServerError' }, 'unavailable', '500'],
    [{ status: 503, code: 'ServiceUnavailable' }, 'unavailable', '503'],
    ['garbage', 'unavailable', ''],
  ] as const)('%j is told by names alone: Azure quotes callers, vaults and keys', async (fault, kind, text) => {
    const manager = await open('main')
    const { wrapped } = await manager.generate(CONTEXT)
    server.fault = fault
    for (const call of [
      () => manager.generate(CONTEXT),
      () => manager.unwrap(wrapped, CONTEXT),
      () => manager.health(),
    ]) {
      const error: unknown = await call().catch((caught: unknown) => caught)
      expect(error).toMatchObject({ kind, message: expect.stringContaining(text) as string })
      expect(String(error instanceof Error ? error.stack : error)).not.toMatch(/secret-|appid|127\.0\.0\.1|keys\/main/)
      expect(error).not.toHaveProperty('cause')
      if (typeof fault === 'object' && 'retryAfter' in fault) expect(error).toMatchObject({ retryAfter: 7_000 })
    }
  })

  it.each(['main', 'hsm'])('is no wrapped key of %s if it is too short, and is an outage', async (name) => {
    server.curt = true
    await expect((await open(name)).generate(CONTEXT)).rejects.toMatchObject({ kind: 'unavailable' })
  })

  it('is asked for once in a call, and so is a login', async () => {
    const manager = await open('main')
    await manager.health()
    server.calls.length = 0
    server.fault = { status: 503, code: 'ServiceUnavailable' }
    await expect(manager.health()).rejects.toMatchObject({ kind: 'unavailable' })
    expect(server.calls).toEqual(['get'])
    server.calls.length = 0
    server.loginFails = true
    await expect((await open('main')).health()).rejects.toMatchObject({ kind: 'unavailable' })
    server.loginFails = false
    expect(server.calls).toEqual(['challenge', 'token'])
  })

  it('is asked for with another token once one is not taken any more', async () => {
    const manager = await open('main')
    const { key, wrapped } = await manager.generate(CONTEXT)
    server.revokeTokens()
    expect((await manager.unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
  })

  it('that takes no token at all is asked for no more of them', async () => {
    server.takesTokens = false
    const manager = await open('main')
    for (let i = 0; i < 5; i += 1) await expect(manager.health()).rejects.toMatchObject({ kind: 'denied' })
    server.takesTokens = true
    expect(server.calls.filter((call) => call === 'token')).toHaveLength(1)
  })

  it('is not waited for longer than the time of a call', async () => {
    const manager = await open('main', { timeout: '1s' })
    await manager.health()
    server.fault = 'silence'
    await expect(manager.generate(CONTEXT)).rejects.toMatchObject({ kind: 'unavailable' })
  })

  it('is missing where nobody listens, or somebody with another certificate', async () => {
    const nobody = await open('main', { vaultUrl: 'https://127.0.0.1:1' })
    await expect(nobody.health()).rejects.toMatchObject({ kind: 'unavailable' })
    const stranger = await open('main', { caFile: pemFile('other-cert') })
    await expect(stranger.health()).rejects.toMatchObject({ kind: 'unavailable' })
  })
})

describe('a login at Microsoft Entra ID', () => {
  it('that is refused is told by its code and number', async () => {
    const wrong = join(folder, 'wrong')
    writeFileSync(wrong, 'not-the-secret')
    const login = { method: 'client-secret', tenantId: TENANT, clientId: CLIENT, secretFile: wrong }
    const error: unknown = await (await open('main', { login })).health().catch((caught: unknown) => caught)
    expect(error).toMatchObject({
      kind: 'denied',
      message: expect.stringContaining('invalid_client, AADSTS7000215') as string,
    })
    expect(String(error)).not.toMatch(new RegExp(`${CLIENT}|secret-app|not-the-secret`))
  })

  it('uses the secret that its file holds then', async () => {
    const file = join(folder, 'rotated')
    writeFileSync(file, 'before')
    const login = { method: 'client-secret', tenantId: TENANT, clientId: CLIENT, secretFile: file }
    const manager = await open('main', { login })
    await expect(manager.health()).rejects.toMatchObject({ kind: 'denied' })
    writeFileSync(file, server.secret)
    await manager.health()
    rmSync(file)
    await expect((await open('main', { login })).health()).rejects.toThrow(
      'keys.managers.main.login.secretFile cannot be read',
    )
  })

  it('by a certificate is signed with its key', async () => {
    const certificateFile = pemFile('rsa-client')
    const login = { method: 'client-certificate', tenantId: TENANT, clientId: CLIENT, certificateFile }
    await (await open('main', { login })).health()
    const assertion = server.logins.at(-1)?.get('client_assertion')?.split('.') ?? []
    const [head, claims] = assertion
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>)
    const { raw } = new X509Certificate(pem('rsa-client'))
    expect(head).toMatchObject({ 'x5t#S256': createHash('sha256').update(raw).digest('base64url') })
    expect(claims).toMatchObject({ sub: CLIENT, iss: CLIENT })
  })

  it('by workload identity sends the token of its file', async () => {
    const tokenFile = join(folder, 'federated')
    writeFileSync(tokenFile, 'a.federated.token')
    const login = { method: 'workload-identity', tenantId: TENANT, clientId: CLIENT, tokenFile }
    await (await open('main', { login })).health()
    expect(server.logins.at(-1)?.get('client_assertion')).toBe('a.federated.token')
  })

  it('that hangs is an outage in time', async () => {
    server.loginHangs = true
    const manager = await open('main', { timeout: '300ms' })
    await expect(manager.health()).rejects.toMatchObject({ kind: 'unavailable' })
    server.loginHangs = false
  })
})
