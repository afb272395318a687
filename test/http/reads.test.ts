/** GET and HEAD: ranges that are none, conditions and their order, overrides, parts (S3 behaviour 16, 37, 41 to 49, 56 to 60, 63, 68). */
import { createHash } from 'node:crypto'
import { CopyObjectCommand, CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectEtag } from '../helpers/etags.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { codeOf, send } from '../helpers/signed-request.ts'
import { differs, notOver, startTested } from '../helpers/worlds.ts'

const body = Buffer.from('0123456789')
const md5 = `"${createHash('md5').update(body).digest('hex')}"`
/** Of the object `ten`, once it is there; in tables of headers `{etag}` stands for it. */
let etag = ''
const filled = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.replace('{etag}', etag.slice(1, -1))]))
const EARLY = 'Wed, 01 Jan 2020 00:00:00 GMT'
const LATE = 'Wed, 01 Jan 2120 00:00:00 GMT'
let running: TestGateway

beforeAll(async () => {
  running = await startTested()
  const s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket: 'reads' }))
  const put = await s3.send(new PutObjectCommand({ Bucket: 'reads', Key: 'ten', Body: body, CacheControl: 'no-cache' }))
  expectEtag(running, put.ETag, md5)
  etag = put.ETag ?? ''
  await s3.send(new PutObjectCommand({ Bucket: 'reads', Key: 'empty', Body: '' }))
})
afterAll(() => running.close())

const get = (headers: Record<string, string> = {}, path = '/reads/ten', method = 'GET') =>
  send(running, { method, path, headers })

describe('Range', () => {
  test.each([
    ['bytes=0-9', 206, '0123456789', 'bytes 0-9/10'],
    ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
    ['bytes=8-100', 206, '89', 'bytes 8-9/10'],
    ['bytes=-3', 206, '789', 'bytes 7-9/10'],
    ['bytes=-100', 206, '0123456789', 'bytes 0-9/10'],
    ['bytes=5-2', 200, '0123456789', undefined],
    ['bytes=0-0,2-2', 200, '0123456789', undefined],
    ['lines=0-1', 200, '0123456789', undefined],
    ['bytes=a-b', 200, '0123456789', undefined],
    ['bytes=0 - 1', 200, '0123456789', undefined],
  ])('B41 B42 B43 %s is %i', async (range, status, text, contentRange) => {
    const answer = await get({ range })
    expect([answer.status, answer.bytes.toString(), answer.headers['content-range']]).toEqual([
      status,
      text,
      contentRange,
    ])
    expect(answer.headers['accept-ranges']).toBe('bytes')
    const head = await get({ range }, '/reads/ten', 'HEAD')
    expect([head.status, head.headers['content-length'], head.bytes.length]).toEqual([status, String(text.length), 0])
  })

  test.each(['bytes=10-', 'bytes=10-20', 'bytes=-0'])('B41 B42 B44 %s cannot be satisfied', async (range) => {
    const answer = await get({ range })
    expect([answer.status, codeOf(answer)]).toEqual([416, 'InvalidRange'])
    expect(answer.bytes.toString()).toContain('<ActualObjectSize>10</ActualObjectSize>')
    expect(answer.bytes.toString()).toContain(`<RangeRequested>${range}</RangeRequested>`)
    expect((await get({ range }, '/reads/empty')).status).toBe(416)
    const head = await get({ range }, '/reads/ten', 'HEAD')
    expect([head.status, head.bytes.length, head.headers['content-range']]).toEqual([416, 0, 'bytes */10'])
  })
})

