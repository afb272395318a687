/** Objects and uploads that change while an operation on them is under way. */
import { randomBytes } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import type { ObjectStore } from '../../src/backends/object-store.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'

const Bucket = 'moving'
/** Runs before the next write of an object's body or of a state record whose name it takes. */
let meanwhile: ((key: string) => Promise<void>) | undefined
let running: TestGateway

function interrupted(inner: ObjectStore): ObjectStore {
  const put: ObjectStore['put'] = async (bucket, key, body, options) => {
    await meanwhile?.(key)
    return inner.put(bucket, key, body, options)
  }
  return new Proxy(inner, {
    get(target, name) {
      const value: unknown = name === 'put' ? put : Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

beforeAll(async () => {
  const rules = (bucket: string) => ({ namespace: bucket, copy: 'rekey' as const })
  running = await startGateway({ store: interrupted(new MemoryStore()), state: interrupted(new MemoryStore()), rules })
  await running.client().send(new CreateBucketCommand({ Bucket }))
})
afterAll(() => running.close())

test('a copy onto itself does not undo a write that came between', async () => {
  const s3 = running.client()
  const Key = 'self'
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'older' }))
  meanwhile = async () => {
    meanwhile = undefined
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'newer' }))
  }
  const copy = { Bucket, Key, CopySource: `${Bucket}/${Key}`, MetadataDirective: 'REPLACE' as const }
  await s3.send(new CopyObjectCommand({ ...copy, Metadata: { copied: 'yes' } }))
  const { Body, Metadata } = await s3.send(new GetObjectCommand({ Bucket, Key }))
  expect(await Body?.transformToString()).toBe('newer')
  expect(Metadata).toEqual({ copied: 'yes' })
})

test('a part that arrives while its upload is aborted leaves nothing behind', async () => {
  const s3 = running.client()
  const Key = 'aborted'
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
  meanwhile = async (key) => {
    if (!key.includes('/p/')) return
    meanwhile = undefined
    await s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
  }
  const part = new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: randomBytes(100) })
  await expect(s3.send(part)).rejects.toMatchObject({ name: 'NoSuchUpload' })
  const { objects } = await running.state.list('sealgate-state', { prefix: 'uploads/', limit: 10 })
  expect(objects).toEqual([])
})
