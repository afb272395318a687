/** Several gateways that share a backend and a state store: whatever one of them began, any of them may go on with. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ObjectStore, StoreError, type UploadRef } from '../../src/backends/object-store.ts'
import { parseEnvelope } from '../../src/format/envelope.ts'
import { stateId } from '../../src/format/journal.ts'
import { replacing } from '../helpers/replacing.ts'
import { type Replicas, startReplicas } from '../helpers/replicas.ts'
import { codeOf, send } from '../helpers/signed-request.ts'
import { around } from '../jobs/abandoned.ts'

const Bucket = 'replicas'
const MIB = 1024 * 1024
const DAY = 24 * 3_600_000

let replicas: Replicas
/** How far the clock of the bucket keys is ahead. */
let ahead = 0
/** Run once, just before a replica asks a store for something. */
let interposed: { at: number; what: string; work: () => Promise<unknown> } | undefined

/** Some stores, MinIO among them, say yes to the abort of an upload that they do not know. */
let forgives = false

const forgiving = (store: ObjectStore): ObjectStore =>
  new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      if (name !== 'abortUpload') return value.bind(target) as unknown
      return (ref: UploadRef) =>
        target.abortUpload(ref).catch((error: unknown) => {
          if (!forgives) throw error
        })
    },
  })

/** Some stores, Versity S3 Gateway among them, forget an upload some time before its object is there. */
let forgetful = false
const forgotten = new Set<string>()

const forgetting = (store: ObjectStore): ObjectStore => {
  const known = async ({ uploadId }: UploadRef): Promise<void> => {
    if (forgotten.has(uploadId)) throw new StoreError('no-such-upload', 'forgotten')
  }
  return replacing(store, {
    putPart: (ref, ...more) => known(ref).then(() => store.putPart(ref, ...more)),
    listParts: (ref, ...more) => known(ref).then(() => store.listParts(ref, ...more)),
    completeUpload: async (ref, ...more) => {
      await known(ref)
      if (forgetful) {
        forgotten.add(ref.uploadId)
        await sleep(500)
      }
      return store.completeUpload(ref, ...more)
    },
  })
}

const meeting =
  (at: number, what: string): (() => Promise<unknown>) =>
  async () => {
    const now = interposed
    if (now === undefined || now.at !== at || now.what !== what) return
    interposed = undefined
    await now.work()
  }

beforeAll(async () => {
  replicas = await startReplicas({
    count: 3,
    clock: () => Date.now() + ahead,
    between: (store, role, at) => {
      const before = (what: string) => ({
        before: async (_: unknown, key: unknown) => String(key).endsWith(what) && meeting(at, what)(),
      })
      if (role === 'state') {
        const put = around(around(store, 'put', before('/plan')), 'put', before('/done'))
        return around(put, 'get', before('/create'))
      }
      const parts = around(forgetting(forgiving(store)), 'listParts', { before: meeting(at, 'parts') })
      return around(parts, 'abortUpload', { before: meeting(at, 'abort') })
    },
  })
  await replicas.client(0).send(new CreateBucketCommand({ Bucket }))
})
afterAll(() => replicas.close())

const clients = (count: number): S3Client[] => Array.from({ length: count }, (_, at) => replicas.client(at))

const put = (s3: S3Client, Key: string, Body: Buffer | string, more = {}) =>
  s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }))

async function read(s3: S3Client, Key: string, Range?: string): Promise<Buffer> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, ...(Range === undefined ? {} : { Range }) }))
  return Buffer.from((await Body?.transformToByteArray()) ?? [])
}

interface Part {
  readonly PartNumber: number
  readonly ETag: string | undefined
}

async function begin(s3: S3Client, Key: string) {
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
  const upload = { Bucket, Key, UploadId }
  return {
    upload,
    part: async (client: S3Client, PartNumber: number, Body: Buffer): Promise<Part> => {
      const { ETag } = await client.send(new UploadPartCommand({ ...upload, PartNumber, Body }))
      return { PartNumber, ETag }
    },
    complete: (client: S3Client, Parts: Part[]) =>
      client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } })),
    abort: (client: S3Client) => client.send(new AbortMultipartUploadCommand(upload)),
    left: () => leftOf(Key, UploadId ?? ''),
  }
}

/** What is still there of an upload that is over, but for the answer of its Complete. */
async function leftOf(Key: string, uploadId: string): Promise<string[]> {
  await replicas.idle()
  const records = await replicas.state(`uploads/${stateId(Bucket, Key, uploadId)}/`)
  const { Uploads = [] } = await replicas.client(0).send(new ListMultipartUploadsCommand({ Bucket, Prefix: Key }))
  const atBackend = Uploads.filter((one) => one.UploadId === uploadId).map(() => 'the upload itself')
  return [...records.filter((path) => !path.endsWith('/done')), ...atBackend]
}