describe('conditions', () => {
  test.each([
    [{ 'if-match': '"{etag}"' }, 200],
    [{ 'if-match': '{etag}' }, 200],
    [{ 'if-match': '*' }, 200],
    [{ 'if-match': '"other"' }, 412],
    [{ 'if-none-match': '"{etag}"' }, 304],
    [{ 'if-none-match': '*' }, 304],
    [{ 'if-none-match': '"other"' }, 200],
    [{ 'if-modified-since': EARLY }, 200],
    [{ 'if-modified-since': LATE }, 304],
    [{ 'if-unmodified-since': EARLY }, 412],
    [{ 'if-unmodified-since': LATE }, 200],
    [{ 'if-modified-since': 'nonsense' }, 200],
    [{ 'if-match': '"{etag}"', 'if-unmodified-since': EARLY }, 200],
    [{ 'if-none-match': '"{etag}"', 'if-modified-since': EARLY }, 304],
    [{ 'if-none-match': '"other"', 'if-modified-since': LATE }, 200],
  ] as [Record<string, string>, number][])('B46 B47 B48 %j is %i', async (headers, status) => {
    for (const method of ['GET', 'HEAD']) {
      const answer = await get(filled(headers), '/reads/ten', method)
      expect(answer.status).toBe(status)
      if (status === 304)
        expect([answer.headers.etag, answer.headers['cache-control'], answer.bytes.length]).toEqual([
          etag,
          'no-cache',
          0,
        ])
      if (status === 412) expect(codeOf(answer)).toBe(method === 'GET' ? 'PreconditionFailed' : undefined)
    }
  })

  test('B46 come before the range', async () => {
    expect((await get({ 'if-match': '"other"', range: 'bytes=50-' })).status).toBe(412)
    expect((await get({ 'if-none-match': etag, range: 'bytes=50-' })).status).toBe(304)
  })

  test('If-Range that does not hold sets the range aside', async () => {
    expect((await get({ 'if-range': etag, range: 'bytes=0-1' })).bytes.toString()).toBe('01')
    expect((await get({ 'if-range': '"other"', range: 'bytes=0-1' })).bytes.toString()).toBe('0123456789')
  })
})

describe('what is answered', () => {
  test('B16 response-* parameters override headers on success alone', async () => {
    const query =
      'response-content-type=a%2Fb&response-cache-control=x&response-content-disposition=d&response-expires=e'
    const answer = await get({}, `/reads/ten?${query}`)
    expect(answer.headers).toMatchObject({
      'content-type': 'a/b',
      'cache-control': 'x',
      'content-disposition': 'd',
      expires: 'e',
    })
    expect((await get({}, `/reads/none?${query}`)).headers['content-type']).toBe('application/xml')
  })

  test('B45 partNumber of an object that was not written in parts; with a Range it is InvalidRequest', async () => {
    const one = await get({}, '/reads/ten?partNumber=1')
    expect([one.status, one.headers['content-range'], one.headers['x-amz-mp-parts-count']]).toEqual([
      206,
      'bytes 0-9/10',
      undefined,
    ])
    expect(codeOf(await get({}, '/reads/ten?partNumber=2'))).toBe('InvalidPartNumber')
    expect(codeOf(await get({ range: 'bytes=0-1' }, '/reads/ten?partNumber=1'))).toBe('InvalidRequest')
    expect(codeOf(await get({}, '/reads/ten?partNumber=0'))).toBe('InvalidArgument')
    const empty = await get({}, '/reads/empty?partNumber=1')
    expect([empty.bytes.length, empty.headers['content-range']]).toEqual([0, undefined])
  })

  test('B53 B56 B58 the default content type, and dates in whole seconds', async () => {
    const head = await get({}, '/reads/empty', 'HEAD')
    expect(head.headers['content-length']).toBe('0')
    expectEtag(running, head.headers.etag, '"d41d8cd98f00b204e9800998ecf8427e"')
    const put = await send(running, { method: 'PUT', path: '/reads/bare', body })
    expect(put.status).toBe(200)
    expect((await get({}, '/reads/bare', 'HEAD')).headers['content-type']).toBe('binary/octet-stream')
    expect(head.headers['last-modified']).toMatch(/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/)
    const list = await get({}, '/reads?list-type=2')
    expect(list.bytes.toString()).toMatch(
      differs('minio', 'it tells milliseconds')
        ? /<LastModified>[\d-]+T[\d:]+\.\d{3}Z</
        : /<LastModified>[\d-]+T[\d:]+\.000Z</,
    )
  })

  test(
    'B59 metadata over 2 KB is refused by the client’s part alone',
    notOver('s3', 'its own 2 KB hold the seal of a small object’s metadata, too'),
    async () => {
      const fits = { 'x-amz-meta-a': 'x'.repeat(2_047) }
      expect((await send(running, { method: 'PUT', path: '/reads/meta', body, headers: fits })).status).toBe(200)
      const over = { 'x-amz-meta-a': 'x'.repeat(2_048) }
      const answer = await send(running, { method: 'PUT', path: '/reads/meta', body, headers: over })
      expect([answer.status, codeOf(answer)]).toEqual([400, 'MetadataTooLarge'])
      expect((await get({}, '/reads/meta', 'HEAD')).headers['x-amz-meta-a']).toBe(fits['x-amz-meta-a'])
    },
  )

  test('a client’s own x-amz-meta-sg-e is ordinary metadata', async () => {
    const headers = { 'x-amz-meta-sg-e': 'mine', 'x-amz-meta-sg-m': 'too' }
    await send(running, { method: 'PUT', path: '/reads/sg', body, headers })
    const back = await get({}, '/reads/sg')
    expect(back.headers).toMatchObject(headers)
    expect(back.bytes.equals(body)).toBe(true)
  })
})

