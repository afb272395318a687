/** Any range of any layout, with and without a cached tail; dates in whole seconds; what a client may put into headers (S3 behaviour 16, 41 to 48, 53, 59). */
import { randomBytes } from 'node:crypto'
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TailCache } from '../../src/gateway/tail-cache.ts'
import type { TestGateway } from '../helpers/gateway.ts'
import { head, RawConnection } from '../helpers/raw-connection.ts'
import { codeOf, send, type SignedAnswer, signedHeaders } from '../helpers/signed-request.ts'
import { startTested } from '../helpers/worlds.ts'

const MIB = 1024 * 1024
const CHUNK = 65_536
let running: TestGateway
const plain: Record<string, Buffer> = {
  empty: Buffer.alloc(0),
  one: randomBytes(1),
  chunk: randomBytes(CHUNK),
  chunks: randomBytes(4 * CHUNK + 1),
  streamed: randomBytes(5 * MIB),
  unknown: randomBytes(16 * MIB),
  parts: randomBytes(2 * 5 * MIB + 3 * CHUNK),
  lonely: randomBytes(1_000),
}

beforeAll(async () => {
  running = await startTested()
  // Every read of a tail asks the store.
  Object.assign(running.gateway, { tails: new TailCache(0) })
  const s3 = running.client({ requestChecksumCalculation: 'WHEN_REQUIRED' })
  await s3.send(new CreateBucketCommand({ Bucket: 'ranges' }))
  for (const [key, body] of Object.entries(plain)) {
    const headers: Record<string, string> = key === 'unknown' ? { 'transfer-encoding': 'chunked' } : {}
    await send(running, { method: 'PUT', path: `/ranges/${key}`, body, headers })
  }
  await upload('parts', [5 * MIB, 5 * MIB, 3 * CHUNK])
  await upload('lonely', [1_000])
})
afterAll(() => running.close())

async function upload(Key: string, sizes: readonly number[]): Promise<void> {
  const s3 = running.client({ requestChecksumCalculation: 'WHEN_REQUIRED' })
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket: 'ranges', Key }))
  const Parts = []
  let at = 0
  for (const [i, size] of sizes.entries()) {
    const Body = plain[Key]!.subarray(at, (at += size))
    const part = { Bucket: 'ranges', Key, UploadId, PartNumber: 2 * i + 1, Body }
    Parts.push({ PartNumber: 2 * i + 1, ETag: (await s3.send(new UploadPartCommand(part))).ETag })
  }
  await s3.send(new CompleteMultipartUploadCommand({ Bucket: 'ranges', Key, UploadId, MultipartUpload: { Parts } }))
}

const read = (key: string, headers: Record<string, string> = {}, query = '', method = 'GET'): Promise<SignedAnswer> =>
  send(running, { method, path: `/ranges/${key}${query}`, headers })

describe.each(Object.keys(plain))('%s', (key) => {
  const body = plain[key]!
  const size = body.length

  async function expectRange(range: string, first: number, last: number): Promise<void> {
    const answer = await read(key, { range })
    expect([range, answer.status, answer.headers['content-range'], answer.headers['content-length']]).toEqual([
      range,
      206,
      `bytes ${first}-${last}/${size}`,
      String(last - first + 1),
    ])
    expect(answer.headers['accept-ranges']).toBe('bytes')
    expect(answer.bytes.equals(body.subarray(first, last + 1))).toBe(true)
  }

  test('whole', async () => {
    const answer = await read(key)
    expect([answer.status, answer.headers['content-length'], answer.headers['content-range']]).toEqual([
      200,
      String(size),
      undefined,
    ])
    expect(answer.bytes.equals(body)).toBe(true)
  })

  test('B41 B42 B44 by ranges at every kind of border, and at random', async () => {
    if (size === 0) {
      for (const range of ['bytes=0-', 'bytes=0-0', 'bytes=-1', 'bytes=40-50'])
        expect([range, (await read(key, { range })).status, codeOf(await read(key, { range }))]).toEqual([
          range,
          416,
          'InvalidRange',
        ])
      return
    }
    const borders = [0, 1, CHUNK - 1, CHUNK, 2 * CHUNK, 5 * MIB - 1, 5 * MIB, 8 * MIB - 1, 8 * MIB, size - 1].filter(
      (one) => one < size,
    )
    for (const first of borders) {
      await expectRange(`bytes=${first}-`, first, size - 1)
      await expectRange(`bytes=${first}-${first}`, first, first)
      await expectRange(`bytes=${first}-${first + CHUNK}`, first, Math.min(size - 1, first + CHUNK))
      await expectRange(`bytes=-${size - first}`, first, size - 1)
    }
    for (let i = 0; i < 25; i += 1) {
      const first = Math.floor(Math.random() * size)
      const last = first + Math.floor(Math.random() * Math.min(size - first, i % 5 === 0 ? size : 200_000))
      await expectRange(`bytes=${first}-${last}`, first, last)
    }
    for (const range of [`bytes=${size}-`, `bytes=${size}-${size + 5}`, 'bytes=-0']) {
      const answer = await read(key, { range })
      expect([range, answer.status, codeOf(answer)]).toEqual([range, 416, 'InvalidRange'])
      expect(answer.bytes.toString()).toContain(
        `<ActualObjectSize>${size}</ActualObjectSize><RangeRequested>`.split('<Range')[0],
      )
    }
  })

  test('B45 by parts', async () => {
    const sizes = key === 'parts' ? [5 * MIB, 5 * MIB, 3 * CHUNK] : [size]
    const multipart = key === 'parts' || key === 'lonely'
    let at = 0
    for (const [i, bytes] of sizes.entries()) {
      for (const method of ['GET', 'HEAD']) {
        const answer = await read(key, {}, `?partNumber=${i + 1}`, method)
        expect([answer.status, answer.headers['content-length'], answer.headers['x-amz-mp-parts-count']]).toEqual([
          206,
          String(bytes),
          multipart ? String(sizes.length) : undefined,
        ])
        expect(answer.headers['content-range']).toBe(size === 0 ? undefined : `bytes ${at}-${at + bytes - 1}/${size}`)
        if (method === 'GET') expect(answer.bytes.equals(body.subarray(at, at + bytes))).toBe(true)
      }
      at += bytes
    }
    const beyond = await read(key, {}, `?partNumber=${sizes.length + 1}`)
    expect([beyond.status, codeOf(beyond)]).toEqual([416, 'InvalidPartNumber'])
  })
})

