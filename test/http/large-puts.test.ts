/** Bodies beyond what a store takes in one request are written in parts of the gateway's choosing, and nobody sees it (docs/format.md, "Limits"). */
import { randomBytes } from 'node:crypto'
import {
  CopyObjectCommand,
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { CountingStore } from '../helpers/counting-store.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'

const MIB = 1024 * 1024
const Bucket = 'large'

describe.each([
  ['MD5', true],
  ['opaque', false],
])('with %s ETags', (_mode, facts) => {
  const counted = new CountingStore(
    new MemoryStore({ capabilities: { facts, requestLimit: 10 * MIB, copySourceIfMatch: false } }),
  )
  const body = randomBytes(21 * MIB)
  let running: TestGateway
  let s3: S3Client

  beforeAll(async () => {
    running = await startGateway({ store: counted.store })
    s3 = running.client()
    await s3.send(new CreateBucketCommand({ Bucket }))
  })
  afterAll(() => running.close())

  const read = async (Key: string, Range?: string) => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, ...(Range === undefined ? {} : { Range }) }))
    return Buffer.from((await Body?.transformToByteArray()) ?? [])
  }

  test('a PUT of known length reads back whole and in ranges, and is no multipart object to its client', async () => {
    counted.arm()
    const { ETag } = await s3.send(new PutObjectCommand({ Bucket, Key: 'put', Body: body }))
    expect(counted.calls.filter((name) => name === 'putPart')).toHaveLength(3)
    expect((await read('put')).equals(body)).toBe(true)
    const at = 8 * MIB - 3
    expect((await read('put', `bytes=${at}-${at + 9}`)).equals(body.subarray(at, at + 10))).toBe(true)
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'put', PartNumber: 1 }))
    expect([head.ContentLength, head.PartsCount, head.ETag]).toEqual([body.length, undefined, ETag])
    const listed = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'put' }))
    expect(listed.Contents?.map(({ Size, ETag: tag }) => [Size, tag])).toEqual([[body.length, ETag]])
  })

  test('a copy that has to stream does so in parts', async () => {
    await s3.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/put` }))
    expect((await read('copy')).equals(body)).toBe(true)
  })

  test('a condition holds', async () => {
    await expect(
      s3.send(new PutObjectCommand({ Bucket, Key: 'put', Body: body, IfNoneMatch: '*' })),
    ).rejects.toMatchObject({ name: 'PreconditionFailed' })
    const { uploads } = await running.store.listUploads(Bucket, { prefix: '', limit: 10 })
    expect(uploads).toEqual([])
  })
})

test.each([
  [false, 501],
  [true, 200],
])(
  'a copy beyond one request under a condition needs a store that decides it on Complete (%s)',
  async (decides, status) => {
    const capabilities = { facts: false, requestLimit: 10 * MIB, conditionalCopy: true, conditionalComplete: decides }
    const counted = new CountingStore(new MemoryStore({ capabilities }))
    const running = await startGateway({ store: counted.store })
    try {
      const client = running.client()
      await client.send(new CreateBucketCommand({ Bucket }))
      await client.send(new PutObjectCommand({ Bucket, Key: 'put', Body: randomBytes(21 * MIB) }))
      counted.arm()
      const copy = new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/put`, IfNoneMatch: '*' })
      const answered = await client.send(copy).then(
        () => 200,
        (error: { $metadata: { httpStatusCode: number } }) => error.$metadata.httpStatusCode,
      )
      expect([answered, counted.calls.includes('copy')]).toEqual([status, decides])
    } finally {
      await running.close()
    }
  },
)
