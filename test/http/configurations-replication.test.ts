// Replication rules on the embedded store: checked as S3 checks them, kept and told; nothing is replicated yet.
import {
  CreateBucketCommand,
  DeleteBucketReplicationCommand,
  GetBucketReplicationCommand,
  PutBucketReplicationCommand,
  PutBucketVersioningCommand,
  type ReplicationRule,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { waitingConfigurations } from '../../src/gateway/configuration/waiting.ts'
import { codeOfRefusal, refused } from '../helpers/refused.ts'
import { type EmbeddedGateway, startEmbedded } from '../helpers/worlds.ts'

const Role = 'arn:aws:iam::123456789012:role/replicate'
let gateway: EmbeddedGateway
let s3: S3Client
const version = (Bucket: string, Status: 'Enabled' | 'Suspended') =>
  s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }))

beforeAll(async () => {
  gateway = await startEmbedded()
  s3 = gateway.client()
  for (const Bucket of ['source', 'target', 'plain']) await s3.send(new CreateBucketCommand({ Bucket }))
  for (const Bucket of ['source', 'target']) await version(Bucket, 'Enabled')
})
afterAll(() => gateway.close())

const rule = (bucket: string, more: Partial<ReplicationRule> = {}): ReplicationRule => ({
  Status: 'Enabled',
  Priority: 1,
  Filter: { Prefix: 'a/' },
  DeleteMarkerReplication: { Status: 'Disabled' },
  Destination: { Bucket: `arn:aws:s3:::${bucket}` },
  ...more,
})
const put = (Rules: ReplicationRule[], Bucket = 'source') =>
  s3.send(new PutBucketReplicationCommand({ Bucket, ReplicationConfiguration: { Role, Rules } }))
const get = async (Bucket = 'source') =>
  (await s3.send(new GetBucketReplicationCommand({ Bucket }))).ReplicationConfiguration

test('rules are kept and told, and reported as what nothing acts on', async () => {
  const full = rule('target', {
    ID: 'full',
    Filter: { And: { Prefix: 'b/', Tags: [{ Key: 'k', Value: 'v' }] } },
    SourceSelectionCriteria: { SseKmsEncryptedObjects: { Status: 'Enabled' } },
    ExistingObjectReplication: { Status: 'Enabled' },
    Destination: {
      Bucket: 'arn:aws:s3:::target',
      StorageClass: 'STANDARD_IA',
      ReplicationTime: { Status: 'Enabled', Time: { Minutes: 15 } },
      Metrics: { Status: 'Enabled', EventThreshold: { Minutes: 15 } },
    },
  })
  await put([full, rule('target', { Priority: 2 })])
  const kept = await get()
  expect(kept?.Role).toBe(Role)
  expect(kept?.Rules?.[0]).toEqual(full)
  expect(kept?.Rules?.[1]?.ID?.length).toBeGreaterThan(16)
  expect(await waitingConfigurations(gateway.store)).toMatchObject([{ configuration: 'replication', first: 'source' }])
  await put([{ ...full, Status: 'Disabled' }])
  expect(await waitingConfigurations(gateway.store)).toEqual([])
  await s3.send(new DeleteBucketReplicationCommand({ Bucket: 'source' }))
  expect(await codeOfRefusal(get())).toBe('ReplicationConfigurationNotFoundError')
})

test.each([
  ['a destination that is not there', 'missing', 'Destination bucket must exist.'],
  ['a destination without versions', 'plain', 'Destination bucket must have versioning enabled.'],
  ['the bucket itself', 'source', 'The destination bucket must not be the source bucket.'],
])('%s is InvalidRequest', async (_, bucket, message) => {
  expect(await refused(put([rule(bucket)]))).toMatchObject({ code: 'InvalidRequest', status: 400, message })
})

test('a bucket without versions cannot be replicated', async () => {
  expect(await refused(put([rule('target')], 'plain'))).toMatchObject({ code: 'InvalidRequest', status: 400 })
})
