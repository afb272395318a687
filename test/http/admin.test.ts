/** Who may use the admin API, and what is told of those who may not. */
import { afterEach, describe, expect, test } from 'vitest'
import { connect, type TLSSocket } from 'node:tls'
import { constants } from 'node:crypto'
import { createAdminAccess } from '../../src/access/admin-access.ts'
import { type AdminTlsOptions, changeAdminServer } from '../../src/http/admin-server.ts'
import { AdminListener, type AdminListenerOptions, AUTHORIZED, TOKEN } from '../helpers/admin-listener.ts'
import { pem } from '../helpers/pem.ts'

const WRONG = { authorization: `Bearer ${TOKEN.slice(0, -1)}!`.replace('!', 'x') }
const secureOptions = constants.SSL_OP_NO_TICKET
const TLS: AdminTlsOptions = {
  cert: pem('cert'),
  key: pem('key'),
  clientCa: pem('authority-cert', 'admin-tls'),
  secureOptions,
}
const ALICE = { cert: pem('alice-cert', 'admin-tls'), key: pem('alice-key', 'admin-tls') }
const MALLORY = { cert: pem('mallory-cert', 'admin-tls'), key: pem('mallory-key', 'admin-tls') }

let admin: AdminListener
const start = async (options?: AdminListenerOptions): Promise<void> => {
  admin = await AdminListener.start(options)
}
afterEach(() => admin.close())

