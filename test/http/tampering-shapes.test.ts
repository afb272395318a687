/** Stored bodies cut at every border, joined, renamed and re-labelled: what the client gets is right and whole, or refused. */
import { randomBytes } from 'node:crypto'
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { alarm, type AlarmEvent, requestDone, type RequestEvent } from '../../src/telemetry/channels.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { codeOf, send, type SignedAnswer } from '../helpers/signed-request.ts'
import { flip, readStored, type StoredObject, writeStored } from '../helpers/tamper.ts'

const Bucket = 'shapes'
const MIB = 1024 * 1024
const CHUNK = 65_536
const SEALED = CHUNK + 16
let running: TestGateway
let events: RequestEvent[] = []
let alarms: AlarmEvent[] = []
const stops = [
  requestDone.subscribe((event) => void events.push(event)),
  alarm.subscribe((event) => void alarms.push(event)),
]

const plain: Record<string, Buffer> = {
  chunks: randomBytes(4 * CHUNK),
  large: randomBytes(6 * MIB + 1),
  parts: randomBytes(3 * 5 * MIB + 1_234),
  // Written by the gateway in parts of its own, and shown as not multipart.
  unknown: randomBytes(8 * MIB + 70_000),
}
const stored = new Map<string, StoredObject>()

beforeAll(async () => {
  running = await startGateway()
  const s3 = running.client({ requestChecksumCalculation: 'WHEN_REQUIRED' })
  await s3.send(new CreateBucketCommand({ Bucket }))
  for (const Key of ['chunks', 'large']) await s3.send(new PutObjectCommand({ Bucket, Key, Body: plain[Key]! }))
  const whole = plain['parts']!
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'parts' }))
  const Parts = []
  for (let n = 1; n <= 4; n += 1) {
    const Body = whole.subarray((n - 1) * 5 * MIB, n * 5 * MIB)
    const part = { Bucket, Key: 'parts', UploadId, PartNumber: n, Body }
    Parts.push({ PartNumber: n, ETag: (await s3.send(new UploadPartCommand(part))).ETag })
  }
  await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key: 'parts', UploadId, MultipartUpload: { Parts } }))
  const unknown = { 'transfer-encoding': 'chunked' }
  await send(running, { method: 'PUT', path: `/${Bucket}/unknown`, body: plain['unknown']!, headers: unknown })
  for (const key of Object.keys(plain)) stored.set(key, await readStored(running.store, Bucket, key))
})
beforeEach(() => {
  events = []
  alarms = []
})
afterAll(async () => {
  for (const stop of stops) stop()
  await running.close()
})

async function place(key: string, change: (object: StoredObject) => StoredObject): Promise<void> {
  await writeStored(running.store, Bucket, key, change(stored.get(key)!))
}
const get = (key: string, range?: string): Promise<SignedAnswer> =>
  send(running, { method: 'GET', path: `/${Bucket}/${key}`, headers: range === undefined ? {} : { range } })

/** One public face before any byte, or a torn, correct and strictly shorter beginning. */
async function expectRefused(answer: SignedAnswer, expected: Buffer): Promise<void> {
  if (answer.status >= 400) {
    expect([answer.status, codeOf(answer)]).toEqual([500, 'InternalError'])
    expect(answer.bytes.toString()).toContain('<Message>An internal error occurred. Try again.</Message>')
  } else {
    expect(answer.torn).toBe(true)
    expect(answer.bytes.length).toBeLessThan(expected.length)
    expect(answer.bytes.equals(expected.subarray(0, answer.bytes.length))).toBe(true)
  }
  await expect.poll(() => events.length).toBeGreaterThan(0)
  expect(events.at(-1)).toMatchObject({ code: 'InternalError', disconnected: false, cause: { name: 'Integrity' } })
}

