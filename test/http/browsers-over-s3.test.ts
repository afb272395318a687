/** Browsers before a store that speaks S3: what is theirs is judged here, and the store is not asked. */
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  GetBucketCorsCommand,
  GetObjectCommand,
  PutBucketCorsCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { exchange, expectError } from '../helpers/error-answer.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { s3Store } from '../helpers/s3-store.ts'
import { formBody, post, signForm } from '../helpers/signed-form.ts'
import { codeOf } from '../helpers/signed-request.ts'

const Bucket = 'browsers'
const ORIGIN = 'https://app.test'
let backend: TestGateway
let running: TestGateway
let s3: S3Client
let sent: string[] = []

beforeAll(async () => {
  backend = await startGateway()
  const store = s3Store({ endpoint: backend.endpoint, onSend: ({ method, path }) => sent.push(`${method} ${path}`) })
  running = await startGateway({ store, publicAccess: () => 'read' })
  s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket }))
  await s3.send(new PutObjectCommand({ Bucket, Key: 'key', Body: 'contents' }))
})
afterAll(async () => {
  await running.close()
  await running.store.close()
  await backend.close()
})
beforeEach(() => {
  sent = []
})

const CORSRules = [{ AllowedOrigins: [ORIGIN], AllowedMethods: ['GET'] }]
const preflight = () =>
  exchange(running, 'OPTIONS', `/${Bucket}/key`, { host: 'x', origin: ORIGIN, 'access-control-request-method': 'GET' })

test('B102 rules are kept beside the store, which never sees a preflight', async () => {
  await s3.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules } }))
  expect((await s3.send(new GetBucketCorsCommand({ Bucket }))).CORSRules).toEqual(CORSRules)
  expect(sent.filter((line) => line.includes('cors'))).toEqual([])
  sent = []
  const answer = await preflight()
  expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([200, ORIGIN])
  expect(sent).toEqual([])
})

test('B102 they end with their bucket', async () => {
  const doomed = 'browsers-doomed'
  const put = { Bucket: doomed, CORSConfiguration: { CORSRules } }
  await expect(s3.send(new PutBucketCorsCommand(put))).rejects.toMatchObject({ name: 'NoSuchBucket' })
  await s3.send(new CreateBucketCommand({ Bucket: doomed }))
  await s3.send(new PutBucketCorsCommand(put))
  await s3.send(new DeleteBucketCommand({ Bucket: doomed }))
  await s3.send(new CreateBucketCommand({ Bucket: doomed }))
  await expect(s3.send(new GetBucketCorsCommand({ Bucket: doomed }))).rejects.toMatchObject({
    name: 'NoSuchCORSConfiguration',
  })
})

test('B95 a bucket that is made again keeps them, though the store answers 200', async () => {
  const again = 'browsers-again'
  await s3.send(new CreateBucketCommand({ Bucket: again }))
  await s3.send(new PutBucketCorsCommand({ Bucket: again, CORSConfiguration: { CORSRules } }))
  await s3.send(new CreateBucketCommand({ Bucket: again }))
  expect((await s3.send(new GetBucketCorsCommand({ Bucket: again }))).CORSRules).toEqual(CORSRules)
})

test('what a deletion cut short has left is none of the next bucket of that name', async () => {
  const next = 'browsers-next'
  await running.gateway.documents.write(next, 'cors', Buffer.from('left'))
  await s3.send(new CreateBucketCommand({ Bucket: next }))
  await expect(s3.send(new GetBucketCorsCommand({ Bucket: next }))).rejects.toMatchObject({
    name: 'NoSuchCORSConfiguration',
  })
})

test('anybody reads what is public, and of the store nothing else', async () => {
  const ask = (method: string, path: string) => exchange(running, method, path, { host: 'x', 'content-length': '0' })
  expect((await ask('GET', `/${Bucket}/key`)).body).toBe('contents')
  sent = []
  // What is handed on to a store that speaks S3 is handed on for those whom we know.
  for (const path of [
    `/${Bucket}?versioning`,
    `/${Bucket}?tagging`,
    `/${Bucket}/key?tagging`,
    `/${Bucket}?notification`,
  ]) {
    for (const method of ['GET', 'PUT']) expectError(await ask(method, path), 403, 'AccessDenied')
  }
  expect(sent).toEqual([])
})

test.each([10, 9 * 1024 * 1024])(
  'B106 a form of %i bytes is sealed on its way; one too large leaves nothing',
  async (size) => {
    const form = (key: string, most: number) => {
      const signed = signForm({
        bucket: Bucket,
        conditions: [
          ['eq', '$key', key],
          ['content-length-range', 0, most],
        ],
      })
      return post(running, { path: `/${Bucket}`, body: formBody([['key', key], ...signed], Buffer.alloc(size, 'f')) })
    }
    expect((await form('form', size)).status).toBe(204)
    const got = await s3.send(new GetObjectCommand({ Bucket, Key: 'form' }))
    expect(await got.Body?.transformToString()).toBe('f'.repeat(size))
    expect(codeOf(await form('larger', size - 1))).toBe('EntityTooLarge')
    const left = await backend.store.list(Bucket, { prefix: 'larger', limit: 10 })
    expect(left.objects).toEqual([])
    expect((await backend.store.listUploads(Bucket, { prefix: '', limit: 10 })).uploads).toEqual([])
  },
)
