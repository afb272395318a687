/** What happens on the wire before, beside and after requests (S3 behaviour 17 to 28 and 113). */
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { requestDone, type RequestEvent } from '../../src/telemetry/channels.ts'
import { signRequest } from '../../src/s3/auth/sign.ts'
import { ACCESS_KEY, SECRET_KEY, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { head, RawConnection } from '../helpers/raw-connection.ts'
import { codeOf, send, signedHeaders } from '../helpers/signed-request.ts'

let running: TestGateway

beforeAll(async () => {
  running = await startGateway({ domains: ['s3.example.test'], server: { idleTimeout: 1_500, maxHeaderBytes: 8_192 } })
  await running.client().send(new CreateBucketCommand({ Bucket: 'wire' }))
})
afterAll(() => running.close())

const put = (path: string, body: Buffer, more: Record<string, string> = {}): string =>
  head('PUT', path, { ...signedHeaders(running, { method: 'PUT', path, body, headers: more }) })
const get = (path: string): string => head('GET', path, signedHeaders(running, { method: 'GET', path }))
const stored = async (key: string): Promise<boolean> => (await running.store.head('wire', key)) !== undefined

describe('B23 Expect: 100-continue', () => {
  test('is answered only when the request is authenticated, and then the body is read', async () => {
    const connection = await RawConnection.open(running.port)
    const body = Buffer.from('continued')
    connection.write(put('/wire/continue', body).replace('\r\n\r\n', '\r\nexpect: 100-continue\r\n\r\n'))
    expect((await connection.answer())?.status).toBe(100)
    connection.write(body)
    expect((await connection.answer())?.status).toBe(200)
    expect(await stored('continue')).toBe(true)
    connection.close()
  })

  test.each([
    [
      'an unknown key',
      '/wire/x',
      {
        authorization:
          'AWS4-HMAC-SHA256 Credential=NOBODY/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00',
      },
    ],
    ['no signature', '/wire/x', { authorization: '' }],
    ['a bucket that does not exist', '/no-such-bucket/x', {}],
  ])('is refused for %s without a 100', async (_name, path, change) => {
    const connection = await RawConnection.open(running.port)
    const headers = { ...signedHeaders(running, { method: 'PUT', path, body: Buffer.alloc(5) }), ...change }
    const sent = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== ''))
    connection.write(head('PUT', path, { ...sent, expect: '100-continue' }))
    const answer = await connection.answer()
    expect(answer?.status).toBeGreaterThanOrEqual(400)
    // A client that never sent its body must not have it awaited: the connection ends.
    expect(answer?.headers.get('connection')).toBe('close')
    connection.close()
  })

  test('B24 an unknown expectation is tolerated', async () => {
    const connection = await RawConnection.open(running.port)
    const body = Buffer.from('x')
    connection.write(put('/wire/expect-200', body).replace('\r\n\r\n', '\r\nexpect: 200\r\n\r\n'))
    connection.write(body)
    expect((await connection.answer())?.status).toBe(200)
    connection.close()
  })
})

describe('a connection after an early error', () => {
  test('B113 serves the next request when the unread body was small', async () => {
    const connection = await RawConnection.open(running.port)
    const body = Buffer.alloc(10_000, 'GET / HTTP/1.1\r\n\r\n')
    connection.write(put('/no-such-bucket/k', body))
    connection.write(body)
    connection.write(get('/wire?list-type=2'))
    expect((await connection.answer())?.status).toBe(404)
    const second = await connection.answer()
    expect(second?.status).toBe(200)
    expect(second?.body).toContain('<ListBucketResult')
    connection.close()
  })

  test('B113 is closed when the unread body is large, and its bytes are never taken for a request', async () => {
    const connection = await RawConnection.open(running.port)
    const body = Buffer.alloc(3_000_000, get('/wire?list-type=2'))
    connection.write(put('/no-such-bucket/k', body))
    connection.write(body)
    const answer = await connection.answer()
    expect(answer?.status).toBe(404)
    expect(answer?.headers.get('connection')).toBe('close')
    expect(await connection.closes()).toBe(true)
    expect(await connection.answer(100)).toBeUndefined()
  })
})

describe('bodies', () => {
  test('B25 without a length are accepted in chunks', async () => {
    const headers = signedHeaders(running, { method: 'PUT', path: '/wire/chunked' })
    const connection = await RawConnection.open(running.port)
    connection.write(head('PUT', '/wire/chunked', { ...headers, 'transfer-encoding': 'chunked' }))
    connection.write('5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n')
    expect((await connection.answer())?.status).toBe(200)
    const back = await send(running, { method: 'GET', path: '/wire/chunked' })
    expect(back.bytes.toString()).toBe('hello world')
    connection.close()
  })

  test.each([1_000, 3_000_000])('B26 cut short leave nothing behind (%i bytes)', async (size) => {
    const events: RequestEvent[] = []
    const stop = requestDone.subscribe((event) => void events.push(event))
    const call = { method: 'PUT', path: '/wire/cut', body: Buffer.alloc(size, 1), cutAfter: Math.floor(size / 2) }
    await expect(send(running, call)).rejects.toThrow()
    await expect.poll(() => events.length).toBe(1)
    stop()
    expect(events[0]).toMatchObject({ disconnected: true })
    expect(await stored('cut')).toBe(false)
  })

  test('B27 that fall silent end in RequestTimeout, and leave nothing behind', async () => {
    const connection = await RawConnection.open(running.port)
    connection.write(put('/wire/silent', Buffer.alloc(100)))
    connection.write(Buffer.alloc(10))
    const answer = await connection.answer(6_000)
    expect(answer?.status).toBe(400)
    expect(answer?.body).toContain('<Code>RequestTimeout</Code>')
    expect(await connection.closes(6_000)).toBe(true)
    expect(await stored('silent')).toBe(false)
  })
})

