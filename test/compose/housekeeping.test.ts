/** Counting what is left in plaintext: which buckets, how far, and who is told. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { HeldBody } from '../../src/backends/body.ts'
import { countAll, countIn } from '../../src/compose/housekeeping.ts'
import { loadSettings } from '../../src/config/load.ts'
import { Denied } from '../../src/errors.ts'
import { alarm, type AlarmEvent, plaintextLeft, type PlaintextLeftEvent } from '../../src/telemetry/channels.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'

const signal = new AbortController().signal
let store: MemoryStore
let running: TestGateway
let told: PlaintextLeftEvent[] = []
let stop: () => void

beforeEach(async () => {
  store = new MemoryStore({ capabilities: { facts: false } })
  running = await startGateway({
    store,
    rules: (bucket) => ({ contents: bucket.startsWith('old') ? 'mixed' : 'sealed' }),
  })
  for (const bucket of ['old-a', 'old-b', 'new']) {
    await store.createBucket(bucket)
    await plain(bucket, 'p')
  }
  told = []
  stop = plaintextLeft.subscribe((event) => told.push(event))
})
afterEach(async () => {
  stop()
  await running.close()
})

const plain = (bucket: string, key: string) =>
  store.put(bucket, key, new HeldBody([Buffer.from('x')]), { metadata: {}, commit: async () => ({}) })

const settings = (...buckets: { match: string; contents: 'mixed' | 'sealed' }[]) =>
  loadSettings({ configPath: 's', env: {}, readFile: () => JSON.stringify({ buckets }) })

test('every bucket of mixed contents is counted, also one that a pattern names', async () => {
  await countAll(running.gateway, settings({ match: 'old-*', contents: 'mixed' }), signal)
  expect(told).toEqual([
    { bucket: 'old-a', examined: 1, plain: 1 },
    { bucket: 'old-b', examined: 1, plain: 1 },
  ])
})

test('where the store lists no buckets to us, those that the settings name', async () => {
  store.listBuckets = () => Promise.reject(new Denied('no'))
  const named = settings({ match: 'old-b', contents: 'mixed' }, { match: 'old-*', contents: 'mixed' })
  await countAll(running.gateway, named, signal)
  expect(told.map(({ bucket }) => bucket)).toEqual(['old-b'])
})

test('a large bucket is counted as far as the bound', async () => {
  for (let i = 0; i < 10_500; i += 1) await plain('old-a', `k${i}`)
  const found = await countIn(running.gateway, 'old-a', signal)
  expect(found).toMatchObject({ examined: 10_000, plain: 10_000, whole: false })
})

test('a bucket that cannot be listed is told by name, and the next one is counted', async () => {
  const list = store.list.bind(store)
  store.list = (bucket, options) => (bucket === 'old-a' ? Promise.reject(new Denied('no')) : list(bucket, options))
  const alarms: AlarmEvent[] = []
  const stopAlarms = alarm.subscribe((event) => alarms.push(event))
  await countAll(running.gateway, settings({ match: 'old-*', contents: 'mixed' }), signal)
  stopAlarms()
  expect(alarms.map(({ detail }) => detail)).toEqual([{ bucket: 'old-a' }])
  expect(told.map(({ bucket }) => bucket)).toEqual(['old-b'])
})

test('where nothing is mixed the store is not asked', async () => {
  store.listBuckets = () => Promise.reject(new Error('asked'))
  await countAll(running.gateway, settings({ match: 'old-*', contents: 'sealed' }), signal)
  expect(told).toEqual([])
})

test('a run that is to stop does', async () => {
  const stopped = new AbortController()
  stopped.abort()
  await expect(
    countAll(running.gateway, settings({ match: 'old-*', contents: 'mixed' }), stopped.signal),
  ).rejects.toThrow()
  expect(told).toEqual([])
})
