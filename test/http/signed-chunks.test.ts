/** Bodies whose chunks are signed one by one: what is right is stored, and of what is wrong nothing exists (S3 behaviour 30 to 36). */
import { createHash, randomBytes } from 'node:crypto'
import { CreateBucketCommand, CreateMultipartUploadCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checksumOf } from '../../src/s3/checksum.ts'
import { expectError } from '../helpers/error-answer.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { type ChunkedUpload, putChunks } from '../helpers/signed-chunks.ts'
import { codeOf, send } from '../helpers/signed-request.ts'

const MIB = 1024 * 1024
const CHUNK = 65_536
const Bucket = 'chunks'
let running: TestGateway
let UploadId = ''

beforeAll(async () => {
  running = await startGateway()
  const s3 = running.client()
  await s3.send(new CreateBucketCommand({ Bucket }))
  UploadId = (await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'parts' }))).UploadId!
})
afterAll(() => running.close())

function cut(body: Buffer, size = CHUNK): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0; at < body.length; at += size) chunks.push(body.subarray(at, at + size))
  return chunks
}
const flipLast = (frame: Buffer): Buffer => {
  const copy = Buffer.from(frame)
  const at = copy.length - 3
  copy.writeUInt8(copy.readUInt8(at) ^ 1, at)
  return copy
}
const crc32 = (body: Buffer): string => checksumOf('CRC32', body).toString('base64')

async function expectNothing(): Promise<void> {
  expect((await running.store.list(Bucket, { prefix: '', limit: 10 })).objects).toEqual([])
  const ref = { bucket: Bucket, key: 'parts', uploadId: UploadId }
  expect((await running.store.listParts(ref, { after: 0, limit: 10 })).parts).toEqual([])
  const state = await running.state.list('sealgate-state', { prefix: 'uploads/', limit: 10 })
  expect(state.objects.filter(({ key }) => !key.endsWith('/create'))).toEqual([])
}

