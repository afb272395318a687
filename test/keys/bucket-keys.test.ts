import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { Denied, Integrity, Unavailable } from '../../src/errors.ts'
import { kidOf } from '../../src/format/derive.ts'
import { type BucketKeysOptions, createBucketKeys, type KeyAlarm } from '../../src/keys/bucket-keys.ts'
import type { BucketKey, BucketKeys, KeyManager } from '../../src/keys/key-manager.ts'
import { formatKeyringRecord, type KeyringRecord } from '../../src/keys/keyring.ts'
import { takeSecret } from '../../src/secret-bytes.ts'
import { CountingManager } from './counting-manager.ts'
import { FakeKeyring } from './fake-keyring.ts'

const DAY_MS = 86_400_000
const TODAY = 20_417
const START = TODAY * DAY_MS + 3_600_000

let now: number
let main: CountingManager
let keyring: FakeKeyring
let alarms: KeyAlarm[]

beforeEach(() => {
  now = START
  main = new CountingManager('main')
  keyring = new FakeKeyring()
  alarms = []
})

/** One replica; all share manager, keyring and clock. */
function replica(options: Partial<BucketKeysOptions> = {}): BucketKeys {
  return createBucketKeys({
    managers: new Map([['main', main]]),
    activeAlias: 'main',
    keyring,
    clock: () => now,
    onAlarm: (alarm) => alarms.push(alarm),
    ...options,
  })
}

const recordOf = ({ tag, alias, day, kid, wrapped, namespace }: BucketKey): KeyringRecord => ({
  tag,
  alias,
  day,
  kid,
  wrapped,
  namespace,
  created: START,
  status: 'active',
})
const kindsOf = (): string[] => alarms.map(({ kind }) => kind)

/** A key as another, older process would have made it, known to nobody here. */
async function foreignKey(namespace: string, day: number, manager: KeyManager = main): Promise<BucketKey> {
  const made = await manager.generate({ namespace, day })
  const { key, wrapped } = { ...made, key: takeSecret(made.key) }
  return { tag: manager.tag, alias: manager.alias, day, kid: kidOf(key), wrapped, namespace, key }
}

