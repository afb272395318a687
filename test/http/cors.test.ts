/** What browsers are told: preflights without a signature, and the headers of every answer to a request with an Origin (S3 behaviour 99 and 102). */
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteBucketCorsCommand,
  GetBucketCorsCommand,
  PutBucketCorsCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Unavailable } from '../../src/errors.ts'
import type { CorsRule } from '../../src/s3/cors.ts'
import { exchange, expectError } from '../helpers/error-answer.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import type { RawAnswer } from '../helpers/raw-connection.ts'
import { signedHeaders } from '../helpers/signed-request.ts'

const ORIGIN = 'https://app.test'
const FROM_SETTINGS: CorsRule = { origins: ['*'], methods: ['GET'], headers: [], exposed: ['x-from-settings'] }
let running: TestGateway
let s3: S3Client

beforeAll(async () => {
  running = await startGateway({
    rules: (bucket) => ({ cors: bucket.startsWith('settings') ? [FROM_SETTINGS] : [] }),
  })
  s3 = running.client()
  for (const Bucket of ['cross', 'bare', 'settings']) {
    await s3.send(new CreateBucketCommand({ Bucket }))
    await s3.send(new PutObjectCommand({ Bucket, Key: 'key', Body: 'seen' }))
  }
  await s3.send(
    new PutBucketCorsCommand({
      Bucket: 'cross',
      CORSConfiguration: {
        CORSRules: [
          {
            ID: 'app',
            AllowedOrigins: [ORIGIN, 'https://*.sub.test'],
            AllowedMethods: ['GET', 'PUT', 'POST', 'DELETE'],
            AllowedHeaders: ['x-amz-*', 'Content-Type'],
            ExposeHeaders: ['ETag', 'x-amz-request-id'],
            MaxAgeSeconds: 3000,
          },
          { AllowedOrigins: ['*'], AllowedMethods: ['HEAD'] },
        ],
      },
    }),
  )
})
afterAll(() => running.close())

const host = (): string => `127.0.0.1:${running.port}`
const preflight = (path: string, headers: Record<string, string>): Promise<RawAnswer> =>
  exchange(running, 'OPTIONS', path, { host: host(), ...headers })
const asking = (method: string, origin = ORIGIN, names?: string): Record<string, string> => ({
  origin,
  'access-control-request-method': method,
  ...(names === undefined ? {} : { 'access-control-request-headers': names }),
})
const signed = (method: string, path: string, headers: Record<string, string>, body = ''): Promise<RawAnswer> =>
  exchange(
    running,
    method,
    path,
    { ...signedHeaders(running, { method, path, headers: { 'content-length': String(body.length) } }), ...headers },
    body,
  )
const crossHeaders = ({ headers }: RawAnswer): Record<string, string> =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-') || name === 'vary'))

const VARY = 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method'
const APP = {
  'access-control-allow-origin': ORIGIN,
  'access-control-allow-methods': 'GET, PUT, POST, DELETE',
  'access-control-expose-headers': 'ETag, x-amz-request-id',
  'access-control-max-age': '3000',
  'access-control-allow-credentials': 'true',
  vary: VARY,
}

describe('B102 a preflight', () => {
  test.each(['/cross', '/cross/key', '/cross/none?uploads'])('of %s is answered without a signature', async (path) => {
    const answer = await preflight(path, asking('PUT', ORIGIN, 'X-Amz-Date, content-type'))
    expect([answer.status, answer.body, answer.headers.get('content-length')]).toEqual([200, '', '0'])
    expect(crossHeaders(answer)).toEqual({ ...APP, 'access-control-allow-headers': 'x-amz-date, content-type' })
  })

  test.each([
    'x-amz-acl=private',
    'x-amz-storage-class=GLACIER',
    'x-amz-tagging=a%3Db',
    'x-amz-server-side-encryption=AES256',
    'x-amz-expected-bucket-owner=123456789012',
  ])('of a presigned URL is answered whatever the URL is signed for (%s)', async (signedFor) => {
    const answer = await preflight(`/cross/key?X-Amz-Signature=00&${signedFor}`, asking('PUT'))
    expect([answer.status, crossHeaders(answer)]).toEqual([200, APP])
  })

  test('names the origin that has asked, or * where any may', async () => {
    expect(crossHeaders(await preflight('/cross', asking('GET', 'https://a.sub.test')))).toMatchObject({
      'access-control-allow-origin': 'https://a.sub.test',
    })
    expect(crossHeaders(await preflight('/cross', asking('HEAD', 'https://who.test')))).toEqual({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'HEAD',
      vary: VARY,
    })
  })

  test.each([
    ['another origin', asking('GET', 'https://evil.test')],
    ['another method', asking('HEAD', ORIGIN, 'x-amz-date')],
    ['a header that is not allowed', asking('GET', ORIGIN, 'x-amz-date, authorization')],
  ])('for %s is 403 AccessForbidden', async (_what, headers) => {
    const answer = await preflight('/cross/key', headers)
    expect(expectError(answer, 403, 'AccessForbidden')).toMatchObject({ ResourceType: 'OBJECT' })
    expect(crossHeaders(answer)).toEqual({})
  })

  test('of a bucket without rules, and of none, is 403 AccessForbidden, and tells them not apart', async () => {
    const bare = expectError(await preflight('/bare', asking('GET')), 403, 'AccessForbidden')
    const none = expectError(await preflight('/no-such-bucket', asking('GET')), 403, 'AccessForbidden')
    expect(none.Message).toBe(bare.Message)
    expect(bare).toMatchObject({
      Message: 'CORSResponse: CORS is not enabled for this bucket.',
      ResourceType: 'BUCKET',
    })
  })

  test('without Origin, or without a method, is 400 BadRequest', async () => {
    expectError(await preflight('/cross', {}), 400, 'BadRequest')
    expectError(await preflight('/cross', { origin: ORIGIN }), 400, 'BadRequest')
    expectError(await preflight('/cross', asking('PATCH')), 400, 'BadRequest')
  })
})

