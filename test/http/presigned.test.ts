/** URLs that carry their own signature (S3 behaviour 13 to 16). */
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { presignUrl } from '../../src/s3/auth/sign.ts'
import { exchange, expectError } from '../helpers/error-answer.ts'
import { ACCESS_KEY, SECRET_KEY, startGateway, type TestGateway } from '../helpers/gateway.ts'
import type { RawAnswer } from '../helpers/raw-connection.ts'
import { signedHeaders } from '../helpers/signed-request.ts'

const Bucket = 'presigned'
const PATH = `/${Bucket}/key`
let running: TestGateway

beforeAll(async () => {
  running = await startGateway()
  const s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket }))
  await s3.send(new PutObjectCommand({ Bucket, Key: 'key', Body: 'signed' }))
})
afterAll(() => running.close())

describe('presigned URLs', () => {
  const presign = (
    path = PATH,
    more: { method?: string; now?: Date; expires?: number; headers?: Record<string, string> } = {},
  ): string =>
    presignUrl({
      method: more.method ?? 'GET',
      url: `${running.endpoint}${path}`,
      credentials: { accessKey: ACCESS_KEY, secret: SECRET_KEY },
      region: 'us-east-1',
      now: more.now ?? new Date(),
      expiresSeconds: more.expires ?? 60,
      ...(more.headers === undefined ? {} : { headers: more.headers }),
    }).slice(running.endpoint.length)
  const use = (path: string, headers: Record<string, string> = {}, method = 'GET', body = ''): Promise<RawAnswer> =>
    exchange(running, method, path, { host: `127.0.0.1:${running.port}`, ...headers }, body)

  test('B14 open what they name, also with unsigned headers that are not x-amz-*', async () => {
    expect((await use(presign())).body).toBe('signed')
    expect((await use(presign(), { 'content-type': 'a/b', range: 'bytes=0-0' })).body).toBe('s')
    const path = `/${Bucket}/presigned`
    expect((await use(presign(path, { method: 'PUT' }), { 'content-length': '3' }, 'PUT', 'put')).status).toBe(200)
    expect((await use(presign(path))).body).toBe('put')
  })

  test('are for one method', async () => {
    expectError(await use(presign(), {}, 'DELETE'), 403, 'SignatureDoesNotMatch')
  })

  test.each([
    'X-Amz-Algorithm',
    'X-Amz-Credential',
    'X-Amz-Date',
    'X-Amz-Expires',
    'X-Amz-SignedHeaders',
    'X-Amz-Signature',
  ])('B13 without %s are AuthorizationQueryParametersError', async (name) => {
    const path = presign()
      .replace(new RegExp(`[?&]${name}=[^&]*`), '')
      .replace(/^([^?&]+)&/, '$1?')
    expectError(await use(path), 400, 'AuthorizationQueryParametersError')
  })

  test.each([
    ['another algorithm', /X-Amz-Algorithm=[^&]*/, 'X-Amz-Algorithm=AWS4-HMAC-SHA1'],
    ['a life that is no number', /X-Amz-Expires=[^&]*/, 'X-Amz-Expires=soon'],
    ['a negative life', /X-Amz-Expires=[^&]*/, 'X-Amz-Expires=-1'],
    ['a life of more than a week', /X-Amz-Expires=[^&]*/, 'X-Amz-Expires=604801'],
    ['a date that is none', /X-Amz-Date=[^&]*/, 'X-Amz-Date=today'],
    ['a credential that is none', /X-Amz-Credential=[^&]*/, 'X-Amz-Credential=x'],
  ])('B13 with %s are AuthorizationQueryParametersError', async (_what, from, to) => {
    expectError(await use(presign().replace(from, to)), 400, 'AuthorizationQueryParametersError')
  })

  test('B13 expired: AccessDenied with the times', async () => {
    const found = expectError(await use(presign(PATH, { now: new Date(Date.now() - 300_000) })), 403, 'AccessDenied')
    expect(found).toMatchObject({ Message: 'Request has expired', 'X-Amz-Expires': '60' })
    expect(
      [found.Expires, found.ServerTime].every((time) => time !== undefined && !Number.isNaN(Date.parse(time))),
    ).toBe(true)
  })

  test('B13, B14 with a changed signature, or an unsigned x-amz-* header, are refused', async () => {
    expectError(await use(presign().replace(/Signature=[0-9a-f]/, 'Signature=g')), 403, 'SignatureDoesNotMatch')
    const path = presign(`/${Bucket}/meta`, { method: 'PUT' })
    const answer = await use(path, { 'content-length': '0', 'x-amz-meta-a': 'b' }, 'PUT')
    expect(expectError(answer, 403, 'AccessDenied').HeadersNotSigned).toBe('x-amz-meta-a')
  })

  test('B15 beside an Authorization header: InvalidArgument', async () => {
    const found = expectError(
      await use(presign(), {
        authorization: signedHeaders(running, { method: 'GET', path: PATH }).authorization ?? '',
      }),
      400,
      'InvalidArgument',
    )
    expect(found.Message).toContain('Only one auth mechanism allowed')
  })

  test('B16 carry response-* overrides, which nobody may ask for without a signature', async () => {
    const path = `${PATH}?response-content-type=text%2Fx&response-content-disposition=attachment`
    const answer = await use(presign(path))
    expect([answer.headers.get('content-type'), answer.headers.get('content-disposition')]).toEqual([
      'text/x',
      'attachment',
    ])
    expect((await use(path)).status).toBeGreaterThanOrEqual(400)
  })

  test('a header hoisted into the query counts as that header', async () => {
    const path = presign(`/${Bucket}/hoisted?x-amz-meta-a=b`, { method: 'PUT' })
    expect((await use(path, { 'content-length': '0' }, 'PUT')).status).toBe(200)
    expect((await use(presign(`/${Bucket}/hoisted`))).headers.get('x-amz-meta-a')).toBe('b')
    const tagged = presign(`/${Bucket}/hoisted2?x-amz-tagging=a%3Db`, { method: 'PUT' })
    expectError(await use(tagged, { 'content-length': '0' }, 'PUT'), 501, 'NotImplemented')
  })
})
