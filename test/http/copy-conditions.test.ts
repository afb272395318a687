/** Conditions on the target of a copy, over a store whose ETags are opaque. */
import {
  CopyObjectCommand,
  CreateBucketCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { s3Store } from '../helpers/s3-store.ts'

const Bucket = 'copies'
const OTHER = '"0123456789abcdef0123456789abcdef-1"'

describe.each([
  ['in the store', true],
  ['through the gateway', false],
])('of a copy %s', (_way, conditionalCopy) => {
  let backend: TestGateway
  let running: TestGateway
  let s3: S3Client
  let copies = 0

  beforeAll(async () => {
    backend = await startGateway()
    running = await startGateway({
      store: s3Store({
        endpoint: backend.endpoint,
        profile: { conditionalCopy, tags: false },
        onSend: ({ headers }) => {
          if (headers['x-amz-copy-source'] !== undefined) copies += 1
        },
      }),
    })
    s3 = running.client()
    await s3.send(new CreateBucketCommand({ Bucket }))
    await s3.send(new PutObjectCommand({ Bucket, Key: 'source', Body: 'source' }))
  })
  afterAll(async () => {
    await running.close()
    await running.store.close()
    await backend.close()
  })

  const copy = (Key: string, condition: object) => {
    const input = { Bucket, Key, CopySource: `${Bucket}/source`, MetadataDirective: 'REPLACE' as const, ...condition }
    return s3.send(new CopyObjectCommand({ ...input, Metadata: { copied: 'yes' } }))
  }
  const copied = async (Key: string) =>
    (await s3.send(new HeadObjectCommand({ Bucket, Key }))).Metadata?.['copied'] === 'yes'

  test.each(['source', 'there'])('a condition that fails is 412 at once, and nothing changes (to %s)', async (Key) => {
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'source' }))
    for (const condition of [{ IfMatch: OTHER }, { IfNoneMatch: '*' }]) {
      copies = 0
      await expect(copy(Key, condition)).rejects.toMatchObject({
        name: 'PreconditionFailed',
        $metadata: { httpStatusCode: 412 },
      })
      expect(copies).toBeLessThan(2)
    }
    expect(await copied(Key)).toBe(false)
  })

  test.each(['source', 'there'])('a condition that holds lets it happen (to %s)', async (Key) => {
    const { ETag } = await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'source' }))
    await copy(Key, { IfMatch: ETag })
    expect(await copied(Key)).toBe(true)
  })

  test('If-Match on a target that is not there is 404', async () => {
    await expect(copy('nowhere', { IfMatch: OTHER })).rejects.toMatchObject({ name: 'NoSuchKey' })
    await copy('fresh', { IfNoneMatch: '*' })
    expect(await copied('fresh')).toBe(true)
  })
})
