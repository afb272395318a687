/** Requests without a signature: nothing by default, and what the settings of a bucket make public (S3 behaviour 1, 16 and 50). */
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PublicAccess } from '../../src/access/anonymous.ts'
import { OPERATIONS } from '../../src/s3/operation.ts'
import { OPERATION_NAMES } from '../../src/s3/operation-name.ts'
import { exchange, expectError } from '../helpers/error-answer.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import type { RawAnswer } from '../helpers/raw-connection.ts'
import { startEmbedded } from '../helpers/worlds.ts'

let running: TestGateway
let s3: S3Client
const BUCKETS = ['none', 'read', 'list', 'upload']

beforeAll(async () => {
  running = await startGateway({
    publicAccess: (name) => (BUCKETS.includes(name.slice(3)) ? (name.slice(3) as PublicAccess) : 'none'),
  })
  s3 = running.client()
  for (const one of BUCKETS) {
    await s3.send(new CreateBucketCommand({ Bucket: `is-${one}` }))
    await s3.send(new PutObjectCommand({ Bucket: `is-${one}`, Key: 'a/key', Body: 'public' }))
  }
})
afterAll(() => running.close())

const ask = (method: string, path: string, headers: Record<string, string> = {}, body = ''): Promise<RawAnswer> =>
  exchange(
    running,
    method,
    path,
    { host: `127.0.0.1:${running.port}`, 'content-length': String(body.length), ...headers },
    body,
  )

/** Every operation that there is, sent by nobody to a bucket. */
const requests = (bucket: string): [string, string, string, Record<string, string>][] =>
  OPERATION_NAMES.filter(
    (name) => !['PreflightRequest', 'ListDirectoryBuckets', 'WriteGetObjectResponse', 'PostObject'].includes(name),
  ).map((name) => {
    const { method, resource, subresource, selector } = OPERATIONS[name]
    const path = { service: '/', bucket: `/${bucket}`, object: `/${bucket}/a/key` }[resource]
    const parameters = [
      ...(subresource === undefined ? [] : [subresource]),
      ...(selector !== undefined && 'query' in selector ? [`${selector.query}=2`] : []),
      ...(name.startsWith('UploadPart') ? ['partNumber=1'] : []),
    ]
    const headers: Record<string, string> =
      selector !== undefined && 'header' in selector ? { [selector.header]: `/${bucket}/a/key` } : {}
    return [name, method, `${path}?${parameters.join('&')}`, headers]
  })

const OPEN: Record<string, readonly string[]> = {
  none: [],
  read: ['GetObject', 'HeadObject'],
  list: ['GetObject', 'HeadObject', 'HeadBucket', 'ListObjects', 'ListObjectsV2'],
  upload: ['PutObject'],
}

describe.each(BUCKETS)('B1 a bucket whose public is %s', (one) => {
  test.each(requests(`is-${one}`))('%s', async (name, method, path, headers) => {
    const answer = await ask(method, path, headers)
    expect(answer.status).toBe(OPEN[one]?.includes(name) === true ? 200 : 403)
    if (method !== 'HEAD' && answer.status === 403) expectError(answer, 403, 'AccessDenied')
  })
})

test('B1 what is private looks the same whether it exists or not', async () => {
  for (const path of ['/is-none/a/key', '/is-none/missing', '/no-such-bucket/key', '/no-such-bucket', '/']) {
    expectError(await ask('GET', path), 403, 'AccessDenied')
    expect((await ask('HEAD', path === '/' ? '/is-none' : path)).status).toBe(403)
  }
})

test('public objects are read as by anybody else: whole, in part, under conditions', async () => {
  expect((await ask('GET', '/is-read/a/key')).body).toBe('public')
  const part = await ask('GET', '/is-read/a/key', { range: 'bytes=0-2' })
  expect([part.status, part.body]).toEqual([206, 'pub'])
  const etag = (await ask('HEAD', '/is-read/a/key')).headers.get('etag') ?? ''
  expect((await ask('GET', '/is-read/a/key', { 'if-none-match': etag })).status).toBe(304)
  const listed = await ask('GET', '/is-list?list-type=2&prefix=a/')
  expect(listed.body).toContain('<Key>a/key</Key>')
})

test('B50 a missing key is 404 only to who may list', async () => {
  expectError(await ask('GET', '/is-read/missing'), 403, 'AccessDenied')
  expectError(await ask('GET', '/is-list/missing'), 404, 'NoSuchKey')
})

