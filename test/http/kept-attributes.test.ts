// What S3 keeps beside contents, on the embedded store: given with an object, told with it, carried by copies.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LocalStore } from '../../src/backends/local.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { failure } from '../helpers/refused.ts'

const Bucket = 'attributes'
const folder = mkdtempSync(join(tmpdir(), 'sealgate-attributes-'))
let store: LocalStore
let running: TestGateway
let s3: S3Client

beforeAll(async () => {
  store = await LocalStore.open({ folder })
  running = await startGateway({ store })
  s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket }))
})

afterAll(async () => {
  await running.close()
  await store.close()
  rmSync(folder, { recursive: true })
})

const put = (Key: string, more: Partial<PutObjectCommandInput> = {}) =>
  s3.send(new PutObjectCommand({ Bucket, Key, Body: 'body', ...more }))
const head = (Key: string) => s3.send(new HeadObjectCommand({ Bucket, Key }))
const attributes = async (Key: string) => (await store.attributesOf(Bucket, Key, {})).attributes

test('tags are counted and the storage class is told, unless it is STANDARD', async () => {
  await put('told', { Tagging: 'a=b&c%20d=%C3%A9', StorageClass: 'STANDARD_IA' })
  expect(await head('told')).toMatchObject({ StorageClass: 'STANDARD_IA', TagCount: 2 })
  await put('standard', { StorageClass: 'STANDARD', Tagging: '' })
  const { StorageClass, TagCount, VersionId } = await head('standard')
  expect([StorageClass, TagCount, VersionId]).toEqual([undefined, undefined, undefined])
  expect(await attributes('told')).toEqual({
    'x-amz-tagging': 'a=b&c%20d=%C3%A9',
    'x-amz-storage-class': 'STANDARD_IA',
  })
})

test.each([
  ['Tagging', '=x', 'InvalidArgument'],
  ['Tagging', 'a=1&a=2', 'InvalidArgument'],
  ['Tagging', 'a=%ZZ', 'InvalidArgument'],
  ['Tagging', Array.from({ length: 11 }, (_, i) => `k${i}=v`).join('&'), 'BadRequest'],
  ['StorageClass', 'SLOW', 'InvalidStorageClass'],
  ['ObjectLockLegalHoldStatus', 'MAYBE', 'InvalidArgument'],
  ['ObjectLockMode', 'GOVERNANCE', 'InvalidArgument'],
  ['ObjectLockLegalHoldStatus', 'ON', 'InvalidRequest'],
  ['ExpectedBucketOwner', 'somebody', 'AccessDenied'],
] as const)('B69 B71 %s: %s is %s and stores nothing', async (name, value, expected) => {
  const [found, status] = await failure(put('refused', { [name]: value }))
  expect(found).toBe(expected)
  expect(status).toBe(expected === 'AccessDenied' ? 403 : 400)
  expect(await store.head(Bucket, 'refused')).toBeUndefined()
})

test('B68 a copy has the tags of its source, not its storage class; REPLACE takes all from the request', async () => {
  await put('source', { Tagging: 'a=b', StorageClass: 'STANDARD_IA' })
  const copy = (Key: string, more: object) =>
    s3.send(new CopyObjectCommand({ Bucket, Key, CopySource: `${Bucket}/source`, ...more }))
  await copy('copied', {})
  await copy('asked', { Tagging: 'ignored=1' })
  await copy('replaced', { TaggingDirective: 'REPLACE', Tagging: 'x=y', StorageClass: 'ONEZONE_IA' })
  await copy('untagged', { TaggingDirective: 'REPLACE' })
  expect(await Promise.all(['copied', 'asked', 'replaced', 'untagged'].map(attributes))).toEqual([
    { 'x-amz-tagging': 'a=b' },
    { 'x-amz-tagging': 'a=b' },
    { 'x-amz-tagging': 'x=y', 'x-amz-storage-class': 'ONEZONE_IA' },
    {},
  ])
  expect(await failure(copy('bad', { TaggingDirective: 'MERGE' }))).toEqual(['InvalidArgument', 400])
})

test('B63 a copy onto itself is allowed with another storage class', async () => {
  await put('itself')
  const copy = { Bucket, Key: 'itself', CopySource: `${Bucket}/itself` }
  expect(await failure(s3.send(new CopyObjectCommand(copy)))).toEqual(['InvalidRequest', 400])
  await s3.send(new CopyObjectCommand({ ...copy, StorageClass: 'STANDARD_IA' }))
  expect((await head('itself')).StorageClass).toBe('STANDARD_IA')
})

test('B81 tags and storage class of a multipart object are those of its creation', async () => {
  const Key = 'multipart'
  const made = await s3.send(
    new CreateMultipartUploadCommand({ Bucket, Key, Tagging: 'a=b&c=d', StorageClass: 'STANDARD_IA' }),
  )
  const part = { Bucket, Key, UploadId: made.UploadId }
  const { ETag } = await s3.send(new UploadPartCommand({ ...part, PartNumber: 1, Body: 'part' }))
  await s3.send(new CompleteMultipartUploadCommand({ ...part, MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } }))
  expect(await head(Key)).toMatchObject({ StorageClass: 'STANDARD_IA', TagCount: 2 })
})