describe('what never becomes a request', () => {
  test('B28 too many header bytes: RequestHeaderSectionTooLarge', async () => {
    const connection = await RawConnection.open(running.port)
    connection.write(`GET / HTTP/1.1\r\nhost: x\r\nx-long: ${'a'.repeat(10_000)}\r\n\r\n`)
    const answer = await connection.answer()
    expect(answer?.status).toBe(400)
    expect(answer?.body).toContain('<Code>RequestHeaderSectionTooLarge</Code>')
    expect(await connection.closes()).toBe(true)
  })

  test.each([
    ['a malformed request line', 'NONSENSE\r\n\r\n'],
    ['B25 a negative length', 'PUT /wire/x HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n'],
    ['two lengths', 'PUT /wire/x HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n'],
    [
      'a length beside chunks',
      'PUT /wire/x HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
    ],
  ])('%s: 400 and the connection ends', async (_name, text) => {
    const connection = await RawConnection.open(running.port)
    connection.write(text)
    expect((await connection.answer())?.status).toBe(400)
    expect(await connection.closes()).toBe(true)
  })
})

describe('the Host header', () => {
  test.each([
    ['none', ''],
    ['two', 'host: a\r\nhost: b\r\n'],
  ])('%s: 400 with a document', async (_name, lines) => {
    const connection = await RawConnection.open(running.port)
    connection.write(`GET /wire HTTP/1.1\r\n${lines}\r\n`)
    const answer = await connection.answer()
    expect(answer?.status).toBe(400)
    expect(answer?.body).toContain('<Code>InvalidRequest</Code>')
    connection.close()
  })

  test('may be missing in HTTP/1.0', async () => {
    const connection = await RawConnection.open(running.port)
    connection.write('GET /wire HTTP/1.0\r\n\r\n')
    expect((await connection.answer())?.status).toBe(403)
    connection.close()
  })
})

describe('addressing', () => {
  test('path style and virtual-host style name the same bucket', async () => {
    await running.client().send(new PutObjectCommand({ Bucket: 'wire', Key: 'styles', Body: 'same' }))
    const host = `wire.s3.example.test:${running.port}`
    const headers = signRequest({
      method: 'GET',
      url: `http://${host}/styles`,
      headers: {},
      credentials: { accessKey: ACCESS_KEY, secret: SECRET_KEY },
      region: 'us-east-1',
      now: new Date(),
      payloadHash: 'UNSIGNED-PAYLOAD',
    })
    const connection = await RawConnection.open(running.port)
    connection.write(head('GET', '/styles', headers))
    expect((await connection.answer())?.body).toBe('same')
    connection.close()
    expect((await send(running, { method: 'GET', path: '/wire/styles' })).bytes.toString()).toBe('same')
  })

  test.each([
    ['/wire/%AE%8A', 400, 'InvalidURI'],
    [`/wire/${'k'.repeat(1_025)}`, 400, 'KeyTooLongError'],
    ['/wire/none?versionId=', 400, 'InvalidArgument'],
    ['/wire?policy', 501, 'NotImplemented'],
    ['/wire?versions', 501, 'NotImplemented'],
    ['/wire/k?tagging', 501, 'NotImplemented'],
  ])('%s is %i %s', async (path, status, code) => {
    const answer = await send(running, { method: 'GET', path })
    expect([answer.status, codeOf(answer)]).toEqual([status, code])
    expect(answer.bytes.toString()).toContain(`<RequestId>${String(answer.headers['x-amz-request-id'])}</RequestId>`)
    expect(answer.headers['x-amz-id-2']).toBe('host-id')
  })

  test('B49 errors of HEAD have no body', async () => {
    for (const path of ['/wire/none', '/no-such-bucket']) {
      const answer = await send(running, { method: 'HEAD', path })
      expect([answer.status, answer.bytes.length]).toEqual([404, 0])
    }
  })

  test('keys are literal: dots and slashes mean nothing', async () => {
    const keys = [
      '..',
      '../../etc/passwd',
      'a//b',
      'a/./b',
      'a/../b',
      '/lead',
      'tail/',
      'a',
      'a/',
      'a/b',
      ' ',
      '+',
      '%2F',
      'ü',
      '𝒳',
      '\u0001',
    ]
    for (const key of keys) {
      const path = `/wire/${encodeURIComponent(key)}`
      expect((await send(running, { method: 'PUT', path, body: Buffer.from(key) })).status).toBe(200)
    }
    for (const key of keys) {
      const back = await send(running, { method: 'GET', path: `/wire/${encodeURIComponent(key)}` })
      expect(back.bytes.toString()).toBe(key)
    }
  })
})
