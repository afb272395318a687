/** GetObjectAttributes over every kind of store (S3 behaviour 55). */
import { createHash, randomBytes } from 'node:crypto'
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectAttributesCommand,
  type GetObjectAttributesCommandInput,
  HeadObjectCommand,
  type ObjectAttributes,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HeldBody } from '../../src/backends/body.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { s3Store } from '../helpers/s3-store.ts'
import { codeOf, send } from '../helpers/signed-request.ts'
import { worldsOf } from '../helpers/worlds.ts'

const MIB = 1024 * 1024
const Bucket = 'attributes'
const ALL: ObjectAttributes[] = ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize']

const worlds = worldsOf({ rules: () => ({ contents: 'mixed' }) })

describe.each(Object.entries(worlds))('%s', (_name, start) => {
  let running: TestGateway
  let s3: S3Client

  beforeAll(async () => {
    running = (await start()).running
    s3 = running.client()
    await s3.send(new CreateBucketCommand({ Bucket }))
    await s3.send(new PutObjectCommand({ Bucket, Key: 'put', Body: 'contents', ChecksumAlgorithm: 'SHA256' }))
  })
  afterAll(() => running.close())

  const attributes = (Key: string, more: Partial<GetObjectAttributesCommandInput> = {}) =>
    s3.send(new GetObjectAttributesCommand({ Bucket, Key, ObjectAttributes: ALL, ...more }))
  const bareEtag = async (Key: string) =>
    (await s3.send(new HeadObjectCommand({ Bucket, Key }))).ETag!.replaceAll('"', '')

  async function upload(Key: string, sizes: readonly number[], ChecksumAlgorithm: 'CRC32' | undefined) {
    const { UploadId } = await s3.send(
      new CreateMultipartUploadCommand({ Bucket, Key, ...(ChecksumAlgorithm && { ChecksumAlgorithm }) }),
    )
    const Parts: object[] = []
    for (const [i, size] of sizes.entries()) {
      const part = { Bucket, Key, UploadId, PartNumber: i + 1, Body: randomBytes(size) }
      const { ETag, ChecksumCRC32 } = await s3.send(
        new UploadPartCommand({ ...part, ...(ChecksumAlgorithm && { ChecksumAlgorithm }) }),
      )
      Parts.push({ PartNumber: i + 1, ETag, ...(ChecksumAlgorithm && { ChecksumCRC32 }) })
    }
    await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }))
    return Parts
  }

  test('B55 of an object put in one piece: no parts, and an ETag without quotes', async () => {
    const found = await attributes('put')
    expect(found).toMatchObject({
      ETag: await bareEtag('put'),
      Checksum: {
        ChecksumSHA256: createHash('sha256').update('contents').digest('base64'),
        ChecksumType: 'FULL_OBJECT',
      },
      ObjectSize: 8,
      StorageClass: 'STANDARD',
    })
    expect(found.ETag).not.toContain('"')
    expect(found.ObjectParts).toBeUndefined()
    expect(found.LastModified).toEqual((await s3.send(new HeadObjectCommand({ Bucket, Key: 'put' }))).LastModified)
  })

  test('B55 only what is asked for is told', async () => {
    const { $metadata, LastModified, ...found } = await attributes('put', { ObjectAttributes: ['ObjectSize'] })
    expect([$metadata.httpStatusCode, LastModified]).toEqual([200, expect.any(Date)])
    expect(found).toEqual({ ObjectSize: 8 })
  })

  test('B55 parts come in pages by x-amz-max-parts and x-amz-part-number-marker', async () => {
    const sizes = [5 * MIB, 5 * MIB, 17]
    const parts = await upload('parts', sizes, 'CRC32')
    const listed = sizes.map((Size, i) => ({
      PartNumber: i + 1,
      Size,
      ChecksumCRC32: (parts[i] as { ChecksumCRC32: string }).ChecksumCRC32,
    }))
    const page = (MaxParts?: number, PartNumberMarker?: string) =>
      attributes('parts', { ObjectAttributes: ['ObjectParts'], MaxParts, PartNumberMarker }).then((a) => a.ObjectParts)
    const base = { TotalPartsCount: 3, PartNumberMarker: '0', NextPartNumberMarker: '3', MaxParts: 1000 }
    expect(await page()).toEqual({ ...base, IsTruncated: false, Parts: listed })
    expect(await page(2)).toEqual({
      ...base,
      NextPartNumberMarker: '2',
      MaxParts: 2,
      IsTruncated: true,
      Parts: listed.slice(0, 2),
    })
    expect(await page(2, '2')).toMatchObject({ PartNumberMarker: '2', IsTruncated: false, Parts: listed.slice(2) })
    expect(await page(0)).toMatchObject({ TotalPartsCount: 3, IsTruncated: false })
    expect(await page(5000)).toMatchObject({ MaxParts: 1000 })
    // What is no number is ignored, as S3 does here.
    const headers = { 'x-amz-object-attributes': 'ObjectParts', 'x-amz-max-parts': 'many' }
    const answer = await send(running, { method: 'GET', path: `/${Bucket}/parts?attributes`, headers })
    expect(answer.bytes.toString()).toContain('<MaxParts>1000</MaxParts>')
    expect((await attributes('parts')).ObjectSize).toBe(10 * MIB + 17)
    expect((await attributes('parts')).ETag).toBe(await bareEtag('parts'))
  })

  test('B55 of parts without checksums only the number is told; of a single part too', async () => {
    await upload('silent', [5 * MIB, 3], undefined)
    expect((await attributes('silent')).ObjectParts).toEqual({ TotalPartsCount: 2 })
    await upload('single', [99], 'CRC32')
    const { ObjectParts, ObjectSize } = await attributes('single')
    expect(ObjectParts).toMatchObject({ TotalPartsCount: 1, Parts: [{ PartNumber: 1, Size: 99 }] })
    expect(ObjectSize).toBe(99)
  })

  test('of a body without a length, which the gateway cut into parts: presented as not multipart', async () => {
    const path = `/${Bucket}/streamed`
    const body = randomBytes(9 * MIB)
    const put = await send(running, { method: 'PUT', path, body, headers: { 'transfer-encoding': 'chunked' } })
    expect(put.status).toBe(200)
    const found = await attributes('streamed')
    expect([found.ObjectParts, found.ObjectSize, found.ETag]).toEqual([undefined, 9 * MIB, await bareEtag('streamed')])
  })

  test('of plaintext in a mixed bucket: what the store says', async () => {
    const options = { metadata: {}, commit: async () => ({}) }
    await running.store.put(Bucket, 'plain', new HeldBody([randomBytes(333)]), options)
    const found = await attributes('plain')
    expect([found.ObjectSize, found.ETag]).toEqual([333, await bareEtag('plain')])
    expect([found.Checksum, found.ObjectParts]).toEqual([undefined, undefined])
  })

  test('of a copy of a multipart object', async () => {
    await s3.send(new CopyObjectCommand({ Bucket, Key: 'copied', CopySource: `${Bucket}/single` }))
    expect(await attributes('copied')).toMatchObject({ ObjectSize: 99, ETag: await bareEtag('copied') })
  })

  test('B46 conditions decide as for GET', async () => {
    const path = `/${Bucket}/put?attributes`
    const etag = await bareEtag('put')
    const status = async (headers: Record<string, string>) =>
      (await send(running, { method: 'GET', path, headers: { 'x-amz-object-attributes': 'ETag', ...headers } })).status
    expect(await status({ 'if-match': `"${etag}"` })).toBe(200)
    expect(await status({ 'if-match': '"other"' })).toBe(412)
    expect(await status({ 'if-none-match': etag })).toBe(304)
    expect(await status({ 'if-modified-since': new Date(Date.now() + 5_000).toUTCString() })).toBe(304)
    expect(await status({ 'if-unmodified-since': 'Sun, 06 Nov 1994 08:49:37 GMT' })).toBe(412)
  })

  test.each([
    ['no header', {}, 400, 'InvalidRequest'],
    ['an empty header', { 'x-amz-object-attributes': ' ' }, 400, 'InvalidRequest'],
    ['an unknown attribute', { 'x-amz-object-attributes': 'ETag,Colour' }, 400, 'InvalidArgument'],
    ['an attribute in other letters', { 'x-amz-object-attributes': 'etag' }, 400, 'InvalidArgument'],
  ] as const)('B55 %s is refused', async (_what, headers, status, code) => {
    const answer = await send(running, { method: 'GET', path: `/${Bucket}/put?attributes`, headers })
    expect([answer.status, codeOf(answer)]).toEqual([status, code])
    // B93: a missing bucket comes before what is wrong with the request.
    const missing = await send(running, { method: 'GET', path: '/no-such-bucket/put?attributes', headers })
    expect([missing.status, codeOf(missing)]).toEqual([404, 'NoSuchBucket'])
  })

  test('B55 a missing key, a missing bucket and an empty version', async () => {
    await expect(attributes('none')).rejects.toMatchObject({ name: 'NoSuchKey' })
    await expect(attributes('none', { Bucket: 'no-such-bucket' })).rejects.toMatchObject({ name: 'NoSuchBucket' })
    const headers = { 'x-amz-object-attributes': 'ETag' }
    const empty = await send(running, { method: 'GET', path: `/${Bucket}/put?attributes&versionId=`, headers })
    expect([empty.status, codeOf(empty)]).toEqual([400, 'InvalidArgument'])
  })
})

test('a store that speaks S3 is never asked for the attributes of the ciphertext', async () => {
  const backend = await startGateway()
  const sent: string[] = []
  const store = s3Store({ endpoint: backend.endpoint, onSend: ({ path }) => sent.push(path) })
  const running = await startGateway({ store })
  const s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket }))
  await s3.send(new PutObjectCommand({ Bucket, Key: 'put', Body: 'contents' }))
  sent.length = 0
  await s3.send(new GetObjectAttributesCommand({ Bucket, Key: 'put', ObjectAttributes: ALL }))
  expect(sent.length).toBeGreaterThan(0)
  expect(sent.filter((path) => /[?&]attributes/.test(path))).toEqual([])
  await running.close()
  await store.close()
  await backend.close()
})
