/** Requests at the edges of what a key and an error can be (S3 behaviour 20, 21 and 28). */
import { CreateBucketCommand, DeleteObjectsCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { elements, exchange } from '../helpers/error-answer.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { send, signedHeaders } from '../helpers/signed-request.ts'

const Bucket = 'edges'
const CONTROLS = ['\u0001', '\t', '\n', '\r', '\u001f', '\u007f', '\u0085', '\u2028']
let running: TestGateway
let s3: S3Client

beforeAll(async () => {
  running = await startGateway()
  s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket }))
})
afterAll(() => running.close())

test('B20 keys with control characters are listed, as references or encoded, and deleted by their list', async () => {
  for (const control of CONTROLS) await s3.send(new PutObjectCommand({ Bucket, Key: `c/${control}/x`, Body: 'x' }))
  const plain = (await send(running, { method: 'GET', path: `/${Bucket}?list-type=2&prefix=c/` })).bytes.toString()
  expect(plain).toContain('<Key>c/&#x1;/x</Key>')
  expect(plain).toContain('<Key>c/&#xA;/x</Key>')
  const path = `/${Bucket}?list-type=2&prefix=c/&encoding-type=url`
  const encoded = (await send(running, { method: 'GET', path })).bytes.toString()
  const keys = [...encoded.matchAll(/<Key>([^<]*)</g)].map(([, key = '']) => decodeURIComponent(key))
  expect(keys.sort()).toEqual(CONTROLS.map((control) => `c/${control}/x`).sort())
  const Objects = CONTROLS.map((control) => ({ Key: `c/${control}/x` }))
  const gone = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }))
  expect(gone.Errors ?? []).toEqual([])
  expect((await running.store.list(Bucket, { prefix: 'c/', limit: 10 })).objects).toEqual([])
})

test.each([
  ['without a signature', 'GET', '/edges/none', {}],
  ['of what is missing', 'GET', '/edges/none', { signed: true }],
  ['of a method', 'PATCH', '/edges', { signed: true }],
  ['of a preflight', 'OPTIONS', '/edges/none', {}],
  ['of a form', 'POST', '/edges', {}],
] as const)('B21 an error %s has the request id of its header, and the host id', async (_what, method, path, how) => {
  const headers = 'signed' in how ? signedHeaders(running, { method, path }) : { host: 'x' }
  const answer = await exchange(running, method, path, { 'content-length': '0', ...headers })
  const { RequestId, HostId, Resource } = elements(answer)
  expect(RequestId).toMatch(/^[0-9A-F]{16}$/)
  expect([RequestId, HostId, Resource]).toEqual([
    answer.headers.get('x-amz-request-id'),
    answer.headers.get('x-amz-id-2'),
    path,
  ])
})

test('B21 a success has both ids too', async () => {
  const { headers } = await send(running, { method: 'GET', path: `/${Bucket}` })
  expect(headers['x-amz-request-id']).toMatch(/^[0-9A-F]{16}$/)
  expect(headers['x-amz-id-2']).toBe('host-id')
})
