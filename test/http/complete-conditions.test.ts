/** Conditions of a Complete are the condition of its first success: repeated, or run by two replicas at once, it does not fail on its own object. */
import { randomBytes } from 'node:crypto'
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { type Fault, failingStore } from '../helpers/failing-store.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'

const Bucket = 'conditions'
const backend = failingStore(new MemoryStore())
const state = failingStore(new MemoryStore())
let running: TestGateway

beforeAll(async () => {
  running = await startGateway({ store: backend.store, state: state.store })
  await running.client().send(new CreateBucketCommand({ Bucket }))
})
afterAll(() => running.close())

interface Pending {
  readonly body: Buffer
  readonly complete: (condition: { IfNoneMatch?: string; IfMatch?: string }) => Promise<{ ETag?: string | undefined }>
}

async function pending(Key: string): Promise<Pending> {
  const s3 = running.client()
  const body = randomBytes(1_000)
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
  const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: body }))
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] }
  return {
    body,
    complete: (condition) =>
      s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload, ...condition })),
  }
}

async function read(Key: string): Promise<Buffer> {
  const { Body } = await running.client().send(new GetObjectCommand({ Bucket, Key }))
  return Buffer.from((await Body?.transformToByteArray()) ?? [])
}

describe('a conditional Complete', () => {
  const faults: [string, ReturnType<typeof failingStore>, Fault][] = [
    ['the answer of the store', backend, { method: 'completeUpload', when: 'after' }],
    [
      'the record of its outcome',
      state,
      { method: 'put', when: 'before', matching: (_, key) => String(key).endsWith('/done') },
    ],
  ]
  test.each(faults)('that lost %s succeeds when it is repeated', async (what, where, fault) => {
    for (const condition of ['IfNoneMatch', 'IfMatch']) {
      const Key = `${condition} ${what}`
      const s3 = running.client()
      const before =
        condition === 'IfMatch' ? (await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'old' }))).ETag : '*'
      const { body, complete } = await pending(Key)
      where.fail(fault)
      const attempt = complete({ [condition]: before })
      // The store's answer is found again in what it stored; our own record is not.
      if (where === backend) await attempt
      else await expect(attempt).rejects.toMatchObject({ $metadata: { httpStatusCode: 503 } })
      expect((await complete({ [condition]: before })).ETag).toMatch(/-1"$/)
      expect((await read(Key)).equals(body)).toBe(true)
    }
  })

  test('that runs twice at once succeeds twice', async () => {
    for (let round = 0; round < 10; round += 1) {
      const { complete } = await pending(`twice-${round}`)
      const answers = await Promise.all([complete({ IfNoneMatch: '*' }), complete({ IfNoneMatch: '*' })])
      expect(answers[0].ETag).toBe(answers[1].ETag)
    }
  })

  test('still fails on an object of somebody else', async () => {
    const { complete } = await pending('taken')
    await running.client().send(new PutObjectCommand({ Bucket, Key: 'taken', Body: 'theirs' }))
    await expect(complete({ IfNoneMatch: '*' })).rejects.toMatchObject({ name: 'PreconditionFailed' })
    expect((await read('taken')).toString()).toBe('theirs')
  })
})

test('a condition that the store cannot decide is refused before it binds the upload to it', async () => {
  const poor = await startGateway({
    store: new MemoryStore({ capabilities: { facts: false, conditionalComplete: false } }),
  })
  try {
    const s3 = poor.client()
    const Key = 'unconditional'
    await s3.send(new CreateBucketCommand({ Bucket }))
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
    const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: 'x' }))
    const input = { Bucket, Key, UploadId, MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } }
    for (const condition of [{ IfNoneMatch: '*' }, { IfMatch: ETag }]) {
      const conditional = s3.send(new CompleteMultipartUploadCommand({ ...input, ...condition }))
      await expect(conditional).rejects.toMatchObject({ name: 'NotImplemented' })
    }
    await s3.send(new CompleteMultipartUploadCommand(input))
  } finally {
    await poor.close()
  }
})
