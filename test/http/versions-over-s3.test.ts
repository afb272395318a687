// Versions of a store that speaks S3: a second gateway over an embedded store.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  DeleteObjectTaggingCommand,
  GetBucketVersioningCommand,
  GetObjectAclCommand,
  GetObjectCommand,
  GetObjectLegalHoldCommand,
  GetObjectRetentionCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectAclCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectRetentionCommand,
  PutObjectTaggingCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LocalStore } from '../../src/backends/local.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { failure } from '../helpers/refused.ts'
import { s3Store } from '../helpers/s3-store.ts'
import { codeOf, send } from '../helpers/signed-request.ts'

const Bucket = 'far'
const folder = mkdtempSync(join(tmpdir(), 'sealgate-far-versions-'))
let local: LocalStore
let backend: TestGateway
let running: TestGateway
let s3: S3Client

beforeAll(async () => {
  local = await LocalStore.open({ folder })
  backend = await startGateway({ store: local })
  // Object Lock needs a digest of every body.
  const profile = {
    checksum: 'crc32',
    conditionalCopy: true,
    conditionalDelete: true,
    versions: true,
    tags: true,
  } as const
  running = await startGateway({ store: s3Store({ endpoint: backend.endpoint, profile }) })
  s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket }))
  const VersioningConfiguration = { Status: 'Enabled' } as const
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }))
})

afterAll(async () => {
  await running.close()
  await running.store.close()
  await backend.close()
  await local.close()
  rmSync(folder, { recursive: true })
})

const put = async (Key: string, Body: string, more: object = {}) =>
  (await s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }))).VersionId ?? ''
const get = async (Key: string, VersionId?: string) =>
  (
    await s3.send(new GetObjectCommand({ Bucket, Key, ...(VersionId === undefined ? {} : { VersionId }) }))
  ).Body?.transformToString()

test('ids, contents, tags and storage classes pass through', async () => {
  expect((await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status).toBe('Enabled')
  const first = await put('k', 'first', { Tagging: 'a=b', StorageClass: 'STANDARD_IA' })
  const second = await put('k', 'the second')
  expect([await get('k', first), await get('k', second), await get('k')]).toEqual(['first', 'the second', 'the second'])
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'k', VersionId: first }))
  expect([head.VersionId, head.TagCount, head.StorageClass, head.ContentLength]).toEqual([first, 1, 'STANDARD_IA', 5])
  const CopySource = `${Bucket}/k?versionId=${first}`
  const copied = await s3.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource }))
  expect(copied.CopySourceVersionId).toBe(first)
  const copy = await s3.send(new HeadObjectCommand({ Bucket, Key: 'copy' }))
  expect([copy.TagCount, copy.StorageClass, await get('copy')]).toEqual([1, undefined, 'first'])
})

test('B51 B61 B62 B92 markers and listings are those of the store, with plaintext sizes', async () => {
  const id = await put('m', 'some text')
  const deleted = await s3.send(new DeleteObjectCommand({ Bucket, Key: 'm' }))
  expect(deleted.DeleteMarker).toBe(true)
  const missing = await send(running, { method: 'GET', path: `/${Bucket}/m` })
  expect([missing.status, missing.headers['x-amz-delete-marker']]).toEqual([404, 'true'])
  const marker = await send(running, { method: 'GET', path: `/${Bucket}/m?versionId=${deleted.VersionId}` })
  expect([marker.status, marker.headers.allow]).toEqual([405, 'DELETE'])
  const { Versions, DeleteMarkers } = await s3.send(new ListObjectVersionsCommand({ Bucket, Prefix: 'm' }))
  expect(Versions).toMatchObject([{ Key: 'm', VersionId: id, Size: 9, IsLatest: false }])
  expect(DeleteMarkers).toMatchObject([{ Key: 'm', VersionId: deleted.VersionId, IsLatest: true }])
  const Objects = [{ Key: 'm', VersionId: deleted.VersionId }, { Key: 'm' }]
  const { Deleted } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }))
  expect(Deleted).toMatchObject([
    { Key: 'm', VersionId: deleted.VersionId, DeleteMarker: true },
    { Key: 'm', DeleteMarker: true, DeleteMarkerVersionId: expect.any(String) },
  ])
  const again = await put('m', 'anew', { IfNoneMatch: '*' })
  expect(await get('m', again)).toBe('anew')
})

