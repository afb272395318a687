/** Every operation that is built, for callers who may do nothing, who may read only, and who hold another prefix: denied before anything is looked at or changed. */
import { CreateBucketCommand, CreateMultipartUploadCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALLOW_ALL, type CredentialEntry } from '../../src/access/credentials.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import { presignUrl } from '../../src/s3/auth/sign.ts'
import { OPERATIONS } from '../../src/s3/operation.ts'
import { OPERATION_NAMES } from '../../src/s3/operation-name.ts'
import { CountingStore } from '../helpers/counting-store.ts'
import { exchange, expectError } from '../helpers/error-answer.ts'
import { ACCESS_KEY, SECRET_KEY, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { codeOf, send, type SignedAnswer, type SignedCall } from '../helpers/signed-request.ts'

const SECRET = 'another-secret-0123456789'
const credentials: CredentialEntry[] = [
  { accessKey: ACCESS_KEY, secretKey: SECRET_KEY, allow: ALLOW_ALL },
  { accessKey: 'NOTHING', secretKey: SECRET, allow: [] },
  { accessKey: 'READER', secretKey: SECRET, allow: [{ buckets: ['*'], prefixes: [], actions: 'read-only' }] },
  { accessKey: 'OTHER', secretKey: SECRET, allow: [{ buckets: ['*'], prefixes: ['other/'], actions: 'read-write' }] },
]
const backend = new CountingStore(new MemoryStore())
const state = new CountingStore(new MemoryStore())
let running: TestGateway
let uploadId = ''

beforeAll(async () => {
  running = await startGateway({ credentials, store: backend.store, state: state.store })
  const s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket: 'vault' }))
  await s3.send(new PutObjectCommand({ Bucket: 'vault', Key: 'mine/a', Body: 'mine' }))
  await s3.send(new PutObjectCommand({ Bucket: 'vault', Key: 'other/a', Body: 'other' }))
  uploadId = (await s3.send(new CreateMultipartUploadCommand({ Bucket: 'vault', Key: 'mine/a' }))).UploadId!
})
afterAll(() => running.close())

const as = (accessKey: string, call: SignedCall): Promise<SignedAnswer> =>
  send(running, { ...call, credentials: { accessKey, secret: accessKey === ACCESS_KEY ? SECRET_KEY : SECRET } })

