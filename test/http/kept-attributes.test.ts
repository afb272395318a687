// What S3 keeps beside contents, on the embedded store: given with an object, told with it, carried by copies.
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestGateway } from '../helpers/gateway.ts'
import { failure } from '../helpers/refused.ts'
import { differs, notOver, startTested } from '../helpers/worlds.ts'

const Bucket = 'kept-attributes'
let running: TestGateway
let s3: S3Client

beforeAll(async () => {
  running = await startTested()
  s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket }))
})

afterAll(() => running.close())

const put = (Key: string, more: Partial<PutObjectCommandInput> = {}) =>
  s3.send(new PutObjectCommand({ Bucket, Key, Body: 'body', ...more }))
const head = (Key: string) => s3.send(new HeadObjectCommand({ Bucket, Key }))
/** As the store was given them, or as it tells them. */
async function attributes(Key: string) {
  const { store } = running
  if (store.attributesOf !== undefined) return (await store.attributesOf(Bucket, Key, {})).attributes
  const { TagSet = [] } = await s3.send(new GetObjectTaggingCommand({ Bucket, Key }))
  const { StorageClass } = await head(Key)
  const tags = TagSet.map((tag) => [tag.Key, tag.Value].map((text) => encodeURIComponent(text ?? '')).join('=')).join(
    '&',
  )
  return {
    ...(tags !== '' && { 'x-amz-tagging': tags }),
    ...(StorageClass !== undefined && { 'x-amz-storage-class': StorageClass }),
  }
}

test(
  'tags are counted and the storage class is told, unless it is STANDARD',
  notOver('minio', 'it takes no tags beyond ASCII'),
  async () => {
    await put('told', { Tagging: 'a=b&c%20d=%C3%A9', StorageClass: 'REDUCED_REDUNDANCY' })
    expect(await head('told')).toMatchObject({ StorageClass: 'REDUCED_REDUNDANCY', TagCount: 2 })
    await put('standard', { StorageClass: 'STANDARD', Tagging: '' })
    const { StorageClass, TagCount, VersionId } = await head('standard')
    expect([StorageClass, TagCount, VersionId]).toEqual([undefined, undefined, undefined])
    expect(await attributes('told')).toEqual({
      'x-amz-tagging': 'a=b&c%20d=%C3%A9',
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
    })
  },
)

test.each([
  ['Tagging', '=x', 'InvalidArgument'],
  ['Tagging', 'a=1&a=2', 'InvalidArgument'],
  ['Tagging', 'a=%ZZ', 'InvalidArgument'],
  ['Tagging', Array.from({ length: 11 }, (_, i) => `k${i}=v`).join('&'), 'BadRequest'],
  ['StorageClass', 'SLOW', 'InvalidStorageClass'],
  ['StorageClass', 'OUTPOSTS', 'InvalidStorageClass'],
  ['ObjectLockLegalHoldStatus', 'MAYBE', 'InvalidArgument'],
  ['ObjectLockMode', 'GOVERNANCE', 'InvalidArgument'],
  ['ObjectLockLegalHoldStatus', 'ON', 'InvalidRequest'],
  ['ExpectedBucketOwner', 'somebody', 'AccessDenied'],
] as const)('B69 B71 %s: %s is %s and stores nothing', async (name, value, expected) => {
  const [found, status] = await failure(put('refused', { [name]: value }))
  if (!differs('s3', 'it has codes of its own for what it refuses')) expect(found).toBe(expected)
  expect(status).toBe(expected === 'AccessDenied' ? 403 : 400)
  expect(await running.store.head(Bucket, 'refused')).toBeUndefined()
})

test(
  'every class whose objects can be read at any time is told',
  notOver('s3', 'it has classes of its own'),
  async () => {
    for (const StorageClass of ['STANDARD_IA', 'ONEZONE_IA', 'INTELLIGENT_TIERING', 'GLACIER_IR'] as const) {
      await put('class', { StorageClass })
      expect((await head('class')).StorageClass).toBe(StorageClass)
    }
  },
)

test('B68 a copy has the tags of its source, not its storage class; REPLACE takes all from the request', async () => {
  await put('source', { Tagging: 'a=b', StorageClass: 'REDUCED_REDUNDANCY' })
  const copy = (Key: string, more: object) =>
    s3.send(new CopyObjectCommand({ Bucket, Key, CopySource: `${Bucket}/source`, ...more }))
  await copy('copied', {})
  await copy('asked', { Tagging: 'ignored=1' })
  await copy('replaced', { TaggingDirective: 'REPLACE', Tagging: 'x=y', StorageClass: 'REDUCED_REDUNDANCY' })
  await copy('untagged', { TaggingDirective: 'REPLACE' })
  expect(await Promise.all(['copied', 'asked', 'replaced', 'untagged'].map(attributes))).toEqual([
    { 'x-amz-tagging': 'a=b' },
    { 'x-amz-tagging': 'a=b' },
    { 'x-amz-tagging': 'x=y', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
    {},
  ])
  const code = differs('minio', 'it calls an unknown directive InvalidRequest') ? 'InvalidRequest' : 'InvalidArgument'
  expect(await failure(copy('bad', { TaggingDirective: 'MERGE' }))).toEqual([code, 400])
})

test('B63 a copy onto itself is allowed with another storage class', async () => {
  await put('itself')
  const copy = { Bucket, Key: 'itself', CopySource: `${Bucket}/itself` }
  expect(await failure(s3.send(new CopyObjectCommand(copy)))).toEqual(['InvalidRequest', 400])
  await s3.send(new CopyObjectCommand({ ...copy, StorageClass: 'REDUCED_REDUNDANCY' }))
  expect((await head('itself')).StorageClass).toBe('REDUCED_REDUNDANCY')
})

test('B81 tags and storage class of a multipart object are those of its creation', async () => {
  const Key = 'multipart'
  const made = await s3.send(
    new CreateMultipartUploadCommand({ Bucket, Key, Tagging: 'a=b&c=d', StorageClass: 'REDUCED_REDUNDANCY' }),
  )
  const part = { Bucket, Key, UploadId: made.UploadId }
  const { ETag } = await s3.send(new UploadPartCommand({ ...part, PartNumber: 1, Body: 'part' }))
  await s3.send(new CompleteMultipartUploadCommand({ ...part, MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } }))
  expect(await head(Key)).toMatchObject({ StorageClass: 'REDUCED_REDUNDANCY', TagCount: 2 })
})
