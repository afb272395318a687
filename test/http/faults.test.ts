/** Stores that fail: the right code, no torn objects, and the same request again succeeds. */
import { randomBytes } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { failingStore, type Fault } from '../helpers/failing-store.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { send } from '../helpers/signed-request.ts'

const MIB = 1024 * 1024
const Bucket = 'faults'
const backend = failingStore(new MemoryStore())
const state = failingStore(new MemoryStore())
let running: TestGateway
let s3: S3Client

beforeAll(async () => {
  running = await startGateway({ store: backend.store, state: state.store })
  s3 = running.client({ requestChecksumCalculation: 'WHEN_REQUIRED' })
  await s3.send(new CreateBucketCommand({ Bucket }))
})
afterAll(() => running.close())

const unavailable = { name: 'ServiceUnavailable', $metadata: { httpStatusCode: 503 } }
const below = (text: string) => (_bucket: unknown, key: unknown) => typeof key === 'string' && key.includes(text)

async function read(key: string): Promise<Buffer> {
  return (await send(running, { method: 'GET', path: `/${Bucket}/${key}` })).bytes
}
async function create(Key: string): Promise<string> {
  return (await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))).UploadId!
}
const upload = (Key: string, UploadId: string, PartNumber: number, Body: Buffer) =>
  s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }))
const complete = (Key: string, UploadId: string, etags: readonly (string | undefined)[]) =>
  s3.send(
    new CompleteMultipartUploadCommand({
      Bucket,
      Key,
      UploadId,
      MultipartUpload: { Parts: etags.map((ETag, i) => ({ PartNumber: i + 1, ETag })) },
    }),
  )

describe.each([1_000, 2 * MIB])('a PUT of %i bytes', (size) => {
  test('B111 that the store refuses is 503 and leaves what was there', async () => {
    const Key = `put-${size}`
    const old = randomBytes(size)
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: old }))
    backend.fail({ method: 'put', when: 'before' })
    await expect(s3.send(new PutObjectCommand({ Bucket, Key, Body: randomBytes(size) }))).rejects.toMatchObject(
      unavailable,
    )
    expect((await read(Key)).equals(old)).toBe(true)
    const fresh = randomBytes(size)
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: fresh }))
    expect((await read(Key)).equals(fresh)).toBe(true)
  })
})

test('a copy that the store refuses is 503, and works when repeated', async () => {
  await s3.send(new PutObjectCommand({ Bucket, Key: 'source', Body: 'copied' }))
  const copy = new CopyObjectCommand({ Bucket, Key: 'target', CopySource: `${Bucket}/source` })
  backend.fail({ method: 'copy', when: 'before' })
  await expect(s3.send(copy)).rejects.toMatchObject(unavailable)
  await s3.send(new CopyObjectCommand({ Bucket, Key: 'target', CopySource: `${Bucket}/source` }))
  expect((await read('target')).toString()).toBe('copied')
})

test('an upload whose record cannot be written does not begin, and nothing of it is left', async () => {
  state.fail({ method: 'put', when: 'before', matching: below('/create') })
  await expect(create('unborn')).rejects.toMatchObject(unavailable)
  expect((await running.store.listUploads(Bucket, { prefix: 'unborn', limit: 10 })).uploads).toEqual([])
})

describe.each([
  ['held back', 100],
  ['streamed', 5 * MIB],
])('a part that is %s', (_how, size) => {
  test('is 503, never 200, when its journal record cannot be written; the part can be sent again', async () => {
    const Key = `journal-${size}`
    const id = await create(Key)
    state.fail({ method: 'put', when: 'before', matching: below('/p/') })
    await expect(upload(Key, id, 1, randomBytes(size))).rejects.toMatchObject(unavailable)
    expect((await s3.send(new ListPartsCommand({ Bucket, Key, UploadId: id }))).Parts).toBeUndefined()
    const body = randomBytes(size)
    const { ETag } = await upload(Key, id, 1, body)
    await complete(Key, id, [ETag])
    expect((await read(Key)).equals(body)).toBe(true)
  })
})

describe('a Complete that fails on the way', () => {
  const faults: [string, ReturnType<typeof failingStore>, Fault][] = [
    ['before its plan is written', state, { method: 'put', when: 'before', matching: below('/plan') }],
    ['after its plan is written', state, { method: 'put', when: 'after', matching: below('/plan') }],
    ['while it writes its own part', backend, { method: 'putPart', when: 'before' }],
    ['before the store completes', backend, { method: 'completeUpload', when: 'before' }],
    ['with the answer of the store lost', backend, { method: 'completeUpload', when: 'after' }],
    ['before the outcome is recorded', state, { method: 'put', when: 'before', matching: below('/done') }],
  ]
  test.each(faults)('%s succeeds when it is repeated, with the same object', async (name, where, fault) => {
    const Key = `complete ${name}`.replaceAll(' ', '-')
    const id = await create(Key)
    const parts = [randomBytes(5 * MIB), randomBytes(1_000)]
    const etags = [(await upload(Key, id, 1, parts[0]!)).ETag, (await upload(Key, id, 2, parts[1]!)).ETag]
    where.fail(fault)
    const attempt = complete(Key, id, etags)
    // An answer that was lost is found again: the object is there, with the generation of the plan.
    if (fault.method === 'completeUpload' && fault.when === 'after') await attempt
    else await expect(attempt).rejects.toMatchObject({ $metadata: { httpStatusCode: 503 } })
    const first = await complete(Key, id, etags)
    const second = await complete(Key, id, etags)
    expect(second.ETag).toBe(first.ETag)
    expect((await read(Key)).equals(Buffer.concat(parts))).toBe(true)
    await running.gateway.background.idle()
    const left = await running.state.list('sealgate-state', { prefix: 'uploads/', limit: 1_000 })
    const { uploads } = await running.store.listUploads(Bucket, { prefix: Key, limit: 10 })
    expect(uploads).toEqual([])
    expect(left.objects.filter(({ key }) => key.includes('/plan'))).toEqual([])
  })
})

test('of a Complete and an Abort at once exactly one wins', async () => {
  for (let round = 0; round < 12; round += 1) {
    const Key = `race-${round}`
    const id = await create(Key)
    const { ETag } = await upload(Key, id, 1, Buffer.from(`round ${round}`))
    const [completed, aborted] = await Promise.allSettled([
      complete(Key, id, [ETag]),
      s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId: id })),
    ])
    const exists = (await running.store.head(Bucket, Key)) !== undefined
    expect(exists).toBe(completed.status === 'fulfilled')
    if (aborted.status === 'fulfilled') expect(completed.status).toBe('rejected')
  }
})

test('uploads that the gateway makes for itself are nobody’s to see', async () => {
  await running.store.createUpload(Bucket, 'own', { metadata: {} })
  await create('theirs')
  const { Uploads } = await s3.send(new ListMultipartUploadsCommand({ Bucket }))
  const keys = (Uploads ?? []).map((one) => one.Key)
  expect(keys).toContain('theirs')
  expect(keys).not.toContain('own')
})
