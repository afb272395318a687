/** ETags on a store that keeps none of our facts, as every remote one: the backend's own, mapped so that nobody takes them for an MD5. */
import { createHash, randomBytes } from 'node:crypto'
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'

const Bucket = 'opaque'
const OPAQUE = /^"[0-9a-f]{32}-1"$/
const MIB = 1024 * 1024

let running: TestGateway
let s3: S3Client

beforeAll(async () => {
  running = await startGateway({ store: new MemoryStore({ capabilities: { facts: false } }) })
  s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket }))
})
afterAll(() => running.close())

const put = (Key: string, Body: Buffer, more = {}) => s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }))

test('one string names an object in PUT, HEAD, GET and LIST, and it is no MD5', async () => {
  const body = randomBytes(100_000)
  const { ETag, ServerSideEncryption } = await put('one', body)
  expect(ETag).toMatch(OPAQUE)
  expect(ETag).not.toContain(createHash('md5').update(body).digest('hex'))
  expect(ServerSideEncryption).toBe('aws:kms')
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'one' }))
  const got = await s3.send(new GetObjectCommand({ Bucket, Key: 'one' }))
  await got.Body?.transformToByteArray()
  const listed = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'one' }))
  expect([head.ETag, got.ETag, listed.Contents?.[0]?.ETag]).toEqual([ETag, ETag, ETag])
  expect([head.ServerSideEncryption, got.ServerSideEncryption]).toEqual(['aws:kms', 'aws:kms'])
  expect(listed.Contents?.[0]?.Size).toBe(body.length)
})

describe.each([true, false])(
  'copies under a condition on their target, decided by the store in one step: %s',
  (conditionalCopy) => {
    let over: TestGateway
    let client: S3Client

    beforeAll(async () => {
      over = await startGateway({
        store: new MemoryStore({ capabilities: { facts: false, near: false, conditionalCopy } }),
      })
      client = over.client()
      await client.send(new CreateBucketCommand({ Bucket }))
      for (const Key of ['from', 'to']) await client.send(new PutObjectCommand({ Bucket, Key, Body: Key }))
    })
    afterAll(() => over.close())

    const copy = (Key: string, more: object) =>
      client.send(new CopyObjectCommand({ Bucket, Key, CopySource: `${Bucket}/from`, ...more }))

    test.each([
      ['If-None-Match: *', 'to', { IfNoneMatch: '*' }],
      ['another If-Match', 'to', { IfMatch: '"other"' }],
      ['If-None-Match: * onto itself', 'from', { IfNoneMatch: '*', MetadataDirective: 'REPLACE' }],
      ['another If-Match onto itself', 'from', { IfMatch: '"other"', MetadataDirective: 'REPLACE' }],
    ])('%s is PreconditionFailed', async (_what, Key, more) => {
      await expect(copy(Key, more)).rejects.toMatchObject({ name: 'PreconditionFailed' })
    })

    test('its own ETag is copied over', async () => {
      for (const Key of ['to', 'from']) {
        const { ETag } = await client.send(new HeadObjectCommand({ Bucket, Key }))
        await copy(Key, { IfMatch: ETag, MetadataDirective: 'REPLACE' })
      }
    })
  },
)

test('an object says in its envelope that no MD5 is kept, and a Content-MD5 is compared all the same', async () => {
  const md5 = createHash('md5').update('x').digest('base64')
  await put('checked', Buffer.from('x'), { ContentMD5: md5 })
  await expect(put('checked', Buffer.from('y'), { ContentMD5: md5 })).rejects.toMatchObject({ name: 'BadDigest' })
  const info = await running.store.head(Bucket, 'checked')
  const envelope = Buffer.from(info?.metadata['sg-e'] ?? '', 'base64url')
  expect((envelope[2] ?? 0) & 8).toBe(8)
})

