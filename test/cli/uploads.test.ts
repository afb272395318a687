/** `sealgate uploads` over stores on disk: one abandoned upload, one leftover, one that goes on. */
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { LocalStore } from '../../src/backends/local.ts'
import { prepareData } from '../../src/cli/first-run.ts'
import { S3Client } from '../../src/cli/s3-client.ts'
import { openComponents } from '../../src/compose.ts'
import { loadSettings } from '../../src/config/load.ts'
import type { Settings } from '../../src/config/settings.ts'
import { createBucketKeys } from '../../src/keys/bucket-keys.ts'
import { LocalKeyManager } from '../../src/keys/local.ts'
import { readMasterKeysFile } from '../../src/keys/master-keys.ts'
import { StateKeyring } from '../../src/state/keyring.ts'
import { StateStore } from '../../src/state/state-store.ts'
import { Uploads } from '../../src/state/uploads.ts'
import { type Ran, Workplace } from '../helpers/command.ts'
import { jsonLines } from '../helpers/command-output.ts'
import { createUploads } from '../helpers/some-uploads.ts'

const DAY = 24 * 3_600_000
const bucket = 'files'
const random = (bytes: number): Buffer => randomBytes(bytes)

let place: Workplace
let settings: Settings
beforeEach(async () => {
  place = new Workplace()
  settings = loadSettings({ env: { SEALGATE_DATA: place.path('sealgate-data') }, readFile: () => '' })
  await prepareData(settings)
  await withStoresOf(30 * DAY, async (stores) => {
    await stores.backend.createBucket(bucket)
    await create(stores, 'left\u001b[2J')
    await stores.state.put(`uploads/${'0'.repeat(32)}/plan`, random(10))
  })
  await withStoresOf(0, (stores) => create(stores, 'young'))
})
afterEach(() => place.remove())

interface Stores {
  readonly backend: LocalStore
  readonly state: StateStore
  readonly uploads: Uploads
}

/** The stores of the settings as they write at a time in the past. */
async function withStoresOf(age: number, work: (stores: Stores) => Promise<void>): Promise<void> {
  if (settings.backend.type !== 'local' || settings.state.type !== 'local') throw new Error('not on disk')
  const now = (): number => Date.now() - age
  const backend = await LocalStore.open({ folder: settings.backend.path, now })
  const objects = await LocalStore.open({ folder: settings.state.path, now })
  const state = new StateStore(objects, settings.state.bucket)
  await state.ensureBucket()
  const masterKeys = await readMasterKeysFile(place.path('sealgate-data/master-keys.json'), undefined)
  const keys = createBucketKeys({
    managers: new Map([['local', new LocalKeyManager({ alias: 'local', masterKeys, random })]]),
    activeAlias: 'local',
    keyring: new StateKeyring(state),
    clock: now,
  })
  await work({ backend, state, uploads: new Uploads({ state, keys, clock: now, random }) })
  await backend.close()
  await objects.close()
}

const create = (stores: Stores, key: string): Promise<void> =>
  createUploads(stores, { bucket, keys: [key], initiated: 0 })

/** Keys at the backend, and how many records there are in the state store. */
async function left(): Promise<{ keys: string[]; records: number }> {
  const components = await openComponents(settings)
  try {
    const { uploads } = await components.gateway.store.listUploads(bucket, { prefix: '', limit: 100 })
    return {
      keys: uploads.map(({ key }) => key),
      records: (await components.state.list('uploads/')).records.length,
    }
  } finally {
    await components.close()
  }
}

const run = (...args: string[]): Promise<Ran> => place.run(['uploads', ...args])
const linesOf = ({ stdout }: Ran): unknown[] => jsonLines(stdout)

