/** Buckets that hold objects of both kinds: written through the gateway, and put there in plaintext before or beside it. */
import { randomBytes } from 'node:crypto'
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { HeldBody } from '../../src/backends/body.ts'
import type { ObjectStore } from '../../src/backends/object-store.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { CountingStore } from '../helpers/counting-store.ts'
import { s3Store } from '../helpers/s3-store.ts'

const PLAIN = randomBytes(100_000)
const SINCE = Date.parse('2026-01-01T00:00:00Z')

interface Kind {
  readonly name: string
  readonly open: () => Promise<{ store: ObjectStore; close: () => Promise<void> }>
}

const KINDS: Kind[] = [
  {
    name: 'a store without S3',
    open: async () => ({ store: new MemoryStore({ capabilities: { facts: false } }), close: async () => undefined }),
  },
  {
    name: 'an S3 server',
    open: async () => {
      const backend = await startGateway()
      const store = s3Store({ endpoint: backend.endpoint, profile: { versions: false, tags: false } })
      return { store, close: () => store.close().then(() => backend.close()) }
    },
  },
]

describe.each(KINDS)('over $name', ({ open }) => {
  let running: TestGateway
  let counted: CountingStore
  let s3: S3Client
  let close: () => Promise<void>

  beforeAll(async () => {
    const opened = await open()
    counted = new CountingStore(opened.store)
    running = await startGateway({
      store: counted.store,
      rules: (bucket) => ({ contents: bucket.startsWith('mixed') ? 'mixed' : 'sealed' }),
    })
    close = opened.close
    s3 = running.client()
    for (const Bucket of ['mixed', 'sealed']) {
      await s3.send(new CreateBucketCommand({ Bucket }))
      for (const [key, body] of [
        ['plain', PLAIN],
        ['empty', Buffer.alloc(0)],
      ] as const) {
        const metadata = { owner: 'somebody' }
        await opened.store.put(Bucket, key, new HeldBody([body]), { metadata, commit: async () => ({}) })
      }
      await s3.send(new PutObjectCommand({ Bucket, Key: 'sealed', Body: randomBytes(5_000) }))
    }
  })
  afterAll(async () => {
    await running.close()
    await close()
  })

  const get = async (Bucket: string, Key: string, Range?: string) => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, ...(Range === undefined ? {} : { Range }) }))
    return Buffer.from((await Body?.transformToByteArray()) ?? [])
  }

  test('plaintext is read as it is: whole, in ranges, with its metadata', async () => {
    expect((await get('mixed', 'plain')).equals(PLAIN)).toBe(true)
    expect((await get('mixed', 'plain', 'bytes=70000-70009')).equals(PLAIN.subarray(70_000, 70_010))).toBe(true)
    expect((await get('mixed', 'plain', 'bytes=-7')).equals(PLAIN.subarray(-7))).toBe(true)
    expect(await get('mixed', 'empty')).toHaveLength(0)
    const head = await s3.send(new HeadObjectCommand({ Bucket: 'mixed', Key: 'plain' }))
    expect(head).toMatchObject({ ContentLength: PLAIN.length, Metadata: { owner: 'somebody' } })
    expect(head.ETag).toMatch(/-1"$/)
  })

  test('where contents are sealed it is refused, and shown by the size that is stored', async () => {
    await expect(get('sealed', 'plain')).rejects.toMatchObject({ name: 'AccessDenied' })
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: 'sealed' }))
    expect(Contents?.map(({ Key }) => Key)).toEqual(['empty', 'plain', 'sealed'])
    expect(Contents?.[0]?.Size).toBe(0)
    expect(Contents?.[2]?.Size).toBe(5_000)
  })

  test('listings show the exact size of both kinds, and look at each object once', async () => {
    counted.arm()
    const list = async () => (await s3.send(new ListObjectsV2Command({ Bucket: 'mixed' }))).Contents ?? []
    expect((await list()).map(({ Key, Size }) => [Key, Size])).toEqual([
      ['empty', 0],
      ['plain', PLAIN.length],
      ['sealed', 5_000],
    ])
    expect(counted.calls.filter((name) => name === 'head')).toHaveLength(3)
    counted.arm()
    await list()
    expect(counted.calls.filter((name) => name === 'head')).toHaveLength(0)
  })

  test('copies of plaintext are sealed, also as parts', async () => {
    const Bucket = 'mixed'
    await s3.send(new CopyObjectCommand({ Bucket, Key: 'copies/a', CopySource: 'mixed/plain' }))
    expect((await get('mixed', 'copies/a')).equals(PLAIN)).toBe(true)
    const stored = await running.store.head('mixed', 'copies/a')
    expect(Object.keys(stored?.metadata ?? {}).sort()).toEqual(['sg-e', 'sg-m'])
    const { Metadata } = await s3.send(new HeadObjectCommand({ Bucket, Key: 'copies/a' }))
    expect(Metadata).toEqual({ owner: 'somebody' })
    const Key = 'copies/parts'
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
    const { CopyPartResult } = await s3.send(
      new UploadPartCopyCommand({ Bucket, Key, UploadId, PartNumber: 1, CopySource: 'mixed/plain' }),
    )
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: CopyPartResult?.ETag }] }
    await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload }))
    expect((await get('mixed', Key)).equals(PLAIN)).toBe(true)
    await s3.send(new CopyObjectCommand({ Bucket, Key: 'copies/empty', CopySource: 'mixed/empty' }))
    expect(await get('mixed', 'copies/empty')).toHaveLength(0)
  })

  test('conditions hold for plaintext too', async () => {
    const { ETag } = await s3.send(new HeadObjectCommand({ Bucket: 'mixed', Key: 'plain' }))
    await s3.send(new GetObjectCommand({ Bucket: 'mixed', Key: 'plain', IfMatch: ETag }))
    await expect(
      s3.send(new PutObjectCommand({ Bucket: 'mixed', Key: 'plain', Body: 'x', IfMatch: '"other"' })),
    ).rejects.toMatchObject({ name: 'PreconditionFailed' })
  })
})

test('what was written since the bucket is sealed is not looked at', async () => {
  let time = new Date(SINCE - 1_000)
  const counted = new CountingStore(new MemoryStore({ capabilities: { facts: false }, now: () => time }))
  const running = await startGateway({
    store: counted.store,
    rules: () => ({ contents: 'mixed', sealedSince: SINCE }),
  })
  try {
    const s3 = running.client()
    await s3.send(new CreateBucketCommand({ Bucket: 'since' }))
    await counted.store.put('since', 'old', new HeldBody([PLAIN]), { metadata: {}, commit: async () => ({}) })
    time = new Date(SINCE + 1_000)
    await s3.send(new PutObjectCommand({ Bucket: 'since', Key: 'new', Body: randomBytes(10) }))
    counted.arm()
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: 'since' }))
    expect(Contents?.map(({ Key, Size }) => [Key, Size])).toEqual([
      ['new', 10],
      ['old', PLAIN.length],
    ])
    expect(counted.calls.filter((name) => name === 'head')).toHaveLength(1)
  } finally {
    await running.close()
  }
})