describe('conditions', () => {
  test('hold for the ETag that was given, and for no other spelling of it', async () => {
    const { ETag = '' } = await put('c', Buffer.from('1'))
    const bare = `"${ETag.slice(1, 33)}"`
    await expect(put('c', Buffer.from('2'), { IfMatch: bare })).rejects.toMatchObject({ name: 'PreconditionFailed' })
    const second = await put('c', Buffer.from('2'), { IfMatch: ETag })
    await expect(put('c', Buffer.from('3'), { IfMatch: ETag })).rejects.toMatchObject({ name: 'PreconditionFailed' })
    await put('c', Buffer.from('3'), { IfMatch: '*' })
    await expect(put('c', Buffer.from('4'), { IfNoneMatch: '*' })).rejects.toMatchObject({ name: 'PreconditionFailed' })
    await expect(s3.send(new GetObjectCommand({ Bucket, Key: 'c', IfMatch: second.ETag }))).rejects.toMatchObject({
      name: 'PreconditionFailed',
    })
    await expect(s3.send(new DeleteObjectCommand({ Bucket, Key: 'c', IfMatch: second.ETag }))).rejects.toMatchObject({
      name: 'PreconditionFailed',
    })
  })

  test('of a missing key are NoSuchKey for If-Match', async () => {
    await expect(put('missing', Buffer.from('1'), { IfMatch: `"${'0'.repeat(32)}-1"` })).rejects.toMatchObject({
      name: 'NoSuchKey',
    })
  })

  test('are refused where the store cannot decide them in one step', async () => {
    const poor = await startGateway({
      store: new MemoryStore({
        capabilities: { facts: false, conditionalWrites: false, conditionalComplete: false, conditionalDelete: false },
      }),
    })
    try {
      const client = poor.client()
      await client.send(new CreateBucketCommand({ Bucket }))
      const { ETag } = await client.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x' }))
      for (const condition of [{ IfNoneMatch: '*' }, { IfMatch: ETag }]) {
        await expect(
          client.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'y', ...condition })),
        ).rejects.toMatchObject({ name: 'NotImplemented' })
      }
      await expect(client.send(new DeleteObjectCommand({ Bucket, Key: 'k', IfMatch: ETag }))).rejects.toMatchObject({
        name: 'NotImplemented',
      })
    } finally {
      await poor.close()
    }
  })
})

describe.each([
  ['streamed', 5 * MIB],
  ['held back', 1_000],
])('multipart with a last part that is %s', (_how, last) => {
  test('names each part and the object by opaque ETags, and answers a repeated Complete alike', async () => {
    const Key = `parts-${last}`
    const bodies = [randomBytes(5 * MIB), randomBytes(last)]
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
    const parts: { PartNumber: number; ETag: string }[] = []
    for (const [at, Body] of bodies.entries()) {
      const { ETag = '' } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: at + 1, Body }))
      expect(ETag).toMatch(OPAQUE)
      parts.push({ PartNumber: at + 1, ETag })
    }
    const listed = await s3.send(new ListPartsCommand({ Bucket, Key, UploadId }))
    expect(listed.Parts?.map(({ ETag }) => ETag)).toEqual(parts.map(({ ETag }) => ETag))
    const complete = () =>
      s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts: parts } }))
    const { ETag } = await complete()
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key }))
    expect([head.ETag, head.ContentLength]).toEqual([ETag, bodies[0]!.length + last])
    expect((await complete()).ETag).toBe(ETag)
    const got = await s3.send(new GetObjectCommand({ Bucket, Key }))
    expect(Buffer.concat(bodies).equals(Buffer.from((await got.Body?.transformToByteArray()) ?? []))).toBe(true)
  })

  test('takes only the ETag of the attempt that counts', async () => {
    const Key = `again-${last}`
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
    const send = () => s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: randomBytes(last) }))
    const [first, second] = [await send(), await send()]
    const complete = (ETag: string | undefined) =>
      s3.send(
        new CompleteMultipartUploadCommand({
          Bucket,
          Key,
          UploadId,
          MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] },
        }),
      )
    await expect(complete(first.ETag)).rejects.toMatchObject({ name: 'InvalidPart' })
    await complete(second.ETag)
  })
})

test('a copy has the ETag that its place in the listing shows', async () => {
  await put('source', randomBytes(10))
  const { CopyObjectResult } = await s3.send(
    new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/source` }),
  )
  const listed = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'copy' }))
  expect(listed.Contents?.[0]?.ETag).toBe(CopyObjectResult?.ETag)
})
