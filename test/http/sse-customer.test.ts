/** SSE-C: objects under a customer's key, of which nothing is kept (docs/format.md, "Envelope"; S3 behaviour 54). */
import { createHash, randomBytes } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutBucketEncryptionCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { TailCache } from '../../src/gateway/tail-cache.ts'
import { startGateway } from '../helpers/gateway.ts'
import { flip, readStored, writeStored } from '../helpers/tamper.ts'
import { type World, worldsOf } from '../helpers/worlds.ts'

const Bucket = 'customers'
const MIB = 1024 * 1024

/** A key as the SDK takes it, and as it comes back. */
function customer(seed: string) {
  const bytes = createHash('sha256').update(seed).digest()
  const SSECustomerKey = bytes.toString('base64')
  return {
    bytes,
    md5: createHash('md5').update(bytes).digest('base64'),
    fields: { SSECustomerAlgorithm: 'AES256', SSECustomerKey },
    source: { CopySourceSSECustomerAlgorithm: 'AES256', CopySourceSSECustomerKey: SSECustomerKey },
  }
}

const ours = customer('ours')
const other = customer('other')

const worlds = worldsOf({ customerKeysOverHttp: true })

const refusal = (sent: Promise<unknown>): Promise<[number | undefined, string | undefined]> =>
  sent.then(
    () => [200, undefined],
    (error: { $metadata?: { httpStatusCode?: number }; name?: string }) => [
      error.$metadata?.httpStatusCode,
      error.name,
    ],
  )

