// Object Lock, enforced by the embedded store: what is retained stays, whoever asks.
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  type DeleteObjectCommandInput,
  DeleteObjectsCommand,
  GetObjectLegalHoldCommand,
  GetObjectRetentionCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  PutObjectLegalHoldCommand,
  PutObjectLockConfigurationCommand,
  PutObjectRetentionCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestGateway } from '../helpers/gateway.ts'
import { failure } from '../helpers/refused.ts'
import { differs, notOver, startTested } from '../helpers/worlds.ts'

const DAY = 86_400_000
const Bucket = 'locked'
/** Ahead of the real one: what is retained is retained by this clock alone. */
let ahead = 0
const clock = () => Date.now() + ahead
let running: TestGateway
let s3: S3Client

beforeAll(async () => {
  running = await startTested({ now: clock })
  s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }))
  await s3.send(new CreateBucketCommand({ Bucket: 'free', ObjectLockEnabledForBucket: false }))
})

afterAll(() => running.close())

const until = (days: number) => new Date(Math.floor(clock() / 1000) * 1000 + days * DAY)
const retained = (ObjectLockMode: 'GOVERNANCE' | 'COMPLIANCE', days = 1) => ({
  ObjectLockMode,
  ObjectLockRetainUntilDate: until(days),
})
const put = async (Key: string, more: Partial<PutObjectCommandInput> = {}) =>
  (await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'kept', ...more }))).VersionId ?? ''
const remove = (Key: string, VersionId: string, more: Partial<DeleteObjectCommandInput> = {}) =>
  s3.send(new DeleteObjectCommand({ Bucket, Key, VersionId, ...more }))
const text = async (Key: string, VersionId: string) =>
  (await s3.send(new GetObjectCommand({ Bucket, Key, VersionId }))).Body?.transformToString()

const DENIED = differs('minio', 'it refuses what is locked as InvalidRequest')
  ? ['InvalidRequest', 400]
  : ['AccessDenied', 403]

test('B100 a bucket made with Object Lock has versions, which cannot be suspended', async () => {
  expect((await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status).toBe('Enabled')
  const suspend = new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Suspended' } })
  expect(await failure(s3.send(suspend))).toEqual([
    'InvalidBucketState',
    differs('minio', 'its InvalidBucketState is 400') ? 400 : 409,
  ])
  expect((await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status).toBe('Enabled')
  expect((await s3.send(new GetBucketVersioningCommand({ Bucket: 'free' }))).Status).toBeUndefined()
  if (!differs('s3', 'it does not say whether the bucket that it refuses to make again has Object Lock'))
    await s3.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }))
  const again = new CreateBucketCommand({ Bucket: 'free', ObjectLockEnabledForBucket: true })
  expect(await failure(s3.send(again))).toEqual(['BucketAlreadyOwnedByYou', 409])
})

test('B100 a retained version is told as such and stays; the key can be deleted', async () => {
  for (const mode of ['GOVERNANCE', 'COMPLIANCE'] as const) {
    const lock = retained(mode)
    const id = await put('kept', lock)
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'kept' }))
    expect([head.ObjectLockMode, head.ObjectLockRetainUntilDate]).toEqual([mode, lock.ObjectLockRetainUntilDate])
    expect(await failure(remove('kept', id))).toEqual(DENIED)
    expect((await s3.send(new DeleteObjectCommand({ Bucket, Key: 'kept' }))).DeleteMarker).toBe(true)
    expect(await failure(remove('kept', id))).toEqual(DENIED)
    expect(await text('kept', id)).toBe('kept')
  }
})

test('GOVERNANCE gives way to a bypass, COMPLIANCE does not', async () => {
  const governed = await put('bypass', retained('GOVERNANCE'))
  const complied = await put('bypass', retained('COMPLIANCE'))
  expect(await failure(remove('bypass', governed, { BypassGovernanceRetention: false }))).toEqual(DENIED)
  expect(await failure(remove('bypass', complied, { BypassGovernanceRetention: true }))).toEqual(DENIED)
  await remove('bypass', governed, { BypassGovernanceRetention: true })
  expect(await failure(text('bypass', governed))).toEqual(['NoSuchVersion', 404])
  expect(await text('bypass', complied)).toBe('kept')
})

