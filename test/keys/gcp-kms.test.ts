/** The Google Cloud KMS manager from its settings, by the real SDK, against a stand-in for the service. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { Transport } from '../../src/keys/gcp-kms/transport.ts'
import { encodeContext } from '../../src/keys/local-wrap.ts'
import type { KeyManager } from '../../src/keys/key-manager.ts'
import { keyManagerContract } from '../contract/key-manager.contract.ts'
import { startConnectProxy } from '../helpers/connect-proxy.ts'
import { GcpServer, keyNameOf } from '../helpers/gcp-server.ts'
import { managerOf } from '../helpers/managers-of.ts'
import { pem, pemFile } from '../helpers/pem.ts'

const CONTEXT = { namespace: 'backups', day: 20_417 }
const server = new GcpServer()
const folder = mkdtempSync(join(tmpdir(), 'sealgate-gcp-'))
const credentialsFile = join(folder, 'credentials.json')
let endpoint = ''

beforeAll(async () => {
  endpoint = await server.start()
  writeFileSync(credentialsFile, server.credentials())
  for (const key of ['main', 'other']) server.createKey(key)
})
afterAll(async () => {
  await server.stop()
  rmSync(folder, { recursive: true })
})
beforeEach(() => {
  server.fault = undefined
  server.forbidden.clear()
  server.calls.length = 0
})

interface Options {
  readonly former?: readonly string[]
  readonly [setting: string]: unknown
}

function open(key: string, { former = [], ...settings }: Options = {}, alias = 'main'): Promise<KeyManager> {
  const names = { keyName: keyNameOf(key), formerKeyNames: former.map(keyNameOf) }
  return managerOf({ type: 'gcp-kms', endpoint, credentialsFile, timeout: '5s', ...names, ...settings }, alias)
}

keyManagerContract('Google Cloud KMS', {
  tag: 'g',
  create: async (alias) => open('main', {}, alias),
  stranger: async (alias) => open('other', {}, alias),
  bindsContext: true,
  wrapsAtRandom: true,
})

describe('the Google Cloud KMS manager', () => {
  it('binds a new key to the context of docs/format.md, by one call', async () => {
    await (await open('main')).generate(CONTEXT)
    expect(server.calls).toEqual(['encrypt'])
    expect(server.body['additionalAuthenticatedData']).toBe(encodeContext(CONTEXT).toString('base64'))
  })

  it('opens after a rotation, and a rewrap moves to the primary version', async () => {
    const first = server.createKey('rotating')
    const manager = await open('rotating')
    const { key, wrapped } = await manager.generate(CONTEXT)
    server.createKey('rotating')
    expect((await manager.unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
    const again = await manager.rewrap(wrapped, CONTEXT)
    first.state = 'DESTROYED'
    expect((await manager.unwrap(again, CONTEXT)).equals(key)).toBe(true)
    await expect(manager.unwrap(wrapped, CONTEXT)).rejects.toThrow('the key version is disabled or destroyed')
  })

  it('opens and rewraps under a former key', async () => {
    const { key, wrapped } = await (await open('other')).generate(CONTEXT)
    const manager = await open('main', { former: ['other'] })
    expect((await manager.unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
    const again = await manager.rewrap(wrapped, CONTEXT)
    expect((await (await open('main')).unwrap(again, CONTEXT)).equals(key)).toBe(true)
  })

  it('refuses where a former key that may be the one that is needed is not there, and goes on otherwise', async () => {
    server.createKey('gone')
    const { wrapped } = await (await open('gone')).generate(CONTEXT)
    const { key, wrapped: still } = await (await open('other')).generate(CONTEXT)
    server.deleteKey('gone')
    const manager = await open('main', { former: ['gone', 'other'] })
    await expect(manager.unwrap(wrapped, CONTEXT)).rejects.toThrow('NOT_FOUND')
    expect((await manager.unwrap(still, CONTEXT)).equals(key)).toBe(true)
  })

  it.each(['encrypt', 'decrypt'])('is refused without the permission to %s', async (action) => {
    const manager = await open('main')
    const { wrapped } = await manager.generate(CONTEXT)
    server.forbidden.add(action)
    const work = action === 'encrypt' ? manager.generate(CONTEXT) : manager.unwrap(wrapped, CONTEXT)
    await expect(work).rejects.toThrow('PERMISSION_DENIED')
  })

  it.each([
    [{ http: 403, status: 'PERMISSION_DENIED' }, 'denied', 'lacks the role'],
    [{ http: 404, status: 'NOT_FOUND' }, 'denied', 'there is no such key'],
    [{ http: 400, status: 'FAILED_PRECONDITION' }, 'denied', 'disabled or destroyed'],
    [{ http: 401, status: 'UNAUTHENTICATED' }, 'denied', 'does not take the token'],
    [{ http: 429, status: 'RESOURCE_EXHAUSTED' }, 'unavailable', 'RESOURCE_EXHAUSTED'],
    [{ http: 500, status: 'INTERNAL' }, 'unavailable', 'INTERNAL'],
    [{ http: 503, status: 'UNAVAILABLE' }, 'unavailable', 'UNAVAILABLE'],
    ['garbage', 'unavailable', ''],
    ['damaged answer', 'unavailable', 'damaged on the way'],
  ] as const)('%j is told by its name alone: Google quotes resources', async (fault, kind, text) => {
    const manager = await open('main')
    const { wrapped } = await manager.generate(CONTEXT)
    server.fault = fault
    for (const call of [
      () => manager.generate(CONTEXT),
      () => manager.unwrap(wrapped, CONTEXT),
      () => manager.health(),
    ]) {
      server.calls.length = 0
      const error: unknown = await call().catch((caught: unknown) => caught)
      expect(error).toMatchObject({ kind, message: expect.stringContaining(text) as string })
      expect(String(error instanceof Error ? error.stack : error)).not.toMatch(/secret-|cloudkms|127\.0\.0\.1/)
      expect(error).not.toHaveProperty('cause')
      expect(server.calls).toHaveLength(1)
    }
  })

  it('does not use what the service has not verified', async () => {
    server.fault = 'unverified'
    await expect((await open('main')).generate(CONTEXT)).rejects.toMatchObject({ kind: 'unavailable' })
  })

  it('does not wait longer than its time, and leaves no connection behind', async () => {
    server.fault = 'silence'
    server.abandoned = 0
    await expect((await open('main', { timeout: '200ms' })).generate(CONTEXT)).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('TimeoutError') as string,
    })
    await vi.waitFor(() => expect(server.abandoned).toBe(1))
  })

  it('ends what is under way when it is closed', async () => {
    server.fault = 'silence'
    const manager = await open('main', { timeout: '1m' })
    const call = manager.generate(CONTEXT).catch((error: unknown) => error)
    await vi.waitFor(() => expect(server.calls).toEqual(['encrypt']))
    await manager.close()
    expect(await call).toMatchObject({ kind: 'unavailable' })
  })

  it('is unavailable where nobody listens', async () => {
    const gone = new GcpServer()
    const nowhere = await gone.start()
    await gone.stop()
    const manager = await open('main', { endpoint: nowhere })
    await expect(manager.health()).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('ECONNREFUSED') as string,
    })
  })

  it('is refused at the start without its file of credentials, and later with one that the service does not know', async () => {
    await expect(open('main', { credentialsFile: join(folder, 'absent') })).rejects.toThrow(
      'credentialsFile cannot be read',
    )
    const strange = join(folder, 'strange.json')
    writeFileSync(strange, new GcpServer().credentials())
    await expect((await open('main', { credentialsFile: strange })).health()).rejects.toThrow('UNAUTHENTICATED')
  })
})

describe('the way to Google Cloud KMS', () => {
  const tls = { cert: pem('cert'), key: pem('key') }
  const secure = new GcpServer({ tls })
  const secureFile = join(folder, 'secure.json')
  let place = ''
  beforeAll(async () => {
    place = await secure.start()
    secure.createKey('main')
    writeFileSync(secureFile, secure.credentials())
  })
  afterAll(() => secure.stop())
  afterEach(() => vi.unstubAllEnvs())

  const over = (settings: object) => open('main', { endpoint: place, credentialsFile: secureFile, ...settings })

  it('goes to whom `caFile` vouches for, and to nobody else', async () => {
    const manager = await over({ caFile: pemFile('cert') })
    const { key, wrapped } = await manager.generate(CONTEXT)
    expect((await manager.unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
    secure.calls.length = 0
    for (const settings of [{}, { caFile: pemFile('other-cert') }]) {
      await expect((await over(settings)).health()).rejects.toMatchObject({
        kind: 'unavailable',
        message: expect.stringContaining('DEPTH_ZERO_SELF_SIGNED_CERT') as string,
      })
    }
    expect(secure.calls).toEqual([])
    await expect(over({ caFile: join(folder, 'absent.pem') })).rejects.toThrow(
      'keys.managers.main.caFile cannot be read',
    )
  })

  it('is gone once, whatever the SDK would do with a login', () => {
    const request = new Transport({ ca: undefined, timeout: 1_000 }).once({ retry: true, retryConfig: { retry: 3 } })
    expect(request).toEqual({ retry: false, signal: expect.any(AbortSignal) as AbortSignal })
  })

  it('leads through the proxy of the environment', async () => {
    const proxy = await startConnectProxy(Number(new URL(place).port))
    vi.stubEnv('HTTPS_PROXY', proxy.url)
    await (await over({ caFile: pemFile('cert') })).health()
    expect(proxy.asked).toEqual([new URL(place).host])
    await proxy.close()
  })
})

describe('credentials for Google Cloud KMS', () => {
  afterEach(() => vi.unstubAllEnvs())

  it('that were not there are found once they are, and until then no failure gets away', async () => {
    const late = join(folder, 'secret-late.json')
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', late)
    const manager = await open('main', { credentialsFile: undefined })
    const error: unknown = await manager.health().catch((caught: unknown) => caught)
    expect(error).toMatchObject({ kind: 'unavailable' })
    expect(String(error)).not.toContain('secret-')
    writeFileSync(late, server.credentials())
    await manager.health()
  })

  it('that were never there do not keep anybody from closing', async () => {
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', join(folder, 'never.json'))
    const manager = await open('main', { credentialsFile: undefined })
    await expect(manager.health()).rejects.toMatchObject({ kind: 'unavailable' })
    await manager.close()
  })

  it('are those that the file holds now', async () => {
    const file = join(folder, 'replaced.json')
    writeFileSync(file, new GcpServer().credentials())
    const manager = await open('main', { credentialsFile: file })
    await expect(manager.health()).rejects.toThrow('UNAUTHENTICATED')
    writeFileSync(file, server.credentials())
    await manager.health()
    writeFileSync(file, 'secret-text')
    const error: unknown = await manager.health().catch((caught: unknown) => caught)
    expect(error).toMatchObject({ kind: 'denied' })
    expect(String(error)).toMatch(/credentialsFile holds no credentials/)
    expect(String(error)).not.toContain('secret-')
    rmSync(file)
    await expect(manager.health()).rejects.toThrow('keys.managers.main.credentialsFile cannot be read')
  })

  it('that are none are refused at the start', async () => {
    const file = join(folder, 'none.json')
    writeFileSync(file, '[]')
    await expect(open('main', { credentialsFile: file })).rejects.toMatchObject({ kind: 'invalid' })
  })
})