test('B16 overrides of response headers need a signature', async () => {
  for (const name of [
    'content-type',
    'content-language',
    'content-disposition',
    'content-encoding',
    'cache-control',
    'expires',
  ]) {
    expectError(await ask('GET', `/is-read/a/key?response-${name}=x`), 400, 'InvalidRequest')
  }
  expectError(await ask('GET', '/is-none/a/key?response-content-type=x'), 403, 'AccessDenied')
})

test('what an object has beside its contents is told to those who may ask for it', async () => {
  const gateway = await startEmbedded({ publicAccess: () => 'read' })
  const object = { Bucket: 'locked', Key: 'k' }
  const signed = gateway.client()
  await signed.send(new CreateBucketCommand({ Bucket: 'locked', ObjectLockEnabledForBucket: true }))
  const beside = { Tagging: 'a=b', ObjectLockLegalHoldStatus: 'ON' } as const
  await signed.send(new PutObjectCommand({ ...object, Body: 'public', Metadata: { shown: 'yes' }, ...beside }))
  const told = await signed.send(new GetObjectCommand(object))
  expect([told.TagCount, told.ObjectLockLegalHoldStatus]).toEqual([1, 'ON'])
  for (const method of ['GET', 'HEAD']) {
    const { status, headers } = await fetch(`${gateway.endpoint}/locked/k`, { method })
    expect([status, headers.get('x-amz-meta-shown')]).toEqual([200, 'yes'])
    expect([...headers.keys()].filter((name) => /tagging|lock/.test(name))).toEqual([])
  }
  await gateway.close()
})

test('versions are nobody’s to read', async () => {
  expectError(await ask('GET', '/is-read/a/key?versionId=null'), 403, 'AccessDenied')
})

test('B1 a signature that does not hold is not taken for none', async () => {
  expectError(
    await ask('GET', '/is-read/a/key', { authorization: 'AWS4-HMAC-SHA256 nonsense' }),
    400,
    'AuthorizationHeaderMalformed',
  )
  expectError(await ask('GET', '/is-read/a/key', { authorization: 'AWS x:y' }), 400, 'InvalidRequest')
  expectError(await ask('GET', '/is-read/a/key?AWSAccessKeyId=x&Signature=y'), 400, 'InvalidRequest')
  expectError(await ask('GET', '/is-read/a/key?X-Amz-Signature=y'), 400, 'AuthorizationQueryParametersError')
})

describe('uploads by anybody', () => {
  const put = (headers: Record<string, string>, body = 'new'): Promise<RawAnswer> =>
    ask('PUT', '/is-upload/new', headers, body)

  test('are sealed with their metadata, and checked against what was said of them', async () => {
    expect((await put({ 'x-amz-meta-a': 'b', 'content-type': 'c/d' })).status).toBe(200)
    const got = await s3.send(new GetObjectCommand({ Bucket: 'is-upload', Key: 'new' }))
    expect([await got.Body?.transformToString(), got.ContentType, got.Metadata]).toEqual(['new', 'c/d', { a: 'b' }])
    expectError(await put({ 'x-amz-content-sha256': 'a'.repeat(64) }), 400, 'XAmzContentSHA256Mismatch')
    expectError(await put({ 'x-amz-content-sha256': 'nonsense' }), 400, 'InvalidArgument')
    expectError(await put({ 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' }), 400, 'BadDigest')
  })

  test('may come in chunks that nobody signed, and not in signed ones', async () => {
    const headers = {
      'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'x-amz-decoded-content-length': '3',
    }
    expect((await put(headers, '3\r\nnew\r\n0\r\n\r\n')).status).toBe(200)
    const signed = { ...headers, 'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD' }
    expectError(await put(signed, '3\r\nnew\r\n0\r\n\r\n'), 403, 'AccessDenied')
  })

  test('tell nobody what is there: contents cannot be guessed by a condition', async () => {
    for (const etag of ['"2a1dd1e1e59d0a384c26951e316cd7e6"', '*']) {
      expectError(await ask('PUT', '/is-upload/a/key', { 'if-match': etag }, 'other'), 403, 'AccessDenied')
    }
    expectError(await ask('PUT', '/is-upload/a/key', { 'if-none-match': '*' }, 'other'), 412, 'PreconditionFailed')
  })

  test.each([
    'x-amz-acl',
    'x-amz-tagging',
    'x-amz-object-lock-mode',
    'x-amz-grant-read',
    'x-amz-copy-source',
    'x-amz-storage-class',
    'x-amz-security-token',
  ])('carry no %s', async (name) => {
    expectError(await put({ [name]: 'private' }), 403, 'AccessDenied')
  })
})
