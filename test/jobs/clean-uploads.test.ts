/** What is collected, and what is not. */
import { randomBytes } from 'node:crypto'
import { CreateBucketCommand, DeleteBucketCommand, ListPartsCommand } from '@aws-sdk/client-s3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sealStateRecord } from '../../src/format/state-record.ts'
import { encodeCreate } from '../../src/state/upload-records.ts'
import { type AlarmEvent, alarm } from '../../src/telemetry/channels.ts'
import { takeSecret } from '../../src/secret-bytes.ts'
import { failingStore } from '../helpers/failing-store.ts'
import { flip } from '../helpers/tamper.ts'
import { Bucket, DAY, MINUTE, Scene, WEEK } from './abandoned.ts'

const large = randomBytes(5 * 1024 * 1024)
const small = randomBytes(1_000)
const GONE = { name: 'NoSuchUpload' }
let scene: Scene
beforeEach(() => {
  scene = new Scene()
})
afterEach(() => scene.close())

describe('an abandoned upload', () => {
  test('is aborted at the backend and its state is gone; the client hears NoSuchUpload', async () => {
    await scene.open()
    const id = await scene.create('left')
    await scene.part('left', id, 1, large)
    await scene.part('left', id, 2, small)
    expect(await scene.inState()).toHaveLength(4)
    scene.now += WEEK + 1
    expect(await scene.clean()).toMatchObject({
      examined: 1,
      abandoned: 1,
      leftovers: 0,
      unreadable: 0,
      failed: 0,
      more: false,
      due: [{ kind: 'abandoned', outcome: 'deleted', record: { bucket: Bucket, key: 'left', uploadId: id } }],
    })
    expect([await scene.atBackend(), await scene.inState()]).toEqual([[], []])
    await expect(scene.part('left', id, 3, small)).rejects.toMatchObject(GONE)
    await expect(scene.part('left', id, 3, large)).rejects.toMatchObject(GONE)
    await expect(scene.s3().send(new ListPartsCommand({ Bucket, Key: 'left', UploadId: id }))).rejects.toMatchObject(
      GONE,
    )
    expect(await scene.inState()).toEqual([])
  })

  test('is one only after the whole time, counted from its last change', async () => {
    await scene.open()
    const id = await scene.create('slow')
    scene.now += WEEK
    expect(await scene.clean()).toMatchObject({ examined: 1, abandoned: 0 })
    const etag = await scene.part('slow', id, 1, small)
    scene.now += MINUTE
    expect(await scene.clean()).toMatchObject({ examined: 1, abandoned: 0 })
    expect(await scene.clean({ abandonedAfter: MINUTE })).toMatchObject({ abandoned: 0 })
    await scene.complete('slow', id, [etag])
    expect(await scene.read('slow')).toEqual(small)
  })

  test('is found beside fresh ones, which stay', async () => {
    await scene.open()
    await scene.create('old')
    scene.now += WEEK
    const id = await scene.create('young')
    scene.now += 1
    expect(await scene.clean()).toMatchObject({ examined: 2, abandoned: 1 })
    expect(await scene.atBackend()).toEqual(['young'])
    await scene.complete('young', id, [await scene.part('young', id, 1, small)])
    expect(await scene.read('young')).toEqual(small)
  })

  test('is none while any of its records is new, whatever the last in the order of names is', async () => {
    await scene.open()
    const id = await scene.create('planned')
    const { prefixes } = await scene.records.list('uploads/', { delimiter: '/' })
    await scene.records.put(`${prefixes[0]!}plan`, small)
    scene.now += WEEK
    await scene.part('planned', id, 1, small)
    scene.now += 1
    expect(await scene.clean()).toMatchObject({ examined: 1, abandoned: 0 })
  })

  test('stays for ever if the setting is off; leftovers do not', async () => {
    await scene.open()
    await scene.create('kept')
    await scene.records.put(`uploads/${'0'.repeat(32)}/h/00001/rest`, small)
    scene.now += 1_000 * DAY
    expect(await scene.clean({ abandonedAfter: false })).toMatchObject({ abandoned: 0, leftovers: 1 })
    expect([await scene.atBackend(), await scene.inState()]).toEqual([['kept'], ['create']])
  })

  test('of a bucket that was deleted goes too, also if there is a new bucket of that name', async () => {
    await scene.open()
    await scene.create('left')
    await scene.s3().send(new DeleteBucketCommand({ Bucket }))
    scene.now += WEEK + 1
    expect(await scene.clean({ dryRun: true })).toMatchObject({ abandoned: 1 })
    expect(await scene.clean()).toMatchObject({ abandoned: 1, failed: 0 })
    expect(await scene.inState()).toEqual([])
    await scene.s3().send(new CreateBucketCommand({ Bucket }))
    await scene.create('again')
    await scene.s3().send(new DeleteBucketCommand({ Bucket }))
    await scene.s3().send(new CreateBucketCommand({ Bucket }))
    scene.now += WEEK + 1
    expect(await scene.clean()).toMatchObject({ abandoned: 1, failed: 0 })
    expect(await scene.inState()).toEqual([])
  })

  test('completed at the backend by a process that died before it said so: the object stays readable', async () => {
    const failing = failingStore(scene.stateObjects)
    await scene.open({ state: failing.store })
    const id = await scene.create('done')
    const etags = [await scene.part('done', id, 1, large), await scene.part('done', id, 2, small)]
    failing.fail({ method: 'put', when: 'before', matching: (_, path) => String(path).endsWith('/done') })
    await expect(scene.complete('done', id, etags)).rejects.toMatchObject({ name: 'ServiceUnavailable' })
    expect([await scene.atBackend(), (await scene.inState()).includes('plan')]).toEqual([[], true])
    scene.now += WEEK + 1
    expect(await scene.clean()).toMatchObject({ abandoned: 1, failed: 0 })
    expect(await scene.inState()).toEqual([])
    expect((await scene.read('done')).equals(Buffer.concat([large, small]))).toBe(true)
  })

  test('with an open plan that never reached the backend is aborted like any other', async () => {
    const failing = failingStore(scene.backend)
    await scene.open({ store: failing.store })
    const id = await scene.create('planned')
    const etag = await scene.part('planned', id, 1, small)
    failing.fail({ method: 'completeUpload', when: 'before' })
    await expect(scene.complete('planned', id, [etag])).rejects.toMatchObject({ name: 'ServiceUnavailable' })
    expect([await scene.atBackend(), (await scene.inState()).includes('plan')]).toEqual([['planned'], true])
    scene.now += WEEK + 1
    expect(await scene.clean()).toMatchObject({ abandoned: 1, failed: 0 })
    expect([await scene.atBackend(), await scene.inState()]).toEqual([[], []])
    await expect(scene.complete('planned', id, [etag])).rejects.toMatchObject(GONE)
  })
})

