/** What a client says about its bytes is checked before an object or a part exists (S3 behaviour 8 and 29 to 40). */
import { createHash, randomBytes } from 'node:crypto'
import { CreateBucketCommand, CreateMultipartUploadCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { checksumOf } from '../../src/s3/checksum.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { codeOf, send, type SignedAnswer } from '../helpers/signed-request.ts'

const MIB = 1024 * 1024
const Bucket = 'uploads'
let running: TestGateway
let UploadId = ''

beforeAll(async () => {
  running = await startGateway({ store: new MemoryStore(), gatherBytes: 40 * MIB })
  const s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket }))
  UploadId = (await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'parts' }))).UploadId!
})
afterAll(() => running.close())

const b64 = (algorithm: string, bytes: Buffer): string => createHash(algorithm).update(bytes).digest('base64')

/** Where a body can go: gathered, streamed, held back, streamed as a part. */
const targets: [string, number, () => string][] = [
  ['a small object', 1_000, () => `/${Bucket}/object`],
  ['a streamed object', 2 * MIB, () => `/${Bucket}/object`],
  ['a part that is held back', 3 * MIB, () => `/${Bucket}/parts?partNumber=1&uploadId=${UploadId}`],
  ['a streamed part', 6 * MIB, () => `/${Bucket}/parts?partNumber=2&uploadId=${UploadId}`],
]

async function expectNothing(): Promise<void> {
  expect((await running.store.list(Bucket, { prefix: '', limit: 10 })).objects).toEqual([])
  const { parts } = await running.store.listParts(
    { bucket: Bucket, key: 'parts', uploadId: UploadId },
    { after: 0, limit: 10 },
  )
  expect(parts).toEqual([])
  const state = await running.state.list('sealgate-state', { prefix: 'uploads/', limit: 10 })
  expect(state.objects.filter(({ key }) => !key.endsWith('/create'))).toEqual([])
}

/** `hex;…\r\n data \r\n` frames of an unsigned body with trailers. */
function framed(body: Buffer, trailers: Readonly<Record<string, string>>, frame = 65_536): Buffer {
  const pieces: Buffer[] = []
  for (let at = 0; at < body.length; at += frame) {
    const piece = body.subarray(at, at + frame)
    pieces.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'))
  }
  const lines = Object.entries(trailers).map(([name, value]) => `${name}:${value}\r\n`)
  return Buffer.concat([...pieces, Buffer.from(`0\r\n${lines.join('')}\r\n`)])
}

const putTrailer = (
  path: string,
  body: Buffer,
  wire: Buffer,
  more: Record<string, string> = {},
): Promise<SignedAnswer> =>
  send(running, {
    method: 'PUT',
    path,
    body: wire,
    payloadHash: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    headers: { 'x-amz-decoded-content-length': String(body.length), 'x-amz-trailer': 'x-amz-checksum-crc32', ...more },
  })