describe('uploads clean', () => {
  test('deletes what is abandoned, says what, and leaves the rest', async () => {
    const ran = await run('clean')
    expect([ran.code, ran.stderr]).toEqual([0, ''])
    const [leftover, abandoned, summary] = ran.stdout.split('\n')
    expect(leftover).toMatch(/^\S+Z {2}deleted {5}leftover {3}uploads\/0{32}\/$/)
    expect(abandoned).toMatch(/^\S+Z {2}deleted {5}abandoned {2}s3:\/\/files\/left\\x1b\[2J$/)
    expect(summary).toBe('1 abandoned uploads and 1 leftovers deleted, of 3 uploads')
    expect(await left()).toEqual({ keys: ['young'], records: 1 })
    expect((await run('clean')).stdout).toBe('0 abandoned uploads and 0 leftovers deleted, of 1 uploads\n')
  })

  test('--dry-run changes nothing', async () => {
    const ran = await run('clean', '--dry-run', '--json')
    expect([ran.code, ran.stderr]).toEqual([0, ''])
    expect(linesOf(ran)).toMatchObject([
      { kind: 'leftover', outcome: 'found', id: '0'.repeat(32) },
      { kind: 'abandoned', outcome: 'found', bucket, key: 'left\u001b[2J', uploadId: expect.any(String) },
      { examined: 3, abandoned: 1, leftovers: 1, unreadable: 0, failed: 0, dryRun: true },
    ])
    expect(await left()).toEqual({ keys: ['left\u001b[2J', 'young'], records: 3 })
    expect((await run('clean', '--dry-run')).stdout).toContain('would be deleted')
  })

  test('--older-than goes before the setting', async () => {
    expect(linesOf(await run('clean', '--dry-run', '--json', '--older-than', '40d')).at(-1)).toMatchObject({
      abandoned: 0,
    })
    const env = { SEALGATE_UPLOADS_ABANDONED_AFTER: 'off' }
    const off = await place.run(['uploads', 'clean', '--dry-run'], env)
    expect(off.stdout).toContain('0 abandoned uploads and 1 leftovers would be deleted')
    expect(off.stdout).toContain('uploads.abandonedAfter is off')
    expect((await place.run(['uploads', 'clean', '--older-than', '1h'], env)).stdout).toContain(
      '1 abandoned uploads and 1 leftovers deleted',
    )
  })

  test('works while the gateway runs, which then knows the upload no more', async () => {
    const [, { key, uploadId }] = linesOf(await run('clean', '--dry-run', '--json')) as [
      unknown,
      { key: string; uploadId: string },
    ]
    const gateway = await place.serve()
    const client = new S3Client(settings, { endpoint: gateway.endpoint })
    try {
      expect((await run('clean')).code).toBe(0)
      const part = { method: 'PUT', address: { bucket, key }, query: { partNumber: '1', uploadId }, body: random(10) }
      await expect(client.read(part)).rejects.toMatchObject({ status: 404, code: 'NoSuchUpload' })
    } finally {
      await client.close()
      await gateway.stop()
    }
    expect(await left()).toEqual({ keys: ['young'], records: 1 })
  })

  test('what does not open stays, the rest goes, and the exit code says so', async () => {
    await withStoresOf(20 * DAY, ({ state }) =>
      state.put(`uploads/${'1'.repeat(32)}/create`, random(100)).then(() => undefined),
    )
    const ran = await run('clean')
    expect([ran.code, ran.stderr]).toEqual([4, expect.stringContaining('1 uploads do not open and stay')])
    expect(ran.stdout).toContain('unreadable')
    expect(await left()).toEqual({ keys: ['young'], records: 2 })
  })

  test('refuses what it cannot do', async () => {
    for (const age of ['10m', 'week', '0d']) {
      const ran = await run('clean', '--older-than', age)
      expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining(`--older-than ${age}`)])
    }
    const memory = await place.run(['uploads', 'clean'], { SEALGATE_BACKEND_TYPE: 'memory' })
    expect([memory.code, memory.stderr]).toEqual([2, expect.stringContaining('a store in memory')])
    expect((await run('clean', 'something')).code).toBe(2)
  })
})

async function keptOpenForAnHour(options: Parameters<typeof openComponents>[1]): Promise<void> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval'] })
  const components = await openComponents(settings, options)
  try {
    vi.advanceTimersByTime(3_600_000)
    await components.gateway.background.idle()
  } finally {
    vi.useRealTimers()
    await components.close()
  }
}

test('the gateway does it by itself within an hour, and whoever only looks does not', async () => {
  const before = await left()
  await keptOpenForAnHour(undefined)
  expect(await left()).toEqual(before)
  await keptOpenForAnHour({ housekeeping: true })
  expect(await left()).toEqual({ keys: ['young'], records: 1 })
})

test('uploads list shows every upload and its state', async () => {
  await withStoresOf(2 * DAY, async ({ state }) => {
    await state.put(`uploads/${'1'.repeat(32)}/create`, random(100))
    await state.put(`uploads/${'2'.repeat(32)}/done`, random(100))
    await state.put(`uploads/${'3'.repeat(32)}/p/00001/x`, random(1))
  })
  const ran = await run('list', '--json')
  expect([ran.code, ran.stderr]).toEqual([0, ''])
  const states = linesOf(ran).map((line) => {
    const { state, key = '-', attempts } = line as { state: string; key?: string; attempts: number }
    return `${state} ${key} ${attempts}`
  })
  expect(new Set(states)).toEqual(
    new Set([
      'abandoned left\u001b[2J 0',
      'completed - 0',
      'leftover - 0',
      'leftover - 1',
      'open young 0',
      'unreadable - 0',
    ]),
  )
  const text = (await run('list')).stdout
  expect(text).toContain('s3://files/young')
  expect(text).not.toContain('\u001b')
})

test('the setting takes a duration of at least an hour, or off', async () => {
  const check = (value: string): Promise<Ran> =>
    place.run(['check-config', '--json'], { SEALGATE_UPLOADS_ABANDONED_AFTER: value })
  for (const wrong of ['30m', '7', 'never', '999d']) {
    const ran = await check(wrong)
    expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining('from 1h to 365d')])
  }
  for (const [text, value] of [
    ['off', false],
    ['1h', 3_600_000],
    ['', 7 * DAY],
  ] as const)
    expect(JSON.parse((await check(text)).stdout)).toMatchObject({ uploads: { abandonedAfter: value } })
  writeFileSync(place.path('sealgate.yaml'), 'uploads: { abandonedAfter: off }\n')
  expect(JSON.parse((await check('')).stdout)).toMatchObject({ uploads: { abandonedAfter: false } })
})
