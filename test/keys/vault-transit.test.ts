/** The key manager of Vault's Transit, against a stand-in for Vault; the real one is tried in certification. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { VaultTransitKeyManager } from '../../src/keys/vault-transit.ts'
import { VaultClient } from '../../src/keys/vault-transit/client.ts'
import { keyManagerContract } from '../contract/key-manager.contract.ts'
import { failureOf } from '../helpers/failure-of.ts'
import { VaultServer } from '../helpers/vault-server.ts'
import { openTransit, type TransitOptions } from '../helpers/vault-world.ts'

const CONTEXT = { namespace: 'backups', day: 20_417 }
const server = new VaultServer()
let address = ''
let token = ''

beforeAll(async () => {
  address = await server.start()
  for (const name of ['main', 'other']) server.createKey(name)
  token = server.createToken({ lease: 0 })
})
afterAll(() => server.stop())
beforeEach(() => {
  Object.assign(server, { fault: undefined, faultAt: '', sealed: false, denied: [] })
  server.calls.length = 0
})

const open = (name: string, { at = address, ...options }: TransitOptions & { readonly at?: string } = {}) =>
  openTransit({ address: at, token }, name, { timeout: 2_000, ...options })

keyManagerContract('Vault Transit', {
  tag: 'v',
  create: async (alias) => open('main', { alias }),
  stranger: async (alias) => open('other', { alias }),
  bindsContext: true,
  wrapsAtRandom: true,
})

describe('the Vault Transit key manager', () => {
  it('makes a key without its plaintext on the way, and proves that it opens, before anybody uses it', async () => {
    const { wrapped } = await open('main').generate(CONTEXT)
    expect(server.calls).toEqual([
      'GET auth/token/lookup-self',
      'GET transit/keys/main',
      'POST transit/datakey/wrapped/main',
      'POST transit/decrypt/main',
    ])
    expect(wrapped.toString()).toMatch(/^vault:v1:[A-Za-z0-9+/]{80}$/)
  })

  it('looks at the kind of the key once, and again for its health', async () => {
    const manager = open('main')
    for (let i = 0; i < 3; i++) await manager.generate(CONTEXT)
    const looks = (): number => server.calls.filter((call) => call.includes('/keys/')).length
    expect(looks()).toBe(1)
    await manager.health()
    expect(looks()).toBe(2)
  })

  it('where no secrets engine is mounted, the command that mounts one', async () => {
    Object.assign(server, { fault: { status: 404, errors: ['no handler for route "x"'] }, faultAt: 'transit/' })
    await expect(open('main').health()).rejects.toThrow('vault secrets enable -path=transit transit')
  })

  it('refuses what Vault would read and never writes, without asking', async () => {
    const manager = open('main')
    const { wrapped } = await manager.generate(CONTEXT)
    const text = wrapped.toString()
    server.calls.length = 0
    for (const other of [
      text.replace(':v1:', ':v0:'),
      text.replace(':v1:', ':v01:'),
      text.replace(':v1:', ':v-1:'),
      text.replace(/.$/, '\n$&'),
      `${text}\n`,
      `${text}=`,
      text.toUpperCase(),
      'x'.repeat(10_000),
    ]) {
      await expect(manager.unwrap(Buffer.from(other), CONTEXT)).rejects.toMatchObject({ layer: 'unwrap failure' })
      await expect(manager.rewrap(Buffer.from(other), CONTEXT)).rejects.toMatchObject({ layer: 'unwrap failure' })
    }
    expect(server.calls).toEqual([])
  })

  it('sends its namespace, its token and the header that says a program asks', async () => {
    await open('main', { namespace: 'team/a' }).health()
    expect(server.headers).toMatchObject({
      'x-vault-namespace': 'team/a',
      'x-vault-token': token,
      'x-vault-request': 'true',
    })
  })

  it.each([
    [400, ['secret-name: something new'], 'denied'],
    [403, undefined, 'denied'],
    [404, ['no handler for route "transit/secret-name"'], 'denied'],
    [405, ['unsupported operation'], 'denied'],
    [307, [], 'unavailable'],
    [412, ['required index state not present'], 'unavailable'],
    [429, ['rate limit quota exceeded'], 'unavailable'],
    [472, [], 'unavailable'],
    [473, [], 'unavailable'],
    [500, ['internal error'], 'unavailable'],
    [502, [], 'unavailable'],
    [503, ['Vault is sealed'], 'unavailable'],
  ])('%i is told by its status and our words alone: Vault quotes names', async (status, errors, kind) => {
    const manager = open('main')
    const { wrapped } = await manager.generate(CONTEXT)
    Object.assign(server, { fault: { status, errors }, faultAt: 'transit/' })
    for (const call of [
      () => manager.generate(CONTEXT),
      () => manager.unwrap(wrapped, CONTEXT),
      () => manager.rewrap(wrapped, CONTEXT),
      () => manager.health(),
    ]) {
      const error = await failureOf(call())
      expect(error).toMatchObject({ kind, message: expect.stringContaining(String(status)) as string })
      const text = `${error.message}${error.stack}`
      for (const secret of ['secret-name', token, wrapped.toString()]) expect(text).not.toContain(secret)
      expect(error).not.toHaveProperty('cause')
    }
  })

  it('passes on for how long Vault asks to be left alone, and says that it is sealed', async () => {
    server.fault = { status: 429 }
    await expect(open('main').health()).rejects.toMatchObject({ retryAfter: 7_000 })
    Object.assign(server, { fault: undefined, sealed: true })
    await expect(open('main').health()).rejects.toThrow('Vault is sealed')
  })

  it.each([
    ['a page of a proxy', '<html>login</html>', 'unavailable'],
    ['an empty object', '{}', 'unavailable'],
    ['a list', '[]', 'unavailable'],
    ['nothing', '', 'unavailable'],
  ])('%s in place of an answer is no answer', async (_what, body, kind) => {
    const manager = open('main')
    await manager.health()
    Object.assign(server, { fault: { body }, faultAt: 'transit/' })
    await expect(manager.generate(CONTEXT)).rejects.toMatchObject({ kind })
    await expect(manager.health()).rejects.toMatchObject({ kind })
  })

  it.each([
    ['a key that is too short', `{"data":{"plaintext":"${Buffer.alloc(16).toString('base64')}"}}`],
    ['two keys', `{"data":{"plaintext":"${Buffer.alloc(32).toString('base64')}","plaintext":""}}`],
    ['a key in lax base64', `{"data":{"plaintext":"${Buffer.alloc(32).toString('base64').replace('A=', 'B=')}"}}`],
    ['no text', '{"data":{"plaintext":"'],
    ['nothing', '{"data":{}}'],
  ])('%s in the answer to decrypt is an unwrap failure', async (_what, body) => {
    const manager = open('main')
    const { wrapped } = await manager.generate(CONTEXT)
    Object.assign(server, { fault: { body }, faultAt: 'transit/decrypt' })
    await expect(manager.unwrap(wrapped, CONTEXT)).rejects.toMatchObject({ layer: 'unwrap failure' })
    await expect(manager.generate(CONTEXT)).rejects.toMatchObject({ layer: 'unwrap failure' })
  })

  it('does not read an answer without an end', async () => {
    const manager = open('main')
    Object.assign(server, { fault: { body: ' '.repeat(9 * 2 ** 20) }, faultAt: 'transit/' })
    await expect(manager.health()).rejects.toThrow('too long')
  })

  it('does not wait longer than its time', async () => {
    server.fault = 'silence'
    await expect(open('main', { timeout: 100 }).health()).rejects.toThrow('no answer within 100 ms')
  })

  it('is unavailable where nobody listens, and where TLS meets none', async () => {
    await expect(open('main', { at: 'http://127.0.0.1:1' }).health()).rejects.toThrow('ECONNREFUSED')
    const tls = open('main', { at: address.replace('http:', 'https:') })
    await expect(tls.health()).rejects.toMatchObject({ kind: 'unavailable' })
  })

  it('wipes what it sent and what came, and its key is in no buffer that others share', async () => {
    const seen: Buffer[] = []
    const client = new VaultClient({ alias: 'main', address, timeout: 2_000, tls: async () => ({}) })
    const session: ConstructorParameters<typeof VaultTransitKeyManager>[0]['session'] = {
      call: async (request) => {
        const answer = await client.send({ ...request, token })
        if (request.method === 'POST') seen.push(request.body ?? Buffer.alloc(0))
        if (request.path.includes('/decrypt/')) seen.push(answer.body)
        return answer
      },
      close: () => client.close(),
    }
    const manager = new VaultTransitKeyManager({ alias: 'main', session, key: { mount: 'transit', name: 'main' } })
    const { key } = await manager.generate(CONTEXT)
    await manager.unwrap(await manager.wrap(key, CONTEXT), CONTEXT)
    await manager.close()
    expect(seen).toHaveLength(6)
    for (const buffer of seen) expect(buffer.every((byte) => byte === 0)).toBe(true)
    expect(key.buffer.byteLength).toBe(32)
  })
})
