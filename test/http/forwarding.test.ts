/** What a gateway hands on to a store that speaks S3, and what it keeps from it. */
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketIntelligentTieringConfigurationCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  DeleteObjectTaggingCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketAnalyticsConfigurationCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectRetentionCommand,
  PutObjectTaggingCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ALLOW_ALL, type CredentialEntry } from '../../src/access/credentials.ts'
import { type Profile, PROFILES } from '../../src/backends/s3/profiles.ts'
import { exchange, expectError } from '../helpers/error-answer.ts'
import { ACCESS_KEY, SECRET_KEY, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { s3Store } from '../helpers/s3-store.ts'
import { answer, ScriptedServer } from '../helpers/scripted-server.ts'
import { send } from '../helpers/signed-request.ts'

const Bucket = 'forwarding'

let backend: TestGateway
const gateways: TestGateway[] = []
let sent: string[] = []

beforeAll(async () => {
  backend = await startGateway()
  await backend.client().send(new CreateBucketCommand({ Bucket }))
})
afterAll(async () => {
  for (const one of gateways) {
    await one.close()
    await one.store.close()
  }
  await backend.close()
})
beforeEach(() => {
  sent = []
})

async function over(profile: Partial<Profile>, credentials?: readonly CredentialEntry[]): Promise<TestGateway> {
  const onSend = ({ method, path }: { method: string; path: string }) => sent.push(`${method} ${path}`)
  const store = s3Store({ endpoint: backend.endpoint, profile, onSend })
  const gateway = await startGateway({ store, ...(credentials === undefined ? {} : { credentials }) })
  gateways.push(gateway)
  return gateway
}

describe('a store that takes what it does not know for the object or bucket itself', () => {
  const Key = 'precious'
  let s3: S3Client
  beforeAll(async () => {
    s3 = (await over(PROFILES.s3proxy)).client()
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'precious' }))
  })

  const later = new Date(Date.now() + 1e9)
  test.each<[string, () => Promise<unknown>]>([
    [
      'PutObjectRetention',
      () =>
        s3.send(
          new PutObjectRetentionCommand({ Bucket, Key, Retention: { Mode: 'GOVERNANCE', RetainUntilDate: later } }),
        ),
    ],
    ['PutObjectLegalHold', () => s3.send(new PutObjectLegalHoldCommand({ Bucket, Key, LegalHold: { Status: 'ON' } }))],
    ['PutObjectTagging', () => s3.send(new PutObjectTaggingCommand({ Bucket, Key, Tagging: { TagSet: [] } }))],
    ['DeleteObjectTagging', () => s3.send(new DeleteObjectTaggingCommand({ Bucket, Key }))],
    [
      'DeleteBucketIntelligentTieringConfiguration',
      () => s3.send(new DeleteBucketIntelligentTieringConfigurationCommand({ Bucket, Id: 'x' })),
    ],
    [
      'PutBucketAnalyticsConfiguration',
      () =>
        s3.send(
          new PutBucketAnalyticsConfigurationCommand({
            Bucket,
            Id: 'x',
            AnalyticsConfiguration: { Id: 'x', StorageClassAnalysis: {} },
          }),
        ),
    ],
    ['GetBucketLifecycleConfiguration', () => s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }))],
    ['GetBucketVersioning', () => s3.send(new GetBucketVersioningCommand({ Bucket }))],
    ['ListObjectVersions', () => s3.send(new ListObjectVersionsCommand({ Bucket }))],
  ])('never hears of %s', async (_name, call) => {
    await expect(call()).rejects.toMatchObject({ name: 'NotImplemented', $metadata: { httpStatusCode: 501 } })
    expect(sent).toEqual([])
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }))
    expect(await Body?.transformToString()).toBe('precious')
  })
})