const KEY = '/vault/mine/a'
const source = { 'x-amz-copy-source': '/vault/mine/a' }
const DELETE = Buffer.from('<Delete><Object><Key>mine/a</Key></Object></Delete>')
/** Each built operation on what only the owner may touch. */
const calls: Record<string, () => SignedCall> = {
  ListBuckets: () => ({ method: 'GET', path: '/' }),
  CreateBucket: () => ({ method: 'PUT', path: '/vault-new', body: Buffer.alloc(0) }),
  DeleteBucket: () => ({ method: 'DELETE', path: '/vault' }),
  HeadBucket: () => ({ method: 'HEAD', path: '/vault' }),
  GetBucketLifecycleConfiguration: () => ({ method: 'GET', path: '/vault?lifecycle' }),
  PutBucketLifecycleConfiguration: () => ({ method: 'PUT', path: '/vault?lifecycle', body: Buffer.from('<x/>') }),
  GetBucketRequestPayment: () => ({ method: 'GET', path: '/vault?requestPayment' }),
  PutBucketRequestPayment: () => ({ method: 'PUT', path: '/vault?requestPayment', body: Buffer.from('<x/>') }),
  GetBucketVersioning: () => ({ method: 'GET', path: '/vault?versioning' }),
  PutBucketVersioning: () => ({ method: 'PUT', path: '/vault?versioning', body: Buffer.from('<x/>') }),
  GetBucketCors: () => ({ method: 'GET', path: '/vault?cors' }),
  PutBucketCors: () => ({ method: 'PUT', path: '/vault?cors', body: Buffer.from('<x/>') }),
  DeleteBucketCors: () => ({ method: 'DELETE', path: '/vault?cors' }),
  GetBucketAccelerateConfiguration: () => ({ method: 'GET', path: '/vault?accelerate' }),
  PutBucketAccelerateConfiguration: () => ({ method: 'PUT', path: '/vault?accelerate', body: Buffer.from('<x/>') }),
  GetBucketAcl: () => ({ method: 'GET', path: '/vault?acl' }),
  PutBucketAcl: () => ({ method: 'PUT', path: '/vault?acl', body: Buffer.from('<x/>') }),
  GetBucketLogging: () => ({ method: 'GET', path: '/vault?logging' }),
  PutBucketLogging: () => ({ method: 'PUT', path: '/vault?logging', body: Buffer.from('<x/>') }),
  GetBucketNotificationConfiguration: () => ({ method: 'GET', path: '/vault?notification' }),
  PutBucketNotificationConfiguration: () => ({ method: 'PUT', path: '/vault?notification', body: Buffer.from('<x/>') }),
  GetBucketOwnershipControls: () => ({ method: 'GET', path: '/vault?ownershipControls' }),
  PutBucketOwnershipControls: () => ({ method: 'PUT', path: '/vault?ownershipControls', body: Buffer.from('<x/>') }),
  GetBucketReplication: () => ({ method: 'GET', path: '/vault?replication' }),
  PutBucketReplication: () => ({ method: 'PUT', path: '/vault?replication', body: Buffer.from('<x/>') }),
  GetBucketTagging: () => ({ method: 'GET', path: '/vault?tagging' }),
  PutBucketTagging: () => ({ method: 'PUT', path: '/vault?tagging', body: Buffer.from('<x/>') }),
  DeleteBucketOwnershipControls: () => ({ method: 'DELETE', path: '/vault?ownershipControls' }),
  DeleteBucketReplication: () => ({ method: 'DELETE', path: '/vault?replication' }),
  DeleteBucketTagging: () => ({ method: 'DELETE', path: '/vault?tagging' }),
  DeleteBucketLifecycle: () => ({ method: 'DELETE', path: '/vault?lifecycle' }),
  GetPublicAccessBlock: () => ({ method: 'GET', path: '/vault?publicAccessBlock' }),
  PutPublicAccessBlock: () => ({ method: 'PUT', path: '/vault?publicAccessBlock', body: Buffer.from('<x/>') }),
  DeletePublicAccessBlock: () => ({ method: 'DELETE', path: '/vault?publicAccessBlock' }),
  GetObjectLockConfiguration: () => ({ method: 'GET', path: '/vault?object-lock' }),
  PutObjectLockConfiguration: () => ({ method: 'PUT', path: '/vault?object-lock', body: Buffer.from('<x/>') }),
  GetBucketEncryption: () => ({ method: 'GET', path: '/vault?encryption' }),
  PutBucketEncryption: () => ({ method: 'PUT', path: '/vault?encryption', body: Buffer.from('<x/>') }),
  DeleteBucketEncryption: () => ({ method: 'DELETE', path: '/vault?encryption' }),
  GetBucketLocation: () => ({ method: 'GET', path: '/vault?location' }),
  ListObjects: () => ({ method: 'GET', path: '/vault' }),
  ListObjectVersions: () => ({ method: 'GET', path: '/vault?versions&prefix=mine/' }),
  ListObjectsV2: () => ({ method: 'GET', path: '/vault?list-type=2&prefix=mine/' }),
  ListMultipartUploads: () => ({ method: 'GET', path: '/vault?uploads' }),
  DeleteObjects: () => ({
    method: 'POST',
    path: '/vault?delete',
    body: DELETE,
    headers: { 'content-md5': 'D6R7Bv0rxAT6tzxkhBmTyA==' },
  }),
  GetObjectAcl: () => ({ method: 'GET', path: `${KEY}?acl` }),
  PutObjectAcl: () => ({ method: 'PUT', path: `${KEY}?acl`, body: Buffer.from('<x/>') }),
  GetObjectLegalHold: () => ({ method: 'GET', path: `${KEY}?legal-hold` }),
  PutObjectLegalHold: () => ({ method: 'PUT', path: `${KEY}?legal-hold`, body: Buffer.from('<x/>') }),
  GetObjectRetention: () => ({ method: 'GET', path: `${KEY}?retention` }),
  PutObjectRetention: () => ({ method: 'PUT', path: `${KEY}?retention`, body: Buffer.from('<x/>') }),
  GetObjectTagging: () => ({ method: 'GET', path: `${KEY}?tagging` }),
  PutObjectTagging: () => ({ method: 'PUT', path: `${KEY}?tagging`, body: Buffer.from('<x/>') }),
  DeleteObjectTagging: () => ({ method: 'DELETE', path: `${KEY}?tagging` }),
  GetObject: () => ({ method: 'GET', path: KEY }),
  GetObjectAttributes: () => ({
    method: 'GET',
    path: `${KEY}?attributes`,
    headers: { 'x-amz-object-attributes': 'ETag' },
  }),
  HeadObject: () => ({ method: 'HEAD', path: KEY }),
  PutObject: () => ({ method: 'PUT', path: KEY, body: Buffer.from('overwritten') }),
  CopyObject: () => ({ method: 'PUT', path: '/vault/mine/b', headers: source }),
  DeleteObject: () => ({ method: 'DELETE', path: KEY }),
  CreateMultipartUpload: () => ({ method: 'POST', path: `${KEY}?uploads` }),
  UploadPart: () => ({ method: 'PUT', path: `${KEY}?partNumber=1&uploadId=${uploadId}`, body: Buffer.from('x') }),
  UploadPartCopy: () => ({ method: 'PUT', path: `${KEY}?partNumber=1&uploadId=${uploadId}`, headers: source }),
  ListParts: () => ({ method: 'GET', path: `${KEY}?uploadId=${uploadId}` }),
  CompleteMultipartUpload: () => ({ method: 'POST', path: `${KEY}?uploadId=${uploadId}`, body: Buffer.from('<x/>') }),
  AbortMultipartUpload: () => ({ method: 'DELETE', path: `${KEY}?uploadId=${uploadId}` }),
}
const READS = new Set([
  'HeadBucket',
  'GetBucketLocation',
  'ListObjects',
  'ListObjectsV2',
  'ListObjectVersions',
  'ListMultipartUploads',
  'GetObject',
  'GetObjectAcl',
  'GetObjectAttributes',
  'GetObjectLegalHold',
  'GetObjectRetention',
  'GetObjectTagging',
  'HeadObject',
  'ListParts',
])