describe('leftovers', () => {
  test.each(['p/00001/000000000-00000000~x/y', 'h/00001/000000000-00000000', 'plan'])(
    'without `create` go after a week without change: %s',
    async (name) => {
      await scene.open()
      const path = `uploads/${randomBytes(16).toString('hex')}/${name}`
      await scene.records.put(path, small)
      scene.now += WEEK
      expect(await scene.clean({ abandonedAfter: MINUTE })).toMatchObject({ examined: 1, leftovers: 0 })
      expect(await scene.inState()).toEqual([name])
      scene.now += 1
      expect(await scene.clean()).toMatchObject({ abandoned: 0, leftovers: 1, due: [{ kind: 'leftover' }] })
      expect(await scene.inState()).toEqual([])
    },
  )

  test('of a completed upload are not ours, nor is its answer, nor what has another form', async () => {
    await scene.open()
    const id = await scene.create('done')
    await scene.complete('done', id, [await scene.part('done', id, 1, small)])
    await scene.running.gateway.background.idle()
    await scene.records.put('uploads/README', small)
    await scene.records.put('uploads/not-an-id/create', small)
    scene.now += 2 * WEEK
    expect(await scene.clean()).toMatchObject({ examined: 1, abandoned: 0, leftovers: 0 })
    expect((await scene.inState()).toSorted()).toEqual(['', 'create', 'done'])
  })
})

