/** A gateway in front of an S3 server that fails: what its clients see, and what is in the store afterwards. */
import { randomBytes } from 'node:crypto'
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Break, errorDocument, FaultProxy, type Passing } from '../helpers/fault-proxy.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { s3Store } from '../helpers/s3-store.ts'
import { codeOf, send } from '../helpers/signed-request.ts'

const Bucket = 'faults'
const MIB = 1024 * 1024
/** In every body: the store must never see it. */
const SAMPLE = Buffer.from('plaintext that no store may see, 0123456789')

let backend: TestGateway
let proxy: FaultProxy
let running: TestGateway
let s3: S3Client
let keys = 0

beforeAll(async () => {
  backend = await startGateway()
  proxy = await FaultProxy.start(backend.endpoint)
  const store = s3Store({
    endpoint: proxy.endpoint,
    idleTimeout: 200,
    profile: {
      conditionalCopy: true,
      conditionalDelete: true,
      versions: false,
      tags: false,
      checksum: 'crc32',
      partChecksum: 'crc32',
    },
  })
  running = await startGateway({ store })
  s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket }))
})
afterEach(async () => {
  expect(proxy.received.includes(SAMPLE)).toBe(false)
  proxy.clear()
  // Every byte that was gathered has been given back.
  const { gather } = running.gateway.limits
  const held = gather.open()
  held.add(gather.limit)
  held.release()
})
afterAll(async () => {
  // After some hundred failures.
  expect(proxy.open).toBeLessThanOrEqual(8)
  await running.close()
  await running.store.close()
  await proxy.close()
  await backend.close()
})

const fresh = (): string => `key-${(keys += 1)}`
const bodyOf = (bytes: number): Buffer => Buffer.concat([randomBytes(bytes - 2 * SAMPLE.length), SAMPLE, SAMPLE])
const SMALL = 4_096
/** Above what is gathered. */
const LARGE = 1.25 * MIB
const put = (Key: string, Body: Buffer, more = {}) => s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }))
const get = async (Key: string, Range?: string) => {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, ...(Range === undefined ? {} : { Range }) }))
  return Buffer.from((await Body?.transformToByteArray()) ?? [])
}
const methodIs =
  (method: string, part = '') =>
  (request: Passing): boolean =>
    request.method === method && request.path.includes(part)
const passed = (method: string, part = '') => proxy.passed.filter(methodIs(method, part))
const UNAVAILABLE = { name: 'ServiceUnavailable', $metadata: { httpStatusCode: 503 } }

const FAILURES: readonly (readonly [string, Break])[] = [
  ['500', { status: 500, body: errorDocument('InternalError') }],
  ['503', { status: 503, body: errorDocument('SlowDown') }],
  ['503 with Retry-After', { status: 503, headers: { 'retry-after': '0' }, body: errorDocument('SlowDown') }],
  ['429', { status: 429 }],
  ['a reset', 'reset'],
  ['silence', 'hang'],
]

/** One of each kind: the statuses are told apart nowhere else. */
const KINDS = FAILURES.filter(([what]) => what !== '503' && what !== '429')

