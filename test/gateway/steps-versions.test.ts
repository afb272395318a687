/** Steps of jobs where the store keeps versions, locks, tags, storage classes and grants: the embedded store, and one that speaks S3. */
import {
  CreateBucketCommand,
  DeletePublicAccessBlockCommand,
  GetObjectAclCommand,
  GetObjectLegalHoldCommand,
  GetObjectRetentionCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutBucketOwnershipControlsCommand,
  PutBucketVersioningCommand,
  PutObjectAclCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { StoreError } from '../../src/backends/object-store.ts'
import type { Profile } from '../../src/backends/s3/profiles.ts'
import { reencryptObject } from '../../src/gateway/steps/re-encrypt-object.ts'
import { type RewrapOptions, rewrapObject } from '../../src/gateway/steps/rewrap-object.ts'
import type { ObjectStep } from '../../src/object-step.ts'
import { type TestGateway } from '../helpers/gateway.ts'
import { replacing } from '../helpers/replacing.ts'
import { Bucket, read, run, StepWorld } from '../helpers/step-world.ts'
import { s3Store } from '../helpers/s3-store.ts'
import { startEmbedded } from '../helpers/worlds.ts'

const PROFILE = {
  checksum: 'crc32',
  conditionalCopy: true,
  conditionalDelete: true,
  versions: true,
  tags: true,
} as const

const far = async (profile: Partial<Profile>) => {
  const backend = await startEmbedded()
  const store = s3Store({ endpoint: backend.endpoint, profile: { ...PROFILE, ...profile } })
  return { store, close: () => store.close().then(() => backend.close()) }
}

const KINDS = {
  'the embedded store': () => startEmbedded(),
  'a store that speaks S3': () => far({}),
}

const STEPS: readonly (readonly [string, (running: TestGateway, options?: RewrapOptions) => ObjectStep])[] = [
  ['re-wrap', ({ gateway }, options) => rewrapObject(gateway, options)],
  ['re-encrypt', ({ gateway }, options) => reencryptObject(gateway, options)],
]

const EARLIER = 'it is an earlier version, of which only a new version could be made'
const LOCKED = 'it is under Object Lock'

describe.each(Object.entries(KINDS))('over %s', (_kind, open) => {
  let world: StepWorld
  let before: TestGateway
  let after: TestGateway
  let s3: S3Client

  beforeAll(async () => {
    world = new StepWorld(await open())
    before = await world.start([world.old])
    after = await world.start([world.next, world.old])
    s3 = before.client()
    await s3.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }))
  })
  afterAll(() => world.close())

  const put = async (Key: string, more: object = {}) =>
    (await s3.send(new PutObjectCommand({ Bucket, Key, Body: Key, ChecksumAlgorithm: 'CRC32', ...more }))).VersionId ??
    ''
  const versions = async (Prefix: string) =>
    (await s3.send(new ListObjectVersionsCommand({ Bucket, Prefix }))).Versions?.map(({ VersionId }) => VersionId) ?? []

  test.each(STEPS)(
    '%s makes a newer version of the current one, with its tags and storage class; earlier ones stay',
    async (name, step) => {
      const first = await put(`${name} k`)
      const second = await put(`${name} k`, { Tagging: 'a=b&c=d', StorageClass: 'STANDARD_IA' })
      const earlier = { versionId: first, isLatest: false }
      expect(await run(step(after), `${name} k`, earlier)).toEqual({ outcome: 'untouchable', why: EARLIER })
      expect(await run(step(after), `${name} k`, { versionId: second })).toMatchObject({ outcome: 'done' })
      const now = await versions(`${name} k`)
      expect(now).toHaveLength(3)
      expect(now.slice(1)).toEqual([second, first])
      const Key = `${name} k`
      const client = after.client()
      const { TagSet } = await client.send(new GetObjectTaggingCommand({ Bucket, Key }))
      expect(TagSet?.map((tag) => [tag.Key, tag.Value])).toEqual([
        ['a', 'b'],
        ['c', 'd'],
      ])
      const head = await client.send(new HeadObjectCommand({ Bucket, Key }))
      expect([head.StorageClass, head.TagCount, head.VersionId]).toEqual(['STANDARD_IA', 2, now[0]])
      expect((await read(client, Key)).toString()).toBe(Key)
      expect((await read(client, Key, { VersionId: second })).toString()).toBe(Key)
    },
  )

  test('an earlier version under today’s key is up to date as it is', async () => {
    const client = after.client()
    const Key = 'new'
    const { VersionId: versionId = '' } = await client.send(
      new PutObjectCommand({ Bucket, Key, Body: 'one', ChecksumAlgorithm: 'CRC32' }),
    )
    await client.send(new PutObjectCommand({ Bucket, Key, Body: 'two', ChecksumAlgorithm: 'CRC32' }))
    const earlier = { versionId, isLatest: false }
    expect(await run(rewrapObject(after.gateway), Key, earlier)).toMatchObject({ outcome: 'unchanged' })
    expect(await run(reencryptObject(after.gateway), Key, { ...earlier, begun: 0 })).toMatchObject({
      outcome: 'unchanged',
    })
  })

  test.each(STEPS)(
    '%s leaves a locked version alone, or makes one beside it that is locked as long',
    async (name, step) => {
      const Key = `${name} locked`
      const ObjectLockRetainUntilDate = new Date(Math.floor(Date.now() / 1_000) * 1_000 + 3_600_000)
      const locked = await put(Key, {
        ObjectLockMode: 'GOVERNANCE',
        ObjectLockRetainUntilDate,
        ObjectLockLegalHoldStatus: 'ON',
      })
      expect(await run(step(after), Key)).toEqual({ outcome: 'untouchable', why: LOCKED })
      expect(await versions(Key)).toEqual([locked])
      expect(await run(step(after, { besideLocked: true }), Key)).toMatchObject({ outcome: 'done' })
      expect(await versions(Key)).toHaveLength(2)
      const { Retention } = await s3.send(new GetObjectRetentionCommand({ Bucket, Key }))
      expect(Retention).toEqual({ Mode: 'GOVERNANCE', RetainUntilDate: ObjectLockRetainUntilDate })
      const { LegalHold } = await s3.send(new GetObjectLegalHoldCommand({ Bucket, Key }))
      expect(LegalHold?.Status).toBe('ON')
    },
  )

  test.each(STEPS)('%s goes on with a version whose legal hold is off again, without a lock', async (name, step) => {
    const Key = `${name} freed`
    await put(Key, { ObjectLockLegalHoldStatus: 'ON' })
    await s3.send(
      new PutObjectLegalHoldCommand({ Bucket, Key, LegalHold: { Status: 'OFF' }, ChecksumAlgorithm: 'CRC32' }),
    )
    expect(await run(step(after), Key)).toMatchObject({ outcome: 'done' })
    await expect(s3.send(new GetObjectLegalHoldCommand({ Bucket, Key }))).rejects.toMatchObject({
      name: 'NoSuchObjectLockConfiguration',
    })
  })

  test.each(STEPS)('%s keeps what an ACL grants, where the bucket has them in use', async (name, step) => {
    const Key = `${name} granted`
    const owned = { Bucket, OwnershipControls: { Rules: [{ ObjectOwnership: 'ObjectWriter' as const }] } }
    await s3.send(new PutBucketOwnershipControlsCommand(owned))
    await s3.send(new DeletePublicAccessBlockCommand({ Bucket }))
    await put(Key)
    await s3.send(new PutObjectAclCommand({ Bucket, Key, ACL: 'public-read' }))
    const grants = async () =>
      (await s3.send(new GetObjectAclCommand({ Bucket, Key }))).Grants?.map(({ Grantee, Permission }) => [
        Grantee?.Type,
        Grantee?.URI,
        Permission,
      ])
    const was = await grants()
    expect(was).toContainEqual(['Group', 'http://acs.amazonaws.com/groups/global/AllUsers', 'READ'])
    expect(await run(step(after), Key)).toMatchObject({ outcome: 'done' })
    expect((await grants())?.sort()).toEqual(was?.sort())
  })
})

