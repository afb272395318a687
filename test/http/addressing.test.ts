/** Where requests go, and what is refused from its address, method or headers alone (S3 behaviour 17 to 24, 27, 28, 93, 99). */
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signRequest } from '../../src/s3/auth/sign.ts'
import { OPERATIONS } from '../../src/s3/operation.ts'
import { OPERATION_NAMES } from '../../src/s3/operation-name.ts'
import { elements, exchange, expectError } from '../helpers/error-answer.ts'
import { ACCESS_KEY, SECRET_KEY, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { head, type RawAnswer, RawConnection } from '../helpers/raw-connection.ts'
import { codeOf, send, type SignedCall, signedHeaders } from '../helpers/signed-request.ts'

let running: TestGateway

beforeAll(async () => {
  running = await startGateway({
    domains: ['s3.example.test', 'eu.s3.example.test'],
    xmlBytes: 20_000,
    server: { idleTimeout: 1_200, headerTimeout: 1_000 },
  })
  const s3 = running.client()
  for (const Bucket of ['wire', 'with.dots.in']) {
    await s3.send(new CreateBucketCommand({ Bucket }))
    await s3.send(new PutObjectCommand({ Bucket, Key: 'key', Body: Bucket }))
  }
})
afterAll(() => running.close())

function virtual(host: string, method: string, path: string, body = ''): Promise<RawAnswer> {
  const headers = signRequest({
    method,
    url: `http://${host}${path}`,
    headers: method === 'PUT' ? { 'content-length': String(body.length) } : {},
    credentials: { accessKey: ACCESS_KEY, secret: SECRET_KEY },
    region: 'us-east-1',
    now: new Date(),
    payloadHash: 'UNSIGNED-PAYLOAD',
  })
  return exchange(running, method, path, headers, body)
}
const signed = (call: SignedCall): Promise<RawAnswer> =>
  exchange(running, call.method, call.path, signedHeaders(running, call), call.body?.toString('latin1') ?? '')

describe('B17 virtual-host style beside path style', () => {
  test.each([
    ['wire.s3.example.test', '/key', 'wire'],
    ['with.dots.in.s3.example.test', '/key', 'with.dots.in'],
    ['wire.eu.s3.example.test', '/key', 'wire'],
    ['WIRE.S3.example.TEST', '/key', 'wire'],
    ['s3.example.test', '/wire/key', 'wire'],
    ['s3.example.test', '/with.dots.in/key', 'with.dots.in'],
    ['unrelated.example', '/wire/key', 'wire'],
    ['127.0.0.1', '/wire/key', 'wire'],
  ])('%s%s', async (host, path, body) => {
    for (const port of ['', ':8080']) expect((await virtual(`${host}${port}`, 'GET', path)).body).toBe(body)
  })

  test('a bucket is made, filled, listed and emptied by its host', async () => {
    const host = 'hosted.s3.example.test'
    expect((await virtual(host, 'PUT', '/')).status).toBe(200)
    expect((await virtual(host, 'PUT', '/wire/key', 'x')).status).toBe(200)
    expect((await virtual(host, 'GET', '/?list-type=2')).body).toContain('<Key>wire/key</Key>')
    expect((await signed({ method: 'GET', path: '/hosted/wire/key' })).body).toBe('x')
    expect((await virtual(host, 'DELETE', '/wire/key')).status).toBe(204)
    expect((await virtual(host, 'DELETE', '/')).status).toBe(204)
  })

  test('the signature is over the path that was sent, without the bucket', async () => {
    const headers = signedHeaders(running, { method: 'GET', path: '/wire/key' })
    expectError(
      await exchange(running, 'GET', '/key', { ...headers, host: 'wire.s3.example.test' }),
      403,
      'SignatureDoesNotMatch',
    )
  })

  test('an absolute request target names what its path names', async () => {
    const headers = signedHeaders(running, { method: 'GET', path: '/wire/key' })
    expect((await exchange(running, 'GET', `${running.endpoint}/wire/key`, headers)).body).toBe('wire')
  })
})

describe('paths that cannot be', () => {
  test.each(['/wire/\xae\x8a', '/wire/%AE%8A', '/wire/%', '/wire/%4', '/wire/%zz', '/%ff/key', '/wire?prefix=%ff'])(
    'B18 %j is InvalidURI',
    async (path) => {
      const connection = await RawConnection.open(running.port)
      const headers = signedHeaders(running, { method: 'GET', path: '/wire/key' })
      connection.write(Buffer.from(head('GET', path, headers), 'latin1'))
      const answer = await connection.answer()
      expect(answer?.body).toContain("<Message>Couldn't parse the specified URI.</Message>")
      expect([answer?.status, /<Code>(\w+)</.exec(answer?.body ?? '')?.[1]]).toEqual([400, 'InvalidURI'])
      connection.close()
    },
  )

  test('B19 keys are measured in bytes of UTF-8', async () => {
    const over = await signed({ method: 'GET', path: `/wire/${encodeURIComponent('€'.repeat(342))}` })
    expect(expectError(over, 400, 'KeyTooLongError')).toMatchObject({ Size: '1026', MaxSizeAllowed: '1024' })
    const fits = await signed({ method: 'PUT', path: `/wire/${'k'.repeat(1_024)}`, body: Buffer.from('x') })
    expect(fits.status).toBe(200)
  })
})

describe('methods and parameters', () => {
  test.each([
    ['DELETE', '/wire?location'],
    ['PATCH', '/wire/key'],
    ['DELETE', '/'],
  ])('B22 %s %s is MethodNotAllowed', async (method, path) => {
    const answer = await signed({ method, path })
    const found = elements(answer)
    expect(answer.status).toBe(405)
    expect(found).toMatchObject({ Code: 'MethodNotAllowed', Method: method })
    expect(found.ResourceType).toMatch(/^[A-Z]+$/)
    expect(answer.headers.get('allow')).toMatch(/^[A-Z, ]+$/)
  })

  test('B22 x-id and unknown parameters with a value are ignored', async () => {
    for (const query of ['x-id=GetObject', 'x-id=PutObject', 'unknown=1', 'x-id'])
      expect((await signed({ method: 'GET', path: `/wire/key?${query}` })).body).toBe('wire')
  })

  test('an operation that is not built is refused by name, and nothing beside it happens', async () => {
    const before = await running.store.list('wire', { prefix: '', limit: 100 })
    const rows = OPERATION_NAMES.map((name) => ({ name, row: OPERATIONS[name] })).filter(
      ({ row }) => !row.built && row.subresource !== undefined,
    )
    expect(rows.length).toBeGreaterThan(40)
    for (const { name, row } of rows) {
      const path = `${row.resource === 'bucket' ? '/wire' : row.resource === 'object' ? '/wire/key' : '/'}?${row.subresource}`
      const more = row.selector !== undefined && 'query' in row.selector ? `&${row.selector.query}=1` : ''
      const body = row.method === 'PUT' || row.method === 'POST' ? { body: Buffer.from('<x/>') } : {}
      const answer = await send(running, { method: row.method, path: `${path}${more}`, ...body })
      expect([name, answer.status, codeOf(answer)]).toEqual([name, 501, 'NotImplemented'])
    }
    expect(await running.store.list('wire', { prefix: '', limit: 100 })).toEqual(before)
    expect((await running.store.get('wire', 'key')).info.etag).toBe(
      before.objects.find(({ key }) => key === 'key')?.etag,
    )
  })

  test.each(['torrents', 'newSubresource', 'uploadz', 'Delete'])(
    '?%s, which nobody knows, is NotImplemented',
    async (name) => {
      for (const method of ['GET', 'PUT', 'POST', 'DELETE']) {
        const answer = await send(running, { method, path: `/wire/key?${name}`, body: Buffer.from('x') })
        expect([answer.status, codeOf(answer)]).toEqual([501, 'NotImplemented'])
      }
      expect((await signed({ method: 'GET', path: '/wire/key' })).body).toBe('wire')
    },
  )

  test('B93 a missing bucket is NoSuchBucket for every operation on it', async () => {
    for (const [method, path] of [
      ['GET', '/missing'],
      ['GET', '/missing?list-type=2'],
      ['GET', '/missing?location'],
      ['GET', '/missing?uploads'],
      ['GET', '/missing/key'],
      ['GET', '/missing/key?uploadId=x'],
      ['PUT', '/missing/key'],
      ['PUT', '/missing/key?partNumber=1&uploadId=x'],
      ['POST', '/missing/key?uploads'],
      ['DELETE', '/missing/key'],
      ['DELETE', '/missing/key?uploadId=x'],
      ['DELETE', '/missing'],
    ] as const) {
      const answer = await signed({ method, path, ...(method === 'PUT' ? { body: Buffer.from('x') } : {}) })
      expect([method, path, elements(answer).Code]).toEqual([method, path, 'NoSuchBucket'])
    }
  })
})

describe('B23 Expect: 100-continue', () => {
  const expecting = (call: SignedCall, change: Record<string, string> = {}): string =>
    head(call.method, call.path, { ...signedHeaders(running, call), expect: '100-continue', ...change })

  test.each([
    [
      'a wrong signature',
      { method: 'PUT', path: '/wire/c', body: Buffer.alloc(9) },
      { host: 'other' },
      'SignatureDoesNotMatch',
    ],
    [
      'an ill-formed digest',
      { method: 'PUT', path: '/wire/c', body: Buffer.alloc(9), headers: { 'content-md5': 'x' } },
      {},
      'InvalidDigest',
    ],
    [
      'a header that is not built',
      { method: 'PUT', path: '/wire/c', body: Buffer.alloc(9), headers: { 'x-amz-tagging': 'a=b' } },
      {},
      'NotImplemented',
    ],
    [
      'a missing bucket and a large body',
      { method: 'PUT', path: '/missing/c', body: Buffer.alloc(2_000_000) },
      {},
      'NoSuchBucket',
    ],
    [
      'a condition that fails',
      { method: 'PUT', path: '/wire/key', body: Buffer.alloc(2_000_000), headers: { 'if-none-match': '*' } },
      {},
      'PreconditionFailed',
    ],
    [
      'an upload that is not there',
      { method: 'PUT', path: '/wire/c?partNumber=1&uploadId=x', body: Buffer.alloc(9) },
      {},
      'NoSuchUpload',
    ],
    [
      'a body that is too large',
      { method: 'PUT', path: '/wire/c', headers: { 'content-length': '6000000000' } },
      {},
      'EntityTooLarge',
    ],
  ] as [string, SignedCall, Record<string, string>, string][])(
    'is refused for %s before a byte is asked for',
    async (_what, call, change, code) => {
      const connection = await RawConnection.open(running.port)
      connection.write(expecting(call, change))
      const answer = await connection.answer()
      expect(/<Code>(\w+)</.exec(answer?.body ?? '')?.[1]).toBe(code)
      expect(answer?.headers.get('connection')).toBe('close')
      expect(await connection.closes()).toBe(true)
    },
  )

  test('is answered for a large body and a chunked one, and the connection goes on', async () => {
    const connection = await RawConnection.open(running.port)
    const body = Buffer.alloc(2_000_000, 7)
    connection.write(expecting({ method: 'PUT', path: '/wire/c', body }))
    expect((await connection.answer())?.status).toBe(100)
    connection.write(body)
    expect((await connection.answer())?.status).toBe(200)
    connection.write(expecting({ method: 'PUT', path: '/wire/d' }, { 'transfer-encoding': 'chunked' }))
    expect((await connection.answer())?.status).toBe(100)
    connection.write('3\r\nabc\r\n0\r\n\r\n')
    expect((await connection.answer())?.status).toBe(200)
    connection.write(head('GET', '/wire/d', signedHeaders(running, { method: 'GET', path: '/wire/d' })))
    expect((await connection.answer())?.body).toBe('abc')
    connection.close()
  })

  test('B27 a client that then sends nothing is told RequestTimeout', async () => {
    const connection = await RawConnection.open(running.port)
    connection.write(expecting({ method: 'PUT', path: '/wire/never', body: Buffer.alloc(9) }))
    expect((await connection.answer())?.status).toBe(100)
    const answer = await connection.answer()
    if (answer === undefined) throw new Error('no answer')
    expectError(answer, 400, 'RequestTimeout')
    expect(await connection.closes()).toBe(true)
    expect(await running.store.head('wire', 'never')).toBeUndefined()
  })
})

describe('limits of a request', () => {
  test('B27 a head that does not come to its end is RequestTimeout', async () => {
    const connection = await RawConnection.open(running.port)
    connection.write('GET /wire/key HTTP/1.1\r\nhost: x\r\n')
    const dribble = setInterval(() => connection.write('x-more: 1\r\n'), 200)
    const answer = await connection.answer(6_000)
    clearInterval(dribble)
    if (answer === undefined) throw new Error('no answer')
    expectError(answer, 400, 'RequestTimeout')
    expect(await connection.closes()).toBe(true)
  })

  test.each([
    ['announced', { 'content-length': '30000' }],
    ['in chunks', { 'transfer-encoding': 'chunked' }],
  ])('B28 documents that are too large are MaxMessageLengthExceeded: %s', async (_what, headers) => {
    const body = Buffer.from(`<Delete>${'<Object><Key>key</Key></Object>'.repeat(1_000)}</Delete>`).subarray(0, 30_000)
    for (const path of ['/wire?delete', '/wire/key?uploadId=x']) {
      const digest = path === '/wire?delete' ? { 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' } : {}
      const answer = await send(running, { method: 'POST', path, body, headers: { ...headers, ...digest } })
      expect([answer.status, codeOf(answer)]).toEqual([400, 'MaxMessageLengthExceeded'])
    }
    expect(await running.store.head('wire', 'key')).toBeDefined()
  })
})