describe.each(Object.keys(worlds))('%s', (name) => {
  let world: World
  let s3: S3Client

  beforeAll(async () => {
    world = await worlds[name]!()
    s3 = world.running.client()
    await s3.send(new CreateBucketCommand({ Bucket }))
  })
  afterAll(() => world.close())

  const put = (Key: string, Body: Buffer, more = {}) => s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }))
  const get = async (Key: string, more = {}) => {
    const { Body, ...answer } = await s3.send(new GetObjectCommand({ Bucket, Key, ...more }))
    return { ...answer, bytes: Buffer.from((await Body?.transformToByteArray()) ?? []) }
  }
  const head = (Key: string, more = {}) => s3.send(new HeadObjectCommand({ Bucket, Key, ...more }))

  async function upload(Key: string, bodies: readonly Buffer[], fields = {}) {
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ...fields }))
    const Parts = []
    for (const [i, Body] of bodies.entries()) {
      const part = { Bucket, Key, UploadId, PartNumber: i + 1, Body, ...fields }
      const { ETag } = await s3.send(new UploadPartCommand(part))
      Parts.push({ PartNumber: i + 1, ETag })
    }
    return s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }))
  }

  test.each([0, 5, 70_000, 2 * MIB, 5 * MIB + 3])(
    'an object of %i bytes comes back to whoever has its key',
    async (bytes) => {
      const body = randomBytes(bytes)
      const written = await put('whole', body, { ...ours.fields, Metadata: { colour: 'blue' } })
      expect(written).toMatchObject({ SSECustomerAlgorithm: 'AES256', SSECustomerKeyMD5: ours.md5 })
      expect(written.ServerSideEncryption).toBeUndefined()
      const read = await get('whole', ours.fields)
      expect(read.bytes.equals(body)).toBe(true)
      expect(read).toMatchObject({ SSECustomerAlgorithm: 'AES256', SSECustomerKeyMD5: ours.md5, ETag: written.ETag })
      expect(read.ServerSideEncryption).toBeUndefined()
      expect(await head('whole', ours.fields)).toMatchObject({ ContentLength: bytes, Metadata: { colour: 'blue' } })
      const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'whole' }))
      expect(Contents).toMatchObject([{ Size: bytes, ETag: written.ETag }])
    },
  )

  test('ranges, suffixes and conditions are answered as of any object', async () => {
    const body = randomBytes(300_000)
    const { ETag } = await put('ranges', body, ours.fields)
    for (const [Range, from, to] of [
      ['bytes=0-0', 0, 1],
      ['bytes=65000-140000', 65_000, 140_001],
      ['bytes=-100', 299_900, 300_000],
    ] as const) {
      expect((await get('ranges', { ...ours.fields, Range })).bytes.equals(body.subarray(from, to))).toBe(true)
    }
    expect(await refusal(get('ranges', { ...ours.fields, IfNoneMatch: ETag }))).toContain(304)
    expect(await refusal(get('ranges', { ...ours.fields, Range: 'bytes=300000-' }))).toEqual([416, 'InvalidRange'])
  })

  test('B54 without its key an SSE-C object is InvalidRequest, with another one AccessDenied, HEAD alike', async () => {
    await put('locked', Buffer.from('secret'), ours.fields)
    expect(await refusal(get('locked'))).toEqual([400, 'InvalidRequest'])
    expect(await refusal(get('locked', { Range: 'bytes=-2' }))).toEqual([400, 'InvalidRequest'])
    expect(await refusal(get('locked', other.fields))).toEqual([403, 'AccessDenied'])
    expect((await refusal(head('locked')))[0]).toBe(400)
    expect((await refusal(head('locked', other.fields)))[0]).toBe(403)
    const attributes = { Bucket, Key: 'locked', ObjectAttributes: ['ObjectSize' as const] }
    expect(await refusal(s3.send(new GetObjectAttributesCommand(attributes)))).toEqual([400, 'InvalidRequest'])
    const known = await s3.send(new GetObjectAttributesCommand({ ...attributes, ...ours.fields }))
    expect(known.ObjectSize).toBe(6)
  })

  test('B54 a key for an object that has none is InvalidRequest', async () => {
    await put('open', Buffer.from('x'))
    expect(await refusal(get('open', ours.fields))).toEqual([400, 'InvalidRequest'])
    expect((await refusal(head('open', ours.fields)))[0]).toBe(400)
  })

  test('an object is replaced and deleted without its key, also under a condition', async () => {
    const { ETag } = await put('gone', Buffer.from('1'), ours.fields)
    const { ETag: second } = await put('gone', Buffer.from('2'), { ...other.fields, IfMatch: ETag })
    expect(await refusal(put('gone', Buffer.from('3'), { IfMatch: ETag }))).toEqual([412, 'PreconditionFailed'])
    expect((await get('gone', other.fields)).bytes.toString()).toBe('2')
    if (world.running.store.capabilities.conditionalDelete) {
      const wrong = new DeleteObjectCommand({ Bucket, Key: 'gone', IfMatch: ETag })
      expect(await refusal(s3.send(wrong))).toEqual([412, 'PreconditionFailed'])
      await s3.send(new DeleteObjectCommand({ Bucket, Key: 'gone', IfMatch: second }))
    } else {
      await s3.send(new DeleteObjectCommand({ Bucket, Key: 'gone' }))
    }
    expect((await refusal(head('gone', other.fields)))[0]).toBe(404)
  })

  test('an upload in parts: every part brings the key, listing and completing need none', async () => {
    const Key = 'parts'
    const bodies = [randomBytes(5 * MIB + 11), randomBytes(123)]
    const created = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ...ours.fields }))
    expect(created).toMatchObject({ SSECustomerAlgorithm: 'AES256', SSECustomerKeyMD5: ours.md5 })
    const { UploadId } = created
    const part = (PartNumber: number, fields = {}) =>
      s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body: bodies[PartNumber - 1]!, ...fields }))
    expect(await refusal(part(2))).toEqual([400, 'InvalidRequest'])
    expect(await refusal(part(2, other.fields))).toEqual([400, 'InvalidRequest'])
    const Parts = []
    for (const PartNumber of [1, 2]) {
      const answer = await part(PartNumber, ours.fields)
      expect(answer).toMatchObject({ SSECustomerAlgorithm: 'AES256', SSECustomerKeyMD5: ours.md5 })
      Parts.push({ PartNumber, ETag: answer.ETag })
    }
    const listed = await s3.send(new ListPartsCommand({ Bucket, Key, UploadId }))
    expect(listed.Parts?.map(({ Size }) => Size)).toEqual(bodies.map((body) => body.length))
    expect(await refusal(s3.send(new ListPartsCommand({ Bucket, Key, UploadId, ...other.fields })))).toEqual([
      400,
      'InvalidRequest',
    ])
    const complete = { Bucket, Key, UploadId, MultipartUpload: { Parts } }
    const done = await s3.send(new CompleteMultipartUploadCommand(complete))
    expect((await s3.send(new CompleteMultipartUploadCommand(complete))).ETag).toBe(done.ETag)
    expect(done.ServerSideEncryption).toBeUndefined()
    Reflect.set(world.running.gateway, 'tails', new TailCache(MIB))
    const whole = Buffer.concat(bodies)
    expect((await get(Key, ours.fields)).bytes.equals(whole)).toBe(true)
    expect((await get(Key, { ...ours.fields, PartNumber: 2 })).bytes.equals(bodies[1]!)).toBe(true)
    const across = await get(Key, { ...ours.fields, Range: `bytes=${5 * MIB}-${5 * MIB + 20}` })
    expect(across.bytes.equals(whole.subarray(5 * MIB, 5 * MIB + 21))).toBe(true)
    expect(await refusal(get(Key))).toEqual([400, 'InvalidRequest'])
    expect(await refusal(get(Key, other.fields))).toEqual([403, 'AccessDenied'])
  })

  test('a part with a key for an upload that has none is InvalidRequest', async () => {
    const Key = 'open-parts'
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
    const part = { Bucket, Key, UploadId, PartNumber: 1, Body: Buffer.from('x') }
    expect(await refusal(s3.send(new UploadPartCommand({ ...part, ...ours.fields })))).toEqual([400, 'InvalidRequest'])
    await s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
  })

  test.each([1_000, 2 * MIB])('copies of %i bytes with no, one and two keys', async (bytes) => {
    const body = randomBytes(bytes)
    await put('from', body, { ...ours.fields, Metadata: { kept: 'yes' } })
    const copy = (Key: string, more = {}) =>
      s3.send(new CopyObjectCommand({ Bucket, Key, CopySource: `${Bucket}/from`, ...more }))
    expect(await refusal(copy('to'))).toEqual([400, 'InvalidRequest'])
    expect(await refusal(copy('to', other.source))).toEqual([403, 'AccessDenied'])

    const both = await copy('two', { ...ours.source, ...other.fields })
    expect(both).toMatchObject({ SSECustomerAlgorithm: 'AES256', SSECustomerKeyMD5: other.md5 })
    expect((await get('two', other.fields)).bytes.equals(body)).toBe(true)
    expect((await head('two', other.fields)).Metadata).toEqual({ kept: 'yes' })
    expect(await refusal(get('two', ours.fields))).toEqual([403, 'AccessDenied'])

    await copy('plain', ours.source)
    const plain = await get('plain')
    expect(plain.bytes.equals(body)).toBe(true)
    expect(plain.SSECustomerAlgorithm).toBeUndefined()

    await s3.send(new CopyObjectCommand({ Bucket, Key: 'back', CopySource: `${Bucket}/plain`, ...ours.fields }))
    expect((await get('back', ours.fields)).bytes.equals(body)).toBe(true)
    const notApplicable = { Bucket, Key: 'no', CopySource: `${Bucket}/plain`, ...ours.source }
    expect(await refusal(s3.send(new CopyObjectCommand(notApplicable)))).toEqual([400, 'InvalidRequest'])
  })

  test('a copy onto itself under another key is how a key is changed', async () => {
    await put('self', Buffer.from('contents'), ours.fields)
    const CopySource = `${Bucket}/self`
    await s3.send(new CopyObjectCommand({ Bucket, Key: 'self', CopySource, ...ours.source, ...other.fields }))
    expect((await get('self', other.fields)).bytes.toString()).toBe('contents')
    expect(await refusal(get('self', ours.fields))).toEqual([403, 'AccessDenied'])
  })

  test('UploadPartCopy takes the key of the source and the key of the upload', async () => {
    const body = randomBytes(5 * MIB + 500)
    await put('part-source', body, ours.fields)
    const Key = 'part-target'
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ...other.fields }))
    const base = { Bucket, Key, UploadId, PartNumber: 1, CopySource: `${Bucket}/part-source` }
    const range = { CopySourceRange: `bytes=100-${5 * MIB + 99}` }
    expect(await refusal(s3.send(new UploadPartCopyCommand({ ...base, ...other.fields })))).toEqual([
      400,
      'InvalidRequest',
    ])
    expect(await refusal(s3.send(new UploadPartCopyCommand({ ...base, ...ours.source })))).toEqual([
      400,
      'InvalidRequest',
    ])
    const copied = await s3.send(new UploadPartCopyCommand({ ...base, ...range, ...ours.source, ...other.fields }))
    expect(copied).toMatchObject({ SSECustomerAlgorithm: 'AES256', SSECustomerKeyMD5: other.md5 })
    const Parts = [{ PartNumber: 1, ETag: copied.CopyPartResult?.ETag }]
    await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }))
    expect((await get(Key, other.fields)).bytes.equals(body.subarray(100, 5 * MIB + 100))).toBe(true)
  })

  test('neither plaintext nor key nor their digests are at the store, and there is no recovery envelope', async () => {
    const body = Buffer.alloc(6 * MIB, 'the quick brown fox ')
    await put('bare', body, ours.fields)
    await upload('bare-parts', [body], ours.fields)
    for (const key of ['bare', 'bare-parts']) {
      const { bytes, metadata } = await readStored(world.store, Bucket, key)
      const raw = Buffer.concat([bytes, ...Object.values(metadata).map((text) => Buffer.from(text, 'base64url'))])
      const secrets = [ours.bytes, createHash('md5').update(ours.bytes).digest(), Buffer.from('quick brown fox')]
      for (const secret of secrets) {
        expect(raw.includes(secret)).toBe(false)
        expect(raw.includes(secret.toString('base64').replace(/=+$/, ''))).toBe(false)
      }
      const envelope = Buffer.from(metadata['sg-e'] ?? '', 'base64url')
      expect(envelope.subarray(3, 9)).toEqual(Buffer.from([1, 0x63, 0, 0, 0, 0]))
      expect(bytes.readUInt16BE(bytes.length - 16)).toBe(0)
    }
  })

  test('an envelope of another object, and one whose kid was changed, open nothing', async () => {
    await put('one', Buffer.from('first'), ours.fields)
    await put('two', Buffer.from('later'), ours.fields)
    const one = await readStored(world.store, Bucket, 'one')
    const two = await readStored(world.store, Bucket, 'two')
    await writeStored(world.store, Bucket, 'one', { ...one, metadata: two.metadata })
    expect(await refusal(get('one', ours.fields))).toEqual([500, 'InternalError'])
    const envelope = Buffer.from(one.metadata['sg-e'] ?? '', 'base64url')
    const metadata = { ...one.metadata, 'sg-e': flip(envelope, 9).toString('base64url') }
    await writeStored(world.store, Bucket, 'one', { ...one, metadata })
    expect(await refusal(get('one', ours.fields))).toEqual([403, 'AccessDenied'])
    await writeStored(world.store, Bucket, 'one', one)
    expect((await get('one', ours.fields)).bytes.toString()).toBe('first')
  })

  test('a bucket that blocks customers’ keys takes no new object under one and still gives out the old', async () => {
    const block = (EncryptionType: ('SSE-C' | 'NONE')[]) =>
      s3.send(
        new PutBucketEncryptionCommand({
          Bucket,
          ServerSideEncryptionConfiguration: { Rules: [{ BlockedEncryptionTypes: { EncryptionType } }] },
        }),
      )
    await put('old', Buffer.from('old'), ours.fields)
    await block(['SSE-C'])
    expect(await refusal(put('new', Buffer.from('new'), ours.fields))).toEqual([403, 'AccessDenied'])
    expect(await refusal(upload('new', [Buffer.from('x')], ours.fields))).toEqual([403, 'AccessDenied'])
    expect((await get('old', ours.fields)).bytes.toString()).toBe('old')
    await block(['NONE'])
    await put('new', Buffer.from('new'), ours.fields)
  })
})

test('a store in memory keeps facts of SSE-C objects under the bucket’s key: listings show the MD5', async () => {
  const running = await startGateway({ store: new MemoryStore(), customerKeysOverHttp: true })
  try {
    const s3 = running.client()
    await s3.send(new CreateBucketCommand({ Bucket }))
    await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: Buffer.from('abc'), ...ours.fields }))
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket }))
    expect(Contents?.[0]?.ETag).toBe(`"${createHash('md5').update('abc').digest('hex')}"`)
  } finally {
    await running.close()
  }
})
