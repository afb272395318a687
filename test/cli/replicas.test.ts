/** Gateways as processes of their own that share a store, and one gateway of several processes: one of them dies. */
import { execFileSync } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { prepareData } from '../../src/cli/first-run.ts'
import { composeS3Server, openComponents } from '../../src/compose.ts'
import { loadSettings } from '../../src/config/load.ts'
import { Unavailable } from '../../src/errors.ts'
import { freePort, type Started, Workplace } from '../helpers/command.ts'
import { clientOf, each, Ledger, read, Replica, RoundRobin, storeSettings } from '../helpers/fleet.ts'
import { answer, ScriptedServer } from '../helpers/scripted-server.ts'

const Bucket = 'shared'
const STATE = 'sealgate-state'
const MIB = 1024 * 1024

const settingsIn = (place: Workplace, env: Record<string, string>) =>
  loadSettings({ env: { ...env, SEALGATE_DATA: place.path('sealgate-data') }, readFile: () => '' })

describe('two gateways before one store', () => {
  const storePlace = new Workplace()
  let store: Started
  let settings: ReturnType<typeof storeSettings>
  let replicas: Replica[] = []
  let clients: S3Client[] = []

  beforeAll(async () => {
    store = await storePlace.serve()
    settings = storeSettings(storePlace, store)
    const env = { ...settings.backend, ...settings.state }
    const first = await Replica.prepare(env)
    await first.start()
    const second = await Replica.prepare(env, first)
    await second.start()
    replicas = [first, second]
    clients = replicas.map(({ place, endpoint }) => clientOf(place, endpoint))
    await clients[0]!.send(new CreateBucketCommand({ Bucket }))
  })
  afterAll(async () => {
    for (const client of clients) client.destroy()
    for (const replica of replicas) await replica.stop()
    await store.stop()
    for (const place of [...replicas, storePlace]) place.remove()
  })

  test('what one takes, the other gives', async () => {
    const [one, other] = [clients[0]!, clients[1]!]
    await one.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'from the first' }))
    expect((await read(other, Bucket, 'a')).toString()).toBe('from the first')
    const { UploadId } = await one.send(new CreateMultipartUploadCommand({ Bucket, Key: 'parts' }))
    const bodies = [randomBytes(5 * MIB), randomBytes(10_000)]
    const upload = { Bucket, Key: 'parts', UploadId }
    const Parts = await Promise.all(
      bodies.map(async (Body, at) => {
        const PartNumber = at + 1
        const { ETag } = await clients[at]!.send(new UploadPartCommand({ ...upload, PartNumber, Body }))
        return { PartNumber, ETag }
      }),
    )
    await other.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }))
    expect((await read(one, Bucket, 'parts')).equals(Buffer.concat(bodies))).toBe(true)
  })

  test('no client sees or reaches the bucket of the state', async () => {
    const s3 = clients[1]!
    const record = await clientOf(storePlace, store.endpoint).send(
      new ListObjectsV2Command({ Bucket: STATE, MaxKeys: 1 }),
    )
    const Key = record.Contents?.[0]?.Key ?? ''
    expect(Key).not.toBe('')
    const { Buckets = [] } = await s3.send(new ListBucketsCommand({}))
    expect(Buckets.map(({ Name }) => Name)).toEqual([Bucket])
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'b' }))
    const source = { Bucket, Key: 'b', CopySource: `${STATE}/${Key}` }
    for (const attempt of [
      () => s3.send(new GetObjectCommand({ Bucket: STATE, Key })),
      () => s3.send(new PutObjectCommand({ Bucket: STATE, Key, Body: 'forged' })),
      () => s3.send(new DeleteObjectCommand({ Bucket: STATE, Key })),
      () => s3.send(new ListObjectsV2Command({ Bucket: STATE })),
      () => s3.send(new CreateBucketCommand({ Bucket: STATE })),
      () => s3.send(new CopyObjectCommand(source)),
      () => s3.send(new CopyObjectCommand({ Bucket: STATE, Key: 'c', CopySource: `${Bucket}/a` })),
      () => s3.send(new UploadPartCopyCommand({ ...source, UploadId, PartNumber: 1 })),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ name: 'AccessDenied' })
    }
    await expect(s3.send(new HeadBucketCommand({ Bucket: STATE }))).rejects.toMatchObject({
      $metadata: { httpStatusCode: 403 },
    })
  })

  test('no client sees it either where the endpoint of the state is spelled otherwise', async () => {
    const place = new Workplace()
    const endpoint = store.endpoint.replace('127.0.0.1', 'localhost')
    const env = {
      ...settings.backend,
      ...settings.state,
      SEALGATE_STATE_ENDPOINT: endpoint,
      SEALGATE_STATE_PREFIX: 'x/',
    }
    const other = settingsIn(place, env)
    await prepareData(other)
    const components = await openComponents(other)
    const app = composeS3Server(other, components)
    const s3 = clientOf(place, await app.listen({ host: '127.0.0.1', port: 0 }))
    try {
      const { Buckets = [] } = await s3.send(new ListBucketsCommand({}))
      expect(Buckets.map(({ Name }) => Name)).not.toContain(STATE)
      const forged = s3.send(new PutObjectCommand({ Bucket: STATE, Key: 'x/keyring/forged', Body: '' }))
      await expect(forged).rejects.toMatchObject({ name: 'AccessDenied' })
    } finally {
      s3.destroy()
      await app.close()
      await components.close()
      place.remove()
    }
  })

  test('one that is killed again and again loses nothing that a client was told is there', async () => {
    const balancer = new RoundRobin(clients)
    const ledger = new Ledger(Bucket, balancer)
    const now = { writing: true, kills: 0 }
    const killing = async (): Promise<void> => {
      while (now.writing) {
        await sleep(randomInt(50, 400))
        const victim = replicas[now.kills % 2]!
        await victim.kill()
        now.kills += 1
        await victim.start()
      }
    }
    const writer = async (which: number): Promise<void> => {
      for (let n = 0; n < 50 || now.kills < 2; n += 1) {
        // Every third is written over one that is there.
        await ledger.put(`killed/${which}-${n % 3 === 2 ? n - 1 : n}`)
        if (n % 30 === which) await ledger.putInParts(`killed/parts-${which}-${n}`)
        await sleep(randomInt(60))
      }
    }
    const killer = killing()
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, (_, which) => writer(which)))
    now.writing = false
    await killer
    expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([])
    expect(now.kills).toBeGreaterThanOrEqual(2)
    expect(balancer.repeated).toBeGreaterThan(0)
    expect(ledger.acknowledged.size).toBeGreaterThan(180)
    expect(await ledger.audit(clients, 'killed/')).toEqual({ missing: [], wrong: [] })
  }, 60_000)

  describe('a start without the key of what is stored', () => {
    const shared = () => ({ ...settings.backend, ...settings.state })

    test('is refused to the replica that lost it, and no second key is made', async () => {
      const lost = await Replica.prepare(shared(), replicas[0])
      rmSync(lost.place.path('sealgate-data/master-keys.json'))
      const { code, stderr } = await lost.place.run(['serve'])
      expect(stderr).toMatch(
        /master-keys\.json is missing, but the bucket sealgate-state at http\S+ already holds a store/,
      )
      expect(stderr).toContain('Restore it from your backup')
      expect(code).toBe(2)
      expect(existsSync(lost.place.path('sealgate-data/master-keys.json'))).toBe(false)
      lost.remove()
    })

    test('is refused to a replica that never had it, but not to the first of another state store', async () => {
      const place = new Workplace()
      await expect(prepareData(settingsIn(place, shared()))).rejects.toThrow('master-keys.json is missing')
      expect(existsSync(place.path('sealgate-data'))).toBe(false)
      const elsewhere = { ...shared(), SEALGATE_STATE_PREFIX: 'elsewhere/' }
      expect(await prepareData(settingsIn(place, elsewhere))).toHaveLength(2)
      rmSync(place.path('sealgate-data/aws-credentials'))
      const alone = prepareData(settingsIn(place, shared()))
      await expect(alone).rejects.toThrow(/aws-credentials is missing.*write `credentials` into the settings/)
      place.remove()
    })

    test('is refused if nobody can tell, for as long as nobody can', async () => {
      const place = new Workplace()
      const unknown = {
        SEALGATE_STATE_ENDPOINT: `http://127.0.0.1:${await freePort()}`,
        SEALGATE_STATE_RETRY_ATTEMPTS: '1',
      }
      await expect(prepareData(settingsIn(place, { ...shared(), ...unknown }))).rejects.toThrow(Unavailable)
      const denied = { SEALGATE_STATE_SECRET_ACCESS_KEY: 'another' }
      await expect(prepareData(settingsIn(place, { ...shared(), ...denied }))).rejects.toThrow()
      const balancer = await ScriptedServer.start()
      balancer.otherwise(answer(404, { body: '404 page not found' }))
      const before = { SEALGATE_STATE_ENDPOINT: balancer.endpoint, SEALGATE_STATE_RETRY_ATTEMPTS: '1' }
      await expect(prepareData(settingsIn(place, { ...shared(), ...before }))).rejects.toThrow(Unavailable)
      await balancer.close()
      expect(existsSync(place.path('sealgate-data'))).toBe(false)
      place.remove()
    })

    test('is refused where the state is in the data folder', async () => {
      const place = new Workplace(settings.backend)
      expect(await (await place.serve()).stop()).toBe(0)
      rmSync(place.path('sealgate-data/master-keys.json'))
      const started = prepareData(settingsIn(place, settings.backend))
      await expect(started).rejects.toThrow(/master-keys\.json is missing, but \S*state already holds a store/)
      place.remove()
    })
  })
})

