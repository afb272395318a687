/** How the key manager of Vault comes by its token and keeps it: against a stand-in for Vault, on a clock of our own. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type AuthParts, type LoginSettings, vaultAuth } from '../../src/keys/vault-transit/auth.ts'
import { VaultClient } from '../../src/keys/vault-transit/client.ts'
import { VaultSession } from '../../src/keys/vault-transit/session.ts'
import { VaultServer } from '../helpers/vault-server.ts'

const SECOND = 1_000
const HOUR = 3_600 * SECOND
const REQUEST = { method: 'GET', path: 'transit/keys/main' } as const
const APPROLE: LoginSettings = { method: 'approle', roleId: 'role-1', secretIdFile: 'secret-id' }

let now: number
let server: VaultServer
let address: string
let files: Record<string, string>
let trouble: string[]
let timers: { at: number; work: () => Promise<void> }[]
let sessions: VaultSession[]

beforeEach(async () => {
  now = 1_700_000_000_000
  server = new VaultServer({ now: () => now })
  address = await server.start()
  server.createKey('main')
  server.allowLogin('auth/approle/login', ({ role_id, secret_id }) => role_id === 'role-1' && secret_id === 'right')
  files = { 'secret-id': 'right\n' }
  trouble = []
  timers = []
  sessions = []
})
afterEach(async () => {
  for (const session of sessions) await session.close()
  await server.stop()
})

function start(login: LoginSettings = APPROLE, more: Partial<AuthParts> = {}): VaultSession {
  const client = new VaultClient({ alias: 'main', address, timeout: 2_000, tls: async () => ({}) })
  const readFile = async (path: string): Promise<string> => {
    const text = files[path]
    if (text === undefined) throw new Error('ENOENT')
    return text
  }
  const session = new VaultSession({
    alias: 'main',
    client,
    auth: vaultAuth(login, { readFile, ...more }),
    now: () => now,
    random: () => 0,
    after: (milliseconds, work) => {
      const timer = { at: now + milliseconds, work }
      timers.push(timer)
      return () => timers.splice(0, timers.length, ...timers.filter((one) => one !== timer))
    },
    onTrouble: (what) => trouble.push(what),
  })
  sessions.push(session)
  return session
}

/** Lets the time pass; whatever was planned happens in its turn, and Vault answers. */
async function pass(milliseconds: number): Promise<void> {
  const end = now + milliseconds
  for (;;) {
    const due = timers.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0]
    if (due === undefined) break
    timers.splice(timers.indexOf(due), 1)
    now = Math.max(now, due.at)
    await due.work()
  }
  now = end
}

const count = (call: string): number => server.calls.filter((one) => one === call).length
const logins = (): number => server.calls.filter((one) => one.endsWith('/login')).length
const renewals = (): number => count('POST auth/token/renew-self')