describe.each(KINDS)('%s in place of an answer', (_what, how) => {
  test.each(['before', 'after'] as const)('to a small PUT, %s it took effect, is overcome', async (when) => {
    const [Key, body] = [fresh(), bodyOf(SMALL)]
    proxy.fault({ when, how, matching: methodIs('PUT') })
    await put(Key, body)
    expect((await get(Key)).equals(body)).toBe(true)
  })

  test.each(['before', 'after'] as const)('to a conditional PUT, %s it took effect, is overcome', async (when) => {
    const [Key, body] = [fresh(), bodyOf(SMALL)]
    proxy.fault({ when, how, matching: methodIs('PUT') })
    const { ETag } = await put(Key, body, { IfNoneMatch: '*' })
    expect(passed('PUT').map(({ status }) => status)).toEqual(when === 'before' ? [200] : [200, 412])
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key }))).ETag).toBe(ETag)
    expect((await get(Key)).equals(body)).toBe(true)
    const next = bodyOf(SMALL)
    proxy.fault({ when, how, matching: methodIs('PUT') })
    await put(Key, next, { IfMatch: ETag })
    expect((await get(Key)).equals(next)).toBe(true)
  })

  test('to a streamed PUT that took effect is found out', async () => {
    const [Key, body] = [fresh(), bodyOf(LARGE)]
    proxy.fault({ when: 'after', how, matching: methodIs('PUT') })
    const { ETag } = await put(Key, body)
    expect(passed('PUT')).toHaveLength(1)
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key }))).ETag).toBe(ETag)
    expect((await get(Key)).equals(body)).toBe(true)
  })

  test('to a streamed PUT that did not take effect is an outage, and what was there stays', async () => {
    const [Key, body] = [fresh(), bodyOf(LARGE)]
    await put(Key, body)
    proxy.clear()
    proxy.fault({ when: 'before', how, matching: methodIs('PUT') })
    await expect(put(Key, bodyOf(LARGE))).rejects.toMatchObject(UNAVAILABLE)
    expect(proxy.came.filter(methodIs('PUT'))).toHaveLength(1)
    expect((await get(Key)).equals(body)).toBe(true)
  })

  test('to reads, listings, deletions and copies is overcome', async () => {
    const [Key, copied, gone, body] = [fresh(), fresh(), fresh(), bodyOf(SMALL)]
    await Promise.all([put(Key, body), put(gone, body)])
    proxy.fault(
      { when: 'before', how, matching: methodIs('GET', Key) },
      { when: 'before', how, matching: methodIs('HEAD', Key) },
      { when: 'after', how, matching: methodIs('GET', 'list-type') },
      { when: 'after', how, matching: methodIs('PUT', copied) },
      { when: 'after', how, matching: methodIs('DELETE') },
    )
    const [range, head, { Contents }] = await Promise.all([
      get(Key, 'bytes=100-199'),
      s3.send(new HeadObjectCommand({ Bucket, Key })),
      s3.send(new ListObjectsV2Command({ Bucket, Prefix: Key })),
      s3.send(new CopyObjectCommand({ Bucket, Key: copied, CopySource: `${Bucket}/${Key}` })),
      s3.send(new DeleteObjectCommand({ Bucket, Key: gone })),
    ])
    expect(range.equals(body.subarray(100, 200))).toBe(true)
    expect(head.ContentLength).toBe(SMALL)
    expect(Contents?.filter((one) => one.Key === Key)).toHaveLength(1)
    expect((await get(copied)).equals(body)).toBe(true)
    await expect(get(gone)).rejects.toMatchObject({ name: 'NoSuchKey' })
  })
})

test.each(FAILURES.slice(0, 5))('%s without end is an outage, and later all is well', async (_what, how) => {
  const [Key, body] = [fresh(), bodyOf(SMALL)]
  await put(Key, body)
  proxy.fault({ when: 'before', how, times: 1_000 })
  for (const call of [() => put(Key, bodyOf(SMALL)), () => put(Key, bodyOf(LARGE)), () => get(Key)]) {
    await expect(call()).rejects.toMatchObject(UNAVAILABLE)
  }
  await expect(s3.send(new HeadObjectCommand({ Bucket, Key }))).rejects.toMatchObject({
    $metadata: { httpStatusCode: 503 },
  })
  proxy.clear()
  expect((await get(Key)).equals(body)).toBe(true)
})

