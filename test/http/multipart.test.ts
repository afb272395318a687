import { createHash, randomBytes } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandInput,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectEtag } from '../helpers/etags.ts'
import type { TestGateway } from '../helpers/gateway.ts'
import { notOver, startTested } from '../helpers/worlds.ts'

const MIB = 1024 * 1024
const Bucket = 'multipart'
let running: TestGateway
let s3: S3Client

beforeAll(async () => {
  running = await startTested()
  s3 = running.client({ requestChecksumCalculation: 'WHEN_REQUIRED' })
  await s3.send(new CreateBucketCommand({ Bucket }))
})
afterAll(() => running.close())

const md5 = (bytes: Buffer): Buffer => createHash('md5').update(bytes).digest()
const etagOf = (parts: readonly Buffer[]): string =>
  `"${md5(Buffer.concat(parts.map(md5))).toString('hex')}-${parts.length}"`

async function create(Key: string, more: Partial<CreateMultipartUploadCommandInput> = {}): Promise<string> {
  return (await s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ...more }))).UploadId!
}
async function upload(Key: string, UploadId: string, PartNumber: number, Body: Buffer): Promise<string> {
  return (await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }))).ETag!
}
const complete = (Key: string, UploadId: string, parts: readonly (readonly [number, string])[], more = {}) =>
  s3.send(
    new CompleteMultipartUploadCommand({
      Bucket,
      Key,
      UploadId,
      MultipartUpload: { Parts: parts.map(([PartNumber, ETag]) => ({ PartNumber, ETag })) },
      ...more,
    }),
  )
async function read(Key: string, more: Partial<{ Range: string; PartNumber: number }> = {}): Promise<Buffer> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, ...more }))
  return Buffer.from(await Body!.transformToByteArray())
}

/** Uploads `parts` under `numbers`, in the order given by `order`, and completes them. */
async function whole(
  Key: string,
  parts: readonly Buffer[],
  numbers: readonly number[],
  order = numbers.map((_, i) => i),
) {
  const id = await create(Key)
  const etags = new Map<number, string>()
  for (const i of order) etags.set(numbers[i]!, await upload(Key, id, numbers[i]!, parts[i]!))
  return complete(
    Key,
    id,
    numbers.map((n) => [n, etags.get(n)!] as const),
  )
}

describe('an upload of parts of any size in any order is one object', () => {
  const cases: [string, number[], number[], number[]][] = [
    ['one empty part', [0], [1], [0]],
    ['one small part', [1000], [1], [0]],
    ['one large part', [6 * MIB], [7], [0]],
    ['a small part at the end', [5 * MIB, 5 * MIB + 1, 17], [1, 2, 3], [2, 0, 1]],
    ['a large part at the end, with gaps', [5 * MIB, 5 * MIB + 77_777], [3, 9000], [1, 0]],
    ['the last part number', [5 * MIB, 5 * MIB], [9999, 10_000], [0, 1]],
    ['the last part number, small', [100], [10_000], [0]],
  ]
  test.each(cases)('%s', async (name, sizes, numbers, order) => {
    const Key = `whole/${name}`
    const parts = sizes.map((size) => randomBytes(size))
    const bytes = Buffer.concat(parts)
    const done = await whole(Key, parts, numbers, order)
    expectEtag(running, done.ETag, etagOf(parts))
    expect((await read(Key)).equals(bytes)).toBe(true)
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key }))
    expect(head).toMatchObject({ ContentLength: bytes.length, ETag: done.ETag })
    const listed = (await s3.send(new ListObjectsV2Command({ Bucket, Prefix: Key }))).Contents?.find(
      (one) => one.Key === Key,
    )
    expect(listed).toMatchObject({ Size: bytes.length, ETag: done.ETag })
  })
})