describe('a token that was logged in for', () => {
  it('is got once for many calls at the same time', async () => {
    const session = start()
    const answers = await Promise.all(Array.from({ length: 50 }, () => session.call(REQUEST)))
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    expect(logins()).toBe(1)
  })

  it('is renewed ahead of its end, and replaced before its greatest age, without a call in between', async () => {
    server.leases = { lease: 3_600, greatestAge: 3 * 3_600, renewable: true }
    const session = start()
    await session.call(REQUEST)
    await pass(HOUR - SECOND)
    expect([logins(), renewals()]).toEqual([1, 1])
    await pass(9 * HOUR)
    expect(logins()).toBeGreaterThanOrEqual(3)
    expect(logins() + renewals()).toBeLessThan(25)
    expect(server.liveTokens).toBeGreaterThan(0)
    server.calls.length = 0
    await session.call(REQUEST)
    expect(server.calls).toEqual(['GET transit/keys/main'])
    expect(trouble).toEqual([])
  })

  it('that cannot be renewed is replaced ahead of its end', async () => {
    server.leases = { lease: 3_600, greatestAge: 3_600, renewable: false }
    const session = start()
    await session.call(REQUEST)
    await pass(HOUR)
    expect([logins(), renewals()]).toEqual([2, 0])
  })

  it('without an end is left alone', async () => {
    server.leases = { lease: 0, greatestAge: 0, renewable: false }
    await start().call(REQUEST)
    await pass(1_000 * HOUR)
    expect(server.calls).toHaveLength(2)
  })

  it('that was revoked is replaced within the call that finds out, by one login for all', async () => {
    const session = start()
    await session.call(REQUEST)
    server.revokeTokens()
    const answers = await Promise.all(Array.from({ length: 50 }, () => session.call(REQUEST)))
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    expect(logins()).toBe(2)
  })

  it('that ended while Vault was away is replaced when it is back', async () => {
    const session = start()
    await session.call(REQUEST)
    server.sealed = true
    await pass(2 * HOUR)
    await expect(session.call(REQUEST)).rejects.toMatchObject({ kind: 'unavailable' })
    // Of an hour without an answer: no storm of renewals.
    expect(server.calls.length).toBeLessThan(40)
    server.sealed = false
    expect((await session.call(REQUEST)).status).toBe(200)
  })

  it('that cannot be renewed any more is replaced at once', async () => {
    const session = start()
    await session.call(REQUEST)
    server.revokeTokens()
    await pass(HOUR - SECOND)
    expect([logins(), renewals()]).toEqual([2, 1])
    expect(server.liveTokens).toBe(1)
  })

  it('is not replaced again and again where a permission is missing', async () => {
    const session = start()
    await session.call(REQUEST)
    server.denied = ['transit/']
    for (let i = 0; i < 200; i++) expect((await session.call(REQUEST)).status).toBe(403)
    expect(logins()).toBe(2)
    await pass(11 * SECOND)
    for (let i = 0; i < 200; i++) await session.call(REQUEST)
    expect(logins()).toBe(3)
    for (let minute = 0; minute < 60; minute++) {
      await pass(60 * SECOND)
      await session.call(REQUEST)
    }
    expect(logins()).toBeLessThan(20)
    server.denied = []
    expect((await session.call(REQUEST)).status).toBe(200)
  })

  it('that was revoked is replaced although another request lacks a permission all the time', async () => {
    const session = start()
    server.denied = ['transit/datakey']
    const lacking = { method: 'POST', path: 'transit/datakey/wrapped/main' } as const
    for (let i = 0; i < 3; i++) expect((await session.call({ ...lacking, body: Buffer.from('{}') })).status).toBe(403)
    server.revokeTokens()
    expect((await session.call({ ...lacking, body: Buffer.from('{}') })).status).toBe(403)
    expect((await session.call(REQUEST)).status).toBe(200)
    expect(logins()).toBe(3)
  })

  it('of a lease of no length to speak of makes no storm', async () => {
    server.leases = { lease: 1, greatestAge: 1, renewable: true }
    const session = start()
    await session.call(REQUEST)
    await pass(60 * SECOND)
    expect(server.calls.length).toBeLessThan(130)
  })

  it('is revoked at the end, and nothing is planned any more', async () => {
    const session = start()
    await session.call(REQUEST)
    await session.close()
    expect(server.calls.at(-1)).toBe('POST auth/token/revoke-self')
    expect([server.liveTokens, timers.length]).toEqual([0, 0])
    await expect(session.call(REQUEST)).rejects.toMatchObject({ kind: 'unavailable' })
  })
})

describe('a login that Vault refuses', () => {
  it('is told with its remedy and without what it was tried with, and not repeated with the same for a while', async () => {
    files['secret-id'] = 'hush-secret-id'
    const session = start()
    for (let i = 0; i < 100; i++) {
      const error: unknown = await session.call(REQUEST).catch((caught: unknown) => caught)
      expect(error).toMatchObject({ kind: 'denied', message: expect.stringContaining('secretIdFile') as string })
      expect(String(error)).not.toContain('hush')
      expect(String(error)).not.toContain('invalid role')
    }
    expect(logins()).toBe(1)
    for (let minute = 0; minute < 60; minute++) {
      await pass(60 * SECOND)
      await session.call(REQUEST).catch(() => undefined)
    }
    expect(logins()).toBeLessThan(20)
  })

  it('is tried at once with another secret', async () => {
    files['secret-id'] = 'wrong'
    const session = start()
    await expect(session.call(REQUEST)).rejects.toMatchObject({ kind: 'denied' })
    files['secret-id'] = 'right'
    expect((await session.call(REQUEST)).status).toBe(200)
  })

  it('names a file that is not there, or does not hold one line', async () => {
    delete files['secret-id']
    await expect(start().call(REQUEST)).rejects.toThrow('secret-id cannot be read')
    files['secret-id'] = 'two\nlines'
    await expect(start().call(REQUEST)).rejects.toThrow('does not hold one line')
    expect(server.calls).toEqual([])
  })

  it('ahead of the end is reported once, while the token goes on serving', async () => {
    const session = start()
    server.leases = { lease: 3_600, greatestAge: 3_600, renewable: false }
    await session.call(REQUEST)
    files['secret-id'] = 'wrong'
    await pass(HOUR - SECOND)
    expect((await session.call(REQUEST)).status).toBe(200)
    expect(trouble).toHaveLength(1)
  })

  it.each([
    ['{"auth":{"client_token":"","mfa_requirement":{}}}', 'denied'],
    ['<html>', 'unavailable'],
  ])('by an answer without a token (%s)', async (body, kind) => {
    server.fault = { body }
    await expect(start().call(REQUEST)).rejects.toMatchObject({ kind })
  })

  it('because Vault is not there is no refusal', async () => {
    const session = start()
    server.fault = { status: 503 }
    await expect(session.call(REQUEST)).rejects.toMatchObject({ kind: 'unavailable' })
    server.fault = undefined
    expect((await session.call(REQUEST)).status).toBe(200)
  })
})

