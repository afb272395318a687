/** Who may do what: credentials with buckets, prefixes and read-only or read-write; everything else is denied as S3 denies it. */
import { createHash } from 'node:crypto'
import { CreateBucketCommand, CreateMultipartUploadCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALLOW_ALL, type CredentialEntry } from '../../src/access/credentials.ts'
import { ACCESS_KEY, SECRET_KEY, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { codeOf, send, type SignedAnswer, type SignedCall } from '../helpers/signed-request.ts'

const SECRET = 'another-secret-0123456789'
const credentials: CredentialEntry[] = [
  { accessKey: ACCESS_KEY, secretKey: SECRET_KEY, allow: ALLOW_ALL },
  { accessKey: 'READER', secretKey: SECRET, allow: [{ buckets: ['open-*'], prefixes: [], actions: 'read-only' }] },
  {
    accessKey: 'TENANT',
    secretKey: SECRET,
    allow: [{ buckets: ['open-shared'], prefixes: ['tenant/'], actions: 'read-write' }],
  },
]
let running: TestGateway
let uploadId = ''

beforeAll(async () => {
  running = await startGateway({ credentials })
  const s3 = running.client()
  for (const Bucket of ['open-shared', 'open-other', 'closed']) {
    await s3.send(new CreateBucketCommand({ Bucket }))
    for (const Key of ['tenant/a', 'secret/b']) await s3.send(new PutObjectCommand({ Bucket, Key, Body: Key }))
  }
  uploadId = (await s3.send(new CreateMultipartUploadCommand({ Bucket: 'open-shared', Key: 'secret/b' }))).UploadId!
})
afterAll(() => running.close())

const as = (accessKey: string, call: SignedCall): Promise<SignedAnswer> =>
  send(running, { ...call, credentials: { accessKey, secret: SECRET } })

describe('B50 a read-only credential', () => {
  test.each([
    ['GET', '/open-shared/secret/b', 200],
    ['HEAD', '/open-other/tenant/a', 200],
    ['GET', '/open-shared?list-type=2', 200],
    ['GET', '/open-shared?location', 200],
    ['HEAD', '/open-shared', 200],
    ['GET', '/open-shared/none', 404],
    ['PUT', '/open-shared/new', 403],
    ['DELETE', '/open-shared/secret/b', 403],
    ['POST', '/open-shared/new?uploads', 403],
    ['PUT', '/open-new', 403],
    ['DELETE', '/open-other', 403],
    ['GET', '/closed/secret/b', 403],
    ['HEAD', '/closed', 403],
    ['GET', '/closed?list-type=2', 403],
    ['GET', '/closed/none', 403],
  ])('%s %s is %i', async (method, path, status) => {
    const answer = await as('READER', { method, path, ...(method === 'PUT' ? { body: Buffer.from('x') } : {}) })
    expect(answer.status).toBe(status)
    if (status === 403 && method !== 'HEAD') expect(codeOf(answer)).toBe('AccessDenied')
  })

  test('sees only its buckets', async () => {
    const names = (answer: SignedAnswer): string[] =>
      [...answer.bytes.toString().matchAll(/<Name>([^<]+)</g)].map(([, name]) => name!)
    expect(names(await as('READER', { method: 'GET', path: '/' }))).toEqual(['open-other', 'open-shared'])
    expect(names(await send(running, { method: 'GET', path: '/' }))).toEqual(['closed', 'open-other', 'open-shared'])
  })
})

describe('B50 a credential with a prefix', () => {
  test.each([
    ['PUT', '/open-shared/tenant/new', 200],
    ['GET', '/open-shared/tenant/a', 200],
    ['GET', '/open-shared?list-type=2&prefix=tenant/', 200],
    ['GET', '/open-shared?list-type=2&prefix=tenant/sub', 200],
    ['GET', '/open-shared/tenant/none', 404],
    ['GET', '/open-shared/secret/none', 403],
    ['GET', '/open-shared?list-type=2', 403],
    ['GET', '/open-shared?list-type=2&prefix=secret/', 403],
    ['GET', '/open-shared?list-type=2&prefix=ten', 403],
    ['GET', '/open-shared/secret/b', 403],
    ['PUT', '/open-shared/secret/b', 403],
    ['PUT', '/open-shared/tenant', 403],
    ['GET', '/open-other/tenant/a', 403],
    ['DELETE', '/open-shared', 403],
  ])('%s %s is %i', async (method, path, status) => {
    const answer = await as('TENANT', { method, path, ...(method === 'PUT' ? { body: Buffer.from('x') } : {}) })
    expect(answer.status).toBe(status)
  })

  test('may not touch an upload of another prefix, even with its id', async () => {
    for (const [method, query] of [
      ['PUT', `partNumber=1&uploadId=${uploadId}`],
      ['GET', `uploadId=${uploadId}`],
      ['DELETE', `uploadId=${uploadId}`],
    ] as const) {
      const call = {
        method,
        path: `/open-shared/secret/b?${query}`,
        ...(method === 'PUT' ? { body: Buffer.from('x') } : {}),
      }
      expect((await as('TENANT', call)).status).toBe(403)
    }
  })

  test('is asked for both ends of a copy', async () => {
    const copy = (source: string, target: string): Promise<SignedAnswer> =>
      as('TENANT', { method: 'PUT', path: target, headers: { 'x-amz-copy-source': source } })
    expect((await copy('/open-shared/tenant/a', '/open-shared/tenant/copy')).status).toBe(200)
    expect(codeOf(await copy('/open-shared/secret/b', '/open-shared/tenant/stolen'))).toBe('AccessDenied')
    expect(codeOf(await copy('/closed/tenant/a', '/open-shared/tenant/stolen'))).toBe('AccessDenied')
    expect(codeOf(await copy('/open-shared/tenant/a', '/open-shared/secret/c'))).toBe('AccessDenied')
    expect(await running.store.head('open-shared', 'tenant/stolen')).toBeUndefined()
  })

  test('is asked for each key of a DeleteObjects', async () => {
    await as('TENANT', { method: 'PUT', path: '/open-shared/tenant/gone', body: Buffer.from('x') })
    const keys = ['tenant/gone', 'secret/b']
    const body = Buffer.from(`<Delete>${keys.map((key) => `<Object><Key>${key}</Key></Object>`).join('')}</Delete>`)
    const headers = { 'content-md5': createHash('md5').update(body).digest('base64') }
    const answer = await as('TENANT', { method: 'POST', path: '/open-shared?delete', body, headers })
    const text = answer.bytes.toString()
    expect(text).toContain('<Deleted><Key>tenant/gone</Key></Deleted>')
    expect(text).toMatch(/<Error><Key>secret\/b<\/Key>.*AccessDenied/)
    expect(await running.store.head('open-shared', 'secret/b')).toBeDefined()
  })
})

describe('requests without a right', () => {
  test('an unknown access key is InvalidAccessKeyId and names it', async () => {
    const answer = await send(running, { method: 'GET', path: '/', credentials: { accessKey: 'NOBODY', secret: 'x' } })
    expect([answer.status, codeOf(answer)]).toEqual([403, 'InvalidAccessKeyId'])
    expect(answer.bytes.toString()).toContain('<AWSAccessKeyId>NOBODY</AWSAccessKeyId>')
  })

  test('a wrong secret is SignatureDoesNotMatch and shows what was signed', async () => {
    const answer = await as(ACCESS_KEY, { method: 'GET', path: '/' })
    expect([answer.status, codeOf(answer)]).toEqual([403, 'SignatureDoesNotMatch'])
    for (const name of ['StringToSign', 'CanonicalRequest', 'SignatureProvided'])
      expect(answer.bytes.toString()).toContain(`<${name}>`)
    expect(answer.bytes.toString()).not.toContain(SECRET)
  })

  test('no signature at all is AccessDenied', async () => {
    const answer = await fetch(`${running.endpoint}/open-shared/tenant/a`)
    expect(answer.status).toBe(403)
    expect(await answer.text()).toContain('<Code>AccessDenied</Code>')
  })
})
