import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { createBucketKeys } from '../../src/keys/bucket-keys.ts'
import { formatKeyringRecord, type KeyringRecord } from '../../src/keys/keyring.ts'
import { MemoryKeyManager } from '../../src/keys/memory.ts'
import { StateKeyring } from '../../src/state/keyring.ts'
import { pathSegment } from '../../src/state/path-segment.ts'
import { StateStore } from '../../src/state/state-store.ts'

const newRecord = (change: Partial<KeyringRecord> = {}): KeyringRecord => ({
  kid: randomBytes(16),
  tag: 'l',
  alias: 'main',
  wrapped: randomBytes(81),
  day: 20_417,
  namespace: 'a',
  created: Date.UTC(2026, 0, 1),
  status: 'active',
  ...change,
})

const SLOT = { namespace: 'a', manager: 'main', period: 20_417 }

let store: StateStore
let keyring: StateKeyring

beforeEach(async () => {
  store = new StateStore(new MemoryStore(), 'state', 'sealgate/')
  await store.ensureBucket()
  keyring = new StateKeyring(store)
})

describe('the keyring in the state store', () => {
  it('finds what was recorded, under the path of its kid', async () => {
    const record = newRecord()
    expect(await keyring.find(record.kid)).toBeUndefined()
    await keyring.record(record)
    expect(await keyring.find(record.kid)).toEqual(record)
    expect((await store.list('')).records.map(({ path }) => path)).toEqual([`keyring/k/${record.kid.toString('hex')}`])
  })

  it('keeps a record that exists', async () => {
    const first = newRecord()
    await keyring.record(first)
    await keyring.record({ ...first, wrapped: randomBytes(81) })
    expect(await keyring.find(first.kid)).toEqual(first)
  })

  it('refuses a record that stands in the place of another kid, and one that is malformed', async () => {
    const [a, b] = [newRecord(), newRecord()]
    await store.put(`keyring/k/${a.kid.toString('hex')}`, Buffer.from(formatKeyringRecord(b)))
    await expect(keyring.find(a.kid)).rejects.toMatchObject({ layer: 'unwrap failure' })
    await store.put(`keyring/k/${b.kid.toString('hex')}`, Buffer.from('{}'))
    await expect(keyring.find(b.kid)).rejects.toMatchObject({ layer: 'unwrap failure' })
  })

  it('lets one replica fill a slot and shows the others what is in it', async () => {
    const records = Array.from({ length: 5 }, () => newRecord())
    expect(await keyring.active(SLOT)).toBeUndefined()
    const winners = await Promise.all(records.map((record) => keyring.publishActive(SLOT, record)))
    const winner = await keyring.active(SLOT)
    expect(records).toContainEqual(winner)
    expect(winners.every((seen) => seen.kid.equals(winner!.kid))).toBe(true)
  })

  it('keeps slots of other namespaces, managers and periods apart', async () => {
    const record = newRecord()
    await keyring.publishActive(SLOT, record)
    for (const other of [
      { ...SLOT, namespace: 'b' },
      { ...SLOT, manager: 'other' },
      { ...SLOT, period: 1 },
    ]) {
      expect(await keyring.active(other)).toBeUndefined()
    }
    const path = 'keyring/active/a/main/20417'
    expect((await store.list('keyring/')).records.map((entry) => entry.path)).toEqual([path])
  })

  it('carries the bucket keys of several replicas over one store', async () => {
    const manager = new MemoryKeyManager({ alias: 'main', random: randomBytes })
    const replica = () =>
      createBucketKeys({
        managers: new Map([['main', manager]]),
        activeAlias: 'main',
        keyring: new StateKeyring(store),
        clock: () => Date.UTC(2026, 0, 1),
      })
    const [a, b] = [replica(), replica()]
    const [one, two] = await Promise.all([a.active('photos/2026'), b.active('photos/2026')])
    expect(one.key).toEqual(two.key)
    expect((await replica().byKid(one.kid, 'photos/2026'))?.key).toEqual(one.key)
    const { records } = await store.list('')
    expect(records.map(({ path }) => path)).toEqual([
      'keyring/active/photos%2F2026/main/20454',
      `keyring/k/${one.kid.toString('hex')}`,
    ])
  })
})

describe('a namespace in a path', () => {
  it.each([
    ['my-bucket.2', 'my-bucket.2'],
    ['.hidden.', '%2Ehidden.'],
    ['..', '%2E.'],
    ['Upper', '%55pper'],
    ['a/b', 'a%2Fb'],
    ['100%', '100%25'],
    ['a_b~', 'a%5Fb%7E'],
    ['é', '%C3%A9'],
  ])('%s is written %s', (namespace, segment) => {
    expect(pathSegment(namespace)).toBe(segment)
  })
})
