/** Limits of use and allowed operations, as clients meet them. */
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { afterEach, expect, test } from 'vitest'
import { loadSettings } from '../../src/config/load.ts'
import { InEffect } from '../../src/compose/live.ts'
import { admissionOf } from '../../src/compose/admission.ts'
import { mayUse } from '../../src/compose/operations.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'

let gateway: TestGateway | undefined
afterEach(async () => {
  await gateway?.close()
  gateway = undefined
})

const SECRET = 'a-secret-of-limits'

/** With two credentials, LIMITED and FREE, that may do everything. */
async function start(limits: string, buckets = '[]') {
  const allow = '[{ buckets: ["*"], actions: read-write }]'
  const yaml = `
credentials:
  - { accessKey: LIMITED, secretKey: ${SECRET}, allow: ${allow}, limits: ${limits} }
  - { accessKey: FREE, secretKey: ${SECRET}, allow: ${allow} }
buckets: ${buckets}`
  const settings = loadSettings({ configPath: 'c', env: {}, readFile: () => yaml })
  const { credentials = [] } = settings
  const inEffect = new InEffect({ settings, credentials })
  gateway = await startGateway({
    credentials,
    admission: admissionOf(inEffect, 1, Date.now),
    mayUse: (bucket, operation) => mayUse(settings, bucket, operation),
  })
  for (const name of ['one', 'two']) await gateway.store.createBucket(name)
  const as = (accessKeyId: string) =>
    gateway!.client({ credentials: { accessKeyId, secretAccessKey: SECRET }, maxAttempts: 1 })
  return { limited: as('LIMITED'), free: as('FREE') }
}

const put = (Bucket: string, Key = 'k', Body = 'body'): PutObjectCommand => new PutObjectCommand({ Bucket, Key, Body })
const slow = { name: 'SlowDown', $metadata: { httpStatusCode: 503 } }

test('a credential over its quota is SlowDown with Retry-After, and others are not', async () => {
  const { limited, free } = await start('{ requestsPerDay: 2 }')
  await limited.send(put('one'))
  await limited.send(put('one'))
  const error: unknown = await limited.send(put('one', 'third')).catch((refused: unknown) => refused)
  expect(error).toMatchObject({ ...slow, $response: { headers: { 'retry-after': expect.stringMatching(/^\d+$/) } } })
  await free.send(put('one'))
  const listed = await free.send(new ListObjectsV2Command({ Bucket: 'one' }))
  expect(listed.Contents?.map(({ Key }) => Key)).toEqual(['k'])
})

test('bytes of both ways count', async () => {
  const { limited } = await start('{ bytesPerDay: 1MiB }')
  await limited.send(put('one', 'k', 'x'.repeat(600_000)))
  const { Body } = await limited.send(new GetObjectCommand({ Bucket: 'one', Key: 'k' }))
  expect((await Body?.transformToString())?.length).toBe(600_000)
  await expect(limited.send(put('one'))).rejects.toMatchObject(slow)
})

test('requests at once are let in again when one has ended, also one that failed', async () => {
  const { limited } = await start('{ requestsAtOnce: 1 }')
  for (let i = 0; i < 3; i += 1) {
    await limited.send(put('one'))
    await expect(limited.send(new GetObjectCommand({ Bucket: 'one', Key: 'none' }))).rejects.toMatchObject({
      name: 'NoSuchKey',
    })
  }
})

test('the limits of a bucket are of all its clients', async () => {
  const { limited, free } = await start('{}', '[{ match: "o*", limits: { requestsPerDay: 2 } }]')
  await limited.send(put('one'))
  await free.send(put('one'))
  await expect(free.send(put('one'))).rejects.toMatchObject(slow)
  await free.send(put('two'))
})

test('an operation that a bucket does not have is AccessDenied, whoever asks', async () => {
  const { free } = await start('{}', '[{ match: one, operations: ["PutObject", "List*"] }]')
  await free.send(put('one'))
  await free.send(new ListObjectsV2Command({ Bucket: 'one' }))
  const denied = { name: 'AccessDenied', $metadata: { httpStatusCode: 403 } }
  await expect(free.send(new GetObjectCommand({ Bucket: 'one', Key: 'k' }))).rejects.toMatchObject(denied)
  await expect(free.send(new DeleteObjectCommand({ Bucket: 'one', Key: 'k' }))).rejects.toMatchObject(denied)
  const copy = new CopyObjectCommand({ Bucket: 'two', Key: 'k', CopySource: 'one/k' })
  await expect(free.send(copy)).rejects.toMatchObject(denied)
  await free.send(put('two'))
})