describe.each(targets)('%s', (_name, size, path) => {
  const body = randomBytes(size)
  const other = randomBytes(16)

  test.each([
    ['B29 a Content-MD5 that is another', { 'content-md5': b64('md5', Buffer.from('other')) }, 'BadDigest'],
    ['B29 a Content-MD5 that is none', { 'content-md5': 'short' }, 'InvalidDigest'],
    ['another SHA-256', { 'x-amz-checksum-sha256': b64('sha256', Buffer.from('other')) }, 'BadDigest'],
    ['another SHA-1', { 'x-amz-checksum-sha1': b64('sha1', Buffer.from('other')) }, 'BadDigest'],
    ['another CRC32', { 'x-amz-checksum-crc32': Buffer.alloc(4, 1).toString('base64') }, 'BadDigest'],
    ['another CRC32C', { 'x-amz-checksum-crc32c': Buffer.alloc(4, 1).toString('base64') }, 'BadDigest'],
    ['another CRC64NVME', { 'x-amz-checksum-crc64nvme': Buffer.alloc(8, 1).toString('base64') }, 'BadDigest'],
    ['an ill-formed checksum', { 'x-amz-checksum-crc32': 'AAAA' }, 'InvalidRequest'],
    [
      'B36 two checksums',
      { 'x-amz-checksum-crc32': 'AAAAAA==', 'x-amz-checksum-sha1': b64('sha1', other) },
      'InvalidRequest',
    ],
    ['another checksum, of a newer algorithm', { 'x-amz-checksum-sha512': b64('sha512', other) }, 'BadDigest'],
    ['B36 an algorithm without a value', { 'x-amz-sdk-checksum-algorithm': 'CRC32' }, 'InvalidRequest'],
  ])('%s: refused, and nothing exists', async (_what, headers, code) => {
    const answer = await send(running, { method: 'PUT', path: path(), body, headers })
    expect([codeOf(answer), answer.status]).toEqual([code, 400])
    await expectNothing()
  })

  test('B8 a body with another hash than it was signed with: XAmzContentSHA256Mismatch', async () => {
    const payloadHash = createHash('sha256').update('other').digest('hex')
    expect(codeOf(await send(running, { method: 'PUT', path: path(), body, payloadHash }))).toBe(
      'XAmzContentSHA256Mismatch',
    )
    await expectNothing()
  })

  test.each([
    ['B33 another checksum in the trailer', { 'x-amz-checksum-crc32': 'AAAAAA==' }, 'BadDigest'],
    ['B33 no trailer', {}, 'MalformedTrailerError'],
    ['B33 another trailer than announced', { 'x-amz-checksum-sha1': b64('sha1', body) }, 'MalformedTrailerError'],
    ['B33 an ill-formed trailer value', { 'x-amz-checksum-crc32': 'nonsense' }, 'InvalidRequest'],
  ])('%s: refused, and nothing exists', async (_what, trailers: Record<string, string>, code) => {
    const answer = await putTrailer(path(), body, framed(body, trailers))
    expect([answer.status, codeOf(answer)]).toEqual([400, code])
    if (code === 'InvalidRequest')
      expect(answer.bytes.toString()).toContain('Value for x-amz-checksum-crc32 trailing header is invalid')
    await expectNothing()
  })

  test('B34 fewer bytes than the decoded length: refused, and nothing exists', async () => {
    const crc = checksumOf('CRC32', body.subarray(1)).toString('base64')
    const answer = await putTrailer(path(), body, framed(body.subarray(1), { 'x-amz-checksum-crc32': crc }))
    expect(['IncompleteBody', 'InvalidRequest']).toContain(codeOf(answer))
    await expectNothing()
  })
})

describe('what is accepted', () => {
  test('B32 unsigned frames with the right checksum in their trailer, kept and returned', async () => {
    const body = randomBytes(3 * MIB)
    const crc = checksumOf('CRC32', body).toString('base64')
    const put = await putTrailer(`/${Bucket}/trailer`, body, framed(body, { 'x-amz-checksum-crc32': crc }))
    expect([put.status, put.headers['x-amz-checksum-crc32']]).toEqual([200, crc])
    const back = await send(running, {
      method: 'GET',
      path: `/${Bucket}/trailer`,
      headers: { 'x-amz-checksum-mode': 'ENABLED' },
    })
    expect(back.headers['x-amz-checksum-crc32']).toBe(crc)
    expect(back.bytes.equals(body)).toBe(true)
  })

  test('B35 aws-chunked is taken off the Content-Encoding, whatever stands beside it, and need not be there', async () => {
    const body = Buffer.from('encoded')
    const crc = checksumOf('CRC32', body).toString('base64')
    for (const [sent, kept] of [
      ['aws-chunked', undefined],
      ['gzip, aws-chunked', 'gzip'],
      ['aws-chunked,gzip', 'gzip'],
      ['aws-chunked, aws-chunked', undefined],
      ['br, aws-chunked, gzip', 'br, gzip'],
      ['br', 'br'],
      [undefined, undefined],
    ]) {
      const wire = framed(body, { 'x-amz-checksum-crc32': crc })
      const more: Record<string, string> = sent === undefined ? {} : { 'content-encoding': sent }
      await putTrailer(`/${Bucket}/encoding`, body, wire, more)
      const back = await send(running, { method: 'GET', path: `/${Bucket}/encoding` })
      expect([sent, back.headers['content-encoding'], back.bytes.toString()]).toEqual([sent, kept, 'encoded'])
    }
  })

  test.each(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const)('%s in a header', async (name) => {
    const body = randomBytes(2 * MIB)
    const header = `x-amz-checksum-${name.toLowerCase()}`
    const value = checksumOf(name, body).toString('base64')
    const put = await send(running, { method: 'PUT', path: `/${Bucket}/${name}`, body, headers: { [header]: value } })
    expect([put.status, put.headers[header], put.headers['x-amz-checksum-type']]).toEqual([200, value, 'FULL_OBJECT'])
    const head = await send(running, {
      method: 'HEAD',
      path: `/${Bucket}/${name}`,
      headers: { 'x-amz-checksum-mode': 'ENABLED' },
    })
    expect(head.headers[header]).toBe(value)
    const silent = await send(running, { method: 'HEAD', path: `/${Bucket}/${name}` })
    expect(silent.headers[header]).toBeUndefined()
  })
})