describe('dates', () => {
  test('B53 are compared in whole seconds: an object’s own date is neither before nor after it', async () => {
    const date = String((await read('one', {}, '', 'HEAD')).headers['last-modified'])
    const later = new Date(Date.parse(date) + 1_000).toUTCString()
    const earlier = new Date(Date.parse(date) - 1_000).toUTCString()
    for (const [headers, status] of [
      [{ 'if-modified-since': date }, 304],
      [{ 'if-modified-since': later }, 304],
      [{ 'if-modified-since': earlier }, 200],
      [{ 'if-unmodified-since': date }, 200],
      [{ 'if-unmodified-since': later }, 200],
      [{ 'if-unmodified-since': earlier }, 412],
      [{ 'if-range': date, range: 'bytes=0-0' }, 206],
      [{ 'if-range': earlier, range: 'bytes=0-0' }, 200],
    ] as [Record<string, string>, number][])
      expect([headers, (await read('one', headers)).status]).toEqual([headers, status])
  })

  test('B48 of a weak or listed ETag', async () => {
    const etag = String((await read('one', {}, '', 'HEAD')).headers.etag)
    for (const value of [`"x", ${etag}`, `W/${etag}`, `${etag},"y"`, '*'])
      expect([value, (await read('one', { 'if-none-match': value })).status]).toEqual([value, 304])
    expect((await read('one', { 'if-match': `"x", ${etag}` })).status).toBe(200)
  })
})

describe('response-* parameters', () => {
  test('B16 may not break out of their header', async () => {
    for (const value of ['a%0d%0aX-Injected:1', 'a%0aX-Injected:1', 'a%00b']) {
      const answer = await read('one', {}, `?response-content-type=${value}`)
      expect(answer.headers['x-injected']).toBeUndefined()
      expect([answer.status, codeOf(answer)]).toEqual([400, 'InvalidArgument'])
    }
  })

  test('B16 are ISO-8859-1, as on AWS', async () => {
    const wide = (name: string): Promise<SignedAnswer> =>
      read('one', {}, `?response-content-disposition=${encodeURIComponent(`attachment; filename="${name}"`)}`)
    expect((await wide('Grüße.txt')).headers['content-disposition']).toBe('attachment; filename="Grüße.txt"')
    const refused = await wide('ｚ.txt')
    expect([refused.status, codeOf(refused)]).toEqual([400, 'InvalidArgument'])
    expect(refused.bytes.toString()).toContain('Header value cannot be represented using ISO-8859-1.')
  })

  test('B16 hold for ranges, and not for what is not sent', async () => {
    const query =
      '?response-content-type=x%2Fy&response-expires=never&response-content-language=de&response-content-encoding=gzip'
    const part = await read('chunks', { range: 'bytes=0-0' }, query)
    expect(part.headers).toMatchObject({
      'content-type': 'x/y',
      expires: 'never',
      'content-language': 'de',
      'content-encoding': 'gzip',
    })
    expect((await read('chunks', { range: 'bytes=9999999-' }, query)).headers['content-type']).toBe('application/xml')
    expect((await read('chunks', { 'if-match': '"x"' }, query)).headers['content-type']).toBe('application/xml')
    const unchanged = await read('chunks', { 'if-none-match': '*' }, '?response-cache-control=x&response-expires=never')
    expect([unchanged.status, unchanged.headers['cache-control'], unchanged.headers.expires]).toEqual([
      304,
      undefined,
      undefined,
    ])
  })
})

test('headers beyond ASCII come back as they were sent', async () => {
  const value = Buffer.from('inline; filename="ü.txt"').toString('latin1')
  const headers = signedHeaders(running, {
    method: 'PUT',
    path: '/ranges/wide',
    headers: { 'content-length': '0', 'content-disposition': value },
  })
  const connection = await RawConnection.open(running.port)
  connection.write(Buffer.from(head('PUT', '/ranges/wide', headers), 'latin1'))
  expect((await connection.answer())?.status).toBe(200)
  expect((await read('wide', {}, '', 'HEAD')).headers['content-disposition']).toBe(value)
  connection.close()
})
