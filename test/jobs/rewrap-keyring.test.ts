import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { Denied } from '../../src/errors.ts'
import { rewrapKeyring, type RewrapOptions, type RewrappedRecord } from '../../src/jobs/rewrap-keyring.ts'
import { type BucketKeysOptions, createBucketKeys } from '../../src/keys/bucket-keys.ts'
import type { BucketKey, BucketKeys, KeyManager } from '../../src/keys/key-manager.ts'
import { LocalKeyManager } from '../../src/keys/local.ts'
import type { MasterKey } from '../../src/keys/master-keys.ts'
import { MemoryKeyManager } from '../../src/keys/memory.ts'
import { StateKeyring } from '../../src/state/keyring.ts'
import { StateStore } from '../../src/state/state-store.ts'
import { masterKeysOf, newMaster } from '../helpers/master-keys.ts'

const NOON = Date.UTC(2026, 0, 2, 12)
const NAMESPACES = Array.from({ length: 40 }, (_, i) => `bucket-${i}`)

const local = (...keys: [MasterKey, ...MasterKey[]]): KeyManager =>
  new LocalKeyManager({ alias: 'main', masterKeys: masterKeysOf(...keys), random: randomBytes })

let state: StateStore
let keyring: StateKeyring
let old: MasterKey
let sealed: BucketKey[]

/** A process of its own: nothing is open in it yet. */
const replica = (managers: readonly KeyManager[], options: Partial<BucketKeysOptions> = {}): BucketKeys =>
  createBucketKeys({
    managers: new Map(managers.map((one) => [one.alias, one])),
    activeAlias: managers[0]?.alias ?? '',
    keyring,
    clock: () => NOON,
    ...options,
  })

const rewrap = (managers: readonly KeyManager[], options: RewrapOptions = {}) =>
  rewrapKeyring({ keyring, managers: new Map(managers.map((one) => [one.alias, one])) }, options)

beforeEach(async () => {
  state = new StateStore(new MemoryStore(), 'state')
  await state.ensureBucket()
  keyring = new StateKeyring(state)
  old = newMaster()
  const keys = replica([local(old)])
  sealed = await Promise.all(NAMESPACES.map((namespace) => keys.active(namespace)))
})

const expectAllOpen = async (keys: BucketKeys): Promise<void> => {
  for (const key of sealed) expect((await keys.open(key, key.namespace)).key).toEqual(key.key)
}
const all = { examined: 40, rewrapped: 40, changed: 0, failed: 0, unreadable: 0 }

describe('a keyring that is rewrapped', () => {
  test('needs the newest master key alone', async () => {
    const fresh = newMaster()
    await expect(expectAllOpen(replica([local(fresh)]))).rejects.toMatchObject({ layer: 'unwrap failure' })
    expect(await rewrap([local(fresh, old)])).toEqual(all)
    await expectAllOpen(replica([local(fresh)]))
  })

  test('moves to another key manager', async () => {
    const other = new MemoryKeyManager({ alias: 'other', random: randomBytes })
    expect(await rewrap([local(old), other], { from: 'main', to: 'other' })).toEqual(all)
    await expectAllOpen(replica([other]))
  })

  test('does not make gateways seal under a key that another manager than theirs opens', async () => {
    const other = new MemoryKeyManager({ alias: 'other', random: randomBytes })
    await rewrap([local(old), other], { from: 'main', to: 'other' })
    const same = await replica([local(old), other]).active(NAMESPACES[0]!)
    expect([same.alias, same.key]).toEqual(['main', sealed[0]?.key])
    // What is in the slot does not open under this master key: the keyring's word for it, which names another manager, is not enough.
    const fresh = await replica([local(newMaster()), other]).active(NAMESPACES[0]!)
    expect(fresh.alias).toBe('main')
    expect(fresh.kid).not.toEqual(sealed[0]?.kid)
  })

  test('keeps everything else of a record', async () => {
    const before = await keyring.find(sealed[0]!.kid)
    await rewrap([local(newMaster(), old)])
    const after = await keyring.find(sealed[0]!.kid)
    expect({ ...after, wrapped: undefined }).toEqual({ ...before, wrapped: undefined })
    expect(after?.wrapped.equals(before!.wrapped)).toBe(false)
  })

  test('by a run that breaks off is finished by the next', async () => {
    const fresh = newMaster()
    const stop = new AbortController()
    let seen = 0
    const onRecord = (): void => {
      if ((seen += 1) === 20) stop.abort(new Error('killed'))
    }
    await expect(rewrap([local(fresh, old)], { signal: stop.signal, onRecord })).rejects.toThrow('killed')
    expect(await rewrap([local(fresh, old)])).toEqual(all)
    await expectAllOpen(replica([local(fresh)]))
  })

  test('by two runs at once is as by one', async () => {
    const fresh = newMaster()
    const [a, b] = await Promise.all([rewrap([local(fresh, old)]), rewrap([local(fresh, old)])])
    expect([a.failed, b.failed]).toEqual([0, 0])
    expect(a.rewrapped + b.rewrapped).toBeGreaterThanOrEqual(40)
    await expectAllOpen(replica([local(fresh)]))
  })
})

describe('a run', () => {
  test('that only looks changes nothing', async () => {
    const fresh = newMaster()
    expect(await rewrap([local(fresh, old)], { dryRun: true })).toEqual(all)
    await expect(expectAllOpen(replica([local(fresh)]))).rejects.toThrow('unwrap failure')
  })

  test('leaves keys of other managers alone', async () => {
    const other = new MemoryKeyManager({ alias: 'other', random: randomBytes })
    await replica([other]).active('of the other')
    expect(await rewrap([local(newMaster(), old), other], { from: 'other' })).toEqual({
      ...all,
      examined: 41,
      rewrapped: 1,
    })
  })

  test('tells of a key that cannot be wrapped anew, leaves it as it is, and goes on', async () => {
    const refusing = local(old)
    const bad = sealed[3]?.namespace
    const inner = refusing.rewrap.bind(refusing)
    refusing.rewrap = (wrapped, context) =>
      context.namespace === bad ? Promise.reject(new Denied('disabled')) : inner(wrapped, context)
    const told: RewrappedRecord[] = []
    expect(await rewrap([refusing], { onRecord: (one) => told.push(one) })).toEqual({
      ...all,
      rewrapped: 39,
      failed: 1,
    })
    expect(told.filter(({ outcome }) => outcome === 'failed')).toMatchObject([
      { namespace: bad, cause: { kind: 'denied' } },
    ])
    await expectAllOpen(replica([local(old)]))
  })

  test('never replaces a key by what does not open to it', async () => {
    const careless = local(old)
    careless.rewrap = async (_, context) => (await careless.generate(context)).wrapped
    expect(await rewrap([careless])).toEqual({ ...all, rewrapped: 0, failed: 40 })
    await expectAllOpen(replica([local(old)]))
  })

  test('counts what is no record and lets it be', async () => {
    const path = `keyring/k/${sealed[5]?.kid.toString('hex')}`
    await state.put(path, Buffer.from('{}'))
    expect(await rewrap([local(newMaster(), old)])).toEqual({ ...all, rewrapped: 39, unreadable: 1 })
    expect((await state.get(path))?.bytes.toString()).toBe('{}')
  })

  test('refuses a manager that is not there', async () => {
    await expect(rewrap([local(old)], { to: 'nobody' })).rejects.toMatchObject({ kind: 'invalid' })
  })
})
