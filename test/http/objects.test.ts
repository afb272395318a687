import { createHash, randomBytes } from 'node:crypto'
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectEtag } from '../helpers/etags.ts'
import type { TestGateway } from '../helpers/gateway.ts'
import { startTested } from '../helpers/worlds.ts'

let running: TestGateway
let s3: S3Client
const Bucket = 'objects'

beforeAll(async () => {
  running = await startTested()
  s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket }))
})
afterAll(() => running.close())

const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex')
const bytesOf = async (Key: string, more: Partial<{ Range: string; PartNumber: number }> = {}): Promise<Buffer> => {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, ...more }))
  return Buffer.from(await Body!.transformToByteArray())
}

describe('objects of every size come back as they were', () => {
  test.each([0, 1, 65_535, 65_536, 65_537, 1_048_576, 1_048_577, 5_242_879, 5_242_880, 9_000_001])(
    '%i bytes',
    async (size) => {
      const bytes = randomBytes(size)
      const Key = `size-${size}`
      const put = await s3.send(new PutObjectCommand({ Bucket, Key, Body: bytes }))
      expectEtag(running, put.ETag, `"${md5(bytes)}"`)
      expect((await bytesOf(Key)).equals(bytes)).toBe(true)
      const head = await s3.send(new HeadObjectCommand({ Bucket, Key }))
      expect(head.ContentLength).toBe(size)
      expect(head.ETag).toBe(put.ETag)
      const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: Key }))
      const listed = Contents?.find((one) => one.Key === Key)
      expect(listed?.Size).toBe(size)
      expect(listed?.ETag).toBe(put.ETag)
    },
  )
})

describe('ranges', () => {
  const size = 6_000_000
  const bytes = randomBytes(size)
  beforeAll(() => s3.send(new PutObjectCommand({ Bucket, Key: 'ranged', Body: bytes })))

  test.each([
    ['bytes=0-0', 0, 0],
    ['bytes=65535-65536', 65_535, 65_536],
    ['bytes=5999999-', 5_999_999, 5_999_999],
    ['bytes=100-99999999', 100, size - 1],
    ['bytes=-1', size - 1, size - 1],
    ['bytes=-9999999', 0, size - 1],
    ['bytes=1000000-3000000', 1_000_000, 3_000_000],
  ])('%s', async (Range, first, last) => {
    const got = await s3.send(new GetObjectCommand({ Bucket, Key: 'ranged', Range }))
    expect(got.ContentRange).toBe(`bytes ${first}-${last}/${size}`)
    expect(got.ContentLength).toBe(last - first + 1)
    expect(Buffer.from(await got.Body!.transformToByteArray()).equals(bytes.subarray(first, last + 1))).toBe(true)
  })

  test('behind the end is 416 with the plaintext size', async () => {
    const failed = s3.send(new GetObjectCommand({ Bucket, Key: 'ranged', Range: `bytes=${size}-` }))
    await expect(failed).rejects.toMatchObject({ name: 'InvalidRange', ActualObjectSize: String(size) })
  })
})

test('headers and user metadata come back exactly', async () => {
  const Metadata = { one: 'eins', 'with-dash': 'a b  c', empty: '' }
  const headers = {
    ContentType: 'text/plain; charset=utf-8',
    CacheControl: 'max-age=60',
    ContentDisposition: 'attachment; filename="a.txt"',
    ContentEncoding: 'gzip',
    ContentLanguage: 'de',
  }
  await s3.send(new PutObjectCommand({ Bucket, Key: 'described', Body: 'x', Metadata, ...headers }))
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'described' }))
  expect(head).toMatchObject({ Metadata, ...headers })
})