describe('reads of a multipart object', () => {
  const parts = [randomBytes(5 * MIB + 3), randomBytes(6 * MIB), randomBytes(12_345)]
  const bytes = Buffer.concat(parts)
  const Key = 'reads'
  beforeAll(() => whole(Key, parts, [1, 2, 5]))

  test.each([
    [0, 0],
    [5 * MIB, 5 * MIB + 10],
    [5 * MIB + 2, 5 * MIB + 3],
    [0, bytes.length - 1],
    [bytes.length - 12_346, bytes.length - 1],
    [11 * MIB, 11 * MIB + 200_000],
  ])('range %i-%i', async (first, last) => {
    const got = await read(Key, { Range: `bytes=${first}-${last}` })
    expect(got.equals(bytes.subarray(first, last + 1))).toBe(true)
  })

  test('suffix', async () => {
    expect((await read(Key, { Range: 'bytes=-20000' })).equals(bytes.subarray(-20_000))).toBe(true)
  })

  test('B45 partNumber returns the part with its place and the number of parts', async () => {
    const got = await s3.send(new GetObjectCommand({ Bucket, Key, PartNumber: 2 }))
    expect([got.$metadata.httpStatusCode, got.PartsCount]).toEqual([206, 3])
    expectEtag(running, got.ETag, etagOf(parts))
    expect(got.ETag).toBe((await s3.send(new HeadObjectCommand({ Bucket, Key }))).ETag)
    expect(got.ContentRange).toBe(
      `bytes ${parts[0]!.length}-${parts[0]!.length + parts[1]!.length - 1}/${bytes.length}`,
    )
    expect(Buffer.from(await got.Body!.transformToByteArray()).equals(parts[1]!)).toBe(true)
    await expect(s3.send(new GetObjectCommand({ Bucket, Key, PartNumber: 4 }))).rejects.toMatchObject({
      name: 'InvalidPartNumber',
    })
  })
})

test('B75 a re-uploaded part replaces the one before, also across the 5 MiB bound', async () => {
  const Key = 'again'
  const id = await create(Key)
  await upload(Key, id, 1, randomBytes(5 * MIB))
  const first = randomBytes(5 * MIB + 9)
  const one = await upload(Key, id, 1, first)
  await upload(Key, id, 2, randomBytes(5 * MIB))
  const small = randomBytes(99)
  const two = await upload(Key, id, 2, small)
  const { Parts } = await s3.send(new ListPartsCommand({ Bucket, Key, UploadId: id }))
  expect(Parts?.map((part) => [part.PartNumber, part.Size, part.ETag])).toEqual([
    [1, first.length, one],
    [2, 99, two],
  ])
  await complete(Key, id, [
    [1, one],
    [2, two],
  ])
  expect((await read(Key)).equals(Buffer.concat([first, small]))).toBe(true)
})

test('B74 parts that are not listed do not count', async () => {
  const Key = 'subset'
  const id = await create(Key)
  const parts = [randomBytes(5 * MIB), randomBytes(5 * MIB), randomBytes(5 * MIB)]
  const etags = [
    await upload(Key, id, 1, parts[0]!),
    await upload(Key, id, 2, parts[1]!),
    await upload(Key, id, 3, parts[2]!),
  ]
  const done = await complete(Key, id, [
    [1, etags[0]!],
    [2, etags[1]!],
  ])
  expectEtag(running, done.ETag, etagOf(parts.slice(0, 2)))
  expect((await read(Key)).length).toBe(10 * MIB)
})