/** An upload whose parts are there, each sent to another replica. */
async function pending(Key: string, bodies: readonly Buffer[]) {
  const begun = await begin(replicas.client(0), Key)
  const parts = await Promise.all(bodies.map((body, at) => begun.part(replicas.client(at), at + 1, body)))
  return { ...begun, parts, complete: (client: S3Client, chosen = parts) => begun.complete(client, chosen) }
}

const nameOf = (outcome: PromiseSettledResult<unknown>): string =>
  outcome.status === 'fulfilled' ? 'ok' : outcome.reason instanceof Error ? outcome.reason.name : 'no error'

const streamed = [randomBytes(5 * MIB), randomBytes(5 * MIB), randomBytes(5 * MIB)]
const small = randomBytes(70_000)

describe.each([2, 3])('one upload over %i replicas', (count) => {
  test('takes parts everywhere and in any order; listed by one, completed by another, read by all', async () => {
    const Key = `parts-${count}`
    const all = clients(count)
    const bodies = [...streamed, small]
    const whole = Buffer.concat(bodies)
    const { upload, part, complete, left } = await begin(all[0]!, Key)
    const order = [3, 1, 2, 0]
    const sent = await Promise.all(order.map((at, turn) => part(all[turn % count]!, at + 1, bodies[at]!)))
    const parts = sent.sort((a, b) => a.PartNumber - b.PartNumber)

    const listed = await all[1]!.send(new ListPartsCommand(upload))
    expect(listed.Parts?.map(({ PartNumber, ETag, Size }) => ({ PartNumber, ETag, Size }))).toEqual(
      parts.map((one, at) => ({ ...one, Size: bodies[at]?.length })),
    )
    const { Uploads = [] } = await all[1]!.send(new ListMultipartUploadsCommand({ Bucket }))
    expect(Uploads.map(({ UploadId }) => UploadId)).toEqual([upload.UploadId])

    const { ETag } = await complete(all[count - 1]!, parts)
    for (const s3 of all) {
      const head = await s3.send(new HeadObjectCommand({ Bucket, Key }))
      expect([head.ETag, head.ContentLength]).toEqual([ETag, whole.length])
      expect((await read(s3, Key)).equals(whole)).toBe(true)
      const border = await read(s3, Key, `bytes=${5 * MIB - 10}-${5 * MIB + 9}`)
      expect(border.equals(whole.subarray(5 * MIB - 10, 5 * MIB + 10))).toBe(true)
    }
    expect(await left()).toEqual([])
  })

  test.each([
    ['streamed', [streamed[0]!, small]],
    ['held back', [small]],
  ])('(%s) completed by all at once: every client hears of success, and there is one object', async (kind, bodies) => {
    const Key = `together-${count}-${kind}`
    const { complete, left } = await pending(Key, bodies)
    const answers = await Promise.all(clients(count).map((_, at) => complete(replicas.client(at, 'retries'))))
    expect(new Set(answers.map(({ ETag }) => ETag)).size).toBe(1)
    expect((await complete(replicas.client(1))).ETag).toBe(answers[0]?.ETag)
    for (const s3 of clients(count)) expect((await read(s3, Key)).equals(Buffer.concat(bodies))).toBe(true)
    expect(await left()).toEqual([])
  })
})

describe('over a store that forgets an upload before its object is there', () => {
  beforeAll(() => {
    forgetful = true
  })
  afterAll(() => {
    forgetful = false
  })

  test.each([
    ['streamed', [streamed[0]!, small]],
    ['held back', [small]],
  ])('(%s) completed by all at once: nobody hears that there is no such upload', async (kind, bodies) => {
    const { complete, left } = await pending(`forgotten-${kind}`, bodies)
    const answers = await Promise.all(clients(3).map((s3) => complete(s3)))
    expect(new Set(answers.map(({ ETag }) => ETag)).size).toBe(1)
    expect(await left()).toEqual([])
  })
})

test('an upload that ended long ago without a word is NoSuchUpload; while it may be ending a Complete shall come again', async () => {
  const Key = 'ended'
  const { upload, parts, complete } = await pending(Key, [small])
  interposed = { at: 0, what: '/done', work: () => Promise.reject(new Error('the replica stops here')) }
  await expect(complete(replicas.client(0))).rejects.toThrow()
  await replicas.client(1).send(new DeleteObjectCommand({ Bucket, Key }))

  const other = replicas.all[1]!
  const { clock } = other.gateway
  const body = Buffer.from(
    `<CompleteMultipartUpload>${parts.map(({ PartNumber, ETag }) => `<Part><PartNumber>${PartNumber}</PartNumber><ETag>${ETag}</ETag></Part>`).join('')}</CompleteMultipartUpload>`,
  )
  const again = async (hours: number) => {
    Object.assign(other.gateway, { clock: () => clock() + hours * 3_600_000 })
    return codeOf(await send(other, { method: 'POST', path: `/${Bucket}/${Key}?uploadId=${upload.UploadId}`, body }))
  }
  try {
    expect(await again(0)).toBe('ServiceUnavailable')
    const started = Date.now()
    expect(await again(2)).toBe('NoSuchUpload')
    expect(Date.now() - started).toBeLessThan(2_000)
  } finally {
    Object.assign(other.gateway, { clock })
  }
})