test('Object Lock is kept by the store', async () => {
  await s3.send(new CreateBucketCommand({ Bucket: 'far-locked', ObjectLockEnabledForBucket: true }))
  const lock = { ObjectLockMode: 'GOVERNANCE', ObjectLockRetainUntilDate: new Date(Date.now() + 86_400_000) } as const
  const object = { Bucket: 'far-locked', Key: 'k' }
  const { VersionId } = await s3.send(new PutObjectCommand({ ...object, Body: 'x', ...lock }))
  await expect(s3.send(new DeleteObjectCommand({ ...object, VersionId }))).rejects.toMatchObject({
    $metadata: { httpStatusCode: 403 },
  })
  const Retention = { Mode: 'GOVERNANCE', RetainUntilDate: new Date(Date.now() + 3_600_000) } as const
  const shorten = { ...object, VersionId, Retention }
  expect(await failure(s3.send(new PutObjectRetentionCommand(shorten)))).toEqual(['AccessDenied', 403])
  await s3.send(new PutObjectRetentionCommand({ ...shorten, BypassGovernanceRetention: true }))
  expect((await s3.send(new GetObjectRetentionCommand(object))).Retention).toEqual(Retention)
  for (const Status of ['ON', 'OFF'] as const) {
    await s3.send(new PutObjectLegalHoldCommand({ ...object, LegalHold: { Status } }))
    expect((await s3.send(new GetObjectLegalHoldCommand(object))).LegalHold).toEqual({ Status })
  }
  await s3.send(new DeleteObjectCommand({ ...object, VersionId, BypassGovernanceRetention: true }))
})

test('tags and ACLs of versions are those of the store', async () => {
  const first = await put('beside', 'first', { Tagging: 'a=b' })
  const second = await put('beside', 'second')
  const object = { Bucket, Key: 'beside' }
  const TagSet = [{ Key: 'é', Value: 'ü 1' }]
  const tagged = await s3.send(new PutObjectTaggingCommand({ ...object, VersionId: first, Tagging: { TagSet } }))
  expect(tagged.VersionId).toBe(first)
  const of = async (VersionId?: string) => {
    const answer = await s3.send(new GetObjectTaggingCommand({ ...object, VersionId }))
    return [answer.VersionId, answer.TagSet]
  }
  expect([await of(first), await of()]).toEqual([
    [first, TagSet],
    [second, []],
  ])
  await s3.send(new DeleteObjectTaggingCommand({ ...object, VersionId: first }))
  expect(await of(first)).toEqual([first, []])
  expect((await s3.send(new GetObjectAclCommand(object))).Grants).toHaveLength(1)
  const acl = new PutObjectAclCommand({ ...object, ACL: 'private' })
  expect(await failure(s3.send(acl))).toEqual(['AccessControlListNotSupported', 400])
})

test('B52 a version is no part of the name of what is written', async () => {
  for (const id of ['null', 'any', '']) {
    const call = { method: 'PUT', path: `/${Bucket}/named?versionId=${id}`, body: Buffer.from('x') }
    const answer = await send(running, call)
    expect([answer.status, codeOf(answer)]).toEqual([400, 'InvalidArgument'])
  }
  expect((await send(running, { method: 'HEAD', path: `/${Bucket}/named` })).status).toBe(404)
})

test('B95 a bucket without Object Lock is not taken for the one with it that is asked for', async () => {
  const plain = { Bucket: 'far-unlocked' }
  for (let times = 0; times < 2; times += 1) await s3.send(new CreateBucketCommand(plain))
  const locked = s3.send(new CreateBucketCommand({ ...plain, ObjectLockEnabledForBucket: true }))
  expect(await failure(locked)).toEqual(['BucketAlreadyOwnedByYou', 409])
})