describe('the active bucket key', () => {
  it('is made once for a namespace and a period, however many ask at once', async () => {
    const keys = replica()
    const got = await Promise.all(Array.from({ length: 20 }, () => keys.active('a')))
    expect(new Set(got.map(({ kid }) => kid.toString('hex'))).size).toBe(1)
    expect(main.generated).toBe(1)
    expect(got[0]).toMatchObject({ tag: 'm', alias: 'main', day: TODAY, namespace: 'a' })
    expect(got[0]?.kid).toEqual(kidOf(got[0]!.key))
  })

  it('differs between namespaces and between periods', async () => {
    const keys = replica({ lifetimeSeconds: 3_600 })
    const a = await keys.active('a')
    expect((await keys.active('b')).kid).not.toEqual(a.kid)
    now += 3_599_999
    expect((await keys.active('a')).kid).toEqual(a.kid)
    now += 1
    expect((await keys.active('a')).kid).not.toEqual(a.kid)
  })

  it('is of the manager that is named: one for each, cached and shared each by itself', async () => {
    const second = new CountingManager('second')
    const managers = new Map([
      ['main', main],
      ['second', second],
    ])
    const [one, two] = [replica({ managers }), replica({ managers })]
    const chosen = await one.active('a', 'second')
    expect(chosen).toMatchObject({ alias: 'second', namespace: 'a' })
    expect((await one.active('a')).alias).toBe('main')
    expect((await one.active('a', 'main')).kid).toEqual((await one.active('a')).kid)
    expect((await one.active('a', 'second')).kid).toEqual(chosen.kid)
    expect((await two.active('a', 'second')).kid).toEqual(chosen.kid)
    expect([main.generated, second.generated]).toEqual([1, 1])
    // Whoever reads needs no choice: the record says whose it is.
    expect((await two.byKid(chosen.kid, 'a'))?.alias).toBe('second')
    expect([one.knows('second'), one.knows('third'), one.knows('')]).toEqual([true, false, false])
    await expect(one.active('a', 'third')).rejects.toMatchObject({ kind: 'invalid' })
  })

  it('of one manager is not taken from the slot of another', async () => {
    const second = new CountingManager('second')
    const managers = new Map([
      ['main', main],
      ['second', second],
    ])
    const stranger = recordOf(await foreignKey('a', TODAY))
    await keyring.publishActive({ namespace: 'a', manager: 'second', period: TODAY }, stranger)
    expect((await replica({ managers }).active('a', 'second')).alias).toBe('second')
    expect(kindsOf()).toEqual(['active-record'])
  })

  it('is published and recorded before anybody gets it', async () => {
    const key = await replica().active('a')
    expect(keyring.calls).toEqual(['active', 'publish', 'record'])
    expect(keyring.records.get(key.kid.toString('hex'))).toBe(formatKeyringRecord({ ...recordOf(key), created: now }))
    expect([...keyring.slots.keys()]).toEqual([`a/main/${TODAY}`])
  })

  it('is one key for replicas that race for the slot, and the loser leaves no record', async () => {
    const replicas = Array.from({ length: 4 }, () => replica())
    const got = await Promise.all(replicas.map((keys) => keys.active('a')))
    expect(main.generated).toBe(4)
    expect(new Set(got.map(({ key }) => key.toString('hex'))).size).toBe(1)
    expect(keyring.records.size).toBe(1)
    expect(alarms).toEqual([])
  })

  it('is adopted by a replica that comes later, and recorded if the first one died before it could', async () => {
    const first = await replica().active('a')
    keyring.records.clear()
    const second = await replica().active('a')
    expect(second.key).toEqual(first.key)
    expect(main.generated).toBe(1)
    expect(keyring.records.size).toBe(1)
  })

  it('asks the keyring again after the cache lifetime and stays the same', async () => {
    const keys = replica({ cacheSeconds: 60 })
    const first = await keys.active('a')
    const calls = keyring.calls.length
    now += 59_999
    await keys.active('a')
    expect(keyring.calls).toHaveLength(calls)
    now += 1
    expect((await keys.active('a')).kid).toEqual(first.kid)
    expect(keyring.calls.length).toBeGreaterThan(calls)
  })

  it('is not made while the keyring or the manager does not answer, and is made afterwards', async () => {
    const keys = replica()
    keyring.down = true
    await expect(keys.active('a')).rejects.toMatchObject({ kind: 'unavailable' })
    keyring.down = false
    main.failure = new Denied('no')
    await expect(keys.active('a')).rejects.toMatchObject({ kind: 'denied' })
    main.failure = undefined
    await expect(keys.active('a')).resolves.toMatchObject({ namespace: 'a' })
    expect(alarms).toEqual([])
  })

  it.each([
    [86_400, -3, false],
    [86_400, -2, true],
    [86_400, 1, true],
    [86_400, 2, false],
    [7 * 86_400, -8, true],
    [7 * 86_400, -9, false],
    [3_600, -2, true],
    [3_600, -3, false],
    [36 * 3_600, -3, true],
    [36 * 3_600, -4, false],
  ])(
    'with a lifetime of %i s and a published key of day today%i: adopted is %s',
    async (lifetimeSeconds, offset, adopted) => {
      const published = await foreignKey('a', TODAY + offset)
      const period = Math.floor(now / 1_000 / lifetimeSeconds)
      keyring.slots.set(`a/main/${period}`, formatKeyringRecord(recordOf(published)))
      const key = await replica({ lifetimeSeconds }).active('a')
      expect(key.kid.equals(published.kid)).toBe(adopted)
      expect(kindsOf()).toEqual(adopted ? [] : ['active-record'])
      if (!adopted) expect(key.day).toBe(TODAY)
    },
  )

  it('is not an old key that is published with a young day, not even if the old key is open already', async () => {
    const old = await foreignKey('a', TODAY - 100)
    const keys = replica()
    await keys.open(old, 'a')
    keyring.slots.set(`a/main/${TODAY}`, formatKeyringRecord(recordOf({ ...old, day: TODAY })))
    expect((await keys.active('a')).kid).not.toEqual(old.kid)
    expect(kindsOf()).toContain('active-record')
  })

  it('is not an old key whose keyring record is right and whose slot lies about the day', async () => {
    const old = await foreignKey('a', TODAY - 100)
    keyring.records.set(old.kid.toString('hex'), formatKeyringRecord(recordOf(old)))
    keyring.slots.set(`a/main/${TODAY}`, formatKeyringRecord(recordOf({ ...old, day: TODAY })))
    expect((await replica().active('a')).kid).not.toEqual(old.kid)
    expect(kindsOf()).toEqual(['active-record'])
  })

  it('is never one that the manager refuses to open, if it opens others: a forged slot does not stop writers', async () => {
    const published = await foreignKey('a', TODAY)
    keyring.slots.set(`a/main/${TODAY}`, formatKeyringRecord(recordOf(published)))
    const unwrap = main.unwrap.bind(main)
    main.unwrap = async (wrapped, context) => {
      if (wrapped.equals(published.wrapped)) throw new Denied('wrapped by a key of somebody else')
      return unwrap(wrapped, context)
    }
    const key = await replica().active('a')
    expect(key.kid).not.toEqual(published.kid)
    expect(keyring.records.has(key.kid.toString('hex'))).toBe(true)
    expect(kindsOf()).toEqual(['active-record'])
  })

  it('is not blamed on its slot where the manager refuses everything', async () => {
    await replica().active('a')
    main.failure = new Denied('no')
    await expect(replica().active('a')).rejects.toBe(main.failure)
    main.failure = new Integrity('unwrap failure', 'garbage')
    keyring.slots.clear()
    await expect(replica().active('a')).rejects.toMatchObject({ kind: 'unavailable' })
    expect(alarms).toEqual([])
  })

  it.each([
    ['of another kid', (r: KeyringRecord) => formatKeyringRecord({ ...r, kid: Buffer.alloc(16, 1) })],
    ['of another namespace', (r: KeyringRecord) => formatKeyringRecord({ ...r, namespace: 'b' })],
    ['of another manager', (r: KeyringRecord) => formatKeyringRecord({ ...r, alias: 'other' })],
    ['of another provider', (r: KeyringRecord) => formatKeyringRecord({ ...r, tag: 'l' })],
    ['that was retired', (r: KeyringRecord) => formatKeyringRecord({ ...r, status: 'retired' })],
    ['that does not unwrap', (r: KeyringRecord) => formatKeyringRecord({ ...r, wrapped: randomBytes(81) })],
    ['that is not even JSON', () => 'garbage'],
  ])(
    'is never one from a slot %s: the replica uses a recorded key of its own and raises the alarm',
    async (_, forge) => {
      const published = await foreignKey('a', TODAY)
      keyring.slots.set(`a/main/${TODAY}`, forge(recordOf(published)))
      const keys = replica()
      const key = await keys.active('a')
      expect(key.kid).not.toEqual(published.kid)
      expect(keyring.records.has(key.kid.toString('hex'))).toBe(true)
      expect(kindsOf()).toContain('active-record')
      expect((await keys.active('a')).kid).toEqual(key.kid)
    },
  )
})

