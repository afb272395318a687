/** Cleaners among each other, against clients, and against stores that fail. */
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { CountingStore } from '../helpers/counting-store.ts'
import { failingStore } from '../helpers/failing-store.ts'
import { around, Scene, WEEK } from './abandoned.ts'

const large = randomBytes(5 * 1024 * 1024)
const small = randomBytes(1_000)
const GONE = { name: 'NoSuchUpload' }
let scene: Scene
beforeEach(() => {
  scene = new Scene()
})
afterEach(() => scene.close())

/** Runs once, however often it is called. */
const once = (work: () => Promise<unknown>): (() => Promise<void>) => {
  let done = false
  return async () => {
    if (done) return
    done = true
    await work()
  }
}

test('three cleaners at once leave nothing and fail nowhere', async () => {
  await scene.open()
  await scene.createMany(60)
  const id = await scene.create('parts')
  for (const n of [1, 2, 3]) await scene.part('parts', id, n, small)
  scene.now += WEEK + 1
  const reports = await Promise.all([scene.clean(), scene.clean(), scene.clean()])
  for (const report of reports) expect(report).toMatchObject({ unreadable: 0, failed: 0, more: false })
  expect(reports.reduce((sum, { abandoned }) => sum + abandoned, 0)).toBeGreaterThanOrEqual(61)
  expect([await scene.atBackend(), await scene.inState()]).toEqual([[], []])
})

test('a client that comes back before the last look keeps its upload', async () => {
  await scene.open()
  const id = await scene.create('back')
  scene.now += WEEK + 1
  let etag = ''
  const comeBack = once(async () => (etag = await scene.part('back', id, 1, small)))
  const state = around(scene.stateObjects, 'get', { after: comeBack })
  expect(await scene.clean({}, { state })).toMatchObject({ abandoned: 0, due: [{ outcome: 'changed' }] })
  await scene.complete('back', id, [etag])
  expect(await scene.read('back')).toEqual(small)
})

test.each([
  ['streamed', large],
  ['held back', small],
])('a part (%s) that arrives between the abort and the drop does not outlive the upload', async (_, part) => {
  await scene.open()
  const id = await scene.create('late')
  scene.now += WEEK + 1
  let said: unknown
  const store = around(scene.backend, 'abortUpload', {
    after: once(async () => (said = await scene.part('late', id, 1, part).catch((error: unknown) => error))),
  })
  expect(await scene.clean({}, { store })).toMatchObject({ abandoned: 1, failed: 0 })
  if (part === large) expect(said).toMatchObject(GONE)
  expect([await scene.atBackend(), await scene.inState()]).toEqual([[], []])
  await expect(scene.part('late', id, 2, part)).rejects.toMatchObject(GONE)
  await expect(scene.complete('late', id, ['"0"'])).rejects.toMatchObject(GONE)
})

test('a held-back part under way while everything is deleted takes itself back', async () => {
  const hooked: { hold?: () => Promise<void> } = {}
  const state = around(scene.stateObjects, 'put', {
    before: async (_, path) => (String(path).includes('/h/') ? hooked.hold?.() : undefined),
  })
  await scene.open({ state })
  const id = await scene.create('under-way')
  scene.now += WEEK + 1
  let report: unknown
  hooked.hold = once(async () => (report = await scene.clean()))
  await expect(scene.part('under-way', id, 1, small)).rejects.toMatchObject(GONE)
  expect(report).toMatchObject({ abandoned: 1, failed: 0 })
  expect([await scene.atBackend(), await scene.inState()]).toEqual([[], []])
})

test('a Complete that wins at the backend: the object is there, and asked again the answer is the same', async () => {
  await scene.open()
  const id = await scene.create('won')
  const etags = [await scene.part('won', id, 1, large), await scene.part('won', id, 2, small)]
  scene.now += WEEK + 1
  const store = around(scene.backend, 'abortUpload', { before: once(() => scene.complete('won', id, etags)) })
  expect(await scene.clean({}, { store })).toMatchObject({ abandoned: 1, failed: 0 })
  await scene.running.gateway.background.idle()
  expect(await scene.inState()).toEqual(['done'])
  await scene.complete('won', id, etags)
  expect((await scene.read('won')).equals(Buffer.concat([large, small]))).toBe(true)
})