describe.each([
  ['a store that knows its uploads', false],
  ['a store that says yes to any Abort', true],
])('a Complete and an Abort at different replicas, over %s', (name, yes) => {
  beforeAll(() => {
    forgives = yes
  })
  afterAll(() => {
    forgives = false
  })
  const succeeded: PromiseSettledResult<unknown> = { status: 'fulfilled', value: undefined }
  const expectOne = async (Key: string, ...outcomes: PromiseSettledResult<unknown>[]) => {
    const outcome = outcomes.map(nameOf).join(' ')
    const found = await read(replicas.client(2), Key).then(
      (bytes) => (bytes.equals(small) ? 'whole' : 'other bytes'),
      (error: Error) => error.name,
    )
    expect(['ok NoSuchUpload, whole', 'NoSuchUpload ok, NoSuchKey']).toContain(`${outcome}, ${found}`)
  }

  test('at the same time: one of the two happens', async () => {
    const started = Date.now()
    await (await pending(`abort-never ${name}`, [small])).complete(replicas.client(0))
    const usual = Date.now() - started
    for (let round = 0; round < 12; round += 1) {
      const Key = `abort-${round} ${name}`
      const { complete, abort, left } = await pending(Key, [small])
      const outcomes = await Promise.allSettled([
        complete(replicas.client(round, 'retries')),
        sleep((usual * round) / 12).then(() => abort(replicas.client(round + 1))),
      ])
      await expectOne(Key, ...outcomes)
      expect(await left()).toEqual([])
    }
  })

  test('an Abort that comes to the store when the Complete is all over does not succeed', async () => {
    const { complete, abort, left } = await pending(`late abort ${name}`, [small])
    const finish = async () => {
      await complete(replicas.client(0))
      await replicas.idle()
    }
    interposed = { at: 1, what: 'abort', work: finish }
    const [aborted] = await Promise.allSettled([abort(replicas.client(1))])
    await expectOne(`late abort ${name}`, succeeded, aborted)
    expect(await left()).toEqual([])
  })

  test('an Abort between the Complete at the store and the record of it does not succeed', async () => {
    const { complete, abort, left } = await pending(`hasty abort ${name}`, [small])
    let aborted: PromiseSettledResult<unknown> = succeeded
    const attempt = async () => ([aborted] = await Promise.allSettled([abort(replicas.client(1))]))
    interposed = { at: 0, what: '/done', work: attempt }
    const [completed] = await Promise.allSettled([complete(replicas.client(0))])
    await expectOne(`hasty abort ${name}`, completed, aborted)
    expect(await left()).toEqual([])
  })

  test('an Abort between the look at the parts and the plan of the Complete leaves nothing', async () => {
    const { complete, abort, left } = await pending(`early abort ${name}`, [small])
    interposed = { at: 0, what: '/plan', work: () => abort(replicas.client(1)) }
    const [completed] = await Promise.allSettled([complete(replicas.client(0))])
    await expectOne(`early abort ${name}`, completed, succeeded)
    expect(await left()).toEqual([])
  })
})

describe.each([
  ['is all over', true],
  ['still cleans up', false],
])('a Complete that another replica overtakes with one that %s', (how, over) => {
  test.each([
    ['finds the upload', '/create'],
    ['looks at its parts', 'parts'],
    ['writes its plan', '/plan'],
  ])('before it %s succeeds as well', async (_, what) => {
    const Key = `overtaken ${what} ${how}`
    const { complete, left } = await pending(Key, [small])
    let faster: unknown
    const overtake = async () => {
      faster = (await complete(replicas.client(1))).ETag
      if (over) await replicas.idle()
    }
    interposed = { at: 0, what, work: overtake }
    const slower = await complete(replicas.client(0))
    expect([slower.ETag, typeof faster]).toEqual([faster, 'string'])
    expect((await read(replicas.client(2), Key)).equals(small)).toBe(true)
    expect(await left()).toEqual([])
  })
})

