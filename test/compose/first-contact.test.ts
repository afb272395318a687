/** What a gateway learns of a store that it meets for the first time, and what it remembers. */
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { HeldBody } from '../../src/backends/body.ts'
import type { ObjectStore } from '../../src/backends/object-store.ts'
import { contacted, probing, withConditionalWrites } from '../../src/compose/first-contact.ts'
import { openS3Store } from '../../src/compose/s3-store.ts'
import type { S3StoreSettings } from '../../src/config/store-settings.ts'
import { Integrity, Invalid, Unavailable } from '../../src/errors.ts'
import { StateStore } from '../../src/state/state-store.ts'
import { type AlarmEvent, alarm } from '../../src/telemetry/channels.ts'
import { careless, type Carelessness } from '../helpers/careless-store.ts'
import { type Break, errorDocument, FaultProxy } from '../helpers/fault-proxy.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { storeSettings } from '../helpers/store-settings.ts'

/** What the gateway that plays the S3 server leaves to its store; other conditions it decides itself. */
const ALL: readonly Carelessness[] = [
  'put If-None-Match',
  'put race',
  'complete If-None-Match',
  'complete If-Match',
  'copy If-None-Match',
  'copy If-Match',
]

let inner: MemoryStore
let gateway: TestGateway
let proxy: FaultProxy
let state: StateStore
let alarms: AlarmEvent[] = []
let unsubscribe = (): void => undefined
const opened: ObjectStore[] = []
const random = (bytes: number) => randomBytes(bytes)

async function start(about: readonly Carelessness[] = []): Promise<void> {
  // Of a store that is neither near nor keeps facts, the gateway that plays the S3 server asks what we ask of it.
  inner = new MemoryStore({ capabilities: { near: false, facts: false } })
  gateway = await startGateway({ store: careless(inner, about) })
  proxy = await FaultProxy.start(gateway.endpoint)
}

beforeEach(async () => {
  const objects = new MemoryStore()
  state = new StateStore(objects, 'state')
  await state.ensureBucket()
  alarms = []
  unsubscribe = alarm.subscribe((event) => alarms.push(event))
})
afterEach(async () => {
  unsubscribe()
  for (const store of opened.splice(0)) await store.close()
  await proxy.close()
  await gateway.close()
})

const settingsOf = (profile: S3StoreSettings['profile']): S3StoreSettings =>
  storeSettings({ endpoint: proxy.endpoint, profile, retry: { attempts: 2, budget: 5_000, baseDelay: 1, maxDelay: 1 } })

function open(profile: S3StoreSettings['profile'] = 'generic') {
  const store = openS3Store(settingsOf(profile), {
    role: 'backend',
    ownCredentials: undefined,
    clock: Date.now,
    random,
  })
  opened.push(store)
  return store
}

const contact = (profile: S3StoreSettings['profile'] = 'generic') =>
  contacted(open(profile), settingsOf(profile), { state, random })
const created = () => proxy.came.filter(({ method, path }) => method === 'PUT' && /^\/sealgate-probe-\w+$/.test(path))
const remembered = async () => (await state.list('profiles/')).records.length
const failing = (how: Break, times = 1, when: 'before' | 'after' = 'before') =>
  proxy.fault({ when, how, times, matching: ({ method, path }) => method === 'PUT' && /^\/[\w-]+$/.test(path) })