test('two replicas with a state store of their own each do not start, and hear why', async () => {
  const place = new Workplace({ SEALGATE_REPLICAS: '2' })
  const { code, stderr } = await place.run(['serve'])
  for (const text of ['state.type', '`replicas` is 2', 'set state.type to s3']) expect(stderr).toContain(text)
  expect(code).toBe(2)
  expect(existsSync(place.path('sealgate-data/master-keys.json'))).toBe(false)
  place.remove()
})

describe.skipIf(availableParallelism() < 2)('a process for each core', () => {
  const place = new Workplace()
  let gateway: Started
  let admin = ''
  beforeAll(async () => {
    admin = `http://127.0.0.1:${await freePort()}`
    gateway = await place.serve({ SEALGATE_SERVER_WORKERS: 'auto', SEALGATE_ADMIN_LISTEN: admin.slice(7) })
  })
  afterAll(async () => {
    expect(await gateway.stop()).toBe(0)
    place.remove()
  })

  const workers = (): number[] =>
    execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/).map(Number))
      .flatMap(([pid, parent]) => (pid !== undefined && parent === gateway.process.pid ? [pid] : []))
  const readiness = async (): Promise<number> => (await fetch(`${admin}/readyz`)).status

  test('one that is killed is replaced, and requests go on', async () => {
    const before = workers()
    expect(before).toHaveLength(availableParallelism())
    const s3 = clientOf(place, gateway.endpoint, 5)
    await s3.send(new CreateBucketCommand({ Bucket }))
    const seen = new Set<number>()
    const now = { running: true }
    let n = 0
    const asking = (async () => {
      while (now.running) seen.add(await readiness())
    })()
    const writing = (async () => {
      for (; now.running; n += 1) await s3.send(new PutObjectCommand({ Bucket, Key: `workers/${n}`, Body: String(n) }))
    })()
    await sleep(200)
    process.kill(before[0]!, 'SIGKILL')
    const patience = { timeout: 25_000 }
    await expect.poll(() => workers().filter((pid) => !before.includes(pid)), patience).toHaveLength(1)
    await expect.poll(readiness, patience).toBe(200)
    now.running = false
    await Promise.all([asking, writing])
    expect(seen).toEqual(new Set([200, 503]))
    expect(n).toBeGreaterThan(10)
    const written = Array.from({ length: n }, (_, at) => String(at))
    await each(written, async (at) => expect((await read(s3, Bucket, `workers/${at}`)).toString()).toBe(at))
    s3.destroy()
  }, 60_000)

  test('one that does not answer is told so, and each question is forgotten', async () => {
    const silent = workers()[0]!
    process.kill(silent, 'SIGSTOP')
    const eight = () => Promise.all(Array.from({ length: 8 }, readiness))
    let again: Promise<number[]> | undefined
    try {
      expect(new Set(await eight())).toEqual(new Set([503]))
      // Node warns when more than ten listen for answers: those of the first round must be gone.
      again = eight()
      await sleep(300)
    } finally {
      process.kill(silent, 'SIGCONT')
    }
    expect(new Set(await again)).toEqual(new Set([200]))
    expect(gateway.stderr()).toContain('does not answer within')
    expect(gateway.stderr()).not.toContain('MaxListenersExceeded')
  })
})