describe('bodies without a length', () => {
  const put = (path: string, body: Buffer): Promise<SignedAnswer> =>
    send(running, { method: 'PUT', path, body, headers: { 'transfer-encoding': 'chunked' } })

  test.each([0, 5, 8 * MIB, 8 * MIB + 1, 17 * MIB, 24 * MIB])('of %i bytes', async (size) => {
    const body = randomBytes(size)
    const path = `/${Bucket}/unknown-${size}`
    const answer = await put(path, body)
    const etag = `"${createHash('md5').update(body).digest('hex')}"`
    expect([answer.status, answer.headers.etag]).toEqual([200, etag])
    const back = await send(running, { method: 'GET', path })
    expect(back.bytes.equals(body)).toBe(true)
    expect(back.headers.etag).toBe(etag)
    const range = await send(running, { method: 'GET', path, headers: { range: `bytes=${Math.max(0, size - 10)}-` } })
    if (size > 0) expect(range.bytes.equals(body.subarray(-10))).toBe(true)
    // Presented as not multipart.
    const part = await send(running, { method: 'HEAD', path: `${path}?partNumber=1` })
    expect(part.headers['x-amz-mp-parts-count']).toBeUndefined()
  })

  test('B111 over the memory that is allowed for them are turned away with SlowDown', async () => {
    const { gather } = running.gateway.limits
    const held = gather.open()
    held.add(gather.limit - 5 * MIB)
    const path = `/${Bucket}/slow`
    const answer = await put(path, randomBytes(9 * MIB))
    expect([answer.status, codeOf(answer)]).toEqual([503, 'SlowDown'])
    expect((await put(path, randomBytes(4 * MIB))).status).toBe(200)
    held.release()
    expect((await put(path, randomBytes(9 * MIB))).status).toBe(200)
  })

  test('with a wrong checksum at the end leave nothing behind', async () => {
    const answer = await send(running, {
      method: 'PUT',
      path: `/${Bucket}/wrong-end`,
      body: randomBytes(17 * MIB),
      headers: { 'transfer-encoding': 'chunked', 'content-md5': b64('md5', Buffer.from('other')) },
    })
    expect(codeOf(answer)).toBe('BadDigest')
    expect(await running.store.head(Bucket, 'wrong-end')).toBeUndefined()
    const { uploads } = await running.store.listUploads(Bucket, { prefix: 'wrong-end', limit: 10 })
    expect(uploads).toEqual([])
  })
})

test('uploads of a page are looked up side by side, and keep their order', async () => {
  const keys = Array.from({ length: 20 }, (_, at) => `many/${String(at).padStart(2, '0')}`)
  const s3 = running.client()
  for (const Key of keys) await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
  const { uploads } = running.gateway
  const look = uploads.isClients.bind(uploads)
  let [now, most] = [0, 0]
  vi.spyOn(uploads, 'isClients').mockImplementation(async (ref) => {
    now += 1
    most = Math.max(most, now)
    // The first is the slowest.
    await new Promise((resolve) => setTimeout(resolve, ref.key === keys[0] ? 30 : 1))
    now -= 1
    return look(ref)
  })
  const { Uploads } = await s3.send(new ListMultipartUploadsCommand({ Bucket, Prefix: 'many/' }))
  vi.restoreAllMocks()
  expect(Uploads?.map(({ Key }) => Key)).toEqual(keys)
  expect(most).toBe(16)
})