describe.each(['chunks', 'large', 'parts', 'unknown'])('%s', (key) => {
  const body = plain[key]!

  test('cut at any border of a chunk, or anywhere, is refused whole, and by HEAD where the size is sealed', async () => {
    const { length } = stored.get(key)!.bytes
    const borders = Array.from({ length: Math.floor(length / SEALED) + 1 }, (_, n) => 64 + n * SEALED)
    const some = borders.filter((_, n) => borders.length < 30 || n % 19 === 0 || n > borders.length - 3)
    const anywhere = Array.from({ length: 8 }, () => Math.floor(Math.random() * length))
    for (const end of [...some, ...anywhere].filter((one) => one < length)) {
      await place(key, (object) => ({ ...object, bytes: object.bytes.subarray(0, end) }))
      await expectRefused(await get(key), body)
      const head = await send(running, { method: 'HEAD', path: `/${Bucket}/${key}` })
      expect(head.bytes).toHaveLength(0)
      if (key === 'chunks' || key === 'large') expect(head.status).toBe(500)
    }
  })

  test('cut, never gives a wrong byte by a range', async () => {
    const { length } = stored.get(key)!.bytes
    for (const end of [64 + SEALED, Math.floor(length / 2), length - 1]) {
      await place(key, (object) => ({ ...object, bytes: object.bytes.subarray(0, end) }))
      for (const [first, last] of [
        [0, 0],
        [10, 100_000],
        [CHUNK, 2 * CHUNK],
        [body.length - 10, body.length - 1],
      ] as const) {
        events = []
        await expectRefused(await get(key, `bytes=${first}-${last}`), body.subarray(first, last + 1))
      }
    }
  })

  test('made longer is refused', async () => {
    for (const more of [1, 16, SEALED, 64 + SEALED]) {
      await place(key, (object) => ({ ...object, bytes: Buffer.concat([object.bytes, randomBytes(more)]) }))
      await expectRefused(await get(key), body)
      events = []
      await expectRefused(await get(key, 'bytes=0-9'), body.subarray(0, 10))
    }
  })

  test('with a chunk exchanged for the next is refused, also by a range over it', async () => {
    await place(key, (object) => {
      const bytes = Buffer.from(object.bytes)
      object.bytes.copy(bytes, 64, 64 + SEALED, 64 + 2 * SEALED)
      object.bytes.copy(bytes, 64 + SEALED, 64, 64 + SEALED)
      return { ...object, bytes }
    })
    await expectRefused(await get(key), body)
    events = []
    await expectRefused(await get(key, `bytes=0-${2 * CHUNK - 1}`), body.subarray(0, 2 * CHUNK))
    // What lies beside is as it was.
    const beside = await get(key, `bytes=${2 * CHUNK}-${2 * CHUNK + 9}`)
    expect(beside.bytes.equals(body.subarray(2 * CHUNK, 2 * CHUNK + 10))).toBe(true)
  })

  test('under another key, with all that belongs to it, is refused', async () => {
    await writeStored(running.store, Bucket, 'renamed', stored.get(key)!)
    await expectRefused(await get('renamed'), body)
    events = []
    await expectRefused(await get('renamed', 'bytes=0-0'), body.subarray(0, 1))
    expect((await send(running, { method: 'HEAD', path: `/${Bucket}/renamed` })).status).toBe(500)
  })

  test('under the metadata of another object is refused', async () => {
    for (const other of Object.keys(plain).filter((one) => one !== key)) {
      const { metadata } = stored.get(other)!
      await place(key, (object) => ({ ...object, metadata }))
      await expectRefused(await get(key), body)
      events = []
      await place(key, (object) => ({ ...object, metadata: { ...object.metadata, 'sg-m': metadata['sg-m'] ?? '' } }))
      await expectRefused(await get(key), body)
      events = []
    }
  })

  test('without one of its metadata entries is refused, without both it is nobody’s', async () => {
    for (const name of ['sg-e', 'sg-m']) {
      await place(key, (object) => ({
        ...object,
        metadata: Object.fromEntries(Object.entries(object.metadata).filter(([entry]) => entry !== name)),
      }))
      const answer = await get(key)
      expect([403, 500]).toContain(answer.status)
      expect(['AccessDenied', 'InternalError']).toContain(codeOf(answer))
    }
    await place(key, (object) => ({ ...object, metadata: {} }))
    for (const range of [undefined, 'bytes=0-9']) {
      const answer = await get(key, range)
      expect([answer.status, codeOf(answer)]).toEqual([403, 'AccessDenied'])
    }
  })

  test('without its facts, or with those of another, it is read all the same, and an alarm tells', async () => {
    const { facts } = stored.get(key === 'chunks' ? 'large' : 'chunks')!
    for (const changed of [undefined, facts, Buffer.alloc(10), flip(stored.get(key)!.facts!, 40)]) {
      alarms = []
      await place(key, (object) => ({ ...object, facts: changed }))
      const answer = await get(key)
      expect([answer.status, answer.bytes.equals(body)]).toEqual([200, true])
      // Of what did not open nothing is shown: the ETag is the store's, which looks like no MD5.
      expect(answer.headers.etag).toMatch(/^"[0-9a-f]{32}-1"$/)
      const list = await send(running, { method: 'GET', path: `/${Bucket}?prefix=${key}` })
      expect(list.bytes.toString()).toContain(`<Size>${body.length}</Size>`)
      expect(alarms.length).toBeGreaterThan(0)
    }
  })
})

test('damage of the foot’s content is no reader’s business', async () => {
  for (const key of ['large', 'parts']) {
    const { bytes } = stored.get(key)!
    const foot = bytes.readUInt16BE(bytes.length - 16)
    expect(foot).toBeGreaterThan(0)
    await place(key, (object) => ({ ...object, bytes: flip(object.bytes, bytes.length - 16 - Math.floor(foot / 2)) }))
    const answer = await get(key)
    expect([answer.status, answer.torn, answer.bytes.equals(plain[key]!)]).toEqual([200, false, true])
  }
})

test('a range behind the end of a whole object is InvalidRange with its true size, however it was written', async () => {
  for (const key of Object.keys(plain)) {
    await place(key, (object) => object)
    const answer = await get(key, `bytes=${plain[key]!.length}-`)
    expect([answer.status, codeOf(answer)]).toEqual([416, 'InvalidRange'])
    expect(answer.headers['content-range']).toBe(`bytes */${plain[key]!.length}`)
  }
})

describe('segments of a multipart object', () => {
  const STRIDE = 64 + 5 * MIB + 16 * (80 + 1)
  const cuts: [string, (segments: Buffer[], rest: Buffer) => Buffer[]][] = [
    ['dropped', ([a, , c], rest) => [a!, c!, rest]],
    ['repeated', ([a, b, c], rest) => [a!, b!, b!, c!, rest]],
    ['reordered', ([a, b, c], rest) => [c!, a!, b!, rest]],
    ['all but the last dropped', (_all, rest) => [rest]],
  ]
  test.each(cuts)('%s: refused whole and by ranges into each', async (_what, change) => {
    const { bytes } = stored.get('parts')!
    const segments = [0, 1, 2].map((n) => bytes.subarray(n * STRIDE, (n + 1) * STRIDE))
    await place('parts', (object) => ({
      ...object,
      bytes: Buffer.concat(change(segments, bytes.subarray(3 * STRIDE))),
    }))
    await expectRefused(await get('parts'), plain['parts']!)
    for (const first of [0, 5 * MIB, 10 * MIB]) {
      events = []
      await expectRefused(
        await get('parts', `bytes=${first}-${first + 9}`),
        plain['parts']!.subarray(first, first + 10),
      )
    }
  })
})