describe('who must own the bucket', () => {
  const Key = 'owned'
  let gateway: TestGateway
  let s3: S3Client
  let headers: Readonly<Record<string, string>>[] = []
  beforeAll(async () => {
    const store = s3Store({ endpoint: backend.endpoint, onSend: (request) => void headers.push(request.headers) })
    gateway = await startGateway({ store })
    gateways.push(gateway)
    s3 = gateway.client()
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }))
  })
  beforeEach(() => {
    headers = []
  })

  type Owner = { ExpectedBucketOwner: string }
  const CALLS: [string, (owner: Owner) => Promise<unknown>][] = [
    ['PutObject', (owner) => s3.send(new PutObjectCommand({ Bucket, Key, Body: 'x', ...owner }))],
    ['GetObject', (owner) => s3.send(new GetObjectCommand({ Bucket, Key, ...owner }))],
    ['HeadObject', (owner) => s3.send(new HeadObjectCommand({ Bucket, Key, ...owner }))],
    ['ListObjectsV2', (owner) => s3.send(new ListObjectsV2Command({ Bucket, ...owner }))],
    [
      'GetObjectTagging',
      (owner) => s3.send(new GetObjectTaggingCommand({ Bucket, Key, ...owner })).catch(refusedThere),
    ],
    [
      'CopyObject',
      ({ ExpectedBucketOwner: ExpectedSourceBucketOwner }) =>
        s3.send(
          new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/${Key}`, ExpectedSourceBucketOwner }),
        ),
    ],
    ['DeleteObject', (owner) => s3.send(new DeleteObjectCommand({ Bucket, Key: 'other', ...owner }))],
  ]
  /** The store of this test has no tags; that it was asked is what counts. */
  const refusedThere = (error: Error): void => {
    if (error.name !== 'NotImplemented') throw error
  }

  test.each(CALLS)('B112 is judged here and not told to the store (%s)', async (_name, call) => {
    await expect(call({ ExpectedBucketOwner: '111122223333' })).rejects.toMatchObject({
      $metadata: { httpStatusCode: 403 },
    })
    expect(headers).toEqual([])
    await call({ ExpectedBucketOwner: gateway.gateway.owner.id })
    expect(headers.length).toBeGreaterThan(0)
    expect(headers.flatMap((one) => Object.keys(one)).filter((name) => name.includes('owner'))).toEqual([])
  })
})

test('headers of what the store has not are refused, and headers of what it has go to it', async () => {
  const s3 = (await over({ tags: false, objectLock: false })).client()
  const put = (more: object) => s3.send(new PutObjectCommand({ Bucket, Key: 'headers', Body: 'x', ...more }))
  await expect(put({ Tagging: 'a=b' })).rejects.toMatchObject({ name: 'NotImplemented' })
  await expect(put({ ObjectLockLegalHoldStatus: 'ON' })).rejects.toMatchObject({ name: 'NotImplemented' })
  expect(sent).toEqual([])
  await put({ StorageClass: 'STANDARD' })
  expect(sent).toHaveLength(1)
})

describe('a store without versions', () => {
  const Key = 'only'
  let s3: S3Client
  beforeAll(async () => {
    s3 = (await over({ versions: false })).client()
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'only' }))
  })

  const at = { Bucket, Key, VersionId: 'abc' }
  test.each<[string, () => Promise<unknown>]>([
    ['GET', () => s3.send(new GetObjectCommand(at))],
    ['HEAD', () => s3.send(new HeadObjectCommand(at))],
    ['DELETE', () => s3.send(new DeleteObjectCommand(at))],
    [
      'copy',
      () => s3.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/${Key}?versionId=abc` })),
    ],
  ])('refuses to %s a version that it would take for the object', async (_what, call) => {
    await expect(call()).rejects.toMatchObject({ $metadata: { httpStatusCode: 501 } })
    expect(sent).toEqual([])
    await s3.send(new HeadObjectCommand({ Bucket, Key }))
  })

  test('refuses it for one key of many, too', async () => {
    const Delete = { Objects: [{ Key, VersionId: 'abc' }] }
    const { Errors } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete }))
    expect(Errors).toMatchObject([{ Key, Code: 'NotImplemented' }])
    await s3.send(new HeadObjectCommand({ Bucket, Key }))
  })

  test('has the null version, which is the object', async () => {
    await s3.send(new HeadObjectCommand({ ...at, VersionId: 'null' }))
    await s3.send(new DeleteObjectCommand({ ...at, VersionId: 'null' }))
    await expect(s3.send(new HeadObjectCommand({ Bucket, Key }))).rejects.toMatchObject({ name: 'NotFound' })
  })
})