describe('an upload whose record does not open', () => {
  let alarms: AlarmEvent[]
  let unsubscribe: () => void
  beforeEach(async () => {
    alarms = []
    unsubscribe = alarm.subscribe((event) => alarms.push(event))
    await scene.open()
  })
  afterEach(() => unsubscribe())

  const staysWithAlarm = async (bad: string, layer: string): Promise<void> => {
    scene.now += WEEK + 1
    const report = await scene.clean()
    expect(report).toMatchObject({ unreadable: 1, failed: 0, whyUnreadable: { name: 'Integrity', layer } })
    expect(alarms).toMatchObject([
      { what: 'abandoned uploads do not open and stay', detail: { uploads: 1, first: bad } },
    ])
    expect(report.due.filter(({ outcome }) => outcome !== 'deleted').map(({ id }) => id)).toEqual([bad])
    expect(await scene.records.get(`uploads/${bad}/create`)).toBeDefined()
  }
  const folders = async (): Promise<string[]> =>
    (await scene.records.list('uploads/', { delimiter: '/' })).prefixes.map((prefix) => prefix.split('/')[1]!)

  test('because it is damaged: it stays, with an alarm, and the others go', async () => {
    await scene.createMany(5)
    const [, bad] = await folders()
    const path = `uploads/${bad!}/create`
    const { bytes } = (await scene.records.get(path))!
    await scene.records.put(path, flip(bytes, bytes.length - 1))
    await staysWithAlarm(bad!, 'metadata failure')
    expect(await scene.atBackend()).toHaveLength(1)
    expect(await folders()).toEqual([bad])
  })

  test('because it is of an unknown form, or of another upload', async () => {
    await scene.createMany(2)
    const [one, other] = await folders()
    await scene.records.put(`uploads/${one!}/create`, Buffer.from('?'))
    await scene.records.put(`uploads/${other!}/create`, (await scene.records.get(`uploads/${one!}/create`))!.bytes)
    scene.now += WEEK + 1
    expect(await scene.clean()).toMatchObject({ unreadable: 2, abandoned: 0 })
    expect(alarms).toHaveLength(1)
    expect(await scene.atBackend()).toHaveLength(2)
  })

  test('because it was sealed for this place, but names another upload', async () => {
    await scene.createMany(1)
    const path = `uploads/${'f'.repeat(32)}/create`
    const { keys } = scene.running.gateway
    const key = await keys.active(Bucket)
    const ref = { bucket: Bucket, key: 'many/0', uploadId: 'stolen' }
    const rest = {
      objectKey: takeSecret(Buffer.from(small)),
      envelope: small,
      area: undefined,
      checksum: undefined,
      initiated: 0,
    }
    await scene.records.put(path, sealStateRecord(key, path, encodeCreate({ ...ref, ...rest }), randomBytes))
    await staysWithAlarm('f'.repeat(32), 'metadata failure')
  })

  test('because the keyring has lost its key', async () => {
    await scene.createMany(1)
    const { records } = await scene.records.list('keyring/k/')
    await Promise.all(records.map(({ path }) => scene.records.delete(path)))
    await staysWithAlarm((await folders())[0]!, 'unwrap failure')
  })

  test('because the keyring has its key for another namespace', async () => {
    await scene.createMany(1)
    const [record] = (await scene.records.list('keyring/k/')).records
    const text = (await scene.records.get(record!.path))!.bytes.toString()
    await scene.records.put(record!.path, Buffer.from(text.replace(`"${Bucket}"`, '"elsewhere"')))
    scene.now += WEEK + 1
    expect(await scene.clean()).toMatchObject({ unreadable: 1, abandoned: 0 })
    expect(await scene.atBackend()).toHaveLength(1)
  })
})