test('a legal hold gives way to nothing', async () => {
  const id = await put('held', { ObjectLockLegalHoldStatus: 'ON' })
  expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'held' }))).ObjectLockLegalHoldStatus).toBe('ON')
  expect(await failure(remove('held', id, { BypassGovernanceRetention: true }))).toEqual(DENIED)
})

test('B62 many at once: each locked version is refused, the others go', async () => {
  const locked = await put('many', retained('GOVERNANCE'))
  const loose = await put('many')
  const Objects = [
    { Key: 'many', VersionId: locked },
    { Key: 'many', VersionId: loose },
  ]
  const { Deleted, Errors } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }))
  expect(Deleted).toEqual([{ Key: 'many', VersionId: loose }])
  expect(Errors).toMatchObject([{ Key: 'many', VersionId: locked, Code: DENIED[0] }])
  const again = { Bucket, Delete: { Objects }, BypassGovernanceRetention: true }
  expect((await s3.send(new DeleteObjectsCommand(again))).Errors).toBeUndefined()
})

test('a retention ends when it ends, by the clock of the store', notOver('s3', 'its clock is its own'), async () => {
  const id = await put('ends', retained('COMPLIANCE', 2))
  expect(await failure(remove('ends', id))).toEqual(DENIED)
  ahead = 2 * DAY - 60_000
  expect(await failure(remove('ends', id))).toEqual(DENIED)
  ahead = 2 * DAY + 60_000
  await remove('ends', id)
  ahead = 0
})

test('B81 B68 a lock of an upload is that of its creation; a copy has none but its own', async () => {
  const Key = 'upload'
  const lock = retained('GOVERNANCE')
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ...lock }))
  const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: 'part' }))
  const { VersionId = '' } = await s3.send(
    new CompleteMultipartUploadCommand({
      Bucket,
      Key,
      UploadId,
      MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] },
    }),
  )
  expect(await failure(remove(Key, VersionId))).toEqual(DENIED)
  const copy = (target: string, more: object = {}) =>
    s3.send(new CopyObjectCommand({ Bucket, Key: target, CopySource: `${Bucket}/${Key}`, ...more }))
  const bare = await copy('copied')
  await remove('copied', bare.VersionId ?? '')
  const own = await copy('copied', lock)
  expect(await failure(remove('copied', own.VersionId ?? ''))).toEqual(DENIED)
})

test.each([
  ['a mode without a date', { ObjectLockMode: 'GOVERNANCE' }, 'InvalidArgument'],
  ['a date without a mode', { ObjectLockRetainUntilDate: until(1) }, 'InvalidArgument'],
  ['a date in the past', { ObjectLockMode: 'GOVERNANCE', ObjectLockRetainUntilDate: until(-1) }, 'InvalidArgument'],
  ['an unknown mode', { ObjectLockMode: 'FOREVER', ObjectLockRetainUntilDate: until(1) }, 'InvalidArgument'],
  ['an unknown hold', { ObjectLockLegalHoldStatus: 'on' }, 'InvalidArgument'],
] as const)(
  'B100 %s is refused and stores nothing',
  notOver('minio', 'it has other codes, and takes any word for a hold'),
  async (_what, lock, code) => {
    const odd = lock as Partial<PutObjectCommandInput>
    expect(await failure(put('refused', odd))).toEqual([code, 400])
    expect(await running.store.head(Bucket, 'refused')).toBeUndefined()
  },
)

test('B100 a lock in a bucket without Object Lock is refused, and stores nothing', async () => {
  const free = { Bucket: 'free', Key: 'k', ...retained('GOVERNANCE') }
  expect(await failure(s3.send(new PutObjectCommand({ ...free, Body: 'x' })))).toEqual(['InvalidRequest', 400])
  expect(await failure(s3.send(new CreateMultipartUploadCommand(free)))).toEqual(['InvalidRequest', 400])
  expect(await running.store.head('free', 'k')).toBeUndefined()
})

test('B101 what was never set is NoSuchObjectLockConfiguration; without Object Lock it is InvalidRequest', async () => {
  const status = differs('minio', 'its NoSuchObjectLockConfiguration is 400') ? 400 : 404
  for (const [bucket, refusal] of [
    [Bucket, ['NoSuchObjectLockConfiguration', status]],
    ['free', ['InvalidRequest', 400]],
  ] as const) {
    const object = { Bucket: bucket, Key: 'bare' }
    await s3.send(new PutObjectCommand({ ...object, Body: 'x' }))
    expect(await failure(s3.send(new GetObjectRetentionCommand(object)))).toEqual(refusal)
    expect(await failure(s3.send(new GetObjectLegalHoldCommand(object)))).toEqual(refusal)
  }
})

