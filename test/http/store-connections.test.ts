/** A gateway that has few connections to its store: what a request asks for while it has an answer open is never waited for in vain. */
import { randomBytes } from 'node:crypto'
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { StoreError } from '../../src/backends/object-store.ts'
import { TailCache } from '../../src/gateway/tail-cache.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { s3Store } from '../helpers/s3-store.ts'

const Bucket = 'few-connections'
const CONNECTIONS = 2
/** More requests at once than there are connections. */
const AT_ONCE = 4
const PART = randomBytes(5 * 1024 * 1024)

let backend: TestGateway
let running: TestGateway
let s3: S3Client

beforeAll(async () => {
  backend = await startGateway()
  const few = () => s3Store({ endpoint: backend.endpoint, connections: CONNECTIONS, idleTimeout: 60_000 })
  running = await startGateway({ store: few(), state: few(), rules: () => ({ copy: 'rekey' }) })
  s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket }))
  for (let at = 0; at < AT_ONCE; at += 1) await putInParts(`parts-${at}`)
  await s3.send(new PutObjectCommand({ Bucket, Key: 'large', Body: PART }))
})

afterAll(async () => {
  await running.close()
  await running.store.close()
  await running.state.close()
  await backend.close()
})

beforeEach(() => {
  // Every read needs the tail of its object.
  const cold = new TailCache(0)
  running.gateway.tails.get = (id) => cold.get(id)
})

async function putInParts(Key: string): Promise<void> {
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
  const Parts = []
  for (const PartNumber of [1, 2]) {
    const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body: PART }))
    Parts.push({ PartNumber, ETag })
  }
  await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }))
}

const atOnce = <T>(work: (at: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: AT_ONCE }, (_, at) => work(at)))

async function read(Key: string, Range?: string): Promise<number> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, Range }))
  return (await Body?.transformToByteArray())?.length ?? 0
}

test('whole multipart objects, whose tails are read beside their bodies', { timeout: 25_000 }, async () => {
  expect(await atOnce((at) => read(`parts-${at}`))).toEqual(Array.from({ length: AT_ONCE }, () => 2 * PART.length))
})

test('ranges of multipart objects, where the first answer was a wrong guess', { timeout: 25_000 }, async () => {
  const last = PART.length + 999_999
  const lengths = await atOnce((at) => read(`parts-${at}`, `bytes=${PART.length - 1_000_000}-${last}`))
  expect(lengths).toEqual(Array.from({ length: AT_ONCE }, () => 2_000_000))
})

test('copies that stream through the gateway', { timeout: 25_000 }, async () => {
  const CopySource = `${Bucket}/large`
  const copies = await atOnce((at) => s3.send(new CopyObjectCommand({ Bucket, Key: `copy-${at}`, CopySource })))
  expect(copies.every(({ CopyObjectResult }) => CopyObjectResult?.ETag !== undefined)).toBe(true)
  expect(await read('copy-0')).toBe(PART.length)
})

test('parts that are copied', { timeout: 25_000 }, async () => {
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'assembled' }))
  const Parts = await atOnce(async (at) => {
    const part = { Bucket, Key: 'assembled', UploadId, PartNumber: at + 1, CopySource: `${Bucket}/parts-${at}` }
    const { CopyPartResult } = await s3.send(new UploadPartCopyCommand(part))
    return { PartNumber: at + 1, ETag: CopyPartResult?.ETag }
  })
  const whole = { Bucket, Key: 'assembled', UploadId, MultipartUpload: { Parts } }
  await s3.send(new CompleteMultipartUploadCommand(whole))
  expect(await read('assembled')).toBe(AT_ONCE * 2 * PART.length)
})

describe('reads that begin again, since their object was overwritten before its tail was read', () => {
  let get: TestGateway['store']['get']

  beforeEach(() => {
    const { store } = running
    get = store.get.bind(store)
    const moved = new Set<string>()
    store.get = async (bucket, key, options = {}) => {
      if (options.ifMatch === undefined || (options.range?.first ?? 0) === 0 || moved.has(key)) {
        return get(bucket, key, options)
      }
      moved.add(key)
      throw new StoreError('precondition-failed', 'overwritten')
    }
  })
  afterEach(() => {
    running.store.get = get
  })

  test('copies that stream through the gateway', { timeout: 25_000 }, async () => {
    const copies = await atOnce((at) =>
      s3.send(new CopyObjectCommand({ Bucket, Key: `again-${at}`, CopySource: `${Bucket}/parts-${at}` })),
    )
    expect(copies.every(({ CopyObjectResult }) => CopyObjectResult?.ETag !== undefined)).toBe(true)
  })

  test('parts that are copied', { timeout: 25_000 }, async () => {
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'again' }))
    const parts = await atOnce((at) => {
      const part = { Bucket, Key: 'again', UploadId, PartNumber: at + 1, CopySource: `${Bucket}/parts-${at}` }
      return s3.send(new UploadPartCopyCommand(part))
    })
    expect(parts.every(({ CopyPartResult }) => CopyPartResult?.ETag !== undefined)).toBe(true)
  })
})