describe('a run', () => {
  test('that is dry says what it would delete and changes nothing', async () => {
    await scene.open()
    const id = await scene.create('left')
    await scene.part('left', id, 1, small)
    await scene.records.put(`uploads/${'0'.repeat(32)}/plan`, small)
    scene.now += WEEK + 1
    const before = await scene.records.list('')
    const found = await scene.clean({ dryRun: true, limit: 1 })
    expect(found).toMatchObject({ examined: 2, abandoned: 1, leftovers: 1, more: false })
    expect(found.due).toMatchObject([
      { kind: 'leftover', outcome: 'found' },
      { kind: 'abandoned', outcome: 'found', record: { key: 'left' } },
    ])
    expect(await scene.records.list('')).toEqual(before)
    expect(await scene.atBackend()).toEqual(['left'])
    expect(await scene.part('left', id, 2, small)).toMatch(/^"/)
  })

  test('is bounded, and the next goes on: 2,500 uploads, at most 8 at once, pages of 1,000', async () => {
    await scene.open()
    await scene.createMany(2_500)
    scene.now += WEEK + 1
    let atOnce = 0
    let most = 0
    let pages = 0
    const store = new Proxy(scene.backend, {
      get: (target, name) => async (ref: never) => {
        expect(name).toBe('abortUpload')
        most = Math.max(most, (atOnce += 1))
        await new Promise((resolve) => setImmediate(resolve))
        await target.abortUpload(ref)
        atOnce -= 1
      },
    })
    const state = new Proxy(scene.stateObjects, {
      get: (target, name) => {
        if (name === 'list') pages += 1
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
    const between = { store, state }
    expect(await scene.clean({}, between)).toMatchObject({ abandoned: 1_000, more: true })
    expect(await scene.atBackend()).toHaveLength(1_500)
    // A look before each abort, a listing in each drop, and the pages of the run itself.
    expect(pages).toBeLessThanOrEqual(2 * 1_000 + 2)
    expect(await scene.clean({}, between)).toMatchObject({ abandoned: 1_000, more: true })
    expect(await scene.clean({}, between)).toMatchObject({ examined: 500, abandoned: 500, more: false })
    expect([most, await scene.atBackend(), await scene.inState()]).toEqual([8, [], []])
    expect(await scene.clean({}, between)).toMatchObject({ examined: 0 })
  })

  test('reaches its bound exactly, past uploads that do not open', async () => {
    await scene.open()
    await scene.createMany(20)
    const { prefixes } = await scene.records.list('uploads/', { delimiter: '/' })
    for (const prefix of prefixes.slice(0, 12)) await scene.records.put(`${prefix}create`, small)
    scene.now += WEEK + 1
    expect(await scene.clean({ limit: 3 })).toMatchObject({ abandoned: 3, unreadable: 12, more: true })
    expect(await scene.clean({ limit: 5 })).toMatchObject({ abandoned: 5, unreadable: 12, more: false })
  })

  test('reads the last page of a long journal before it judges', async () => {
    await scene.open()
    await scene.createMany(1)
    const { prefixes } = await scene.records.list('uploads/', { delimiter: '/' })
    const base = prefixes[0]!
    for (let n = 1; n <= 2_400; n += 1) await scene.records.put(`${base}p/${n}`, Buffer.alloc(0))
    scene.now += WEEK + 1
    await scene.records.put(`${base}q-the-newest`, Buffer.alloc(0))
    expect(await scene.clean()).toMatchObject({ examined: 1, abandoned: 0 })
    scene.now += WEEK + 1
    expect(await scene.clean()).toMatchObject({ examined: 1, abandoned: 1 })
    expect([await scene.atBackend(), await scene.inState()]).toEqual([[], []])
  })

  test('that is stopped ends between two uploads', async () => {
    await scene.open()
    await scene.createMany(50)
    scene.now += WEEK + 1
    const stop = new AbortController()
    const report = await scene.clean({ signal: stop.signal, onUpload: () => stop.abort() })
    expect(report).toMatchObject({ abandoned: 8, more: true })
    expect(await scene.atBackend()).toHaveLength(42)
  })
})