test('what is archived has to be restored first', async () => {
  const answer = { status: 403, code: 'InvalidObjectState', message: 'archived', attributes: {} }
  const refuse = async (): Promise<never> => {
    throw new StoreError('native', 'archived', undefined, answer)
  }
  const world = new StepWorld(await far({}))
  const before = await world.start([world.old])
  const archived = replacing(world.store, { get: refuse, copy: refuse })
  const after = await world.start([world.next, world.old], { store: archived })
  await before.client().send(new CreateBucketCommand({ Bucket }))
  await before.client().send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'k' }))
  for (const [name, step] of STEPS) {
    const why = 'it is archived: restore it first'
    expect(await run(step(after), 'k'), name).toEqual({ outcome: 'untouchable', why })
  }
  await world.close()
})

describe('over a store that decides no condition on the write', () => {
  const UNGUARDED = { conditionalCopy: false, conditionalPut: false, conditionalComplete: false } as const
  let world: StepWorld
  let before: TestGateway
  let after: TestGateway
  let s3: S3Client

  beforeAll(async () => {
    world = new StepWorld(await far(UNGUARDED))
    before = await world.start([world.old])
    after = await world.start([world.next, world.old])
    s3 = before.client()
    await s3.send(new CreateBucketCommand({ Bucket }))
  })
  afterAll(() => world.close())

  test.each(STEPS)('%s replaces nothing that would be lost, unless nobody else writes', async (name, step) => {
    await s3.send(new PutObjectCommand({ Bucket, Key: name, Body: name }))
    expect(await run(step(after), name)).toMatchObject({
      outcome: 'untouchable',
      why: expect.stringContaining('--offline'),
    })
    expect((await world.envelope(name)).alias).toBe('old')
    expect(await run(step(after, { offline: true }), name)).toMatchObject({ outcome: 'done' })
    expect((await read(after.client(), name)).toString()).toBe(name)
  })

  test.each(STEPS)('%s goes on where an overwritten version stays', async (name, step) => {
    const VersioningConfiguration = { Status: 'Enabled' } as const
    await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }))
    await s3.send(new PutObjectCommand({ Bucket, Key: `${name} k`, Body: name }))
    // Another run: what a bucket is, is asked once in each.
    expect(await run(step(after), `${name} k`)).toMatchObject({ outcome: 'done' })
    expect((await read(after.client(), `${name} k`)).toString()).toBe(name)
  })
})

test('a store that does not keep to the source of a copy copies nothing', async () => {
  const world = new StepWorld(await far({ copySourceIfMatch: false }))
  const before = await world.start([world.old])
  const after = await world.start([world.next, world.old])
  await before.client().send(new CreateBucketCommand({ Bucket }))
  await before.client().send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'k' }))
  expect(await run(rewrapObject(after.gateway, { offline: true }), 'k')).toEqual({
    outcome: 'untouchable',
    why: 'the store cannot copy it safely: use re-encrypt',
  })
  expect(await run(reencryptObject(after.gateway), 'k')).toEqual({ outcome: 'done', bytes: 1 })
  await world.close()
})
