import { createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { LocalKeyManager } from '../../src/keys/local.ts'
import type { MasterKey, MasterKeys } from '../../src/keys/master-keys.ts'
import { outstandingSecrets } from '../../src/secret-bytes.ts'
import { keyManagerContract } from '../contract/key-manager.contract.ts'
import { newMaster } from '../helpers/master-keys.ts'

const masterKeys = (active: MasterKey, ...others: MasterKey[]): MasterKeys => ({
  active,
  all: new Map([active, ...others].map((master) => [master.id.toString('hex'), master])),
})

const open = (keys: MasterKeys): LocalKeyManager =>
  new LocalKeyManager({ alias: 'main', masterKeys: keys, random: randomBytes })
const copyOf = ({ key }: MasterKey): MasterKey => newMaster(Buffer.from(key))

const create = async (alias: string): Promise<LocalKeyManager> =>
  new LocalKeyManager({ alias, masterKeys: masterKeys(newMaster()), random: randomBytes })

keyManagerContract('local', { tag: 'l', create, stranger: create, bindsContext: true, wrapsAtRandom: true })

/** HKDF-Expand(SHA-512) for up to 64 bytes, written again so that the format is not tested with itself. */
const expandOnce = (prk: Buffer, label: string, data: Buffer, bytes: number): Buffer =>
  createHmac('sha512', prk)
    .update(Buffer.concat([Buffer.from(`${label}\0`), data, Buffer.of(1)]))
    .digest()
    .subarray(0, bytes)

describe('the local key manager', () => {
  it('reads its master keys anew when it is told to, and when it meets a key of one that it does not know', async () => {
    const [first, second] = [newMaster(), newMaster()]
    const context = { namespace: 'ns', day: 1 }
    let found: MasterKeys | undefined
    let reads = 0
    const manager = new LocalKeyManager({
      alias: 'main',
      masterKeys: masterKeys(copyOf(first)),
      random: randomBytes,
      read: async () => {
        reads += 1
        return found
      },
    })
    const { wrapped: early } = await manager.generate(context)
    const { key, wrapped } = await open(masterKeys(second)).generate(context)
    await expect(manager.unwrap(wrapped, context)).rejects.toMatchObject({ layer: 'unwrap failure' })
    expect(await manager.reload()).toBe(first.id.toString('hex'))
    found = masterKeys(copyOf(second), copyOf(first))
    expect(await manager.unwrap(wrapped, context)).toEqual(key)
    await expect(manager.unwrap(early, context)).resolves.toHaveLength(32)
    expect(await manager.reload()).toBe(second.id.toString('hex'))
    expect(reads).toBe(4)
  })

  it('wraps as the format says: version, master id, salt and ciphertext bound to namespace and day', async () => {
    const master = newMaster()
    const { key, wrapped } = await open(masterKeys(master)).generate({ namespace: 'ns', day: 0x01020304 })
    expect(wrapped).toHaveLength(1 + 8 + 24 + 32 + 16)
    expect(wrapped[0]).toBe(1)
    expect(wrapped.subarray(1, 9)).toEqual(expandOnce(master.key, 'sealgate/v1/local-id', Buffer.alloc(0), 8))
    const context = Buffer.from('000000026e7301020304', 'hex')
    const secrets = expandOnce(master.key, 'sealgate/v1/local', Buffer.concat([wrapped.subarray(9, 33), context]), 44)
    const decipher = createDecipheriv('aes-256-gcm', secrets.subarray(0, 32), secrets.subarray(32))
    decipher.setAuthTag(wrapped.subarray(65))
    expect(Buffer.concat([decipher.update(wrapped.subarray(33, 65)), decipher.final()])).toEqual(key)
  })

  it('wraps under the active master key and still unwraps what an earlier one wrapped', async () => {
    const [older, newer] = [newMaster(), newMaster()]
    const context = { namespace: 'ns', day: 1 }
    const before = await open(masterKeys(copyOf(older), copyOf(newer))).generate(context)
    const rotated = open(masterKeys(copyOf(newer), copyOf(older)))
    const after = await rotated.generate(context)
    expect(before.wrapped.subarray(1, 9)).toEqual(older.id)
    expect(after.wrapped.subarray(1, 9)).toEqual(newer.id)
    expect(await rotated.unwrap(before.wrapped, context)).toEqual(before.key)
  })

  it('names the master key that is missing', async () => {
    const [older, newer] = [newMaster(), newMaster()]
    const { wrapped } = await open(masterKeys(older)).generate({ namespace: 'ns', day: 1 })
    await expect(open(masterKeys(newer)).unwrap(wrapped, { namespace: 'ns', day: 1 })).rejects.toThrow(
      older.id.toString('hex'),
    )
  })

  it('ends its master keys when it is closed', async () => {
    const [active, other] = [newMaster(), newMaster()]
    const before = outstandingSecrets()
    await open(masterKeys(active, other)).close()
    expect([active.key.length, other.key.length]).toEqual([0, 0])
    expect(outstandingSecrets()).toBe(before - 2)
  })
})
