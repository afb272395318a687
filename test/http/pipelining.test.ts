/** Several requests on one connection: each gets its own whole answer, and nothing is ever written into the midst of another's (S3 behaviour 25, 26 and 113). */
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { requestDone, type RequestEvent } from '../../src/telemetry/channels.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { head, RawConnection } from '../helpers/raw-connection.ts'
import { send, type SignedCall, signedHeaders } from '../helpers/signed-request.ts'

const Bucket = 'pipeline'
/** More than the buffers of both sockets hold. */
const large = Buffer.alloc(16 * 1024 * 1024, 'the body of the first answer, ')
let running: TestGateway
let events: RequestEvent[] = []
const stop = requestDone.subscribe((event) => void events.push(event))

beforeAll(async () => {
  running = await startGateway({ server: { idleTimeout: 1_200 } })
  const s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket }))
  await s3.send(new PutObjectCommand({ Bucket, Key: 'large', Body: large }))
  await s3.send(new PutObjectCommand({ Bucket, Key: 'small', Body: 'small body', Metadata: { a: 'b' } }))
})
afterAll(async () => {
  stop()
  await running.close()
})

function text(method: string, path: string, more: Omit<SignedCall, 'method' | 'path'> = {}): string {
  const headers = signedHeaders(running, { method, path, ...more })
  return `${head(method, path, headers)}${more.body?.toString('latin1') ?? ''}`
}

/** The bytes behind the first answer's head. */
function bodyOf(received: Buffer): Buffer {
  expect(received.subarray(0, 12).toString()).toBe('HTTP/1.1 200')
  return received.subarray(received.indexOf('\r\n\r\n') + 4)
}

describe('an answer under way is either finished or torn, never written into', () => {
  const GARBAGE = 'NONSENSE\r\n\r\n'
  test.each([
    ['bytes that are no request', () => GARBAGE],
    ['another request and bytes that are none', () => text('GET', `/${Bucket}/small`) + GARBAGE],
    ['too many header bytes', () => `GET / HTTP/1.1\r\nhost: x\r\nx-long: ${'a'.repeat(40_000)}\r\n\r\n`],
  ])('when %s come behind its request', async (_what, more) => {
    const connection = await RawConnection.open(running.port)
    connection.pause()
    connection.write(text('GET', `/${Bucket}/large`))
    await new Promise((resolve) => setTimeout(resolve, 200))
    connection.write(more())
    await new Promise((resolve) => setTimeout(resolve, 200))
    connection.resume()
    const body = bodyOf(await connection.rest())
    expect(body.subarray(0, large.length).equals(large.subarray(0, body.length))).toBe(true)
    // Whole, it may be followed by the refusal of what came behind.
    if (body.length > large.length) expect(body.subarray(large.length, large.length + 9).toString()).toBe('HTTP/1.1 ')
  })

  test('when its reader falls silent while another request waits behind it', async () => {
    const connection = await RawConnection.open(running.port)
    connection.pause()
    const waiting = text('PUT', `/${Bucket}/never`, { headers: { 'content-length': '10' } })
    connection.write(text('GET', `/${Bucket}/large`) + waiting)
    await new Promise((resolve) => setTimeout(resolve, 2_600))
    connection.resume()
    const body = bodyOf(await connection.rest())
    expect(body.length).toBeLessThan(large.length)
    expect(body.equals(large.subarray(0, body.length))).toBe(true)
  })

  test('when its client half-closes', async () => {
    const connection = await RawConnection.open(running.port)
    connection.write(text('GET', `/${Bucket}/large`))
    connection.end()
    const body = bodyOf(await connection.rest())
    expect(body.equals(large.subarray(0, body.length))).toBe(true)
  })

  test('when bytes that are no request come with it: they are not answered in its stead', async () => {
    const connection = await RawConnection.open(running.port)
    connection.write(text('GET', `/${Bucket}/small`) + GARBAGE)
    const answer = await connection.answer()
    if (answer !== undefined) expect([answer.status, answer.body]).toEqual([200, 'small body'])
    expect(await connection.closes()).toBe(true)
  })
})

