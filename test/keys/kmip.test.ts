/** The key manager of KMIP, against a stand-in; a real server is tried in certification. */
import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { KmipClient } from '../../src/keys/kmip/client.ts'
import { openConnection } from '../../src/keys/kmip/connection.ts'
import { KeyObject } from '../../src/keys/kmip/key-object.ts'
import { FetchedKey } from '../../src/keys/kmip/master-key.ts'
import { takeSecret } from '../../src/secret-bytes.ts'
import { keyManagerContract } from '../contract/key-manager.contract.ts'
import { failureOf } from '../helpers/failure-of.ts'
import { by, KmipWorld, tlsFiles } from '../helpers/kmip-world.ts'

const CONTEXT = { namespace: 'backups', day: 20_417 }
const MECHANISMS = ['encrypt', 'get'] as const
const world = new KmipWorld()
const { server, ids } = world

beforeAll(() => world.start())
afterAll(() => server.stop())
beforeEach(() => world.renew())
afterEach(() => world.closeManagers())

for (const mechanism of MECHANISMS) {
  keyManagerContract(`KMIP, ${mechanism}`, {
    tag: 'k',
    create: async (alias) => world.open({ alias, keys: by(mechanism, 'main') }),
    stranger: async (alias) => world.open({ alias, keys: by(mechanism, 'other') }),
    bindsContext: true,
    wrapsAtRandom: true,
  })
}