test('B100 a retention is prolonged by anybody and shortened with a bypass; a legal hold goes on and off', async () => {
  const object = { Bucket, Key: 'changed' }
  const VersionId = await put('changed', retained('GOVERNANCE'))
  const retain = (days: number, BypassGovernanceRetention?: boolean) =>
    s3.send(
      new PutObjectRetentionCommand({
        ...object,
        Retention: { Mode: 'GOVERNANCE', RetainUntilDate: until(days) },
        BypassGovernanceRetention,
      }),
    )
  await retain(3)
  expect(await failure(retain(2))).toEqual(DENIED)
  const told = await s3.send(new GetObjectRetentionCommand(object))
  expect(told.Retention).toEqual({ Mode: 'GOVERNANCE', RetainUntilDate: until(3) })
  await retain(2, true)
  for (const Status of ['ON', 'OFF'] as const) {
    await s3.send(new PutObjectLegalHoldCommand({ ...object, VersionId, LegalHold: { Status } }))
    expect((await s3.send(new GetObjectLegalHoldCommand(object))).LegalHold).toEqual({ Status })
  }
  await remove('changed', VersionId, { BypassGovernanceRetention: true })
})

test('B100 a new version without a retention gets that of its bucket, however it is written', async () => {
  const Bucket = 'by-default'
  await s3.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }))
  const before = await s3.send(new PutObjectCommand({ Bucket, Key: 'before', Body: 'x' }))
  const rule = { DefaultRetention: { Mode: 'GOVERNANCE', Days: 1000 } } as const
  const ObjectLockConfiguration = { ObjectLockEnabled: 'Enabled', Rule: rule } as const
  await s3.send(new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration }))

  const written = await s3.send(new PutObjectCommand({ Bucket, Key: 'put', Body: 'x' }))
  await s3.send(new PutObjectCommand({ Bucket, Key: 'large', Body: Buffer.alloc(3_000_000) }))
  await s3.send(new PutObjectCommand({ Bucket, Key: 'held', Body: 'x', ObjectLockLegalHoldStatus: 'ON' }))
  await s3.send(new CopyObjectCommand({ Bucket, Key: 'copied', CopySource: `${Bucket}/before` }))
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'parts' }))
  const part = { Bucket, Key: 'parts', UploadId, PartNumber: 1 }
  const { ETag } = await s3.send(new UploadPartCommand({ ...part, Body: 'x' }))
  const MultipartUpload = { Parts: [{ ETag, PartNumber: 1 }] }
  await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key: 'parts', UploadId, MultipartUpload }))
  const held = differs('minio', 'what names a hold gets no retention from its bucket') ? [] : ['held']
  for (const Key of ['put', 'large', 'copied', 'parts', ...held]) {
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key }))
    expect(head.ObjectLockMode, Key).toBe('GOVERNANCE')
    expect(head.ObjectLockLegalHoldStatus, Key).toBe(Key === 'held' ? 'ON' : undefined)
    const days = (Number(head.ObjectLockRetainUntilDate) - Date.now()) / DAY
    expect(days, Key).toBeGreaterThan(999.9)
    expect(days, Key).toBeLessThanOrEqual(1000)
  }
  const { VersionId } = written
  expect(await failure(s3.send(new DeleteObjectCommand({ Bucket, Key: 'put', VersionId })))).toEqual(DENIED)
  await s3.send(new DeleteObjectCommand({ Bucket, Key: 'before', VersionId: before.VersionId }))
})

test('B100 the retention that a request names counts, not that of the bucket', async () => {
  await s3.send(
    new PutObjectCommand({ Bucket: 'by-default', Key: 'named', Body: 'x', ...retained('COMPLIANCE', 2000) }),
  )
  const head = await s3.send(new HeadObjectCommand({ Bucket: 'by-default', Key: 'named' }))
  expect(head.ObjectLockMode).toBe('COMPLIANCE')
  expect((Number(head.ObjectLockRetainUntilDate) - Date.now()) / DAY).toBeGreaterThan(1999)
})