describe('opening a wrapped bucket key', () => {
  it('unwraps once for all who ask at once, and not at all while it is cached', async () => {
    const wrapped = await foreignKey('a', TODAY - 400)
    const keys = replica()
    const got = await Promise.all(Array.from({ length: 20 }, () => keys.open(wrapped, 'a')))
    expect(got.every(({ key }) => key.equals(wrapped.key))).toBe(true)
    await keys.open(wrapped, 'a')
    expect(main.unwrapped).toBe(1)
    expect(keyring.calls).toEqual(['find'])
  })

  it('does not ask the keyring for a key that is open', async () => {
    const wrapped = await foreignKey('a', TODAY)
    const keys = replica()
    await keys.open(wrapped, 'a')
    now += 60_000
    keyring.down = true
    await expect(keys.open(wrapped, 'a')).resolves.toMatchObject({ key: wrapped.key })
    expect(alarms).toEqual([])
  })

  it('unwraps again after the cache lifetime', async () => {
    const wrapped = await foreignKey('a', TODAY)
    const keys = replica({ cacheSeconds: 60 })
    await keys.open(wrapped, 'a')
    now += 60_000
    await keys.open(wrapped, 'a')
    expect(main.unwrapped).toBe(2)
  })

  it('keeps no more than the bound, and never wipes a key that it lets go', async () => {
    const keys = replica({ cacheEntries: 2 })
    const made = await Promise.all(['a', 'b', 'c'].map((namespace) => foreignKey(namespace, TODAY)))
    const open = (at: number): Promise<BucketKey> => keys.open(made[at]!, made[at]!.namespace)
    const first = await open(0)
    await open(1)
    await open(0)
    await open(2)
    expect(main.unwrapped).toBe(3)
    await open(0)
    expect(main.unwrapped, 'the entry used last stays').toBe(3)
    await open(1)
    expect(main.unwrapped, 'the one used least is gone').toBe(4)
    expect(first.key).toEqual(made[0]!.key)
  })

  it('does not open under another namespace, also when it is cached for the right one', async () => {
    const wrapped = await foreignKey('a', TODAY)
    const keys = replica()
    await keys.open(wrapped, 'a')
    await expect(keys.open(wrapped, 'b')).rejects.toMatchObject({ layer: 'unwrap failure' })
  })

  it('does not open under another day, also when it is cached for the right one', async () => {
    const wrapped = await foreignKey('a', TODAY)
    const keys = replica()
    await keys.open(wrapped, 'a')
    await expect(keys.open({ ...wrapped, day: TODAY - 1 }, 'a')).rejects.toMatchObject({ layer: 'unwrap failure' })
  })

  it('refuses a kid that is not that of the key, and goes on serving the right one', async () => {
    const wrapped = await foreignKey('a', TODAY)
    const keys = replica()
    const lie = { ...wrapped, kid: Buffer.alloc(16, 1) }
    await expect(keys.open(lie, 'a')).rejects.toMatchObject({ layer: 'unwrap failure' })
    await expect(keys.open(wrapped, 'a')).resolves.toMatchObject({ key: wrapped.key })
    await expect(keys.open(lie, 'a')).rejects.toMatchObject({ layer: 'unwrap failure' })
  })

  it('refuses an alias or provider that is not configured, and a key that is nowhere', async () => {
    const wrapped = await foreignKey('a', TODAY)
    for (const change of [{ alias: 'gone' }, { tag: 'a' as const }, { wrapped: Buffer.alloc(0) }]) {
      await expect(replica().open({ ...wrapped, ...change }, 'a')).rejects.toMatchObject({ layer: 'unwrap failure' })
    }
  })

  it('passes on that the manager does not answer or refuses, and forgets it', async () => {
    const wrapped = await foreignKey('a', TODAY)
    const keys = replica()
    main.failure = new Unavailable('later')
    await expect(keys.open(wrapped, 'a')).rejects.toBe(main.failure)
    main.failure = new Denied('no')
    await expect(keys.open(wrapped, 'a')).rejects.toBe(main.failure)
    main.failure = undefined
    await expect(keys.open(wrapped, 'a')).resolves.toMatchObject({ key: wrapped.key })
  })
})