describe('a body that ends before its length', () => {
  test.each([
    ['a gathered object', 1_000, '/short'],
    ['a streamed object', 2 * 1024 * 1024, '/short'],
  ])('B26 is IncompleteBody where the client still listens, and leaves nothing: %s', async (_what, size, key) => {
    events = []
    const connection = await RawConnection.open(running.port)
    connection.write(
      head(
        'PUT',
        `/${Bucket}${key}`,
        signedHeaders(running, { method: 'PUT', path: `/${Bucket}${key}`, body: Buffer.alloc(size) }),
      ),
    )
    connection.write(Buffer.alloc(100))
    connection.end()
    const answer = await connection.answer()
    expect([answer?.status, /<Code>(\w+)</.exec(answer?.body ?? '')?.[1]]).toEqual([400, 'IncompleteBody'])
    expect(await connection.closes()).toBe(true)
    await expect.poll(() => events.length).toBe(1)
    expect(await running.store.head(Bucket, key.slice(1))).toBeUndefined()
  })

  test('B26 is IncompleteBody in chunked coding too', async () => {
    const connection = await RawConnection.open(running.port)
    const headers = signedHeaders(running, { method: 'PUT', path: `/${Bucket}/cut` })
    connection.write(head('PUT', `/${Bucket}/cut`, { ...headers, 'transfer-encoding': 'chunked' }))
    connection.write('5\r\nhello\r\n6\r\n wo')
    connection.end()
    const answer = await connection.answer()
    expect([answer?.status, /<Code>(\w+)</.exec(answer?.body ?? '')?.[1]]).toEqual([400, 'IncompleteBody'])
    expect(await running.store.head(Bucket, 'cut')).toBeUndefined()
  })
})