describe('the KMIP key manager', () => {
  it('asks for the version, has the server seal, has it opened again, and sees once that it is bound', async () => {
    const manager = world.open({ keys: [{ id: ids.main, mechanism: 'encrypt' }] })
    const { wrapped } = await manager.generate(CONTEXT)
    expect(server.calls).toEqual(['DiscoverVersions', 'Encrypt', 'Decrypt', 'Decrypt'])
    expect([wrapped[0], wrapped.length]).toEqual([1, 61])
    server.calls.length = 0
    await manager.generate(CONTEXT)
    await manager.unwrap(wrapped, CONTEXT)
    expect(server.calls).toEqual(['Encrypt', 'Decrypt', 'Decrypt'])
  })

  it('by `get` it looks at the state, fetches the key, and keeps it for no longer than the call', async () => {
    const manager = world.open({ keys: [{ id: ids.main, mechanism: 'get' }] })
    const { wrapped } = await manager.generate(CONTEXT)
    await manager.unwrap(wrapped, CONTEXT)
    const once = ['GetAttributes', 'Get']
    expect(server.calls).toEqual(['DiscoverVersions', ...once.toSpliced(1, 0, 'Locate'), ...once])
    expect([wrapped[0], wrapped.length]).toEqual([2, 73])
  })

  it('refuses a wrapped key of the other mechanism, and of any other form, without asking', async () => {
    const manager = world.open()
    const { wrapped } = await manager.generate(CONTEXT)
    server.calls.length = 0
    for (const first of [0, 2, 3, 255]) {
      const other = Buffer.concat([Buffer.of(first), wrapped.subarray(1)])
      await expect(manager.unwrap(other, CONTEXT)).rejects.toMatchObject({ layer: 'unwrap failure' })
    }
    await expect(manager.unwrap(randomBytes(100_000), CONTEXT)).rejects.toMatchObject({ layer: 'unwrap failure' })
    expect(server.calls).toEqual([])
  })

  it('a former key opens, another one wraps, by either mechanism', async () => {
    for (const before of MECHANISMS) {
      for (const after of MECHANISMS) {
        const { key, wrapped } = await world.open({ keys: by(before, 'main') }).generate(CONTEXT)
        const manager = world.open({
          keys: [
            { id: ids.other, mechanism: after },
            { name: 'main', mechanism: before },
          ],
        })
        expect(await manager.unwrap(wrapped, CONTEXT)).toEqual(key)
        const again = await manager.rewrap(wrapped, CONTEXT)
        expect(await world.open({ keys: by(after, 'other') }).unwrap(again, CONTEXT)).toEqual(key)
      }
    }
  })

  it('speaks the best version that both know', async () => {
    for (const minors of [[4], [4, 3, 2, 1, 0], [1, 2, 4]]) {
      server.minors = minors
      await expect(world.open().health()).resolves.toBeUndefined()
    }
    for (const minors of [[2], [3, 2, 1, 0], [3]]) {
      server.minors = minors
      await expect(world.open({ keys: by('get', 'main') }).health()).resolves.toBeUndefined()
      const error = await failureOf(world.open().health())
      expect(error).toMatchObject({ kind: 'denied', message: expect.stringContaining('mechanism `get`') as string })
    }
    server.minors = [1, 0]
    await expect(world.open().health()).rejects.toMatchObject({ kind: 'denied' })
    await expect(world.open().health()).rejects.toThrow('none of KMIP 1.2, 1.3 and 1.4')
  })

  it('a server that cannot tell its versions is spoken to in the one that it understood', async () => {
    server.operations = server.operations.filter((name) => name !== 'DiscoverVersions')
    await expect(world.open().health()).resolves.toBeUndefined()
  })

  it('asks for versions again when the server has another', async () => {
    const manager = world.open({ keys: by('get', 'main') })
    const { key, wrapped } = await manager.generate(CONTEXT)
    server.minors = [2]
    await expect(manager.unwrap(wrapped, CONTEXT)).rejects.toMatchObject({ kind: 'denied' })
    expect(await manager.unwrap(wrapped, CONTEXT)).toEqual(key)
  })

  it('sends name and password where it has them', async () => {
    server.credential = 'gateway:open sesame'
    const manager = world.open({ credential: { username: 'gateway', password: 'open sesame' } })
    await expect(manager.health()).resolves.toBeUndefined()
    const error = await failureOf(world.open({ credential: { username: 'gateway', password: 'wrong' } }).health())
    expect(error).toMatchObject({ kind: 'denied', message: expect.stringContaining('`password`') as string })
    expect(error.message).not.toContain('wrong')
  })

  it('health says which operations the server lacks', async () => {
    server.operations = ['DiscoverVersions', 'Query', 'GetAttributes', 'Locate']
    await expect(world.open().health()).rejects.toThrow('the server lacks Encrypt, Decrypt')
    await expect(world.open({ keys: by('get', 'main') }).health()).rejects.toThrow('the server lacks Get')
  })

  it('shares its connections, and no two requests are on one at a time', async () => {
    const manager = world.open({ connections: 2 })
    server.delay = 2
    const made = await Promise.all(Array.from({ length: 20 }, () => manager.generate(CONTEXT)))
    const opened = await Promise.all(made.map(({ wrapped }) => manager.unwrap(wrapped, CONTEXT)))
    expect(opened.every((key, i) => key.equals(made[i]?.key ?? Buffer.alloc(0)))).toBe(true)
    expect(server.connections).toBe(2)
    expect(server.busy.most).toBe(2)
  })

  it('has a queue with an end', async () => {
    const manager = world.open({ connections: 1 })
    await manager.health()
    server.delay = 100
    const errors = await Promise.all(Array.from({ length: 300 }, () => failureOf(manager.generate(CONTEXT))))
    expect(errors.filter(({ message }) => message.includes('too many calls wait')).length).toBeGreaterThan(40)
  })
})