describe('the keyring behind an envelope', () => {
  let next: CountingManager
  let old: BucketKey
  let rewrapped: KeyringRecord

  beforeEach(async () => {
    next = new CountingManager('next')
    old = await foreignKey('a', TODAY - 30)
    // A re-wrap gives the same key to another manager; the memory manager cannot, so the record borrows its bytes.
    const borrowed = await next.generate({ namespace: 'a', day: TODAY - 30 })
    rewrapped = { ...recordOf(old), alias: 'next', wrapped: borrowed.wrapped }
    next.unwrap = async () => {
      next.unwrapped++
      if (next.failure !== undefined) throw next.failure
      return Buffer.from(old.key)
    }
    next.unwrapped = 0
    keyring.records.set(old.kid.toString('hex'), formatKeyringRecord(rewrapped))
  })

  const both = (): BucketKeys =>
    replica({
      managers: new Map([
        ['main', main],
        ['next', next],
      ]),
    })

  it('is preferred to the inline key', async () => {
    const key = await both().open(old, 'a')
    expect(key).toMatchObject({ alias: 'next', key: old.key })
    expect(main.unwrapped).toBe(0)
  })

  it('still opens the key when the old master key is gone', async () => {
    const keys = replica({ managers: new Map([['next', next]]), activeAlias: 'next' })
    await expect(keys.open(old, 'a')).resolves.toMatchObject({ key: old.key })
  })

  it.each([
    [
      'opens to another key',
      (r: KeyringRecord) => formatKeyringRecord({ ...r, alias: 'main', wrapped: randomBytes(81) }),
    ],
    ['has another namespace', (r: KeyringRecord) => formatKeyringRecord({ ...r, namespace: 'b' })],
    ['names a manager that is not there', (r: KeyringRecord) => formatKeyringRecord({ ...r, alias: 'nobody' })],
    ['is malformed', () => '{}'],
  ])('is ignored with an alarm when its record %s', async (_, forge) => {
    keyring.records.set(old.kid.toString('hex'), forge(rewrapped))
    const key = await both().open(old, 'a')
    expect(key).toMatchObject({ alias: 'main', key: old.key })
    expect(alarms).toMatchObject([{ kind: 'keyring-record', namespace: 'a', kid: old.kid }])
  })

  it('is ignored with an alarm when a right-looking record opens to a key of another kid', async () => {
    const other = await foreignKey('a', TODAY - 30)
    keyring.records.set(old.kid.toString('hex'), formatKeyringRecord({ ...recordOf(other), kid: old.kid }))
    await expect(both().open(old, 'a')).resolves.toMatchObject({ key: old.key })
    expect(kindsOf()).toEqual(['keyring-record'])
  })

  it('is read anew after a record failed, so that a repaired one counts at once', async () => {
    const keys = replica({ managers: new Map([['next', next]]), activeAlias: 'next' })
    keyring.records.set(old.kid.toString('hex'), formatKeyringRecord({ ...rewrapped, alias: 'main' }))
    await expect(keys.open(old, 'a')).rejects.toMatchObject({ layer: 'unwrap failure' })
    keyring.records.set(old.kid.toString('hex'), formatKeyringRecord(rewrapped))
    await expect(keys.open(old, 'a')).resolves.toMatchObject({ key: old.key })
  })

  it('is read anew after the manager that it names refused, so that one that was moved meanwhile counts at once', async () => {
    const keys = both()
    keyring.records.set(old.kid.toString('hex'), formatKeyringRecord(recordOf(old)))
    expect(await keys.byKid(old.kid, 'b')).toBeUndefined()
    keyring.records.set(old.kid.toString('hex'), formatKeyringRecord(rewrapped))
    main.failure = new Denied('disabled')
    await expect(keys.open({ ...old, wrapped: randomBytes(81) }, 'a')).rejects.toBe(main.failure)
    await expect(keys.open(old, 'a')).resolves.toMatchObject({ key: old.key })
  })

  it('may be out of reach: the inline key opens the object, with an alarm', async () => {
    keyring.down = true
    await expect(both().open(old, 'a')).resolves.toMatchObject({ alias: 'main', key: old.key })
    expect(kindsOf()).toEqual(['keyring-unavailable'])
  })

  it('is not declared broken while it is out of reach and the inline key does not open', async () => {
    keyring.down = true
    const keys = replica({ managers: new Map([['next', next]]), activeAlias: 'next' })
    await expect(keys.open(old, 'a')).rejects.toMatchObject({ kind: 'unavailable' })
  })

  it('steps back to the inline key while the new manager does not answer, and says so if that does not open', async () => {
    next.failure = new Unavailable('later')
    await expect(both().open(old, 'a')).resolves.toMatchObject({ alias: 'main' })
    const damaged = { ...old, wrapped: randomBytes(81) }
    await expect(both().open(damaged, 'a')).rejects.toBe(next.failure)
    expect(alarms).toEqual([])
  })
})