/** The store in memory has no versions, and keeps nothing beside contents. */
const IN_MEMORY: Readonly<Record<string, number>> = {
  GetObjectAcl: 501,
  GetObjectLegalHold: 400,
  GetObjectRetention: 400,
  GetObjectTagging: 501,
  ListObjectVersions: 501,
}

/** Authenticated by their body, or not at all: test/http/post-forms.test.ts, test/http/cors.test.ts. */
const ELSEWHERE = ['PostObject', 'PreflightRequest']

test('the table has every operation that is built', () => {
  expect([...Object.keys(calls), ...ELSEWHERE].sort()).toEqual(
    OPERATION_NAMES.filter((name) => OPERATIONS[name].built).sort(),
  )
})

/** Denied, and neither store was asked for anything. */
async function expectDenied(accessKey: string, call: SignedCall): Promise<void> {
  backend.arm()
  state.arm()
  const answer = await as(accessKey, call)
  expect([answer.status, call.method === 'HEAD' ? 'AccessDenied' : codeOf(answer)]).toEqual([403, 'AccessDenied'])
  expect([...backend.calls, ...state.calls]).toEqual([])
}

describe.each(Object.keys(calls).filter((name) => name !== 'ListBuckets' && name !== 'DeleteObjects'))('%s', (name) => {
  const call = calls[name]!
  test('is denied to who may do nothing', () => expectDenied('NOTHING', call()))
  test('is denied to who holds another prefix', async () => {
    // A bucket is seen by who may see some of it.
    if (name === 'HeadBucket' || name === 'GetBucketLocation') expect((await as('OTHER', call())).status).toBe(200)
    else await expectDenied('OTHER', call())
  })
  test(READS.has(name) ? 'is open to who may read' : 'is denied to who may only read', async () => {
    if (READS.has(name)) expect((await as('READER', call())).status).toBe(IN_MEMORY[name] ?? 200)
    else await expectDenied('READER', call())
  })
})

test('ListBuckets shows nobody what they may not see', async () => {
  for (const [accessKey, count] of [
    ['NOTHING', 0],
    ['READER', 1],
    ['OTHER', 1],
  ] as const) {
    const answer = await as(accessKey, calls['ListBuckets']!())
    expect([answer.status, [...answer.bytes.toString().matchAll(/<Name>/g)].length]).toEqual([200, count])
  }
})

