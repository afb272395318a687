/** A range is asked for before it is known where it lies: a guess that was wrong is given up before anything else is asked of the store. */
import { randomBytes } from 'node:crypto'
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { HeldBody } from '../../src/backends/body.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import type { GetResult, ObjectStore } from '../../src/backends/object-store.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'

const MIB = 1024 * 1024
const Bucket = 'guesses'
let open = 0
let most = 0
let running: TestGateway
let s3: S3Client

/** Counts bodies that were asked for and neither read to their end nor given up. */
function counted(inner: ObjectStore): ObjectStore {
  const get: ObjectStore['get'] = async (...asked) => {
    const found = await inner.get(...asked)
    open += 1
    most = Math.max(most, open)
    return { ...found, body: ending(found.body, () => (open -= 1)) }
  }
  return new Proxy(inner, {
    get(target, name) {
      const value: unknown = name === 'get' ? get : Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function ending(body: GetResult['body'], ended: () => void): GetResult['body'] {
  const source = body[Symbol.asyncIterator]()
  let over = false
  const end = (): void => {
    if (!over) ended()
    over = true
  }
  return {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        const step = await source.next()
        if (step.done === true) end()
        return step
      },
      return: async () => {
        end()
        await source.return?.()
        return { done: true as const, value: undefined }
      },
    }),
  }
}

beforeAll(async () => {
  const inner = new MemoryStore({ capabilities: { facts: false, near: false } })
  running = await startGateway({ store: counted(inner), rules: () => ({ contents: 'mixed' }) })
  s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket }))
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'parts' }))
  const Parts = []
  for (const PartNumber of [1, 2]) {
    const Body = randomBytes(5 * MIB)
    const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key: 'parts', UploadId, PartNumber, Body }))
    Parts.push({ PartNumber, ETag })
  }
  await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key: 'parts', UploadId, MultipartUpload: { Parts } }))
  await s3.send(new PutObjectCommand({ Bucket, Key: 'one', Body: randomBytes(3 * MIB) }))
  const metadata = { a: 'x'.repeat(2_100), ['n'.repeat(300)]: 'no record can hold it' }
  await inner.put(Bucket, 'plain', new HeldBody([randomBytes(MIB)]), { metadata, commit: async () => ({}) })
})
afterAll(() => running.close())
beforeEach(() => {
  open = 0
  most = 0
})

async function get(Key: string, more: object = {}): Promise<number> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, ...more }))
  return (await Body?.transformToByteArray())?.length ?? 0
}

test.each(['parts', 'plain', 'one'])('a range of %s never holds two bodies of the store', async (Key) => {
  expect(await get(Key, { Range: 'bytes=1000-400999' })).toBe(400_000)
  expect([most, open]).toEqual([1, 0])
})

test.each(['parts', 'plain', 'one'])(
  'nor does the whole of %s in place of a range that If-Range sets aside',
  async (Key) => {
    const IfRange = '"0123456789abcdef0123456789abcdef-1"'
    // The SDK has no parameter for it.
    const client = running.client()
    client.middlewareStack.add(
      (next) => (args) => {
        Object.assign(Reflect.get(args.request as object, 'headers'), { 'if-range': IfRange })
        return next(args)
      },
      { step: 'build' },
    )
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key, Range: 'bytes=0-9' }))
    expect((await Body?.transformToByteArray())?.length).toBeGreaterThan(MIB - 1)
    expect(open).toBe(0)
    // The tail has the checksum that the client asks for: that one is read beside.
    expect(most).toBe(Key === 'one' ? 2 : 1)
  },
)

test('a plaintext object is read whatever the metadata that its store allowed', async () => {
  const { Metadata } = await s3.send(new GetObjectCommand({ Bucket, Key: 'plain' }))
  expect(Metadata).toEqual({ a: 'x'.repeat(2_100) })
})