describe('the query that the store gets', () => {
  const LIMITED = { accessKey: 'LIMITED', secret: 'limited-secret-1' }
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await over({}, [
      {
        accessKey: LIMITED.accessKey,
        secretKey: LIMITED.secret,
        allow: [{ buckets: ['*'], prefixes: ['mine/'], actions: 'read-only' }],
      },
      { accessKey: ACCESS_KEY, secretKey: SECRET_KEY, allow: ALLOW_ALL },
    ])
    await gateway.client().send(new PutObjectCommand({ Bucket, Key: 'others/secret', Body: 'x' }))
    sent = []
  })
  const get = (path: string, credentials?: typeof LIMITED) =>
    send(gateway, { method: 'GET', path, ...(credentials === undefined ? {} : { credentials }) })

  test.each(['list-type=2&', ''])('has the prefix that was authorised, once (%s)', async (version) => {
    const answer = await get(`/${Bucket}?${version}prefix=mine/&prefix=`, LIMITED)
    expect([answer.status, answer.bytes.toString().includes('others/secret')]).toEqual([200, false])
    expect(sent).toHaveLength(1)
    expect(sent[0]?.match(/prefix=[^&]*/g)).toEqual(['prefix=mine%2F'])
  })

  test('has no parameter that the operation does not have', async () => {
    await get(`/${Bucket}?list-type=2&metadata=true&events=s3:ObjectCreated:*&prefix=a%20b%2B&x-id=ListObjectsV2`)
    expect(sent).toEqual([`GET /${Bucket}?list-type=2&prefix=a%20b%2B`])
  })

  test.each([
    [`/${Bucket}?tagging&metadata=true`, `GET /${Bucket}?tagging=`],
    [`/${Bucket}/key?tagging&versionId=v1&versionId=v2`, `GET /${Bucket}/key?tagging=&versionId=v1`],
    [`/${Bucket}?inventory&id=a%26b`, `GET /${Bucket}?inventory=&id=a%26b`],
    [`/${Bucket}?metrics&continuation-token=t`, `GET /${Bucket}?metrics=&continuation-token=t`],
  ])('of %s is that of the operation', async (path, expected) => {
    await get(path)
    expect(sent).toEqual([expected])
  })
})

describe('the headers that the store gets', () => {
  let server: ScriptedServer
  let gateway: TestGateway
  beforeAll(async () => {
    server = await ScriptedServer.start()
    gateway = await startGateway({ store: s3Store({ endpoint: server.endpoint }) })
    gateways.push(gateway)
  })
  afterAll(() => server.close())
  beforeEach(() => server.clear())
  const put = (path: string, headers: Record<string, string>) =>
    send(gateway, { method: 'PUT', path, headers, body: Buffer.from('<R/>') })

  test.each([
    [`/${Bucket}/mine?retention`, 'x-amz-copy-source', `/${Bucket}/theirs`],
    [`/${Bucket}/mine?legal-hold`, 'x-amz-copy-source', `/state/keyring`],
    [`/${Bucket}/mine?tagging`, 'x-amz-rename-source', `/${Bucket}/theirs`],
    [`/${Bucket}?versioning`, 'x-amz-acl', 'public-read'],
    [`/${Bucket}?replication`, 'x-amz-never-seen', 'x'],
  ])('%s has none that is another operation’s: %s', async (path, name, value) => {
    const answered = await put(path, { [name]: value })
    expect([answered.status, answered.bytes.toString()]).toEqual([501, expect.stringContaining(name)])
    expect(server.requests).toEqual([])
  })

  test.each([
    [`/${Bucket}/mine?retention`, 'x-amz-bypass-governance-retention', 'true'],
    [`/${Bucket}?acl`, 'x-amz-acl', 'private'],
    [`/${Bucket}/mine?acl`, 'x-amz-acl', 'private'],
    [`/${Bucket}/mine?acl`, 'x-amz-grant-read', 'id=x'],
    [`/${Bucket}?versioning`, 'x-amz-mfa', 'serial 123456'],
    [`/${Bucket}/mine?tagging`, 'x-amz-request-payer', 'requester'],
  ])('%s keeps its own: %s', async (path, name, value) => {
    server.next(answer(200))
    expect((await put(path, { [name]: value })).status).toBe(200)
    expect(server.requests[0]?.headers[name]).toBe(value)
  })
})

test.each([
  ['state/keyring.s3.test', '/key'],
  ['x/../state.s3.test', '/key'],
  ['state?list-type=2&.s3.test', '/key'],
  ['localhost', '/state%3Flist-type=2&/key'],
  ['localhost', '/..%2Fstate/key'],
])('the name of a bucket is one name in the address that the store gets: %s%s', async (host, path) => {
  const server = await ScriptedServer.start()
  const gateway = await startGateway({
    store: s3Store({ endpoint: server.endpoint }),
    domains: ['s3.test'],
    publicAccess: () => 'list',
    hidden: (bucket) => bucket === 'state',
  })
  gateways.push(gateway)
  expectError(await exchange(gateway, 'GET', path, { host }), 400, 'InvalidBucketName')
  expect(server.requests).toEqual([])
  await server.close()
})

