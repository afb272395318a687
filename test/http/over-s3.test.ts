/** A gateway in front of an S3 server: what clients see, and how many requests it costs the store (docs/format.md, "What a read costs"). */
import { randomBytes } from 'node:crypto'
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  PutBucketVersioningCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { TailCache } from '../../src/gateway/tail-cache.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { s3Store } from '../helpers/s3-store.ts'

const Bucket = 'over-s3'
const MIB = 1024 * 1024

let backend: TestGateway
let running: TestGateway
let s3: S3Client
let sent: string[] = []

beforeAll(async () => {
  backend = await startGateway()
  const store = s3Store({
    endpoint: backend.endpoint,
    profile: { conditionalCopy: true, conditionalDelete: true, versions: false, tags: false },
    onSend: ({ method, path }) => sent.push(`${method} ${path.includes('?') ? path.slice(path.indexOf('?')) : ''}`),
  })
  running = await startGateway({ store })
  s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket }))
})
afterAll(async () => {
  await running.close()
  await running.store.close()
  await backend.close()
})
beforeEach(() => {
  sent = []
})

const put = (Key: string, Body: Buffer, more = {}) => s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }))
const get = async (Key: string, Range?: string) => {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, ...(Range === undefined ? {} : { Range }) }))
  return Buffer.from((await Body?.transformToByteArray()) ?? [])
}

async function upload(Key: string, bodies: readonly Buffer[]): Promise<void> {
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
  const Parts: { PartNumber: number; ETag: string | undefined }[] = []
  for (const [at, Body] of bodies.entries()) {
    const PartNumber = at + 1
    const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }))
    Parts.push({ PartNumber, ETag })
  }
  await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }))
}

test('what goes in comes out, and the backend never sees it', async () => {
  const body = randomBytes(3 * MIB)
  await put('plain', body, { Metadata: { secret: 'quite-visible-words' }, ContentType: 'text/x-secret' })
  expect((await get('plain')).equals(body)).toBe(true)
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'plain' }))
  expect(head).toMatchObject({ ContentLength: body.length, ContentType: 'text/x-secret' })
  expect(head.Metadata).toEqual({ secret: 'quite-visible-words' })
  const direct = backend.client()
  const stored = await direct.send(new GetObjectCommand({ Bucket, Key: 'plain' }))
  const bytes = Buffer.from((await stored.Body?.transformToByteArray()) ?? [])
  expect(bytes.includes(body.subarray(1_000, 1_064))).toBe(false)
  expect(stored.ContentType).toBe('application/octet-stream')
  expect(Object.keys(stored.Metadata ?? {}).sort()).toEqual(['sg-e', 'sg-m'])
  expect(JSON.stringify(stored.Metadata)).not.toContain('quite-visible')
})

test("a client's own sg- metadata is ordinary metadata", async () => {
  await put('own', Buffer.from('x'), { Metadata: { 'sg-e': 'mine', 'sg-m': 'too' } })
  const { Metadata } = await s3.send(new HeadObjectCommand({ Bucket, Key: 'own' }))
  expect(Metadata).toEqual({ 'sg-e': 'mine', 'sg-m': 'too' })
})

describe('requests to the backend', () => {
  const small = randomBytes(4_096)
  const parts = [randomBytes(5 * MIB), randomBytes(300_000)]

  beforeAll(async () => {
    await put('cost', small)
    await upload('cost-parts', parts)
  })
  /** A tail that nobody has read yet. */
  const cold = (): void => {
    Reflect.set(running.gateway, 'tails', new TailCache(MIB))
  }

  test.each<[string, number, () => Promise<unknown>]>([
    ['PUT of a small object', 1, () => put('written', small)],
    ['PUT of a larger object', 1, () => put('written', randomBytes(2 * MIB))],
    ['PUT if nothing is there', 1, () => put(`fresh-${Math.random()}`, small, { IfNoneMatch: '*' })],
    ['HEAD', 1, () => s3.send(new HeadObjectCommand({ Bucket, Key: 'cost' }))],
    ['GET', 1, () => get('cost')],
    ['GET of a range', 1, () => get('cost', 'bytes=5-6')],
    ['GET of a suffix', 2, () => get('cost', 'bytes=-2')],
    ['HEAD of a multipart object', 1, () => s3.send(new HeadObjectCommand({ Bucket, Key: 'cost-parts' }))],
    ['GET of a multipart object', 2, () => get('cost-parts')],
    ['GET of a range of a multipart object', 3, () => get('cost-parts', 'bytes=5-6')],
    ['GET of a suffix of a multipart object', 3, () => get('cost-parts', 'bytes=-2')],
    ['LIST', 1, () => s3.send(new ListObjectsV2Command({ Bucket }))],
    ['DELETE', 1, () => s3.send(new DeleteObjectCommand({ Bucket, Key: 'none' }))],
    [
      'DELETE of many',
      1,
      () => s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: ['x', 'y', 'z'].map((Key) => ({ Key })) } })),
    ],
    ['copy', 2, () => s3.send(new CopyObjectCommand({ Bucket, Key: 'copied', CopySource: `${Bucket}/cost` }))],
  ])('%s: %i', async (_what, count, run) => {
    cold()
    sent = []
    await run()
    expect(sent).toHaveLength(count)
  })

  test('GET of a range of a multipart object whose tail is known: 2, since the object may have changed', async () => {
    await get('cost-parts', 'bytes=0-0')
    sent = []
    await get('cost-parts', 'bytes=5-6')
    expect(sent.length).toBeLessThanOrEqual(2)
  })

  test('a part: 1; a Complete: its own part, and the Complete', async () => {
    const Key = 'cost-upload'
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
    sent = []
    const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: parts[0]! }))
    expect(sent).toHaveLength(1)
    sent = []
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] }
    await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload }))
    expect(sent.map((one) => one.split(' ')[0])).toEqual(['GET', 'PUT', 'POST'])
  })
})