describe('a new key', () => {
  it.each([
    ['refuses to open it', () => Promise.reject(new Denied('no kms:Decrypt')), 'denied'],
    ['cannot open it', () => Promise.reject(new Integrity('unwrap failure', 'broken')), 'unavailable'],
    ['opens something else', async () => randomBytes(32), 'unavailable'],
  ])('is not sealed under if its manager %s', async (_what, unwrap, kind) => {
    main.unwrap = unwrap
    await expect(replica().active('a')).rejects.toMatchObject({ kind })
    expect([keyring.records.size, keyring.slots.size, alarms]).toEqual([0, 0, []])
  })
})

describe('a key by its kid', () => {
  it('is the recorded one, read from the keyring once', async () => {
    const key = await replica().active('a')
    const keys = replica()
    keyring.calls.length = 0
    main.unwrapped = 0
    for (let i = 0; i < 5; i++) expect((await keys.byKid(key.kid, 'a'))?.key).toEqual(key.key)
    expect(keyring.calls).toEqual(['find'])
    expect(main.unwrapped).toBe(1)
  })

  it('is undefined without a record, and that is believed for half a minute only', async () => {
    const key = await foreignKey('a', TODAY)
    const keys = replica()
    expect(await keys.byKid(key.kid, 'a')).toBeUndefined()
    keyring.records.set(key.kid.toString('hex'), formatKeyringRecord(recordOf(key)))
    expect(await keys.byKid(key.kid, 'a')).toBeUndefined()
    expect(keyring.calls).toEqual(['find'])
    now += 30_000
    expect((await keys.byKid(key.kid, 'a'))?.key).toEqual(key.key)
  })

  it('is undefined for another namespace than its own', async () => {
    const key = await replica().active('a')
    expect(await replica().byKid(key.kid, 'b')).toBeUndefined()
  })

  it('is undefined with an alarm when the record is forged', async () => {
    const [key, other] = [await foreignKey('a', TODAY), await foreignKey('a', TODAY)]
    keyring.records.set(key.kid.toString('hex'), formatKeyringRecord({ ...recordOf(other), kid: key.kid }))
    expect(await replica().byKid(key.kid, 'a')).toBeUndefined()
    expect(alarms).toMatchObject([{ kind: 'keyring-record', kid: key.kid }])
  })

  it('passes on that the keyring does not answer', async () => {
    keyring.down = true
    await expect(replica().byKid(randomBytes(16), 'a')).rejects.toMatchObject({ kind: 'unavailable' })
  })
})

describe('creating bucket keys', () => {
  it.each([3_599, 30 * 86_400 + 1, 3_600.5, Number.NaN, 0])('refuses a lifetime of %s seconds', (lifetimeSeconds) => {
    expect(() => replica({ lifetimeSeconds })).toThrow('1 hour to 30 days')
  })

  it.each([3_600, 30 * 86_400])('takes a lifetime of %i seconds', (lifetimeSeconds) => {
    expect(() => replica({ lifetimeSeconds })).not.toThrow()
  })

  it('refuses an active alias that names no manager', () => {
    expect(() => replica({ activeAlias: 'other' })).toThrow('no key manager "other"')
  })
})
