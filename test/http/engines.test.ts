/** What S3 does with an engine of its own and the embedded store does not: refused by name, with nothing done (S3 behaviour 103, 108 to 110). */
import {
  CreateBucketCommand,
  HeadObjectCommand,
  PutBucketLifecycleConfigurationCommand,
  PutObjectCommand,
  RestoreObjectCommand,
  type S3Client,
  SelectObjectContentCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { exchange, expectError } from '../helpers/error-answer.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { failure } from '../helpers/refused.ts'
import { send } from '../helpers/signed-request.ts'

const Bucket = 'engines'
let running: TestGateway
let s3: S3Client
beforeAll(async () => {
  running = await startGateway({ domains: ['s3.example.test'], publicAccess: () => 'read' })
  s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket }))
  for (const Key of ['index.html', 'dir/index.html', 'table.csv'])
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'a,b\n1,2\n' }))
})
afterAll(() => running.close())

const unsigned = (host: string, path: string) => exchange(running, 'GET', path, { host })

test('B108 there is no website: no index, no redirect to a folder, and errors are XML, under every name', async () => {
  for (const host of [`${Bucket}.s3.example.test`, `${Bucket}.s3-website.example.test`]) {
    for (const path of ['/', '/dir', '/dir/', `/${Bucket}/dir`]) {
      const answer = await unsigned(host, path)
      expectError(answer, 403, 'AccessDenied')
      expect(answer.headers.has('location')).toBe(false)
    }
  }
  expect((await unsigned(`${Bucket}.s3.example.test`, '/index.html')).body).toBe('a,b\n1,2\n')
})

test('B108 a redirect of an object is told, never followed', async () => {
  const headers = { 'x-amz-website-redirect-location': '/index.html' }
  const path = `/${Bucket}/moved`
  await send(running, { method: 'PUT', path, headers, body: Buffer.from('moved') })
  for (const method of ['GET', 'HEAD']) {
    const answer = await send(running, { method, path })
    expect([answer.status, answer.headers.location]).toEqual([200, undefined])
    expect(answer.headers).toMatchObject(headers)
  }
})

test('B109 nothing is archived, so nothing is restored: the classes that need it and RestoreObject are NotImplemented', async () => {
  for (const StorageClass of ['GLACIER', 'DEEP_ARCHIVE'] as const) {
    const put = s3.send(new PutObjectCommand({ Bucket, Key: 'cold', Body: 'x', StorageClass }))
    expect(await failure(put)).toEqual(['NotImplemented', 501])
  }
  expect((await failure(s3.send(new HeadObjectCommand({ Bucket, Key: 'cold' }))))[1]).toBe(404)
  const restore = new RestoreObjectCommand({ Bucket, Key: 'table.csv', RestoreRequest: { Days: 1 } })
  expect(await failure(s3.send(restore))).toEqual(['NotImplemented', 501])
})

test('B110 Select is NotImplemented, as a document and not as an event', async () => {
  const select = new SelectObjectContentCommand({
    Bucket,
    Key: 'table.csv',
    Expression: 'SELECT * FROM S3Object',
    ExpressionType: 'SQL',
    InputSerialization: { CSV: {} },
    OutputSerialization: { CSV: {} },
  })
  expect(await failure(s3.send(select))).toEqual(['NotImplemented', 501])
})

test('B103 nothing expires, so x-amz-expiration promises nothing', async () => {
  const Rules = [{ ID: 'all', Status: 'Enabled', Filter: { Prefix: '' }, Expiration: { Days: 1 } }] as const
  const LifecycleConfiguration = { Rules: [...Rules] }
  await s3.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration }))
  const path = `/${Bucket}/expires`
  for (const call of [{ method: 'PUT', body: Buffer.from('x') }, { method: 'HEAD' }, { method: 'GET' }]) {
    const answer = await send(running, { ...call, path })
    expect([answer.status, answer.headers['x-amz-expiration']]).toEqual([200, undefined])
  }
})