describe('a token', () => {
  test('that is right lets in, and any other does not', async () => {
    await start()
    expect((await admin.ask('GET', '/v1/keys')).status).toBe(200)
    for (const headers of [
      {},
      WRONG,
      { authorization: `Bearer ${TOKEN}x` },
      { authorization: `Basic ${TOKEN}` },
      { authorization: TOKEN },
      { authorization: 'Bearer ' },
      { 'x-token': TOKEN },
    ]) {
      const { status, json, headers: answered } = await admin.ask('GET', '/v1/keys', { headers })
      expect([status, json.error.code]).toEqual([401, 'Unauthorized'])
      expect(answered['www-authenticate']).toContain('Bearer')
    }
    expect((await admin.ask('GET', `/v1/keys?token=${TOKEN}`, { headers: {} })).status).toBe(401)
  })

  test('is told apart from others by its name, and no longer counts once it was exchanged', async () => {
    const other = 'B'.repeat(40)
    await start({
      tokens: [
        { name: 'ops', token: TOKEN },
        { name: 'robot', token: other },
      ],
    })
    for (const token of [TOKEN, other]) {
      const headers = { authorization: `Bearer ${token}` }
      expect((await admin.ask('POST', '/v1/keys/rewrap/abort', { headers })).status).toBe(409)
    }
    expect(admin.events.map(({ who }) => who)).toEqual(['token ops', 'token robot'])
    changeAdminServer(admin.app, createAdminAccess([{ name: 'robot', token: other }]))
    expect((await admin.ask('GET', '/v1/keys')).status).toBe(401)
    expect((await admin.ask('GET', '/v1/keys', { headers: { authorization: `Bearer ${other}` } })).status).toBe(200)
  })

  test('is needed before anything of a request is read or told', async () => {
    await start()
    for (const [method, path] of [
      ['GET', '/v1'],
      ['GET', '/v1/'],
      ['GET', '/v1/openapi.json'],
      ['GET', '/v1/nothing'],
      ['PUT', '/v1/keys'],
      ['OPTIONS', '/v1/keys'],
      ['DELETE', '/v1/uploads/x'],
    ] as const) {
      expect((await admin.ask(method, path, { headers: {} })).status, `${method} ${path}`).toBe(401)
      admin.now += 60_000
    }
    // A body that is never sent is not waited for.
    const headers = { 'content-type': 'application/json', 'content-length': '1000000' }
    const { status, headers: answered } = await admin.ask('POST', '/v1/keys/rewrap', { headers, body: '{' })
    expect([status, answered['connection']]).toEqual([401, 'close'])
  })

  test('is not needed for health and metrics', async () => {
    await start()
    for (const path of ['/healthz', '/readyz', '/metrics']) {
      expect((await admin.ask('GET', path, { headers: {} })).status).toBe(200)
    }
  })

  test('of a page in a browser does not count', async () => {
    await start()
    for (const of of [{ origin: 'https://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }]) {
      for (let times = 0; times < 12; times += 1) {
        const { status, json } = await admin.ask('GET', '/v1/keys', { headers: { ...AUTHORIZED, ...of } })
        expect([status, json.error.code]).toEqual([403, 'Forbidden'])
      }
    }
    // It is told, not for ever, and keeps nobody out.
    expect(admin.events).toHaveLength(10)
    expect((await admin.ask('GET', '/v1/keys', { headers: { ...AUTHORIZED, 'sec-fetch-site': 'none' } })).status).toBe(
      200,
    )
  })
})

test('without tokens and authorities the API says what to set', async () => {
  await start({ tokens: [] })
  const { status, json } = await admin.ask('GET', '/v1/keys')
  expect([status, json.error.code]).toEqual([403, 'NotConfigured'])
  expect(json.error.message).toContain('admin.tokenFile')
  expect((await admin.ask('GET', '/healthz')).status).toBe(200)
})

describe('failures', () => {
  test('are limited for an address: then no token is looked at until Retry-After has passed', async () => {
    await start()
    for (let times = 0; times < 10; times += 1) {
      expect((await admin.ask('GET', '/v1/keys', { headers: WRONG })).status).toBe(401)
    }
    const limited = await admin.ask('GET', '/v1/keys')
    expect([limited.status, limited.json.error.code, limited.headers['retry-after']]).toEqual([
      429,
      'TooManyRequests',
      '6',
    ])
    admin.now += 6_000
    expect((await admin.ask('GET', '/v1/keys')).status).toBe(200)
    expect((await admin.ask('GET', '/healthz')).status).toBe(200)
  })

  test('are told, each one, and of those that wait the first', async () => {
    await start()
    for (let times = 0; times < 15; times += 1) await admin.ask('GET', `/v1/keys?t=${TOKEN}`, { headers: WRONG })
    expect(admin.events.map(({ code }) => code)).toEqual([
      ...Array.from({ length: 10 }, () => 'Unauthorized'),
      'TooManyRequests',
    ])
    expect(admin.events[0]).toEqual({
      who: 'nobody',
      peer: '127.0.0.1',
      what: 'authenticate',
      target: 'GET /v1/keys',
      result: 'refused',
      code: 'Unauthorized',
    })
    const told = JSON.stringify(admin.events)
    expect([told.includes(TOKEN), told.includes(WRONG.authorization.slice(7))]).toEqual([false, false])
  })
})

describe('a client certificate', () => {
  test('by the right authority lets in, under its name', async () => {
    await start({ tokens: [], tls: TLS })
    expect((await admin.ask('POST', '/v1/keys/rewrap/abort', { headers: {}, ...ALICE })).status).toBe(409)
    expect(admin.events).toMatchObject([{ who: 'certificate alice', what: 'abortRewrap' }])
  })

  test('is needed where there is no token, and one by another authority is none', async () => {
    await start({ tokens: [], tls: TLS })
    for (const connection of [{}, MALLORY]) {
      expect((await admin.ask('GET', '/v1/keys', { headers: {}, ...connection })).status).toBe(401)
      expect((await admin.ask('GET', '/readyz', { headers: {}, ...connection })).status).toBe(200)
    }
    expect((await admin.ask('GET', '/v1/keys')).status).toBe(401)
  })

  test('and a token are two ways in: a wrong token is refused beside a right certificate', async () => {
    await start({ tls: TLS })
    expect((await admin.ask('GET', '/v1/keys')).status).toBe(200)
    expect((await admin.ask('GET', '/v1/keys', { headers: {}, ...ALICE })).status).toBe(200)
    expect((await admin.ask('GET', '/v1/keys', { headers: WRONG, ...ALICE })).status).toBe(401)
  })

  test('lets in while others from the same address have failed too often', async () => {
    await start({ tls: TLS })
    for (let times = 0; times < 12; times += 1) await admin.ask('GET', '/v1/keys', { headers: WRONG })
    expect((await admin.ask('GET', '/v1/keys')).status).toBe(429)
    expect((await admin.ask('GET', '/v1/keys', { headers: {}, ...ALICE })).status).toBe(200)
  })

  test('of a connection that was on its way when the authority changed does not count', async () => {
    await start({ tokens: [], tls: TLS })
    const began = new Promise((resolve) => admin.app.server.once('connection', resolve))
    const opening = open(ALICE)
    await began
    changeAdminServer(admin.app, createAdminAccess([]), { ...TLS, clientCa: pem('other-authority-cert', 'admin-tls') })
    const alice = await opening
    expect(await status(alice)).toBe(401)
    alice.destroy()
  })

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('is not made up by a resumed session (%s)', async (version) => {
    // Also where a listener hands out tickets.
    await start({ tokens: [], tls: { ...TLS, secureOptions: 0 } })
    const first = await open({ maxVersion: version, minVersion: version })
    const sessions: Buffer[] = []
    first.on('session', (session: Buffer) => sessions.push(session))
    expect(await status(first, 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n')).toBe(200)
    const session = sessions.at(-1) ?? first.getSession()
    first.destroy()
    const second = await open({ maxVersion: version, minVersion: version, session })
    expect(second.isSessionReused()).toBe(true)
    expect(await status(second)).toBe(401)
    second.destroy()
  })

  test('no longer counts once its authority is another, on open connections neither', async () => {
    await start({ tokens: [], tls: TLS })
    const alice = await open(ALICE)
    expect(await status(alice)).toBe(200)
    const busy = await open(ALICE)
    busy.write('GET /v1/keys HTTP/1.1\r\nhost: x\r\n')
    await expect.poll(() => connections()).toBe(2)
    changeAdminServer(admin.app, createAdminAccess([]), { ...TLS, clientCa: pem('other-authority-cert', 'admin-tls') })
    await expect.poll(() => alice.destroyed || alice.readableEnded).toBe(true)
    expect(await status(busy, '\r\n')).toBe(401)
    expect((await admin.ask('GET', '/v1/keys', { headers: {}, ...ALICE })).status).toBe(401)
    expect((await admin.ask('GET', '/v1/keys', { headers: {}, ...MALLORY })).status).toBe(200)
    busy.destroy()
  })
})

const connections = (): Promise<number> =>
  new Promise((resolve) => admin.app.server.getConnections((_error, count) => resolve(count)))

function open(options: object): Promise<TLSSocket> {
  const socket = connect({
    host: '127.0.0.1',
    port: admin.port,
    ca: pem('cert'),
    servername: 'localhost',
    ...options,
  })
  return new Promise((resolve, reject) => socket.once('secureConnect', () => resolve(socket)).once('error', reject))
}

function status(socket: TLSSocket, request = 'GET /v1/keys HTTP/1.1\r\nhost: x\r\n\r\n'): Promise<number> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('data', (bytes: Buffer) => resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(bytes.toString())?.[1])))
    socket.write(request)
  })
}