describe('a backend', () => {
  test('is tried once, in a bucket that is gone afterwards, and what was found is remembered', async () => {
    await start()
    expect((await contact()).capabilities).toMatchObject({
      conditionalWrites: true,
      conditionalComplete: true,
      copySourceIfMatch: true,
    })
    expect([created().length, await inner.listBuckets(), alarms]).toEqual([1, [], []])
    proxy.clear()
    expect((await contact()).capabilities.conditionalWrites).toBe(true)
    expect([proxy.came, await remembered()]).toEqual([[], 1])
    // Another profile is another declaration.
    await contact('seaweedfs')
    expect([created().length, await remembered()]).toEqual([1, 2])
  })

  test.each(['generic', 'minio', 'aws'] as const)(
    'that ignores conditions is not relied on, said aloud (%s)',
    async (profile) => {
      await start(ALL)
      for (let times = 0; times < 2; times += 1) {
        expect((await contact(profile)).capabilities).toMatchObject({
          conditionalWrites: false,
          conditionalComplete: false,
          conditionalCopy: false,
        })
      }
      expect(created()).toHaveLength(1)
      expect(alarms.map(({ detail }) => detail['ability'])).toEqual(
        expect.arrayContaining(['conditionalPut', 'conditionalComplete']),
      )
      expect(await inner.listBuckets()).toEqual([])
    },
  )

  test('that does not keep what it is declared to is tried anew by whoever asks', async () => {
    await start(ALL)
    await contact('minio')
    const { probeBackend } = probing(open('minio'), settingsOf('minio'), { state, random })
    const findings = (await probeBackend?.()) ?? []
    const no = findings.filter(({ found }) => found === 'no').map(({ ability }) => ability)
    expect(no).toEqual(['conditionalPut', 'conditionalComplete', 'conditionalCopy'])
    expect(created()).toHaveLength(2)
  })

  test.each<[string, Break]>([
    ['denied', { status: 403, body: errorDocument('AccessDenied') }],
    ['too many', { status: 400, body: errorDocument('TooManyBuckets') }],
    ['not implemented', { status: 501, body: errorDocument('NotImplemented') }],
    ['not allowed', { status: 405, body: errorDocument('MethodNotAllowed') }],
    ['nothing we know', { status: 400, body: errorDocument('SomethingElse') }],
  ])('in which no bucket can be made (%s) is believed if its provider is known, said aloud', async (_what, how) => {
    await start(ALL)
    failing(how, 9)
    expect((await contact('aws')).capabilities.conditionalWrites).toBe(true)
    expect((await contact('generic')).capabilities.conditionalWrites).toBe(false)
    expect(alarms.map(({ what }) => what)).toEqual([
      expect.stringContaining('its profile is believed'),
      expect.stringContaining('nothing is relied on'),
    ])
    expect(await remembered()).toBe(0)
  })

  test('in which we may make buckets and not write into them is believed in the same way', async () => {
    await start(ALL)
    const into = ({ method, path }: { method: string; path: string }) => method === 'PUT' && path.includes('/probe/')
    const how = { status: 403, body: errorDocument('AccessDenied') }
    proxy.fault({ when: 'before', how, times: 9, matching: into })
    expect((await contact('aws')).capabilities.conditionalWrites).toBe(true)
    expect((await contact('generic')).capabilities.conditionalWrites).toBe(false)
    expect(alarms.map(({ what }) => what)).toEqual([
      expect.stringContaining('its profile is believed'),
      expect.stringContaining('nothing is relied on'),
    ])
    expect([await remembered(), await inner.listBuckets()]).toEqual([0, []])
  })

  test('that does not answer is an outage, and nothing is remembered of it', async () => {
    await start()
    failing('reset', 9)
    await expect(contact()).rejects.toThrow(Unavailable)
    expect(await remembered()).toBe(0)
  })

  test('whose first answer is lost is tried all the same', async () => {
    await start()
    failing('reset', 1, 'after')
    expect((await contact()).capabilities.conditionalWrites).toBe(true)
    expect([await inner.listBuckets(), alarms, await remembered()]).toEqual([[], [], 1])
  })

  test('that fails while it is tried is tried again the next time', async () => {
    await start()
    proxy.fault({ when: 'before', how: { status: 503 }, times: 2, matching: ({ path }) => path.includes('uploads=') })
    expect((await contact('aws')).capabilities.conditionalComplete).toBe(true)
    expect(await remembered()).toBe(0)
    await contact('aws')
    expect(await remembered()).toBe(1)
  })

  test('of which a damaged record speaks is not guessed at', async () => {
    await start()
    await contact()
    const [{ path } = { path: '' }] = (await state.list('profiles/')).records
    await state.put(path, Buffer.from('{"version":1,'))
    await expect(contact()).rejects.toThrow(Integrity)
    await state.put(path, Buffer.from('{"version":1,"findings":[]}'))
    expect((await contact()).capabilities.conditionalWrites).toBe(true)
    expect(created()).toHaveLength(2)
  })

  const LISTING: Break = { status: 200, body: '<ListBucketResult/>' }
  const ignoring = (parameter: string): void =>
    proxy.fault({ when: 'before', how: LISTING, times: 9, matching: ({ path }) => path.includes(parameter) })

  test('that ignores a sub-resource never gets it, which is said aloud where it is declared', async () => {
    await start()
    ignoring('replication=')
    ignoring('analytics=')
    const generic = (await contact('generic')).capabilities.forwards ?? new Set()
    expect(['replication', 'analytics', 'lifecycle'].map((one) => generic.has(`bucket?${one}`))).toEqual([
      false,
      false,
      true,
    ])
    expect(alarms).toEqual([])
    const minio = (await contact('minio')).capabilities.forwards ?? new Set()
    expect([minio.has('bucket?replication'), minio.has('bucket?notification')]).toEqual([false, true])
    expect(alarms.map(({ detail }) => detail['found'])).toEqual(['it ignores bucket?replication'])
    expect(await inner.listBuckets()).toEqual([])
  })

  test('that is no S3 store is what it says', async () => {
    await start()
    const local = new MemoryStore()
    expect(await contacted(local, { type: 'memory' }, { state, random })).toBe(local)
    expect(probing(local, { type: 'memory' }, { state, random })).toEqual({})
  })
})

