/** Tags of a copy that streams through the gateway, in front of a store that keeps tags. */
import { CopyObjectCommand, CreateBucketCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { errorDocument, FaultProxy } from '../helpers/fault-proxy.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { s3Store } from '../helpers/s3-store.ts'

const Bucket = 'tags'
const TAGS =
  '<Tagging><TagSet><Tag><Key>a b</Key><Value>1&amp;2</Value></Tag><Tag><Key>c</Key><Value/></Tag></TagSet></Tagging>'

let backend: TestGateway
let proxy: FaultProxy
let running: TestGateway
let s3: S3Client
let puts: Readonly<Record<string, string>>[] = []

beforeAll(async () => {
  backend = await startGateway()
  proxy = await FaultProxy.start(backend.endpoint)
  running = await startGateway({
    store: s3Store({
      endpoint: proxy.endpoint,
      profile: { copySourceIfMatch: false },
      onSend: ({ method, path, headers }) => {
        if (method === 'PUT' && path.includes('/target')) puts.push({ ...headers })
      },
    }),
  })
  s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket }))
  await s3.send(new PutObjectCommand({ Bucket, Key: 'source', Body: 'x' }))
})
afterAll(async () => {
  await running.close()
  await running.store.close()
  await proxy.close()
  await backend.close()
})
beforeEach(() => {
  puts = []
  proxy.clear()
  const written = { status: 200, headers: { etag: '"0123456789abcdef0123456789abcdef"' } }
  proxy.fault({
    when: 'before',
    how: written,
    matching: ({ method, path }) => method === 'PUT' && path.includes('/target'),
  })
})

const copy = (more: object) =>
  s3.send(new CopyObjectCommand({ Bucket, Key: 'target', CopySource: `${Bucket}/source`, ...more }))
const tagged = (how: { status: number; body: string }): void =>
  proxy.fault({ when: 'before', how, matching: ({ path }) => path.includes('tagging=') })
const DIRECTIVES = ['x-amz-tagging-directive', 'x-amz-source-expected-bucket-owner']
const directives = () => Object.keys(puts[0] ?? {}).filter((name) => DIRECTIVES.includes(name))

test.each([{}, { TaggingDirective: 'COPY' }])('are those of the source (%o)', async (more) => {
  tagged({ status: 200, body: TAGS })
  await copy({ ...more, StorageClass: 'STANDARD_IA' })
  expect(puts).toMatchObject([{ 'x-amz-tagging': 'a%20b=1%262&c=', 'x-amz-storage-class': 'STANDARD_IA' }])
  expect(directives()).toEqual([])
})

test('are those of the request where it replaces them', async () => {
  await copy({ TaggingDirective: 'REPLACE', Tagging: 'new=1' })
  expect(puts).toMatchObject([{ 'x-amz-tagging': 'new=1' }])
  expect(directives()).toEqual([])
  expect(proxy.came.some(({ path }) => path.includes('tagging='))).toBe(false)
})

test('are none where the source has none', async () => {
  tagged({ status: 200, body: '<Tagging><TagSet/></Tagging>' })
  await copy({})
  expect(puts[0]?.['x-amz-tagging']).toBeUndefined()
})

test('that cannot be read are no tags to leave out: nothing is written', async () => {
  tagged({ status: 403, body: errorDocument('AccessDenied') })
  await expect(copy({})).rejects.toThrow()
  expect(puts).toEqual([])
})

test('are none on a store that does not implement them', async () => {
  tagged({ status: 501, body: errorDocument('NotImplemented') })
  await copy({})
  expect(puts[0]?.['x-amz-tagging']).toBeUndefined()
})