describe('B102 an answer to a request with an Origin', () => {
  test('tells the browser what a script may see', async () => {
    const answer = await signed('GET', '/cross/key', { origin: ORIGIN })
    expect([answer.status, answer.body]).toEqual([200, 'seen'])
    expect(crossHeaders(answer)).toEqual(APP)
  })

  test('is bare for another origin, another method, or a bucket without rules', async () => {
    for (const answer of [
      await signed('GET', '/cross/key', { origin: 'https://evil.test' }),
      await signed('HEAD', '/bare/key', { origin: ORIGIN }),
      await signed('GET', '/bare/key', { origin: ORIGIN }),
    ]) {
      expect(answer.status).toBe(200)
      expect(crossHeaders(answer)).toEqual({})
    }
  })

  test('is bare without an Origin', async () => {
    expect(crossHeaders(await signed('GET', '/cross/key', {}))).toEqual({})
  })

  test('says so of errors too: without a signature, of what is missing, of what is not there', async () => {
    const origin = { origin: ORIGIN }
    const anonymous = await exchange(running, 'GET', '/cross/key', { host: host(), ...origin })
    expectError(anonymous, 403, 'AccessDenied')
    const answers = [
      anonymous,
      await signed('GET', '/cross/none', origin),
      await signed('GET', '/cross?nothing', origin),
      await signed('PUT', '/cross/key', { ...origin, 'x-amz-unsigned': 'x' }),
      await exchange(running, 'POST', '/cross', { host: host(), 'content-length': '0', ...origin }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([403, 404, 501, 403, 412])
    for (const answer of answers) expect(crossHeaders(answer)).toEqual(APP)
  })

  test('without an Origin no document is read', async () => {
    const read = vi.spyOn(running.gateway.documents, 'read')
    expect((await signed('GET', '/cross/key', {})).status).toBe(200)
    expect(read).not.toHaveBeenCalled()
    expect((await signed('GET', '/cross/key', { origin: ORIGIN })).status).toBe(200)
    expect(read).toHaveBeenCalledTimes(1)
    read.mockRestore()
  })

  test('is given without them if they cannot be read; a preflight is not', async () => {
    const read = vi.spyOn(running.gateway.documents, 'read').mockRejectedValue(new Unavailable('gone'))
    const answer = await signed('GET', '/cross/key', { origin: ORIGIN })
    expect([answer.status, answer.body, crossHeaders(answer)]).toEqual([200, 'seen', {}])
    expectError(await preflight('/cross/key', asking('GET')), 503, 'ServiceUnavailable')
    read.mockRestore()
  })
})

describe('B102 rules from settings', () => {
  const withOrigin = { origin: ORIGIN }
  const exposed = async (): Promise<string | undefined> =>
    crossHeaders(await signed('GET', '/settings/key', withOrigin))['access-control-expose-headers']

  test('count where a bucket has none of its own', async () => {
    expect(await exposed()).toBe('x-from-settings')
    expect((await preflight('/settings/key', asking('GET'))).status).toBe(200)
    const rule = { AllowedOrigins: [ORIGIN], AllowedMethods: ['GET'], ExposeHeaders: ['x-own'] }
    await s3.send(new PutBucketCorsCommand({ Bucket: 'settings', CORSConfiguration: { CORSRules: [rule] } }))
    expect(await exposed()).toBe('x-own')
    await s3.send(new DeleteBucketCorsCommand({ Bucket: 'settings' }))
    expect(await exposed()).toBe('x-from-settings')
  })

  test('GetBucketCors does not tell them', async () => {
    await expect(s3.send(new GetBucketCorsCommand({ Bucket: 'settings' }))).rejects.toMatchObject({
      name: 'NoSuchCORSConfiguration',
    })
  })
})

describe('B99 the configuration', () => {
  test('is given back as it was put, until it is deleted or the bucket is', async () => {
    const Bucket = 'configured'
    await s3.send(new CreateBucketCommand({ Bucket }))
    const CORSRules = [{ ID: 'a', AllowedOrigins: ['*'], AllowedMethods: ['GET', 'HEAD'], MaxAgeSeconds: 0 }]
    const absent = { name: 'NoSuchCORSConfiguration', $metadata: expect.objectContaining({ httpStatusCode: 404 }) }
    const get = () => s3.send(new GetBucketCorsCommand({ Bucket }))
    await expect(get()).rejects.toMatchObject(absent)
    await s3.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules } }))
    expect((await get()).CORSRules).toEqual(CORSRules)
    const deleted = await s3.send(new DeleteBucketCorsCommand({ Bucket }))
    expect(deleted.$metadata.httpStatusCode).toBe(204)
    await s3.send(new DeleteBucketCorsCommand({ Bucket }))
    await expect(get()).rejects.toMatchObject(absent)
    await s3.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules } }))
    await s3.send(new DeleteBucketCommand({ Bucket }))
    await s3.send(new CreateBucketCommand({ Bucket }))
    await expect(get()).rejects.toMatchObject(absent)
  })

  test('B102 with two stars in an origin is refused and changes nothing', async () => {
    const put = s3.send(
      new PutBucketCorsCommand({
        Bucket: 'cross',
        CORSConfiguration: { CORSRules: [{ AllowedOrigins: ['http://*.*'], AllowedMethods: ['GET'] }] },
      }),
    )
    await expect(put).rejects.toMatchObject({ name: 'InvalidRequest' })
    expect((await s3.send(new GetBucketCorsCommand({ Bucket: 'cross' }))).CORSRules).toHaveLength(2)
  })
})