describe.each([2, 3])('of 100 conditional PUTs at once over %i replicas', (count) => {
  const race = async (Key: string, condition: { IfNoneMatch?: string; IfMatch?: string | undefined }) => {
    const racers = Array.from({ length: 100 }, (_, at) =>
      put(replicas.client(at % count), Key, `racer ${at}`, condition),
    )
    const outcomes = await Promise.allSettled(racers)
    const winners = outcomes.flatMap(({ status }, at) => (status === 'fulfilled' ? [at] : []))
    expect(winners).toHaveLength(1)
    const names = new Set(outcomes.map(nameOf))
    names.delete('ConditionalRequestConflict')
    expect([...names].sort()).toEqual(['PreconditionFailed', 'ok'])
    for (const s3 of clients(count)) expect((await read(s3, Key)).toString()).toBe(`racer ${winners[0]}`)
  }

  test('that want nothing to be there, one wins', () => race(`none-${count}`, { IfNoneMatch: '*' }))

  test('that want one ETag to be there, one wins', async () => {
    const { ETag } = await put(replicas.client(0), `match-${count}`, 'first')
    await race(`match-${count}`, { IfMatch: ETag })
  })
})

describe('a part sent anew to one replica while another completes', () => {
  test.each([
    ['streamed', streamed[0]!, streamed[1]!, [small]],
    ['held back', randomBytes(2_000), randomBytes(2_000), []],
  ])('(%s) makes an object of the one or of the other', async (kind, old, fresh, rest) => {
    for (let round = 0; round < 6; round += 1) {
      const Key = `anew-${kind}-${round}`
      const { part, parts, complete, left } = await pending(Key, [old, ...rest])
      const [resent, completed] = await Promise.allSettled([
        sleep(round * 8).then(() => part(replicas.client(round, 'retries'), 1, fresh)),
        sleep(20).then(() => complete(replicas.client(round + 1, 'retries'))),
      ])
      const outcome = `${nameOf(resent)} ${nameOf(completed)}`
      expect(['ok ok', 'NoSuchUpload ok', 'ok InvalidPart']).toContain(outcome)
      if (completed.status === 'rejected' && resent.status === 'fulfilled') {
        // The part that the Complete named is gone; with the one that is there it goes through.
        await complete(replicas.client(round + 2), [resent.value, ...parts.slice(1)])
      }
      const first = completed.status === 'fulfilled' ? old : fresh
      expect((await read(replicas.client(round), Key)).equals(Buffer.concat([first, ...rest]))).toBe(true)
      expect(await left()).toEqual([])
    }
  })
})

test('what one replica wrote over, no other still serves', async () => {
  const Key = 'over'
  const before = await pending(Key, [streamed[0]!, small])
  await before.complete(replicas.client(0))
  const last = `bytes=-10`
  for (const s3 of clients(3)) expect((await read(s3, Key, last)).equals(small.subarray(-10))).toBe(true)
  const after = await pending(Key, [streamed[1]!, small.subarray(1_000, 60_000)])
  await after.complete(replicas.client(1))
  for (const s3 of clients(3)) expect((await read(s3, Key, last)).equals(small.subarray(59_990, 60_000))).toBe(true)
  await put(replicas.client(2), Key, 'short')
  for (const s3 of clients(3)) expect((await read(s3, Key, last)).toString()).toBe('short')
})

describe('bucket keys', () => {
  const kidOf = async (Key: string): Promise<string> => {
    const info = await replicas.all[0]!.store.head(Bucket, Key)
    return parseEnvelope(info?.metadata['sg-e'] ?? '').kid.toString('hex')
  }

  test('are the same in all replicas for each period, also when all need the first at once', async () => {
    const kids: string[] = []
    for (const period of [1, 2, 3]) {
      ahead = period * DAY
      const keys = Array.from({ length: 12 }, (_, at) => `period-${period}-${at}`)
      await Promise.all(keys.map((key, at) => put(replicas.client(at), key, key)))
      const found = new Set(await Promise.all(keys.map(kidOf)))
      expect(found.size).toBe(1)
      kids.push(...found)
      for (const [at, key] of keys.entries()) expect((await read(replicas.client(at + 1), key)).toString()).toBe(key)
    }
    ahead = 0
    expect(new Set(kids).size).toBe(3)
    const recorded = (await replicas.state('keyring/k/')).map((path) => path.slice('keyring/k/'.length))
    for (const kid of kids) expect(recorded).toContain(kid)
    // A lost race leaves no key that nobody seals under.
    expect(await replicas.state(`keyring/active/${Bucket}/main/`)).toHaveLength(recorded.length)
  })
})

test('listings are the same everywhere', async () => {
  const pages = await Promise.all(clients(3).map((s3) => s3.send(new ListObjectsV2Command({ Bucket }))))
  const [first, ...others] = pages.map(({ Contents = [] }) => Contents.map(({ Key, Size, ETag }) => [Key, Size, ETag]))
  expect(first?.length).toBeGreaterThan(20)
  for (const other of others) expect(other).toEqual(first)
})