describe('a key of the server', () => {
  it.each(MECHANISMS)('that is not in use is refused with its state and what helps, %s', async (mechanism) => {
    const manager = world.open({ keys: by(mechanism, 'main') })
    const { key, wrapped } = await manager.generate(CONTEXT)
    for (const [state, remedy] of [
      ['Pre-Active', 'activate it'],
      ['Deactivated', 'sealgate keys rewrap'],
      ['Compromised', 'sealgate keys rewrap'],
      ['Destroyed', 'backup of the server'],
    ] as const) {
      server.set(ids.main, { state })
      for (const call of [
        () => manager.generate(CONTEXT),
        () => manager.unwrap(wrapped, CONTEXT),
        () => manager.health(),
      ]) {
        const error = await failureOf(call())
        expect(error).toMatchObject({ kind: 'denied' })
        expect(error.message).toContain(`\`key\`: the key is ${state}; `)
        expect(error.message).toContain(remedy)
      }
    }
    server.set(ids.main, { state: 'Active' })
    expect(await manager.unwrap(wrapped, CONTEXT)).toEqual(key)
  })

  it('that was deactivated opens by `get` when it is named as a former one', async () => {
    const { key, wrapped } = await world.open({ keys: by('get', 'main') }).generate(CONTEXT)
    const manager = world.open({ keys: by('get', 'other', 'main') })
    for (const state of ['Deactivated', 'Compromised'] as const) {
      server.set(ids.main, { state })
      expect(await manager.unwrap(wrapped, CONTEXT)).toEqual(key)
    }
    server.set(ids.main, { state: 'Destroyed' })
    await expect(manager.unwrap(wrapped, CONTEXT)).rejects.toThrow('`formerKeys[0]`: the key is Destroyed')
  })

  it('that was deactivated and refuses to open has a copy of it open in its place', async () => {
    const { key, wrapped } = await world.open({ keys: by('encrypt', 'main') }).generate(CONTEXT)
    server.set(ids.main, { state: 'Deactivated' })
    const refusal = await failureOf(world.open({ keys: by('encrypt', 'other', 'main') }).unwrap(wrapped, CONTEXT))
    expect(refusal.message).toContain('`formerKeys[0]`: the key is Deactivated; have its value registered')
    server.createKey('copy', { value: world.valueOf('main') })
    expect(await world.open({ keys: by('encrypt', 'other', 'copy') }).unwrap(wrapped, CONTEXT)).toEqual(key)
  })

  it('that refuses does not keep a former one from opening', async () => {
    const { key, wrapped } = await world.open({ keys: by('encrypt', 'other') }).generate(CONTEXT)
    const manager = world.open({ keys: by('encrypt', 'main', 'other') })
    server.set(ids.main, { state: 'Deactivated' })
    expect(await manager.unwrap(wrapped, CONTEXT)).toEqual(key)
  })

  it('of a former time that is missing is told by health, and where it may be the one', async () => {
    const manager = world.open({ keys: by('encrypt', 'main', 'gone') })
    const { key, wrapped } = await manager.generate(CONTEXT)
    expect(await manager.unwrap(wrapped, CONTEXT)).toEqual(key)
    await expect(manager.health()).rejects.toThrow('`formerKeys[0]`: the server has no symmetric key of this name')
    const { wrapped: strange } = await world.open({ keys: by('encrypt', 'other') }).generate(CONTEXT)
    await expect(manager.unwrap(strange, CONTEXT)).rejects.toMatchObject({ kind: 'denied' })
  })

  it('has to be there, to be the only one of its name, and an AES key of 256 bits that may encrypt', async () => {
    await expect(world.open({ keys: by('encrypt', 'gone') }).health()).rejects.toThrow('no symmetric key of this name')
    await expect(world.open({ keys: [{ id: 'gone', mechanism: 'encrypt' }] }).health()).rejects.toThrow('ItemNotFound')
    server.createKey('twin')
    server.createKey('twin')
    await expect(world.open({ keys: by('encrypt', 'twin') }).health()).rejects.toThrow('write `id`')
    server.createKey('short', { value: randomBytes(16) })
    server.createKey('des', { algorithm: 2 })
    for (const name of ['short', 'des'])
      await expect(world.open({ keys: by('get', name) }).generate(CONTEXT)).rejects.toThrow(
        'not an AES key of 256 bits',
      )
    server.createKey('idle', { usage: 0x04 })
    await expect(world.open({ keys: by('encrypt', 'idle') }).health()).rejects.toThrow('lacks Encrypt or Decrypt')
  })

  it('whose name has moved to another one is looked for again by health', async () => {
    const manager = world.open()
    await manager.health()
    server.keys.set(ids.main, { ...(server.keys.get(ids.main) ?? never()), name: 'old' })
    const next = server.createKey('main')
    await manager.health()
    const { key, wrapped } = await manager.generate(CONTEXT)
    expect(await world.open({ keys: [{ id: next, mechanism: 'encrypt' }] }).unwrap(wrapped, CONTEXT)).toEqual(key)
  })

  it('that wraps others has to be in use too', async () => {
    server.set(ids.wrapping, { state: 'Deactivated' })
    const error = await failureOf(world.open({ keys: by('get', 'main') }).generate(CONTEXT))
    expect(error.message).toContain('`wrappingKey`: the key is Deactivated')
  })
})

