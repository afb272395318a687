/** What the key manager of KMIP makes of servers that misbehave, of TLS that does not fit, and of what servers say. */
import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { encrypt } from '../../src/format/derive.ts'
import { bytes, structure } from '../../src/keys/kmip/messages.ts'
import { type Operation, REASON, TAG } from '../../src/keys/kmip/protocol.ts'
import { takeSecret } from '../../src/secret-bytes.ts'
import { failureOf } from '../helpers/failure-of.ts'
import { type Fault, KmipServer, TALK } from '../helpers/kmip-server.ts'
import { by, KmipWorld, tlsFiles } from '../helpers/kmip-world.ts'
import { pem } from '../helpers/pem.ts'

const CONTEXT = { namespace: 'backups', day: 20_417 }
const MECHANISMS = ['encrypt', 'get'] as const
const world = new KmipWorld()
const { server, ids } = world

beforeAll(() => world.start())
afterAll(() => server.stop())
beforeEach(() => world.renew())
afterEach(() => world.closeManagers())

describe('a server that does not do what it should', () => {
  it('one that forgets associated data is refused before a bucket key is used', async () => {
    server.lax = true
    const error = await failureOf(world.open().generate(CONTEXT))
    expect(error).toMatchObject({ kind: 'denied', message: expect.stringContaining('associated data') as string })
    await expect(world.open().health()).rejects.toMatchObject({ kind: 'denied' })
  })

  it('is found out too by bytes that were sealed before', async () => {
    server.lax = true
    const iv = randomBytes(12)
    const unbound = Buffer.concat([Buffer.of(1), iv, encrypt(world.valueOf('main'), iv, randomBytes(32))])
    await expect(world.open().unwrap(unbound, CONTEXT)).rejects.toMatchObject({ kind: 'denied' })
  })

  const replace = (tag: number, value: Buffer): Fault => ({
    payload: (items) => items.map((item) => (item.tag === tag ? bytes(tag, value) : item)),
  })

  it.each<[string, Operation, Fault | 'echo']>([
    ["another key's plaintext", 'Decrypt', replace(TAG.data, Buffer.alloc(32, 9))],
    ['a plaintext that is too short', 'Decrypt', replace(TAG.data, Buffer.alloc(16))],
    ['no plaintext', 'Decrypt', { payload: (items) => items.slice(0, 1) }],
    ['the plaintext for a ciphertext', 'Encrypt', 'echo'],
    ['a ciphertext that is too long', 'Encrypt', replace(TAG.data, Buffer.alloc(48))],
    ['a short tag', 'Encrypt', replace(TAG.authenticationTag, Buffer.alloc(12))],
    ['an IV of its own', 'Encrypt', { payload: (items) => [...items, bytes(TAG.iv, Buffer.alloc(12, 3))] }],
    ['an answer about another key', 'Encrypt', { payload: (items) => items.slice(1) }],
  ])('%s: no such bucket key is used', async (_what, faultAt, fault) => {
    const manager = world.open()
    await manager.health()
    const key = randomBytes(32)
    Object.assign(server, { faultAt, fault: fault === 'echo' ? replace(TAG.data, key) : fault })
    const error = await failureOf(manager.wrap(key, CONTEXT))
    expect(error).toMatchObject({ kind: 'unavailable' })
  })

  it('a key that was wrapped by another one, or not at all, is not used', async () => {
    const manager = world.open({ keys: by('get', 'main') })
    const other = world.open({ keys: by('get', 'main'), wrappingKey: takeSecret(randomBytes(32)) })
    await expect(other.generate(CONTEXT)).rejects.toMatchObject({ kind: 'denied' })
    await expect(other.health()).rejects.toThrow('does not open with the key in `wrappingKey`')
    server.faultAt = 'Get'
    const plain = structure(
      TAG.symmetricKey,
      structure(TAG.keyBlock, structure(TAG.keyValue, bytes(TAG.keyMaterial, Buffer.alloc(32)))),
    )
    server.fault = { payload: ([id]) => [...(id === undefined ? [] : [id]), plain] }
    await expect(manager.generate(CONTEXT)).rejects.toMatchObject({ kind: 'unavailable' })
  })

  it.each([
    ['a page of a proxy', { bytes: () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n') }],
    ['noise', { bytes: () => randomBytes(64) }],
    ['an answer that ends too soon', { bytes: (answer) => answer.subarray(0, answer.length - 9), drop: true }],
    ['an answer that ends within its head', { bytes: (answer) => answer.subarray(0, 5), drop: true }],
    ['a length that is too great', { bytes: () => Buffer.from('42007b0140000000', 'hex') }],
    ['a length that is too small', { bytes: (answer) => Buffer.concat([answer, Buffer.alloc(8)]) }],
    ['an inner length that is too great', { bytes: (answer) => patched(answer, 12, 0x7fff_0000) }],
    ['nesting without end', { bytes: () => nested(3_000) }],
    ['an answer to another request', { bytes: (answer) => replaceId(answer) }],
    ['no answer but the end', 'drop'],
  ] as const satisfies readonly (readonly [string, Fault])[])('%s is no answer', async (_what, fault) => {
    for (const mechanism of MECHANISMS) {
      const manager = world.open({ keys: by(mechanism, 'main') })
      const { key, wrapped } = await manager.generate(CONTEXT)
      server.fault = fault
      for (const call of [
        () => manager.generate(CONTEXT),
        () => manager.unwrap(wrapped, CONTEXT),
        () => manager.health(),
      ])
        await expect(call()).rejects.toMatchObject({ kind: 'unavailable' })
      server.fault = undefined
      expect(await manager.unwrap(wrapped, CONTEXT)).toEqual(key)
    }
  })

  it('does not wait longer than its time, and the next call does not meet the late answer', async () => {
    const manager = world.open({ timeout: 200 })
    const { key, wrapped } = await manager.generate(CONTEXT)
    server.delay = 400
    const before = Date.now()
    const error = await failureOf(manager.unwrap(wrapped, CONTEXT))
    expect(error).toMatchObject({ kind: 'unavailable', message: expect.stringContaining('in time') as string })
    expect(Date.now() - before).toBeLessThan(390)
    server.delay = 0
    expect(await manager.unwrap(wrapped, CONTEXT)).toEqual(key)
    server.fault = 'silence'
    await expect(manager.health()).rejects.toMatchObject({ kind: 'unavailable' })
  })

  it('waits no longer for its turn either', async () => {
    const manager = world.open({ timeout: 300, connections: 1 })
    await manager.health()
    server.fault = 'silence'
    const errors = await Promise.all(Array.from({ length: 5 }, () => failureOf(manager.generate(CONTEXT))))
    for (const { message } of errors) expect(message).toContain('in time')
    server.fault = undefined
    await expect(manager.generate(CONTEXT)).resolves.toBeDefined()
  })

  it('connections that were closed meanwhile are replaced, and nobody notices', async () => {
    const manager = world.open({ connections: 1 })
    const { key, wrapped } = await manager.generate(CONTEXT)
    for (let i = 0; i < 3; i++) {
      server.dropConnections()
      expect(await manager.unwrap(wrapped, CONTEXT)).toEqual(key)
    }
  })

  it('one that went away and came back is used again', async () => {
    const elsewhere = new KmipServer()
    const port = await elsewhere.start()
    elsewhere.createKey('main')
    const manager = world.open({ port })
    const { key, wrapped } = await manager.generate(CONTEXT)
    await elsewhere.stop()
    await expect(manager.unwrap(wrapped, CONTEXT)).rejects.toThrow('ECONNREFUSED')
    await elsewhere.start()
    expect(await manager.unwrap(wrapped, CONTEXT)).toEqual(key)
    await elsewhere.stop()
  })

  it('close ends what is under way', async () => {
    const manager = world.open()
    await manager.health()
    server.fault = 'silence'
    const calls = [manager.generate(CONTEXT), manager.generate(CONTEXT), manager.generate(CONTEXT)].map(failureOf)
    await new Promise((resolve) => setTimeout(resolve, 50))
    await manager.close()
    for (const error of await Promise.all(calls)) expect(error).toMatchObject({ kind: 'unavailable' })
  })
})

describe('over TLS', () => {
  it('trusts nobody but the authorities that it was given', async () => {
    const tls = async () => ({ ...tlsFiles(), ca: pem('other-cert') })
    const error = await failureOf(world.open({ tls }).health())
    expect(error).toMatchObject({ kind: 'unavailable', message: expect.stringMatching(/SELF_SIGNED|VERIFY/) as string })
    expect(server.calls).toEqual([])
  })

  it('a client certificate that the server does not know is an outage', async () => {
    const tls = async () => ({ ca: pem('cert'), cert: pem('cert'), key: pem('key') })
    await expect(world.open({ tls }).health()).rejects.toMatchObject({ kind: 'unavailable' })
    expect(server.calls).toEqual([])
  })

  it('a certificate that was replaced is used for the next connection', async () => {
    let files = { ca: pem('cert'), cert: pem('cert'), key: pem('key') }
    const manager = world.open({ tls: async () => files })
    await expect(manager.health()).rejects.toMatchObject({ kind: 'unavailable' })
    files = tlsFiles()
    await expect(manager.health()).resolves.toBeUndefined()
  })

  it('the name of the server has to be in its certificate', async () => {
    await expect(world.open({ serverName: 'localhost' }).health()).resolves.toBeUndefined()
    const error = await failureOf(world.open({ serverName: 'kmip.example.com' }).health())
    expect(error).toMatchObject({ kind: 'unavailable' })
    expect(error.message).toContain('ERR_TLS_CERT_ALTNAME_INVALID')
  })

  it('certificates that are none, or cannot be read, are an outage', async () => {
    for (const tls of [
      async () => ({ cert: 'no certificate', key: 'no key' }),
      () => Promise.reject(new Error('ENOENT: /secret/path')),
    ]) {
      const error = await failureOf(world.open({ tls }).health())
      expect(error).toMatchObject({ kind: 'unavailable' })
      expect(error.message).not.toContain('/secret')
    }
  })

  it('is unavailable where nobody listens', async () => {
    await expect(world.open({ port: 1 }).health()).rejects.toThrow('ECONNREFUSED')
  })
})

describe('the result reasons of a server', () => {
  const DENIED = [
    'ItemNotFound',
    'AuthenticationNotSuccessful',
    'OperationNotSupported',
    'PermissionDenied',
    'ObjectArchived',
    'UsageLimitExceeded',
    'NotAuthorised',
  ] as const
  const AWAY = ['GeneralFailure', 'ResponseTooLarge', 'InternalServerError', 'ServerLimitExceeded'] as const

  it.each([...DENIED.map((name) => [name, 'denied'] as const), ...AWAY.map((name) => [name, 'unavailable'] as const)])(
    '%s is told by its name and our words alone: servers quote names',
    async (name, kind) => {
      for (const [mechanism, faultAt] of [
        ['encrypt', 'Encrypt'],
        ['get', 'Get'],
      ] as const) {
        const manager = world.open({ keys: by(mechanism, 'main') })
        Object.assign(server, { fault: { code: REASON[name] }, faultAt })
        const error = await failureOf(manager.generate(CONTEXT))
        expect(error).toMatchObject({ kind })
        expect(error.message).toContain(`${faultAt} failed (${name})`)
        for (const secret of [TALK, 'secret-name', ids.main]) expect(String(error.stack)).not.toContain(secret)
        expect(error).not.toHaveProperty('cause')
      }
    },
  )

  it('one that nobody knows is an outage, by its number', async () => {
    Object.assign(server, { fault: { code: 0x8000_0001 }, faultAt: 'Encrypt' })
    await expect(world.open().generate(CONTEXT)).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('0x80000001') as string,
    })
  })

  it('vague ones mean the bytes only if the server can do what it must be able to do', async () => {
    const manager = world.open()
    const { wrapped } = await manager.generate(CONTEXT)
    for (const name of ['GeneralFailure', 'CryptographicFailure', 'InvalidField'] as const) {
      Object.assign(server, { fault: { code: REASON[name] }, faultAt: 'Decrypt' })
      await expect(manager.unwrap(wrapped, CONTEXT)).rejects.toMatchObject({ kind: 'unavailable' })
    }
  })

  it('a status that is neither done nor failed is no answer', async () => {
    const manager = world.open()
    await manager.health()
    server.fault = { bytes: (answer) => patchedStatus(answer) }
    await expect(manager.generate(CONTEXT)).rejects.toMatchObject({ kind: 'unavailable' })
  })
})

function patched(answer: Buffer, at: number, value: number): Buffer {
  const out = Buffer.from(answer)
  out.writeUInt32BE(value, at)
  return out
}

/** Result status: pending. */
function patchedStatus(answer: Buffer): Buffer {
  return patched(answer, answer.indexOf(Buffer.from('42007f05', 'hex')) + 8, 2)
}

function replaceId(answer: Buffer): Buffer {
  const at = answer.indexOf(Buffer.from('42009308', 'hex')) + 8
  return patched(answer, at, answer.readUInt32BE(at) >>> 1)
}

function nested(depth: number): Buffer {
  const out = Buffer.alloc(depth * 8)
  for (let at = 0; at < out.length; at += 8) {
    out.writeUInt32BE(0x42007b01, at)
    out.writeUInt32BE(out.length - at - 8, at + 4)
  }
  return out
}