describe('a token from a file', () => {
  const FROM_FILE: LoginSettings = { method: 'token', tokenFile: 'token' }

  it('is taken anew as soon as the file changes, without a refusal', async () => {
    const [first, second] = [server.createToken(), server.createToken()]
    files['token'] = `${first}\n`
    const session = start(FROM_FILE)
    await session.call(REQUEST)
    files['token'] = second
    await session.call(REQUEST)
    expect(server.headers['x-vault-token']).toBe(second)
    expect(count('GET auth/token/lookup-self')).toBe(2)
  })

  it('is renewed ahead of its end, and never revoked', async () => {
    files['token'] = server.createToken({ lease: 3_600 })
    const session = start(FROM_FILE)
    await session.call(REQUEST)
    await pass(5 * HOUR)
    expect((await session.call(REQUEST)).status).toBe(200)
    expect(renewals()).toBeGreaterThan(4)
    await session.close()
    expect(server.liveTokens).toBe(1)
  })

  it('that ends and cannot be renewed is reported once, and the file is looked at again', async () => {
    files['token'] = server.createToken({ renewable: false })
    const session = start(FROM_FILE)
    await session.call(REQUEST)
    await pass(HOUR - SECOND)
    expect(trouble).toEqual(['its token ends soon and cannot be renewed'])
    files['token'] = server.createToken()
    await pass(2 * SECOND)
    expect((await session.call(REQUEST)).status).toBe(200)
  })

  it('goes on serving while the file is being written anew', async () => {
    files['token'] = server.createToken()
    const session = start(FROM_FILE)
    await session.call(REQUEST)
    for (const text of ['', undefined]) {
      if (text === undefined) delete files['token']
      else files['token'] = text
      expect((await session.call(REQUEST)).status).toBe(200)
    }
  })

  it('that is refused stays refused without a storm until the file holds another', async () => {
    files['token'] = server.createToken()
    const session = start(FROM_FILE)
    await session.call(REQUEST)
    server.revokeTokens()
    for (let i = 0; i < 20; i++) expect((await session.call(REQUEST)).status).toBe(403)
    expect(count('GET auth/token/lookup-self')).toBe(1)
    files['token'] = server.createToken()
    expect((await session.call(REQUEST)).status).toBe(200)
  })

  it('that may not look itself up is used all the same', async () => {
    files['token'] = server.createToken()
    server.denied = ['auth/token/']
    expect((await start(FROM_FILE).call(REQUEST)).status).toBe(200)
  })
})

describe('ways to log in', () => {
  const IDENTITY = {
    accessKeyId: 'AKIDEXAMPLE',
    url: 'https://sts.amazonaws.com/',
    body: 'Action=GetCallerIdentity&Version=2011-06-15',
    headers: { authorization: 'AWS4-HMAC-SHA256 …' },
  }

  it.each([
    ['approle', APPROLE, 'auth/approle/login', { role_id: 'role-1', secret_id: 'right' }],
    ['approle without a secret id', { method: 'approle', roleId: 'r' }, 'auth/approle/login', { role_id: 'r' }],
    [
      'userpass',
      { method: 'userpass', username: 'a b/c', passwordFile: 'password' },
      'auth/userpass/login/a%20b%2Fc',
      { password: 'pässword' },
    ],
    [
      'userpass of LDAP',
      { method: 'userpass', mount: 'ldap', username: 'a', passwordFile: 'password' },
      'auth/ldap/login/a',
      { password: 'pässword' },
    ],
    ['cert', { method: 'cert', role: 'gateway' }, 'auth/cert/login', { name: 'gateway' }],
    ['jwt', { method: 'jwt', jwtFile: 'jwt' }, 'auth/jwt/login', { jwt: 'e30.e30.x' }],
    [
      'kubernetes',
      { method: 'kubernetes', mount: 'k8s/eu', role: 'sealgate', jwtFile: 'jwt' },
      'auth/k8s/eu/login',
      { role: 'sealgate', jwt: 'e30.e30.x' },
    ],
    [
      'aws',
      { method: 'aws', role: 'sealgate' },
      'auth/aws/login',
      {
        role: 'sealgate',
        iam_http_request_method: 'POST',
        iam_request_url: 'aHR0cHM6Ly9zdHMuYW1hem9uYXdzLmNvbS8=',
        iam_request_body: 'QWN0aW9uPUdldENhbGxlcklkZW50aXR5JlZlcnNpb249MjAxMS0wNi0xNQ==',
        iam_request_headers: Buffer.from(JSON.stringify(IDENTITY.headers)).toString('base64'),
      },
    ],
  ] satisfies [string, LoginSettings, string, object][])('%s', async (_name, login, path, body) => {
    Object.assign(files, { password: 'pässword\n', jwt: 'e30.e30.x\n' })
    server.allowLogin(path, () => true)
    expect((await start(login, { callerIdentity: async () => IDENTITY }).call(REQUEST)).status).toBe(200)
    expect(server.loginBody).toEqual(body)
  })
})