test('conditional writes are decided by the current ETag', async () => {
  const Key = 'conditional'
  const first = await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'one', IfNoneMatch: '*' }))
  await expect(s3.send(new PutObjectCommand({ Bucket, Key, Body: 'two', IfNoneMatch: '*' }))).rejects.toMatchObject({
    name: 'PreconditionFailed',
  })
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'two', IfMatch: first.ETag! }))
  await expect(s3.send(new PutObjectCommand({ Bucket, Key, Body: 'x', IfMatch: first.ETag! }))).rejects.toMatchObject({
    name: 'PreconditionFailed',
  })
  await expect(
    s3.send(new PutObjectCommand({ Bucket, Key: 'missing', Body: 'x', IfMatch: first.ETag! })),
  ).rejects.toMatchObject({ name: 'NoSuchKey' })
})

describe('copies', () => {
  test('share the sealed body, and keep or replace the metadata', async () => {
    const bytes = randomBytes(300_000)
    await s3.send(
      new PutObjectCommand({ Bucket, Key: 'source +%/ü', Body: bytes, Metadata: { a: '1' }, ContentType: 'a/b' }),
    )
    const CopySource = `${Bucket}/${encodeURIComponent('source +%/ü')}`
    const copied = await s3.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource }))
    expectEtag(running, copied.CopyObjectResult?.ETag, `"${md5(bytes)}"`)
    expect((await bytesOf('copy')).equals(bytes)).toBe(true)
    const kept = await s3.send(new HeadObjectCommand({ Bucket, Key: 'copy' }))
    expect(kept).toMatchObject({ Metadata: { a: '1' }, ContentType: 'a/b', ContentLength: bytes.length })

    const replace = { MetadataDirective: 'REPLACE', Metadata: { b: '2' }, ContentType: 'c/d' } as const
    await s3.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/copy`, ...replace }))
    const replaced = await s3.send(new HeadObjectCommand({ Bucket, Key: 'copy' }))
    expect(replaced).toMatchObject({ Metadata: { b: '2' }, ContentType: 'c/d' })
    expect((await bytesOf('copy')).equals(bytes)).toBe(true)
  })

  test('B63 onto itself without a change is refused', async () => {
    const copy = new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/copy` })
    await expect(s3.send(copy)).rejects.toMatchObject({ name: 'InvalidRequest' })
  })
})

test('delete takes one key or many, and a missing key is deleted already', async () => {
  for (const Key of ['d/1', 'd/2', 'd/3']) await s3.send(new PutObjectCommand({ Bucket, Key, Body: Key }))
  await s3.send(new DeleteObjectCommand({ Bucket, Key: 'd/1' }))
  await s3.send(new DeleteObjectCommand({ Bucket, Key: 'd/1' }))
  const deleted = await s3.send(
    new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: 'd/2' }, { Key: 'd/3' }, { Key: 'd/none' }] } }),
  )
  expect(deleted.Deleted?.map((one) => one.Key).toSorted()).toEqual(['d/2', 'd/3', 'd/none'])
  expect((await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'd/' }))).KeyCount).toBe(0)
})

test('B95 B98 buckets are made, made again, found, listed, and deleted when they are empty', async () => {
  for (let times = 0; times < 2; times += 1) await s3.send(new CreateBucketCommand({ Bucket: 'second' }))
  await s3.send(new HeadBucketCommand({ Bucket: 'second' }))
  expect((await s3.send(new GetBucketLocationCommand({ Bucket: 'second' }))).LocationConstraint).toBeUndefined()
  expect((await s3.send(new ListBucketsCommand({}))).Buckets?.map((one) => one.Name)).toContain('second')
  await s3.send(new PutObjectCommand({ Bucket: 'second', Key: 'x', Body: '' }))
  await expect(s3.send(new DeleteBucketCommand({ Bucket: 'second' }))).rejects.toMatchObject({ name: 'BucketNotEmpty' })
  await s3.send(new DeleteObjectCommand({ Bucket: 'second', Key: 'x' }))
  await s3.send(new DeleteBucketCommand({ Bucket: 'second' }))
  await expect(s3.send(new HeadBucketCommand({ Bucket: 'second' }))).rejects.toMatchObject({ name: 'NotFound' })
})