test('a Complete that loses at the backend is refused, and nothing is left', async () => {
  await scene.open()
  const id = await scene.create('lost')
  const etag = await scene.part('lost', id, 1, large)
  scene.now += WEEK + 1
  let said: unknown
  const store = around(scene.backend, 'abortUpload', {
    after: once(async () => (said = await scene.complete('lost', id, [etag]).catch((error: unknown) => error))),
  })
  expect(await scene.clean({}, { store })).toMatchObject({ abandoned: 1, failed: 0 })
  expect(said).toMatchObject(GONE)
  expect([await scene.atBackend(), await scene.inState()]).toEqual([[], []])
  await expect(scene.read('lost')).rejects.toMatchObject({ name: 'NoSuchKey' })
})

test('a Complete that planned before the abort and executes after it is refused', async () => {
  const hooked: { complete?: () => Promise<void> } = {}
  const store = around(scene.backend, 'completeUpload', { before: async () => hooked.complete?.() })
  await scene.open({ store })
  const id = await scene.create('overtaken')
  const etag = await scene.part('overtaken', id, 1, small)
  // The plan is a change: only a cleaner that looked before it goes on.
  hooked.complete = once(async () => {
    expect(await scene.clean({ abandonedAfter: WEEK })).toMatchObject({ examined: 1, abandoned: 0 })
    scene.now += WEEK + 1
    expect(await scene.clean()).toMatchObject({ abandoned: 1, failed: 0 })
  })
  await expect(scene.complete('overtaken', id, [etag])).rejects.toMatchObject(GONE)
  expect([await scene.atBackend(), await scene.inState()]).toEqual([[], []])
  await expect(scene.read('overtaken')).rejects.toMatchObject({ name: 'NoSuchKey' })
})

test.each([
  ['state store', 'before'],
  ['state store', 'after'],
  ['backend', 'before'],
  ['backend', 'after'],
] as const)('whichever call to the %s fails (%s), the next run ends it', async (which, when) => {
  await scene.open()
  for (let at = 0, calls = 1; at < calls; at += 1) {
    const id = await scene.create('left')
    for (const n of [1, 2]) await scene.part('left', id, n, small)
    await scene.records.put(`uploads/${'0'.repeat(32)}/plan`, small)
    scene.now += WEEK + 1
    const young = await scene.create('young')
    const etag = await scene.part('young', young, 1, small)

    const counting = new CountingStore(which === 'backend' ? scene.backend : scene.stateObjects)
    counting.arm(at, when)
    const failing = which === 'backend' ? { store: counting.store } : { state: counting.store }
    await scene.clean({}, failing).catch((error: unknown) => expect(error).toMatchObject({ name: 'Unavailable' }))
    calls = Math.max(calls, counting.calls.length)

    expect(await scene.clean()).toMatchObject({ failed: 0, unreadable: 0, more: false })
    expect(await scene.atBackend()).toEqual(['young'])
    expect(await scene.inState()).toHaveLength(3)
    await scene.complete('young', young, [etag])
    expect(await scene.read('young')).toEqual(small)
    await scene.running.gateway.background.idle()
    expect(await scene.inState()).toEqual(['done'])
    scene.now += WEEK
    await scene.running.gateway.uploads.expireDone(new AbortController().signal)
    if (which === 'state store') expect(counting.calls.length).toBeGreaterThan(at)
  }
})

test('a backend that does not answer ends the run after a while; once it is back everything goes', async () => {
  const failing = failingStore(scene.backend)
  await scene.open()
  await scene.createMany(50)
  scene.now += WEEK + 1
  failing.fail(...Array.from({ length: 50 }, () => ({ method: 'abortUpload', when: 'before' }) as const))
  const report = await scene.clean({}, { store: failing.store })
  expect(report).toMatchObject({ abandoned: 0, failed: 32, more: true, whyFailed: { name: 'Unavailable' } })
  expect([(await scene.atBackend()).length, (await scene.inState()).length]).toEqual([50, 50])
  expect(await scene.clean()).toMatchObject({ abandoned: 50, failed: 0, more: false })
  expect([await scene.atBackend(), await scene.inState()]).toEqual([[], []])
})

test('one upload that the backend refuses to abort does not keep the others', async () => {
  await scene.open()
  await scene.createMany(20)
  scene.now += WEEK + 1
  const store = around(scene.backend, 'abortUpload', {
    before: async (ref) => {
      if ((ref as { key: string }).key === 'many/7') throw new Error('refused for the test')
    },
  })
  expect(await scene.clean({}, { store })).toMatchObject({ abandoned: 19, failed: 1, more: false })
  expect(await scene.atBackend()).toEqual(['many/7'])
})