describe('a state store', () => {
  const place = (processes: number) => ({ bucket: 'state', prefix: 'p/', processes })
  const race = async (store: ObjectStore) => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, at) =>
        store.put('state', 'p/race', new HeldBody([Buffer.from(String(at))]), {
          metadata: {},
          condition: { ifNoneMatch: '*' },
          commit: async () => ({}),
        }),
      ),
    )
    return outcomes.filter(({ status }) => status === 'fulfilled').length
  }

  test('with conditional writes is taken as it is, and nothing is left of the trial', async () => {
    await start()
    await inner.createBucket('state')
    const store = open()
    expect(await withConditionalWrites(store, place(8), random)).toBe(store)
    expect((await inner.list('state', { prefix: '', limit: 9 })).objects).toEqual([])
    expect(await race(store)).toBe(1)
  })

  test.each<[string, readonly Carelessness[], S3StoreSettings['profile']]>([
    ['ignores conditions', ALL, 'generic'],
    ['loses races', ['put race'], 'generic'],
    ['is declared not to keep them, whatever a trial finds,', [], 's3proxy'],
  ])('that %s serves one process, said aloud, and no more', async (_what, about, profile) => {
    await start(about)
    await inner.createBucket('state')
    const store = await withConditionalWrites(open(profile), place(1), random)
    expect(alarms.map(({ what }) => what)).toEqual([expect.stringContaining('NO CONDITIONAL WRITES')])
    expect(await race(store)).toBe(1)
    await expect(withConditionalWrites(open(profile), place(2), random)).rejects.toThrow(Invalid)
  })

  test('is asked for no more than it is used for', async () => {
    await start()
    await inner.createBucket('state')
    await withConditionalWrites(open(), place(1), random)
    expect(proxy.came.some(({ path }) => path.includes('uploads='))).toBe(false)
  })

  test('that does not answer is an outage', async () => {
    await start()
    await inner.createBucket('state')
    proxy.fault({ when: 'before', how: 'reset', times: 99 })
    await expect(withConditionalWrites(open(), place(1), random)).rejects.toThrow(Unavailable)
  })
})