describe('an answer that is broken', () => {
  test.each([
    ['small', SMALL],
    ['large', LARGE],
  ])('in the middle of a %s object never ends as one', async (_what, size) => {
    const [Key, body] = [fresh(), bodyOf(size)]
    await put(Key, body)
    proxy.fault({ when: 'after', how: 'half', matching: methodIs('GET') })
    const outcome = await send(running, { method: 'GET', path: `/${Bucket}/${Key}` })
    expect(outcome.torn || outcome.status === 503).toBe(true)
    expect(
      body.subarray(0, outcome.torn ? outcome.bytes.length : 0).equals(outcome.torn ? outcome.bytes : Buffer.alloc(0)),
    ).toBe(true)
    expect((await get(Key)).equals(body)).toBe(true)
  })

  test.each<[string, (headers: Record<string, string>) => Record<string, string>]>([
    ['another range', (headers) => ({ ...headers, 'content-range': 'bytes 0-65551/1311136' })],
    ['no range', ({ 'content-range': _range, ...headers }) => headers],
  ])('by %s is an outage', async (_what, headers) => {
    const [Key, body] = [fresh(), bodyOf(LARGE)]
    await put(Key, body)
    proxy.fault({ when: 'after', how: { headers }, matching: methodIs('GET'), times: 9 })
    await expect(get(Key, 'bytes=1000000-1000009')).rejects.toMatchObject(UNAVAILABLE)
  })

  test('by the whole object in place of a range is an outage', async () => {
    const [Key, body] = [fresh(), bodyOf(LARGE)]
    await put(Key, body)
    const how = { status: 200, headers: { etag: '"e"' }, body: body.toString('latin1') }
    proxy.fault({ when: 'before', how, matching: methodIs('GET'), times: 9 })
    await expect(get(Key, 'bytes=1000000-1000009')).rejects.toMatchObject(UNAVAILABLE)
    proxy.clear()
  })
})

describe('B65 errors inside a 200', () => {
  const inside = (code: string): Break => ({ status: 200, body: errorDocument(code) })
  const copy = (source: string, Key: string) =>
    s3.send(new CopyObjectCommand({ Bucket, Key, CopySource: `${Bucket}/${source}` }))

  test('of a copy: a passing one is overcome, another is told', async () => {
    const [Key, target, body] = [fresh(), fresh(), bodyOf(SMALL)]
    await put(Key, body)
    proxy.fault({ when: 'before', how: inside('InternalError'), matching: methodIs('PUT') })
    await copy(Key, target)
    expect((await get(target)).equals(body)).toBe(true)
    proxy.fault({ when: 'before', how: inside('AccessDenied'), matching: methodIs('PUT') })
    await expect(copy(Key, fresh())).rejects.toMatchObject({ name: 'AccessDenied' })
  })

  const uploaded = async (Key: string, bodies: readonly Buffer[]) => {
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
    const Parts: { PartNumber: number; ETag: string | undefined }[] = []
    for (const [at, Body] of bodies.entries()) {
      const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: at + 1, Body }))
      Parts.push({ PartNumber: at + 1, ETag })
    }
    return () => s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }))
  }
  const bodies = [bodyOf(5 * MIB), bodyOf(1_000)]
  const whole = Buffer.concat(bodies)

  test.each<[string, 'before' | 'after', Break]>([
    ['a passing error inside a 200', 'before', inside('InternalError')],
    ['a lost answer', 'after', 'reset'],
    ['silence after it was done', 'after', 'hang'],
    ['half an answer', 'after', 'half'],
    ['a 500 after it was done', 'after', { status: 500 }],
  ])('a Complete overcomes %s', async (_what, when, how) => {
    const Key = fresh()
    const complete = await uploaded(Key, bodies)
    proxy.fault({ when, how, matching: methodIs('POST', 'uploadId=') })
    const { ETag } = await complete()
    expect((await complete()).ETag).toBe(ETag)
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key }))).ETag).toBe(ETag)
    expect((await get(Key)).equals(whole)).toBe(true)
  })

  test('a Complete tells another, and can be sent again', async () => {
    const Key = fresh()
    const complete = await uploaded(Key, bodies)
    proxy.fault({ when: 'before', how: inside('AccessDenied'), matching: methodIs('POST', 'uploadId=') })
    await expect(complete()).rejects.toMatchObject({ name: 'AccessDenied' })
    await complete()
    expect((await get(Key)).equals(whole)).toBe(true)
  })

  test.each(KINDS.slice(2))(
    'a part meets %s: streamed it is an outage, sent again by the client it is there',
    async (_what, how) => {
      const Key = fresh()
      const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
      const Body = bodies[0]!
      const part = () => s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body }))
      proxy.fault({ when: 'before', how, matching: methodIs('PUT', 'partNumber') })
      await expect(part()).rejects.toMatchObject(UNAVAILABLE)
      proxy.fault({ when: 'after', how, matching: methodIs('PUT', 'partNumber') })
      await expect(part()).rejects.toMatchObject(UNAVAILABLE)
      const { ETag } = await part()
      await s3.send(
        new CompleteMultipartUploadCommand({
          Bucket,
          Key,
          UploadId,
          MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] },
        }),
      )
      expect((await get(Key)).equals(Body)).toBe(true)
    },
  )
})