describe('a configuration that names another bucket', () => {
  const WRITER = { accessKey: 'WRITER', secret: 'writer-secret-1' }
  let server: ScriptedServer
  let gateway: TestGateway
  beforeAll(async () => {
    server = await ScriptedServer.start()
    gateway = await startGateway({
      store: s3Store({ endpoint: server.endpoint }),
      hidden: (bucket) => bucket === 'state',
      credentials: [
        {
          accessKey: WRITER.accessKey,
          secretKey: WRITER.secret,
          allow: [
            { buckets: ['mine', 'logs', 'state'], prefixes: [], actions: 'read-write' },
            { buckets: ['readable'], prefixes: [], actions: 'read-only' },
            { buckets: ['partly'], prefixes: ['p/'], actions: 'read-write' },
          ],
        },
      ],
    })
    gateways.push(gateway)
  })
  afterAll(() => server.close())
  beforeEach(() => server.clear())

  const DOCUMENTS: [string, string, (bucket: string) => string][] = [
    ['PUT', 'logging', (name) => `<B><LoggingEnabled><TargetBucket>${name}</TargetBucket></LoggingEnabled></B>`],
    [
      'PUT',
      'replication',
      (name) => `<R><Rule><Destination><Bucket>arn:aws:s3:::${name}</Bucket></Destination></Rule></R>`,
    ],
    [
      'PUT',
      'inventory&id=1',
      (name) =>
        `<I><Destination><S3BucketDestination><Bucket>arn:aws-cn:s3:::${name}</Bucket></S3BucketDestination></Destination></I>`,
    ],
    ['PUT', 'analytics&id=1', (name) => `<x:A xmlns:x="y"><x:Bucket>arn:aws:s3:::${name}</x:Bucket></x:A>`],
    [
      'POST',
      'restore',
      (name) => `<R><OutputLocation><S3><BucketName> ${name} </BucketName></S3></OutputLocation></R>`,
    ],
  ]
  const call = (method: string, query: string, document: string) => {
    const path = query === 'restore' ? '/mine/key' : '/mine'
    return send(gateway, { method, path: `${path}?${query}`, body: Buffer.from(document), credentials: WRITER })
  }

  test.each(DOCUMENTS)('is handed on where the caller may write there (%s ?%s)', async (method, query, document) => {
    server.next(answer(200))
    expect((await call(method, query, document('logs'))).status).toBe(200)
    expect(server.requests[0]?.body.toString()).toBe(document('logs'))
  })

  test.each(DOCUMENTS)('is refused otherwise (%s ?%s)', async (method, query, document) => {
    for (const bucket of ['theirs', 'readable', 'partly', 'state']) {
      expect((await call(method, query, document(bucket))).status).toBe(403)
    }
    for (const bucket of ['arn:aws:s3:us-east-1:1:accesspoint/x', '', 'theirs<x/>', 'theirs<x>logs</x>']) {
      expect((await call(method, query, document(bucket))).status).toBe(400)
    }
    expect((await call(method, query, '<R><Bucket>')).status).toBe(400)
    expect(server.requests).toEqual([])
  })

  test('is refused if one of several is not allowed', async () => {
    const [, , document] = DOCUMENTS[1]!
    const both = document('logs').replace('</R>', document('theirs').replace('<R>', ''))
    expect((await call('PUT', 'replication', both)).status).toBe(403)
  })

  test('that names none needs no other right', async () => {
    server.next(answer(200))
    expect((await call('PUT', 'logging', '<BucketLoggingStatus/>')).status).toBe(200)
  })
})

test('a document without an end is the failure of the store', async () => {
  const server = await ScriptedServer.start()
  const gateway = await startGateway({ store: s3Store({ endpoint: server.endpoint, retry: { attempts: 1 } }) })
  gateways.push(gateway)
  server.next(answer(200, { body: `<ListBucketResult>${' '.repeat(17 * 1024 * 1024)}</ListBucketResult>` }))
  const { status } = await send(gateway, { method: 'GET', path: `/${Bucket}?list-type=2` })
  expect(status).toBe(503)
  await server.close()
})