function never(): never {
  throw new Error('there is no such key')
}

it('what was sent and what came is wiped, and a key is in no buffer that others share', async () => {
  const signal = AbortSignal.timeout(5_000)
  const connection = await openConnection({ host: '127.0.0.1', port: server.port }, tlsFiles(), signal)
  const seen: Buffer[] = []
  const exchange = async (render: () => Buffer): Promise<Buffer> => {
    const request = render()
    const answer = await connection.exchange(request, signal)
    seen.push(request, answer)
    return answer
  }
  const client = new KmipClient({ pool: { exchange, close: () => connection.close() }, random: randomBytes })
  const key = randomBytes(32)
  const sealed = await client.encrypt(ids.main, key, Buffer.alloc(12), Buffer.alloc(1), signal)
  const opened = await client.decrypt(ids.main, sealed, Buffer.alloc(1), signal)
  client.close()
  expect(opened.equals(key)).toBe(true)
  expect(opened.buffer.byteLength).toBe(32)
  expect(seen).toHaveLength(6)
  for (const bytes of seen) expect(bytes.every((byte) => byte === 0)).toBe(true)
})

it('close ends the wrapping key', async () => {
  const wrappingKey = takeSecret(world.valueOf('wrapping'))
  await world.open({ wrappingKey }).close()
  expect(wrappingKey).toHaveLength(0)
})

it('a key that comes when the manager is closed already is not opened, and nobody is told that it is wrong', async () => {
  const signal = AbortSignal.timeout(5_000)
  const connection = await openConnection({ host: '127.0.0.1', port: server.port }, tlsFiles(), signal)
  const key = takeSecret(world.valueOf('wrapping'))
  const exchange = async (render: () => Buffer): Promise<Buffer> => {
    const answer = await connection.exchange(render(), signal)
    if (server.calls.at(-1) === 'Get') key.dispose()
    return answer
  }
  const client = new KmipClient({ pool: { exchange, close: () => connection.close() }, random: randomBytes })
  const wrapping = { object: new KeyObject('wrappingKey', { id: ids.wrapping }, client), key }
  const fetched = new FetchedKey(
    new KeyObject('key', { id: ids.main }, client),
    ['Active'],
    client,
    wrapping,
    randomBytes,
  )
  await expect(fetched.seal(randomBytes(32), Buffer.alloc(1), signal)).rejects.toMatchObject({ message: 'closed' })
  client.close()
})

it('a request that comes too late to be sent is wiped too', async () => {
  const connection = await openConnection(
    { host: '127.0.0.1', port: server.port },
    tlsFiles(),
    AbortSignal.timeout(5_000),
  )
  const request = randomBytes(64)
  await expect(connection.exchange(request, AbortSignal.abort())).rejects.toMatchObject({ message: 'silent' })
  expect(request.every((byte) => byte === 0)).toBe(true)
})