describe.each([
  ['a small object', 20_000, () => `/${Bucket}/object`],
  ['a streamed object', 2 * MIB, () => `/${Bucket}/object`],
  ['a part that is held back', 3 * MIB, () => `/${Bucket}/parts?partNumber=1&uploadId=${UploadId}`],
  ['a streamed part', 6 * MIB, () => `/${Bucket}/parts?partNumber=2&uploadId=${UploadId}`],
] as [string, number, () => string][])('%s', (_name, size, path) => {
  const body = randomBytes(size)
  const chunks = cut(body)
  const last = chunks.length
  const tiny = [body.subarray(0, 8_191), ...cut(body.subarray(8_191))]
  const trailer = { 'x-amz-trailer': 'x-amz-checksum-crc32' }
  const withTrailer = (value: string, more: Partial<ChunkedUpload> = {}): Partial<ChunkedUpload> => ({
    headers: trailer,
    trailers: { 'x-amz-checksum-crc32': value },
    ...more,
  })
  const at =
    (index: number, change: (frame: Buffer) => Buffer) =>
    (frame: Buffer, i: number): Buffer =>
      i === index ? change(frame) : frame

  const cases: [string, Partial<ChunkedUpload>, number, string][] = [
    ['B30 a changed byte in the last chunk', { change: at(last - 1, flipLast) }, 403, 'SignatureDoesNotMatch'],
    ['B30 a changed byte in the first chunk', { change: at(0, flipLast) }, 403, 'SignatureDoesNotMatch'],
    [
      'B30 a signature that is none',
      { change: at(0, (frame) => Buffer.from(frame.toString('latin1').replace(/=[0-9a-f]{64}/, '=00'), 'latin1')) },
      400,
      'IncompleteBody',
    ],
    [
      'B30 an empty chunk with the signature of another',
      {
        change: at(last, (frame) => Buffer.from(frame.toString().replace(/=[0-9a-f]{64}/, `=${'0'.repeat(64)}`))),
      },
      403,
      'SignatureDoesNotMatch',
    ],
    ['B31 a chunk before the last that is too small', { chunks: tiny }, 400, 'InvalidChunkSizeError'],
    ['B34 more bytes than the decoded length', { decodedLength: size - 1 }, 400, 'IncompleteBody'],
    ['B34 fewer bytes than the decoded length', { decodedLength: size + 1 }, 400, 'IncompleteBody'],
    ['B30 no empty chunk at the end', { change: at(last, () => Buffer.alloc(0)) }, 400, 'IncompleteBody'],
    [
      'bytes behind its end',
      { change: at(last + 1, (frame) => Buffer.concat([frame, Buffer.from('x')])) },
      400,
      'InvalidRequest',
    ],
    ['B33 a trailer with another checksum', withTrailer('AAAAAA=='), 400, 'BadDigest'],
    ['B33 a trailer that is no checksum', withTrailer('nonsense'), 400, 'InvalidRequest'],
    [
      'B33 another trailer than announced',
      { headers: trailer, trailers: { 'x-amz-checksum-sha1': 'AAAA' } },
      400,
      'MalformedTrailerError',
    ],
    [
      'B32 a trailer without its signature',
      withTrailer(crc32(body), {
        change: at(last + 1, (frame) => Buffer.from(frame.toString().replace(/x-amz-trailer-signature:.*\r\n/, ''))),
      }),
      400,
      'MalformedTrailerError',
    ],
    [
      'B32 a trailer with a wrong signature',
      withTrailer(crc32(body), {
        change: at(last + 1, (frame) =>
          Buffer.from(frame.toString().replace(/signature:[0-9a-f]{64}/, `signature:${'0'.repeat(64)}`)),
        ),
      }),
      403,
      'SignatureDoesNotMatch',
    ],
    [
      'B33 a trailer that breaks off',
      withTrailer(crc32(body), { change: at(last + 1, (frame) => frame.subarray(0, 30)) }),
      400,
      'MalformedTrailerError',
    ],
    [
      'B33 a trailer nobody announced',
      { trailers: { 'x-amz-checksum-crc32': crc32(body) } },
      400,
      'MalformedTrailerError',
    ],
    ['B29 a Content-MD5 of other bytes', { headers: { 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' } }, 400, 'BadDigest'],
    ['B39 a checksum of other bytes', { headers: { 'x-amz-checksum-crc32': 'AAAAAA==' } }, 400, 'BadDigest'],
  ]
  test.each(cases)('%s: refused, and nothing exists', async (_what, upload, status, code) => {
    const answer = await putChunks(running, { path: path(), chunks, ...upload })
    const found = expectError(answer, status, code)
    if (code === 'InvalidChunkSizeError') expect(found).toMatchObject({ Chunk: '1', BadChunkSize: '8191' })
    if (code === 'BadDigest') expect(Object.keys(found)).toEqual(expect.arrayContaining(['Code', 'Message']))
    await expectNothing()
  })
})

describe('B30 B34 signed chunks that are right', () => {
  const body = randomBytes(2 * MIB + 17)
  const etag = `"${createHash('md5').update(body).digest('hex')}"`

  test.each([
    ['without trailer', {}],
    [
      'B32 with a signed trailer',
      { headers: { 'x-amz-trailer': 'x-amz-checksum-crc32' }, trailers: { 'x-amz-checksum-crc32': '' } },
    ],
    ['with a checksum in a header', { headers: { 'x-amz-checksum-crc32': '' } }],
  ] as [string, Partial<ChunkedUpload>][])(
    '%s are stored decoded, without aws-chunked in Content-Encoding',
    async (_what, given) => {
      const value = crc32(body)
      const filled = (record?: Readonly<Record<string, string>>): Record<string, string> =>
        Object.fromEntries(Object.entries(record ?? {}).map(([name, text]) => [name, text === '' ? value : text]))
      const path = `/${Bucket}/right`
      for (const size of [8_192, CHUNK, body.length]) {
        const answer = await putChunks(running, {
          path,
          chunks: cut(body, size),
          headers: { 'content-encoding': 'aws-chunked', ...filled(given.headers) },
          ...(given.trailers === undefined ? {} : { trailers: filled(given.trailers) }),
        })
        expect([answer.status, answer.headers.get('etag')]).toEqual([200, etag])
        const back = await send(running, { method: 'GET', path })
        expect(back.bytes.equals(body)).toBe(true)
        expect(back.headers['content-encoding']).toBeUndefined()
      }
    },
  )

  test('of an empty object are one empty chunk', async () => {
    const path = `/${Bucket}/empty`
    expect((await putChunks(running, { path, chunks: [] })).status).toBe(200)
    expect((await send(running, { method: 'HEAD', path })).headers['content-length']).toBe('0')
  })
})

describe('what is said about checksums', () => {
  const body = Buffer.from('a body')
  const put = (headers: Record<string, string>) =>
    send(running, { method: 'PUT', path: `/${Bucket}/said`, body, headers })

  test('B29 one wrong digest is told with both values', async () => {
    const answer = await put({ 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' })
    const text = answer.bytes.toString()
    expect(codeOf(answer)).toBe('BadDigest')
    expect(text).toContain(`<ExpectedDigest>${'0'.repeat(32)}</ExpectedDigest>`)
    expect(text).toContain(`<CalculatedDigest>${createHash('md5').update(body).digest('hex')}</CalculatedDigest>`)
  })

  test.each([
    ['B29 an empty Content-MD5', { 'content-md5': '' }, 'InvalidDigest'],
    ['B29 a Content-MD5 in hex', { 'content-md5': createHash('md5').update(body).digest('hex') }, 'InvalidDigest'],
    ['B29 a Content-MD5 without padding', { 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA' }, 'InvalidDigest'],
    ['B36 an unknown algorithm', { 'x-amz-sdk-checksum-algorithm': 'CRC16' }, 'InvalidRequest'],
    ['a checksum of an unknown algorithm', { 'x-amz-checksum-crc16': 'AAA=' }, 'NotImplemented'],
    ['a checksum that is too long', { 'x-amz-checksum-xxhash64': 'AAAAAAAAAAAAAAAA' }, 'InvalidRequest'],
    [
      'B36 an algorithm beside the checksum of another',
      { 'x-amz-sdk-checksum-algorithm': 'SHA1', 'x-amz-checksum-crc32': crc32(body) },
      'InvalidRequest',
    ],
    ['a trailer that is announced and cannot come', { 'x-amz-trailer': 'x-amz-checksum-crc32' }, 'InvalidRequest'],
  ])('%s is %s', async (_what, headers: Record<string, string>, code) => {
    expect(codeOf(await put(headers))).toBe(code)
    expect(await running.store.head(Bucket, 'said')).toBeUndefined()
  })

  test('the ten valid algorithms are listed for one that is unknown', async () => {
    const text = (await put({ 'x-amz-sdk-checksum-algorithm': 'CRC16' })).bytes.toString()
    for (const name of [
      'CRC32',
      'CRC32C',
      'CRC64NVME',
      'SHA1',
      'SHA256',
      'SHA512',
      'MD5',
      'XXHASH64',
      'XXHASH3',
      'XXHASH128',
    ])
      expect(text).toContain(name)
  })
})
