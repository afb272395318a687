/** What bucket keys do while their manager is away: what was open goes on, what was not is refused, nothing is written under a key that nobody could find again. */
import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { Denied, Unavailable } from '../../src/errors.ts'
import { type BucketKeysOptions, createBucketKeys, type KeyAlarm } from '../../src/keys/bucket-keys.ts'
import type { CacheEvent } from '../../src/keys/key-cache.ts'
import { formatKeyringRecord, parseKeyringRecord } from '../../src/keys/keyring.ts'
import type { BucketKeys, KeyContext, KeyManager } from '../../src/keys/key-manager.ts'
import { MemoryKeyManager } from '../../src/keys/memory.ts'
import { FakeKeyring } from './fake-keyring.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const NOON = 20_417 * DAY_MS + 12 * HOUR_MS

let now: number
let inner: MemoryKeyManager
let failure: Error | undefined
let keyring: FakeKeyring
let alarms: KeyAlarm[]
let events: CacheEvent[]

beforeEach(() => {
  now = NOON
  inner = new MemoryKeyManager({ alias: 'main', random: randomBytes })
  failure = undefined
  keyring = new FakeKeyring()
  alarms = []
  events = []
})

const answering = async <T>(work: () => Promise<T>): Promise<T> => {
  if (failure !== undefined) throw failure
  return work()
}

function manager(): KeyManager {
  return {
    alias: 'main',
    tag: 'm',
    generate: (context: KeyContext) => answering(() => inner.generate(context)),
    wrap: (key, context) => answering(() => inner.wrap(key, context)),
    unwrap: (wrapped, context) => answering(() => inner.unwrap(wrapped, context)),
    rewrap: (wrapped, context) => answering(() => inner.rewrap(wrapped, context)),
    health: () => answering(() => inner.health()),
    close: () => inner.close(),
  }
}

function replica(options: Partial<BucketKeysOptions> = {}): BucketKeys {
  return createBucketKeys({
    managers: new Map([['main', manager()]]),
    activeAlias: 'main',
    keyring,
    clock: () => now,
    onAlarm: (alarm) => alarms.push(alarm),
    onCache: (event) => events.push(event),
    ...options,
  })
}

const away = (): void => {
  failure = new Unavailable('the key manager is away')
}

describe('while the key manager is away', () => {
  it('a key that was open goes on opening for its lifetime and the grace after it, and not longer', async () => {
    const keys = replica({ cacheSeconds: 3_600, graceSeconds: 7_200 })
    const key = await keys.active('a')
    away()
    now += 3 * HOUR_MS - 1
    expect((await keys.open(key, 'a')).key).toEqual(key.key)
    expect(events.at(-1)).toBe('stale')
    now += 1
    await expect(keys.open(key, 'a')).rejects.toBe(failure)
  })

  it('a key that was not open stays closed', async () => {
    const key = await replica().active('a')
    away()
    await expect(replica().open(key, 'a')).rejects.toBe(failure)
  })

  it('a key that the manager refuses from now on is not used, grace or not', async () => {
    const keys = replica({ cacheSeconds: 3_600, graceSeconds: 7_200 })
    const key = await keys.active('a')
    failure = new Denied('disabled')
    now += HOUR_MS
    await expect(keys.open(key, 'a')).rejects.toBe(failure)
    await expect(keys.active('a')).rejects.toBe(failure)
  })

  it('a manager that refuses takes its key back from writers too at the end of the lifetime, whoever had it opened when', async () => {
    await replica().active('a')
    const keys = replica({ cacheSeconds: 3_600 })
    const record = [...keyring.records.values()].map((text) => parseKeyringRecord(text))[0]!
    await keys.open(record, 'a')
    now += HOUR_MS - 60_000
    await keys.active('a')
    failure = new Denied('disabled')
    now += 60_000
    await expect(keys.active('a')).rejects.toBe(failure)
  })

  it('writers have an open key for its lifetime and the grace after it too, and not longer', async () => {
    const keys = replica({ cacheSeconds: 3_600, graceSeconds: 7_200 })
    await keys.active('a')
    away()
    now += 3 * HOUR_MS - 60_000
    await keys.active('a')
    now += 60_000
    await expect(keys.active('a')).rejects.toBe(failure)
  })

  it('a manager that refuses takes back what served in the time of grace', async () => {
    const keys = replica({ cacheSeconds: 3_600, graceSeconds: 7_200 })
    await keys.active('a')
    away()
    now += 2 * HOUR_MS
    await keys.active('a')
    failure = new Denied('disabled')
    now += 5_000
    await expect(keys.active('a')).rejects.toBe(failure)
  })

  it('writes go on over midnight under the key of the day before, which the keyring has', async () => {
    const keys = replica()
    const before = await keys.active('a')
    away()
    now += 13 * HOUR_MS
    const after = await keys.active('a')
    expect(after.kid).toEqual(before.kid)
    expect(keyring.records.has(after.kid.toString('hex'))).toBe(true)
    expect(alarms.map(({ kind }) => kind)).toEqual(['earlier-period'])
  })

  it('writes stop where the key of an earlier period is too old for other replicas', async () => {
    const keys = replica({ graceSeconds: 30 * 86_400 })
    await keys.active('a')
    away()
    now += 2 * DAY_MS
    await expect(keys.active('a')).resolves.toMatchObject({ day: 20_417 })
    now += DAY_MS
    await expect(keys.active('a')).rejects.toBe(failure)
  })

  it('a namespace that was never written to cannot be written to', async () => {
    const keys = replica()
    await keys.active('a')
    away()
    await expect(keys.active('b')).rejects.toBe(failure)
    expect(keyring.slots.size).toBe(1)
  })

  it('the key of an earlier period that has been retired is not sealed under again', async () => {
    const keys = replica()
    const { kid } = await keys.active('a')
    const name = kid.toString('hex')
    keyring.records.set(
      name,
      formatKeyringRecord({ ...parseKeyringRecord(keyring.records.get(name) ?? ''), status: 'retired' }),
    )
    away()
    now += 13 * HOUR_MS
    await expect(keys.active('a')).rejects.toBe(failure)
  })

  it('the way to a new key is tried again after seconds, and found as soon as there is one', async () => {
    const keys = replica()
    const before = await keys.active('a')
    away()
    now += 13 * HOUR_MS
    await keys.active('a')
    failure = undefined
    now += 4_999
    expect((await keys.active('a')).kid).toEqual(before.kid)
    now += 1
    expect((await keys.active('a')).day).toBe(20_418)
  })
})

describe('the cache of open keys', () => {
  it('tells what came of every look, and what left for want of room', async () => {
    const keys = replica({ cacheEntries: 2 })
    const [a, b, c] = [await keys.active('a'), await keys.active('b'), await keys.active('c')]
    expect(events).toEqual(['evicted'])
    events.length = 0
    await keys.open(c, 'c')
    await keys.open(b, 'b')
    await keys.open(a, 'a')
    expect(events).toEqual(['hit', 'hit', 'miss', 'evicted'])
  })
})
