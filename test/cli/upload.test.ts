/** Uploads against a gateway of our own making: how much is under way at once, and what a failing part does. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { S3Client } from '../../src/cli/s3-client.ts'
import { fileBlocks, streamBlocks, upload, WHOLE_BYTES } from '../../src/cli/upload.ts'
import { loadSettings } from '../../src/config/load.ts'
import { md5 } from '../../src/format/hash.ts'

const settings = loadSettings({
  env: {
    SEALGATE_CREDENTIALS: JSON.stringify([
      { accessKey: 'test', secretKey: 'test-secret', allow: [{ buckets: ['*'], actions: 'read-write' }] },
    ]),
  },
  readFile: () => {
    throw Object.assign(new Error('no file'), { code: 'ENOENT' })
  },
})
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

interface Fake {
  readonly client: S3Client
  readonly requests: string[]
  readonly parts: Map<number, Buffer>
  /** The most parts that were open at the same time. */
  readonly most: () => number
}

/** Answers parts late, all but `failing` well. */
async function fakeGateway(failing = 0): Promise<Fake> {
  const requests: string[] = []
  const parts = new Map<number, Buffer>()
  let open = 0
  let most = 0
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { searchParams } = new URL(request.url ?? '', 'http://gateway')
    const number = Number(searchParams.get('partNumber') ?? 0)
    if (number > 0) most = Math.max(most, (open += 1))
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(Buffer.from(piece))
    const body = Buffer.concat(pieces)
    if (number > 0) {
      expect(request.headers['content-md5']).toBe(md5(body).toString('base64'))
      parts.set(number, body)
      await new Promise((resolve) => setTimeout(resolve, 20))
      open -= 1
    }
    requests.push(`${request.method ?? ''} ${number === 0 ? [...searchParams.keys()].join() : number}`)
    response.statusCode = number > 0 && number === failing ? 503 : 200
    const failed = '<Error><Code>SlowDown</Code><Message>slower</Message></Error>'
    response
      .setHeader('etag', `"${number}"`)
      .end(response.statusCode === 503 ? failed : '<R><UploadId>u</UploadId><ETag>"done"</ETag></R>')
  }
  const server: Server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const client = new S3Client(settings, { endpoint: `http://127.0.0.1:${port}` })
  closing.push(
    () => server.close(),
    () => client.close(),
  )
  return { client, requests, parts, most: () => most }
}

const address = { bucket: 'files', key: 'a' }
const progress = { add: () => undefined, end: () => undefined }

async function* pieces(count: number): AsyncGenerator<Buffer> {
  for (let i = 0; i < count; i += 1) yield Buffer.alloc(700, i)
}

test('four parts at most are under way, and all arrive in order', async () => {
  const { client, parts, most } = await fakeGateway()
  const done = await upload(
    { client, address, headers: {}, progress, onFailure: () => undefined },
    streamBlocks(pieces(30), 1_000),
  )
  expect(done).toEqual({ etag: '"done"', bytes: 21_000 })
  expect(most()).toBe(4)
  const sent = [...parts].toSorted(([a], [b]) => a - b).map(([, body]) => body)
  expect(sent.map((body) => body.length)).toEqual(Array.from({ length: 21 }, () => 1_000))
  expect(Buffer.concat(sent).equals(Buffer.concat(Array.from({ length: 30 }, (_, i) => Buffer.alloc(700, i))))).toBe(
    true,
  )
})

test('a part that fails ends the upload while the source is silent: it is aborted behind its last part, and the refusal is what is thrown', async () => {
  const { client, requests } = await fakeGateway(2)
  const silence = new AbortController()
  async function* silent(): AsyncGenerator<Buffer> {
    yield* pieces(4)
    await new Promise((_, reject) => silence.signal.addEventListener('abort', () => reject(new Error('source ended'))))
  }
  const uploading = upload(
    { client, address, headers: {}, progress, onFailure: (error) => silence.abort(error) },
    streamBlocks(silent(), 1_000),
  )
  await expect(uploading).rejects.toThrow('503 SlowDown')
  expect(requests.at(-1)).toBe('DELETE uploadId')
  expect(requests.filter((one) => one.startsWith('POST'))).toEqual(['POST uploads'])
})

test('files go up whole up to 64 MiB, then in parts, of which there are never more than 10,000', async () => {
  const sizes = async (size: number): Promise<number[]> => {
    const out: number[] = []
    for await (const { bytes, last } of fileBlocks('read later', size, 16 * 1024 * 1024)) {
      out.push(bytes)
      expect(last).toBe(out.reduce((a, b) => a + b) === size)
    }
    return out
  }
  expect(await sizes(0)).toEqual([0])
  expect(await sizes(WHOLE_BYTES)).toEqual([WHOLE_BYTES])
  expect(await sizes(WHOLE_BYTES + 1)).toEqual([...Array.from({ length: 4 }, () => 16 * 1024 * 1024), 1])
  expect(await sizes(5 * 1024 ** 4)).toHaveLength(10_000)
})

test('the parts of a file are read from where they are', async () => {
  const { client, parts } = await fakeGateway()
  const path = join(mkdtempSync(join(tmpdir(), 'sealgate-test-')), 'sparse')
  closing.push(() => rmSync(join(path, '..'), { recursive: true, force: true }))
  writeFileSync(path, 'begin')
  truncateSync(path, WHOLE_BYTES)
  writeFileSync(path, 'end', { flag: 'a' })
  const size = WHOLE_BYTES + 3
  await upload(
    { client, address, headers: {}, progress, onFailure: () => undefined },
    fileBlocks(path, size, 32 * 1024 * 1024),
  )
  expect(parts.get(1)?.toString('latin1', 0, 6)).toBe('begin\0')
  expect(parts.get(3)?.toString()).toBe('end')
  expect([...parts.values()].reduce((sum, body) => sum + body.length, 0)).toBe(size)
})

test('a stream longer than 10,000 parts says which option helps', async () => {
  const drain = async (): Promise<void> => {
    for await (const _ of streamBlocks(pieces(15), 1)) continue
  }
  await expect(drain()).rejects.toThrow('--part-size')
})