test('DeleteObjects denies each key, or all of them, and deletes none', async () => {
  const body = DELETE
  const headers = { 'x-amz-checksum-sha256': '' }
  const { createHash } = await import('node:crypto')
  headers['x-amz-checksum-sha256'] = createHash('sha256').update(body).digest('base64')
  const call: SignedCall = { method: 'POST', path: '/vault?delete', body, headers }
  for (const accessKey of ['NOTHING', 'READER', 'OTHER']) {
    const answer = await as(accessKey, call)
    expect(answer.bytes.toString()).toContain('<Code>AccessDenied</Code>')
    expect(answer.bytes.toString()).not.toContain('<Deleted>')
    if (accessKey !== 'OTHER') expect(answer.status).toBe(403)
  }
  expect(await running.store.head('vault', 'mine/a')).toBeDefined()
})

test('who holds one prefix cannot read another by copying, whole or in part', async () => {
  const create = await as('OTHER', { method: 'POST', path: '/vault/other/copy?uploads' })
  const id = /<UploadId>([^<]+)</.exec(create.bytes.toString())?.[1] ?? ''
  await expectDenied('OTHER', { method: 'PUT', path: '/vault/other/copy', headers: source })
  for (const spelled of ['vault/mine/a', '/vault/mine%2Fa', '/vault/%6Dine/a', '/vault/other/../mine/a'])
    expect(
      (await as('OTHER', { method: 'PUT', path: '/vault/other/copy', headers: { 'x-amz-copy-source': spelled } }))
        .status,
    ).not.toBe(200)
  const part = await as('OTHER', {
    method: 'PUT',
    path: `/vault/other/copy?partNumber=1&uploadId=${id}`,
    headers: source,
  })
  expect([part.status, codeOf(part)]).toEqual([403, 'AccessDenied'])
  // An upload's id opens nothing under another key.
  const other = await as('OTHER', { method: 'GET', path: `/vault/other/copy?uploadId=${uploadId}` })
  expect([other.status, codeOf(other)]).toEqual([404, 'NoSuchUpload'])
})

test('what is missing looks like what is forbidden to who may not list', async () => {
  for (const method of ['GET', 'HEAD']) {
    expect((await as('OTHER', { method, path: '/vault/mine/none' })).status).toBe(403)
    expect((await as('OTHER', { method, path: '/vault/other/none' })).status).toBe(404)
    expect((await as('NOTHING', { method, path: '/no-such-bucket/x' })).status).toBe(403)
    expect((await as('READER', { method, path: '/no-such-bucket/x' })).status).toBe(404)
  }
})

test('a presigned URL can do what its signer may, and no more', async () => {
  const presigned = (accessKey: string, method: string, path: string): string =>
    presignUrl({
      method,
      url: `${running.endpoint}${path}`,
      credentials: { accessKey, secret: SECRET },
      region: 'us-east-1',
      now: new Date(),
      expiresSeconds: 60,
    }).slice(running.endpoint.length)
  const use = (method: string, path: string) =>
    exchange(running, method, path, { host: `127.0.0.1:${running.port}`, 'content-length': '0' })
  expect((await use('GET', presigned('READER', 'GET', KEY))).body).toBe('mine')
  expectError(await use('PUT', presigned('READER', 'PUT', KEY)), 403, 'AccessDenied')
  expectError(await use('GET', presigned('OTHER', 'GET', KEY)), 403, 'AccessDenied')
  const copy = `/vault/other/c?x-amz-copy-source=${encodeURIComponent('/vault/mine/a')}`
  expectError(await use('PUT', presigned('OTHER', 'PUT', copy)), 403, 'AccessDenied')
})

test('what was not built is refused as such even to who may do nothing, and tells nothing', async () => {
  for (const path of [
    '/vault?policy',
    '/no-such-bucket?policy',
    '/vault/mine/a?annotation',
    '/vault/mine/none?annotation',
  ]) {
    const answer = await as('NOTHING', { method: 'GET', path })
    expect([answer.status, codeOf(answer)]).toEqual([501, 'NotImplemented'])
  }
})