describe('Complete refuses', () => {
  test('B72 a small part that is not the last, and the upload goes on', async () => {
    const Key = 'too-small'
    const id = await create(Key)
    const one = await upload(Key, id, 1, randomBytes(100))
    const two = await upload(Key, id, 2, randomBytes(100))
    const both = [
      [1, one],
      [2, two],
    ] as const
    await expect(complete(Key, id, both)).rejects.toMatchObject({ name: 'EntityTooSmall' })
    await complete(Key, id, [[2, two]])
    expect((await read(Key)).length).toBe(100)
  })

  test('B72 B77 unknown parts, wrong ETags and wrong sizes', async () => {
    const Key = 'refusals'
    const id = await create(Key)
    const one = await upload(Key, id, 1, randomBytes(10))
    await expect(complete(Key, id, [[2, one]])).rejects.toMatchObject({ name: 'InvalidPart' })
    await expect(complete(Key, id, [[1, `"${'0'.repeat(32)}"`]])).rejects.toMatchObject({ name: 'InvalidPart' })
    await expect(complete(Key, id, [[1, one]], { MpuObjectSize: 11 })).rejects.toMatchObject({ name: 'InvalidRequest' })
    await complete(Key, id, [[1, one]], { MpuObjectSize: 10 })
  })

  test('B60 B81 a condition that fails, and another request may complete it then', async () => {
    const Key = 'condition'
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'there' }))
    const id = await create(Key)
    const one = await upload(Key, id, 1, Buffer.from('new'))
    await expect(complete(Key, id, [[1, one]], { IfNoneMatch: '*' })).rejects.toMatchObject({
      name: 'PreconditionFailed',
    })
    await complete(Key, id, [[1, one]])
    expect((await read(Key)).toString()).toBe('new')
  })
})

test('B76 a repeated Complete gets the same answer; another list does not', async () => {
  const Key = 'repeat'
  const id = await create(Key)
  const one = await upload(Key, id, 1, randomBytes(10))
  const two = await upload(Key, id, 2, randomBytes(10))
  const first = await complete(Key, id, [[1, one]])
  const second = await complete(Key, id, [[1, one]])
  expect(second.ETag).toBe(first.ETag)
  await expect(complete(Key, id, [[2, two]])).rejects.toMatchObject({ name: 'NoSuchUpload' })
})

test('two Completes at once both succeed, with one object', async () => {
  const Key = 'race'
  const id = await create(Key)
  const one = await upload(Key, id, 1, randomBytes(5 * MIB))
  const results = await Promise.allSettled([1, 2, 3, 4].map(() => complete(Key, id, [[1, one]])))
  const etags = new Set(results.map((result) => (result.status === 'fulfilled' ? result.value.ETag : 'failed')))
  // One that saw the other's plan before it could read it is told to retry.
  etags.delete('failed')
  expect(etags.size).toBe(1)
  expect((await complete(Key, id, [[1, one]])).ETag).toBe([...etags][0])
})

test('B76 abort ends an upload for good', async () => {
  const Key = 'aborted'
  const id = await create(Key)
  const one = await upload(Key, id, 1, randomBytes(10))
  await s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId: id }))
  const gone = { name: 'NoSuchUpload' }
  await expect(upload(Key, id, 2, randomBytes(10))).rejects.toMatchObject(gone)
  await expect(complete(Key, id, [[1, one]])).rejects.toMatchObject(gone)
  await expect(s3.send(new ListPartsCommand({ Bucket, Key, UploadId: id }))).rejects.toMatchObject(gone)
  await expect(s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId: id }))).rejects.toMatchObject(gone)
  await expect(s3.send(new HeadObjectCommand({ Bucket, Key }))).rejects.toMatchObject({ name: 'NotFound' })
})

test(
  'B80 uploads in progress are listed by key, with prefix and delimiter',
  notOver('minio', 'it lists uploads by the whole name of their object alone'),
  async () => {
    const ids = new Map<string, string>()
    for (const Key of ['list/b', 'list/a', 'list/c/1', 'list/c/2']) ids.set(Key, await create(Key))
    const all = await s3.send(new ListMultipartUploadsCommand({ Bucket, Prefix: 'list/' }))
    expect(all.Uploads?.map((one) => one.Key)).toEqual(['list/a', 'list/b', 'list/c/1', 'list/c/2'])
    const grouped = await s3.send(new ListMultipartUploadsCommand({ Bucket, Prefix: 'list/', Delimiter: '/' }))
    expect(grouped.Uploads?.map((one) => one.Key)).toEqual(['list/a', 'list/b'])
    expect(grouped.CommonPrefixes?.map((one) => one.Prefix)).toEqual(['list/c/'])
    const paged = await s3.send(new ListMultipartUploadsCommand({ Bucket, Prefix: 'list/', MaxUploads: 3 }))
    expect(paged.IsTruncated).toBe(true)
    const rest = await s3.send(
      new ListMultipartUploadsCommand({
        Bucket,
        Prefix: 'list/',
        KeyMarker: paged.NextKeyMarker!,
        UploadIdMarker: paged.NextUploadIdMarker!,
      }),
    )
    expect(rest.Uploads?.map((one) => one.Key)).toEqual(['list/c/2'])
  },
)

