/** URLs in answers: the address that the client has used, of those under which the gateway is known. */
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { objectUrl } from '../../src/http/object-url.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { formBody, post, signForm } from '../helpers/signed-form.ts'

const Bucket = 'public'
let running: TestGateway
let s3: S3Client

beforeAll(async () => {
  running = await startGateway({
    publicUrls: ['https://s3.example.com', 'http://inside.test:9000'],
    domains: ['inside.test'],
  })
  s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket }))
})
afterAll(() => running.close())

test('CompleteMultipartUpload names the object below the first where the client came by none of them', async () => {
  const Key = 'a b/ü'
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
  const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: 'x' }))
  const Parts = [{ PartNumber: 1, ETag }]
  const done = await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }))
  expect(done.Location).toBe('https://s3.example.com/public/a%20b/%C3%BC')
})

test.each([
  ['s3.example.com', '/public', 'https://s3.example.com/public/k'],
  ['S3.Example.Com', '/public', 'https://S3.Example.Com/public/k'],
  ['inside.test:9000', '/public', 'http://inside.test:9000/public/k'],
  ['public.inside.test:9000', '/', 'http://public.inside.test:9000/k'],
  ['proxy.local', '/public', 'https://s3.example.com/public/k'],
])('a form that came to %s', async (host, path, location) => {
  const fields = [['key', 'k'] as const, ...signForm({ bucket: Bucket, conditions: [['eq', '$key', 'k']] })]
  const answer = await post(running, { path, body: formBody(fields, 'x'), headers: { host } })
  expect([answer.status, answer.headers['location']]).toEqual([204, location])
})

test('without public URLs it is the Host that came, by the scheme of the listener', () => {
  const reached = { host: '127.0.0.1:8080', style: 'path', bucket: 'b', secure: false } as const
  expect(objectUrl([], reached, 'k')).toBe('http://127.0.0.1:8080/b/k')
  expect(objectUrl([], { ...reached, secure: true }, 'k')).toBe('https://127.0.0.1:8080/b/k')
  expect(objectUrl([], { ...reached, style: 'virtual', host: 'b.s3.test' }, 'k')).toBe('http://b.s3.test/k')
})