describe('a PUT without a length, of more than one part,', () => {
  const body = bodyOf(9 * MIB)
  const chunked = (Key: string) =>
    send(running, { method: 'PUT', path: `/${Bucket}/${Key}`, headers: { 'transfer-encoding': 'chunked' }, body })
  const complete = methodIs('POST', 'uploadId=')
  const gone: Break = { status: 404, body: errorDocument('NoSuchUpload') }

  test('whose Complete was answered by nobody, and then is not known any more, is found out', async () => {
    const Key = fresh()
    proxy.fault({ when: 'after', how: 'reset', matching: complete }, { when: 'before', how: gone, matching: complete })
    expect((await chunked(Key)).status).toBe(200)
    expect((await get(Key)).equals(body)).toBe(true)
  })

  test('whose upload is gone without an object is an outage, which its client tries again', async () => {
    proxy.fault({ when: 'before', how: gone, matching: complete })
    expect((await chunked(fresh())).status).toBe(503)
  })
})

describe('what the store says of our account stays here', () => {
  const secretWords = 'User arn:aws:iam::123456789012:user/gateway AKIABACKENDKEY is not known'
  const refusing = (status: number, code: string): Break => ({ status, body: errorDocument(code, secretWords) })
  const calls: readonly (readonly [string, string, string, Buffer | undefined])[] = [
    ['a small PUT', 'PUT', 'small', bodyOf(SMALL)],
    ['a streamed PUT', 'PUT', 'large', bodyOf(LARGE)],
    ['a GET', 'GET', 'small', undefined],
    ['a listing', 'GET', '?list-type=2', undefined],
    ['a forwarded request', 'GET', '?tagging', undefined],
    ['a DELETE', 'DELETE', 'small', undefined],
  ]

  describe.each(calls)('%s', (_what, method, path, body) => {
    test.each([
      [403, 'AccessDenied', 403, 'AccessDenied'],
      [403, 'InvalidAccessKeyId', 503, 'ServiceUnavailable'],
      [403, 'SignatureDoesNotMatch', 503, 'ServiceUnavailable'],
      [400, 'ExpiredToken', 503, 'ServiceUnavailable'],
      [403, 'RequestTimeTooSkewed', 503, 'ServiceUnavailable'],
      [400, 'AuthorizationHeaderMalformed', 503, 'ServiceUnavailable'],
      [307, 'TemporaryRedirect', 503, 'ServiceUnavailable'],
    ])('%i %s is %i %s', async (status, code, expected, name) => {
      proxy.fault({ when: 'before', how: refusing(status, code), times: 9 })
      const answer = await send(running, {
        method,
        path: `/${Bucket}${path.startsWith('?') ? '' : '/'}${path}`,
        ...(body === undefined ? {} : { body }),
      })
      expect([answer.status, codeOf(answer)]).toEqual([expected, name])
      expect(answer.bytes.toString()).not.toMatch(/AKIABACKENDKEY|123456789012|not known/)
      expect(JSON.stringify(answer.headers)).not.toMatch(/AKIABACKENDKEY|123456789012/)
    })
  })
})