test('listings of both versions show plaintext sizes, and the ETag that HEAD shows', async () => {
  const bodies = [0, 1, 65_536, 6 * MIB].map((bytes) => randomBytes(bytes))
  for (const [at, body] of bodies.entries()) await put(`sizes/${at} ü&<`, body)
  await upload('sizes/parts', [randomBytes(5 * MIB), randomBytes(5 * MIB), randomBytes(3)])
  const expected = [...bodies.map((body) => body.length), 10 * MIB + 3]
  const v2 = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'sizes/' }))
  const v1 = await s3.send(new ListObjectsCommand({ Bucket, Prefix: 'sizes/' }))
  for (const list of [v1, v2]) {
    expect(list.Contents?.map(({ Size }) => Size)).toEqual(expected)
    for (const { Key, ETag, ChecksumAlgorithm } of list.Contents ?? []) {
      expect((await s3.send(new HeadObjectCommand({ Bucket, Key }))).ETag).toBe(ETag)
      expect(ChecksumAlgorithm).toBeUndefined()
    }
  }
})

test('pages follow each other by the tokens of the store', async () => {
  const keys = ['a/1', 'a/2', 'b', 'c/1', 'd']
  for (const key of keys) await put(`pages/${key}`, Buffer.from(key))
  const seen: (string | undefined)[] = []
  let ContinuationToken: string | undefined
  do {
    const page: ListObjectsV2CommandOutput = await s3.send(
      new ListObjectsV2Command({ Bucket, Prefix: 'pages/', Delimiter: '/', MaxKeys: 1, ContinuationToken }),
    )
    seen.push(
      ...(page.Contents ?? []).map(({ Key }) => Key),
      ...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix),
    )
    ContinuationToken = page.NextContinuationToken
  } while (ContinuationToken !== undefined)
  expect(seen).toEqual(['pages/a/', 'pages/b', 'pages/c/', 'pages/d'])
})

describe('copies', () => {
  test('on the server side keep the ciphertext; a self-copy changes the metadata', async () => {
    const body = randomBytes(200_000)
    await put('copies/a', body, { Metadata: { one: '1' } })
    sent = []
    await s3.send(new CopyObjectCommand({ Bucket, Key: 'copies/b', CopySource: `${Bucket}/copies/a` }))
    expect(sent.filter((one) => one.startsWith('GET'))).toEqual([])
    await s3.send(
      new CopyObjectCommand({
        Bucket,
        Key: 'copies/b',
        CopySource: `${Bucket}/copies/b`,
        MetadataDirective: 'REPLACE',
        Metadata: { two: '2' },
      }),
    )
    expect((await get('copies/b')).equals(body)).toBe(true)
    const { Metadata } = await s3.send(new HeadObjectCommand({ Bucket, Key: 'copies/b' }))
    expect(Metadata).toEqual({ two: '2' })
  })

  test('a multipart object copied at the store itself as one object still lists and reads right', async () => {
    const bodies = [randomBytes(5 * MIB), randomBytes(70_000)]
    await upload('copies/parts', bodies)
    const stored = await running.store.head(Bucket, 'copies/parts')
    const source = { bucket: Bucket, key: 'copies/parts' }
    await running.store.copy(source, source, {
      sourceIfMatch: stored?.etag ?? '',
      size: stored?.size ?? 0,
      metadata: stored?.metadata ?? {},
    })
    const listed = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'copies/parts' }))
    expect(listed.Contents?.[0]?.Size).toBe(5 * MIB + 70_000)
    expect((await get('copies/parts')).equals(Buffer.concat(bodies))).toBe(true)
    expect((await get('copies/parts', 'bytes=5242870-5242890')).length).toBe(21)
  })

  test('beyond what one request may copy go in parts, and read the same', async () => {
    const limited = s3Store({
      endpoint: backend.endpoint,
      profile: { conditionalCopy: true, versions: false, tags: false },
      copyRequestLimit: 5 * MIB,
    })
    const second = await startGateway({ store: limited, state: running.state })
    Reflect.set(second.gateway, 'keys', running.gateway.keys)
    try {
      const body = randomBytes(12 * MIB)
      await put('copies/large', body)
      const client = second.client()
      await client.send(new CopyObjectCommand({ Bucket, Key: 'copies/large-2', CopySource: `${Bucket}/copies/large` }))
      expect((await get('copies/large-2')).equals(body)).toBe(true)
      const listed = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'copies/large-2' }))
      expect(listed.Contents?.[0]?.Size).toBe(body.length)
    } finally {
      await second.close()
      await limited.close()
    }
  })
})

test('what the backend refuses, the client hears in its words', async () => {
  const VersioningConfiguration = { Status: 'Enabled' } as const
  await expect(s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }))).rejects.toMatchObject({
    name: 'NotImplemented',
    $metadata: { httpStatusCode: 501 },
  })
  await expect(get('missing')).rejects.toMatchObject({ name: 'NoSuchKey' })
  await expect(s3.send(new ListObjectsV2Command({ Bucket: 'no-such-bucket' }))).rejects.toMatchObject({
    name: 'NoSuchBucket',
  })
})

test('of 100 conditional PUTs at once exactly one wins', async () => {
  const racers = Array.from({ length: 100 }, (_, at) => put('race', Buffer.from(`racer ${at}`), { IfNoneMatch: '*' }))
  const outcomes = await Promise.allSettled(racers)
  const winners = outcomes.flatMap((outcome, at) => (outcome.status === 'fulfilled' ? [at] : []))
  expect(winners).toHaveLength(1)
  expect((await get('race')).toString()).toBe(`racer ${winners[0]}`)
})