test('B79 ListParts pages by part number', async () => {
  const Key = 'pages'
  const id = await create(Key)
  for (let n = 1; n <= 5; n += 1) await upload(Key, id, n, Buffer.alloc(n))
  const page = await s3.send(new ListPartsCommand({ Bucket, Key, UploadId: id, MaxParts: 2, PartNumberMarker: '1' }))
  expect(page.Parts?.map((part) => part.PartNumber)).toEqual([2, 3])
  expect(page).toMatchObject({ IsTruncated: true, NextPartNumberMarker: '3' })
})

test('UploadPartCopy takes ranges of any alignment from PUT and multipart objects', async () => {
  const source = randomBytes(7 * MIB + 321)
  await s3.send(new PutObjectCommand({ Bucket, Key: 'copy/source', Body: source }))
  const Key = 'copy/target'
  const id = await create(Key)
  const copy = async (PartNumber: number, CopySource: string, CopySourceRange?: string) =>
    (await s3.send(new UploadPartCopyCommand({ Bucket, Key, UploadId: id, PartNumber, CopySource, CopySourceRange })))
      .CopyPartResult!.ETag!
  const one = await copy(1, `${Bucket}/copy/source`)
  const two = await copy(2, `${Bucket}/reads`, `bytes=70001-${5 * MIB + 70_000}`)
  const three = await copy(3, `${Bucket}/copy/source`, 'bytes=5-5')
  await complete(Key, id, [
    [1, one],
    [2, two],
    [3, three],
  ])
  const reads = await read('reads')
  const expected = Buffer.concat([source, reads.subarray(70_001, 5 * MIB + 70_001), source.subarray(5, 6)])
  expect((await read(Key)).equals(expected)).toBe(true)
})

describe('checksums of uploads', () => {
  test.each([
    ['CRC32', 'FULL_OBJECT'],
    ['CRC32C', 'COMPOSITE'],
    ['CRC64NVME', 'FULL_OBJECT'],
    ['SHA1', 'COMPOSITE'],
    ['SHA256', 'COMPOSITE'],
  ] as const)('%s %s are verified, kept and returned', async (ChecksumAlgorithm, ChecksumType) => {
    const client = running.client()
    const Key = `checksum/${ChecksumAlgorithm}`
    const { UploadId } = await client.send(
      new CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm, ChecksumType }),
    )
    const parts = [randomBytes(5 * MIB), randomBytes(1234)]
    const done = []
    for (const [i, Body] of parts.entries()) {
      const put = await client.send(
        new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: i + 1, Body, ChecksumAlgorithm }),
      )
      done.push({ ...put, PartNumber: i + 1 })
    }
    const completed = await client.send(
      new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, ChecksumType, MultipartUpload: { Parts: done } }),
    )
    const field = `Checksum${ChecksumAlgorithm}` as const
    const head = await client.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }))
    expect(head[field]).toBe(completed[field])
    expect(head.ChecksumType).toBe(ChecksumType)
    if (ChecksumType === 'COMPOSITE') expect(head[field]).toMatch(/-2$/)
    // The SDK checks a FULL_OBJECT checksum over the bytes it gets.
    const got = await client.send(new GetObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }))
    expect(Buffer.from(await got.Body!.transformToByteArray()).equals(Buffer.concat(parts))).toBe(true)
  })
})