describe('what a store without versions does not keep is refused, never ignored', () => {
  let plain: TestGateway
  beforeAll(async () => {
    plain = await startGateway()
    await plain.client().send(new CreateBucketCommand({ Bucket: 'reads' }))
  })
  afterAll(() => plain.close())

  test.each([
    ['x-amz-tagging', 'a=b'],
    ['x-amz-object-lock-mode', 'GOVERNANCE'],
    ['x-amz-acl', 'public-read'],
    ['x-amz-grant-read', 'id=x'],
    ['x-amz-storage-class', 'GLACIER'],
    ['x-amz-write-offset-bytes', '0'],
  ])('%s on a PUT', async (name, value) => {
    const answer = await send(plain, { method: 'PUT', path: '/reads/refused', body, headers: { [name]: value } })
    expect([answer.status, codeOf(answer)]).toEqual([501, 'NotImplemented'])
    expect(await plain.store.head('reads', 'refused')).toBeUndefined()
  })
})

describe('buckets that ask for copies to be sealed anew', () => {
  test('get another object key, and the same contents', async () => {
    const rekeying = await startGateway({
      rules: (bucket) => ({ namespace: bucket, copy: bucket === 'rekey' ? 'rekey' : 'rewrap' }),
    })
    const s3 = rekeying.client()
    for (const Bucket of ['rekey', 'rewrap']) {
      await s3.send(new CreateBucketCommand({ Bucket }))
      await s3.send(new PutObjectCommand({ Bucket, Key: 'a', Body: body, Metadata: { kept: 'yes' } }))
      await s3.send(new CopyObjectCommand({ Bucket, Key: 'b', CopySource: `${Bucket}/a` }))
    }
    const bytesOf = async (bucket: string, key: string): Promise<Buffer> => {
      const pieces: Buffer[] = []
      for await (const batch of (await rekeying.store.get(bucket, key)).body) pieces.push(...batch)
      return Buffer.concat(pieces)
    }
    expect((await bytesOf('rewrap', 'a')).equals(await bytesOf('rewrap', 'b'))).toBe(true)
    expect((await bytesOf('rekey', 'a')).subarray(0, 64).equals((await bytesOf('rekey', 'b')).subarray(0, 64))).toBe(
      false,
    )
    const back = await send(rekeying, { method: 'GET', path: '/rekey/b' })
    expect([back.bytes.toString(), back.headers['x-amz-meta-kept']]).toEqual(['0123456789', 'yes'])
    await rekeying.close()
  })
})