describe('a PUT without any length', () => {
  const bare = (method: string, path: string, headers: Record<string, string> = {}): string =>
    head(method, path, signedHeaders(running, { method, path, headers }))

  test('B25 of an object or a part is MissingContentLength', async () => {
    const create = await send(running, { method: 'POST', path: `/${Bucket}/parts?uploads` })
    const id = /<UploadId>(\w+)</.exec(create.bytes.toString())?.[1] ?? ''
    for (const path of [`/${Bucket}/nothing`, `/${Bucket}/parts?partNumber=1&uploadId=${id}`]) {
      const connection = await RawConnection.open(running.port)
      connection.write(bare('PUT', path))
      const answer = await connection.answer()
      expect([answer?.status, /<Code>(\w+)</.exec(answer?.body ?? '')?.[1]]).toEqual([411, 'MissingContentLength'])
      connection.close()
    }
    expect(await running.store.head(Bucket, 'nothing')).toBeUndefined()
  })

  test('of a bucket or of a copy has no body, and needs no length', async () => {
    const connection = await RawConnection.open(running.port)
    connection.write(bare('PUT', '/no-length-bucket'))
    expect((await connection.answer())?.status).toBe(200)
    connection.write(bare('PUT', `/${Bucket}/copied`, { 'x-amz-copy-source': `/${Bucket}/small` }))
    expect((await connection.answer())?.status).toBe(200)
    connection.close()
  })

  test('B25 with an empty length is 400', async () => {
    const connection = await RawConnection.open(running.port)
    connection.write(bare('PUT', `/${Bucket}/nothing`).replace('\r\n\r\n', '\r\ncontent-length:\r\n\r\n'))
    expect((await connection.answer())?.status).toBe(400)
    connection.close()
  })

  test('B25 in aws-chunked coding without its decoded length is MissingContentLength', async () => {
    for (const payloadHash of ['STREAMING-UNSIGNED-PAYLOAD-TRAILER', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD']) {
      const body = Buffer.from('0\r\n\r\n')
      const answer = await send(running, { method: 'PUT', path: `/${Bucket}/nothing`, body, payloadHash })
      expect(answer.status).toBe(411)
    }
  })
})

test('one connection serves every kind of answer in turn, in order, and stays in step', async () => {
  const connection = await RawConnection.open(running.port)
  const path = `/${Bucket}/small`
  const etag = (await send(running, { method: 'HEAD', path })).headers.etag ?? ''
  const body = Buffer.from('GET /x HTTP/1.1\r\nhost: smuggled\r\n\r\n')
  const steps: [string, string, number, Omit<SignedCall, 'method' | 'path'>?][] = [
    ['GET', path, 200],
    ['HEAD', path, 200],
    ['HEAD', `/${Bucket}/none`, 404],
    ['GET', path, 304, { headers: { 'if-none-match': etag } }],
    ['HEAD', path, 304, { headers: { 'if-none-match': etag } }],
    ['GET', path, 206, { headers: { range: 'bytes=1-2' } }],
    ['GET', path, 416, { headers: { range: 'bytes=99-' } }],
    ['HEAD', path, 416, { headers: { range: 'bytes=99-' } }],
    ['PUT', `/${Bucket}/kept`, 200, { body }],
    ['PUT', `/${Bucket}/kept`, 200, { body: Buffer.alloc(0) }],
    ['PUT', `/${Bucket}/kept`, 501, { body, headers: { 'x-amz-tagging': 'a=b' } }],
    ['GET', path, 200, { body }],
    ['DELETE', `/${Bucket}/kept`, 204],
    ['DELETE', `/${Bucket}/kept`, 204, { body }],
    ['POST', `/${Bucket}?delete`, 400, { body, headers: { 'content-md5': 'AAAA' } }],
    ['PATCH', path, 405, { body }],
    ['GET', `/${Bucket}?list-type=2&prefix=small`, 200],
  ]
  connection.write(steps.map(([method, target, , more]) => text(method, target, more)).join(''))
  for (const [method, target, status] of steps) {
    const answer = await connection.answer(5_000, method === 'HEAD')
    expect([method, target, answer?.status]).toEqual([method, target, status])
    if (method === 'GET' && status === 200 && target === path) expect(answer?.body).toBe('small body')
  }
  connection.close()
})

test('connections over the limit are turned away, and come in when there is room', async () => {
  const narrow = await startGateway({ server: { maxConnections: 2 } })
  const open = [await RawConnection.open(narrow.port), await RawConnection.open(narrow.port)]
  const surplus = await RawConnection.open(narrow.port).catch(() => undefined)
  if (surplus !== undefined) expect(await surplus.closes()).toBe(true)
  for (const connection of open) {
    connection.write(head('GET', '/', signedHeaders(narrow, { method: 'GET', path: '/' })))
    expect((await connection.answer())?.status).toBe(200)
    connection.close()
  }
  await expect
    .poll(async () => (await send(narrow, { method: 'GET', path: '/' }).catch(() => undefined))?.status)
    .toBe(200)
  await narrow.close()
})

describe('clients that go away are no errors', () => {
  test('in the midst of a download: the store’s body is left, and the event says so', async () => {
    events = []
    const connection = await RawConnection.open(running.port)
    connection.pause()
    connection.write(text('GET', `/${Bucket}/large`))
    await new Promise((resolve) => setTimeout(resolve, 200))
    connection.close()
    await expect.poll(() => events.length).toBe(1)
    expect(events[0]).toMatchObject({ operation: 'GetObject', status: 200, disconnected: true })
    expect(events[0]?.code).toBeUndefined()
  })

  test('after half of an early-refused body', async () => {
    events = []
    const connection = await RawConnection.open(running.port)
    const path = '/no-such-bucket/k'
    connection.write(head('PUT', path, signedHeaders(running, { method: 'PUT', path, body: Buffer.alloc(1_000_000) })))
    connection.write(Buffer.alloc(1_000))
    expect((await connection.answer())?.status).toBe(404)
    connection.close()
    await expect.poll(() => events.length).toBe(1)
    expect(events[0]).toMatchObject({ status: 404, code: 'NoSuchBucket' })
  })
})
