/** What a store does to stored bytes and metadata must never reach a client as data. */
import { randomBytes } from 'node:crypto'
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { requestDone, type RequestEvent } from '../../src/telemetry/channels.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { codeOf, send, type SignedAnswer } from '../helpers/signed-request.ts'
import { flip, readStored, type StoredObject, writeStored } from '../helpers/tamper.ts'

const Bucket = 'tampering'
const MIB = 1024 * 1024
const CHUNK = 65_536
let running: TestGateway
let s3: S3Client
let events: RequestEvent[] = []
const stop = requestDone.subscribe((event) => void events.push(event))

const plain = {
  small: randomBytes(1000),
  chunks: randomBytes(3 * CHUNK + 500),
  large: randomBytes(6 * MIB),
  parts: randomBytes(5 * MIB + 70_000 + 5 * MIB + 999),
}
const stored = new Map<string, StoredObject>()

beforeAll(async () => {
  running = await startGateway()
  s3 = running.client({ requestChecksumCalculation: 'WHEN_REQUIRED' })
  await s3.send(new CreateBucketCommand({ Bucket }))
  for (const Key of ['small', 'chunks', 'large'] as const)
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: plain[Key] }))
  await uploadParts('parts', [plain.parts.subarray(0, 5 * MIB + 70_000), plain.parts.subarray(5 * MIB + 70_000)])
  for (const key of Object.keys(plain)) stored.set(key, await readStored(running.store, Bucket, key))
})
afterEach(() => {
  events = []
})
afterAll(async () => {
  stop()
  await running.close()
})

async function uploadParts(Key: string, bodies: readonly Buffer[]): Promise<void> {
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
  const Parts = []
  for (const [i, Body] of bodies.entries()) {
    const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: i + 1, Body }))
    Parts.push({ PartNumber: i + 1, ETag })
  }
  await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }))
}

/** Puts a changed object in place and reads it whole and by a range. */
async function readTampered(
  key: keyof typeof plain,
  change: (original: StoredObject) => StoredObject,
  range?: [number, number],
) {
  await writeStored(running.store, Bucket, key, change(stored.get(key)!))
  events = []
  const headers = range === undefined ? {} : { range: `bytes=${range[0]}-${range[1]}` }
  return send(running, { method: 'GET', path: `/${Bucket}/${key}`, headers })
}

/** Either an error before any byte, or a torn connection with a correct, strictly shorter beginning. One public face, the layer in the log. */
async function expectRefused(answer: SignedAnswer, expected: Buffer): Promise<void> {
  if (answer.status === 500) {
    expect(codeOf(answer)).toBe('InternalError')
    expect(answer.bytes.toString()).not.toMatch(/failure|mismatch|envelope|tail|commitment/)
  } else {
    expect([200, 206]).toContain(answer.status)
    expect(answer.torn).toBe(true)
    expect(answer.bytes.length).toBeLessThan(expected.length)
    expect(answer.bytes.equals(expected.subarray(0, answer.bytes.length))).toBe(true)
  }
  await expect.poll(() => events.length).toBeGreaterThan(0)
  expect(events.at(-1)).toMatchObject({ code: 'InternalError', cause: { name: 'Integrity' } })
}

/** Where each region of a stored body is. */
function places(key: keyof typeof plain): [string, number][] {
  const { bytes } = stored.get(key)!
  const size = plain[key].length
  const trailer = bytes.length - 16
  const foot = bytes.readUInt16BE(trailer)
  const tail = bytes.readUIntBE(trailer + 2, 6)
  const middle = 64 + Math.floor(size / 2 / CHUNK) * (CHUNK + 16) + 5
  return [
    ['magic', 0],
    ['suite', 4],
    ['type', 5],
    ['part number', 7],
    ['salt', 8],
    ['commitment', 32],
    ['last byte of the commitment', 63],
    ['first ciphertext byte', 64],
    ['middle chunk', middle],
    ...(size > CHUNK ? ([['first tag', 64 + CHUNK]] as [string, number][]) : []),
    ...(size >= 5 * MIB ? ([['pad', tail - 1]] as [string, number][]) : []),
    ['tail header', tail + 10],
    ['tail commitment', tail + 40],
    ['tail record', tail + 64],
    ['tail tag', trailer - foot - 1],
    ['trailer: foot length', trailer + 1],
    ['trailer: offset', trailer + 7],
    ['trailer: magic', trailer + 15],
  ]
}

describe.each(['small', 'chunks', 'large', 'parts'] as const)(
  'B111 %s: one flipped bit is never told as data',
  (key) => {
    test('in every region of the body', async () => {
      for (const [, at] of places(key)) {
        const answer = await readTampered(key, (object) => ({ ...object, bytes: flip(object.bytes, at) }))
        await expectRefused(answer, plain[key])
      }
    })

    test('anywhere, at random', async () => {
      const { bytes } = stored.get(key)!
      const trailer = bytes.length - 16
      const foot = bytes.readUInt16BE(trailer)
      for (let i = 0; i < 12; i += 1) {
        const at = Math.floor(Math.random() * (trailer - foot))
        const answer = await readTampered(key, (object) => ({ ...object, bytes: flip(object.bytes, at, 1 << (i % 8)) }))
        await expectRefused(answer, plain[key])
      }
    })

    test('in a range that holds it', async () => {
      const middle = Math.floor(plain[key].length / 2)
      const at = 64 + Math.floor(middle / CHUNK) * (CHUNK + 16) + (middle % CHUNK) + (key === 'parts' ? 64 + 16 : 0)
      const answer = await readTampered(key, (object) => ({ ...object, bytes: flip(object.bytes, at) }), [
        middle,
        middle,
      ])
      await expectRefused(answer, plain[key].subarray(middle, middle + 1))
    })

    test('in the metadata', async () => {
      for (const name of ['sg-e', 'sg-m']) {
        const changed = (object: StoredObject): StoredObject => {
          const text = object.metadata[name] ?? ''
          const at = Math.floor(text.length / 2)
          const other = text[at] === 'A' ? 'B' : 'A'
          return { ...object, metadata: { ...object.metadata, [name]: text.slice(0, at) + other + text.slice(at + 1) } }
        }
        await expectRefused(await readTampered(key, changed), plain[key])
      }
    })
  },
)

describe('lengths', () => {
  test.each(['small', 'chunks', 'large', 'parts'] as const)('%s cut short or longer is refused', async (key) => {
    const { bytes } = stored.get(key)!
    const lengths = [0, 63, 64, bytes.length - 1, bytes.length - 16, Math.floor(bytes.length / 2), 64 + CHUNK + 16]
    for (const length of lengths.filter((one) => one < bytes.length)) {
      const answer = await readTampered(key, (object) => ({ ...object, bytes: object.bytes.subarray(0, length) }))
      await expectRefused(answer, plain[key])
    }
    const longer = await readTampered(key, (object) => ({
      ...object,
      bytes: Buffer.concat([object.bytes, Buffer.alloc(1)]),
    }))
    await expectRefused(longer, plain[key])
  })

  test('a chunk dropped so that the size is that of another valid object is refused', async () => {
    const answer = await readTampered('chunks', (object) => ({
      ...object,
      bytes: Buffer.concat([object.bytes.subarray(0, 64), object.bytes.subarray(64 + CHUNK + 16)]),
    }))
    await expectRefused(answer, plain.chunks)
  })

  test('HEAD already refuses a size that the sealed metadata contradicts', async () => {
    const { bytes, metadata, facts } = stored.get('small')!
    await writeStored(running.store, Bucket, 'small', {
      bytes: Buffer.concat([bytes, Buffer.alloc(1)]),
      metadata,
      facts,
    })
    const answer = await send(running, { method: 'HEAD', path: `/${Bucket}/small` })
    expect(answer.status).toBe(500)
    expect(answer.bytes).toHaveLength(0)
  })
})

describe('whole objects exchanged', () => {
  test('another object’s body, metadata, or both, are refused', async () => {
    const other = randomBytes(1000)
    await s3.send(new PutObjectCommand({ Bucket, Key: 'other', Body: other }))
    const stranger = await readStored(running.store, Bucket, 'other')
    for (const change of [
      (object: StoredObject) => ({ ...object, bytes: stranger.bytes }),
      (object: StoredObject) => ({ ...object, metadata: stranger.metadata }),
      () => stranger,
    ]) {
      await expectRefused(await readTampered('small', change), plain.small)
    }
  })

  test('an older body under the newer metadata is refused', async () => {
    const old = stored.get('small')!
    await s3.send(new PutObjectCommand({ Bucket, Key: 'small', Body: randomBytes(1000) }))
    const fresh = await readStored(running.store, Bucket, 'small')
    await expectRefused(await readTampered('small', () => ({ ...fresh, bytes: old.bytes })), plain.small)
  })

  test('the same object in another bucket is refused', async () => {
    await s3.send(new CreateBucketCommand({ Bucket: 'elsewhere' }))
    await writeStored(running.store, 'elsewhere', 'small', stored.get('small')!)
    const answer = await send(running, { method: 'GET', path: '/elsewhere/small' })
    await expectRefused(answer, plain.small)
  })

  test('an object without an envelope is never passed through', async () => {
    await writeStored(running.store, Bucket, 'foreign', {
      bytes: Buffer.from('plaintext'),
      metadata: {},
      facts: undefined,
    })
    for (const method of ['GET', 'HEAD']) {
      const answer = await send(running, { method, path: `/${Bucket}/foreign` })
      expect(answer.status).toBe(403)
      expect(answer.bytes.toString()).not.toContain('plaintext')
    }
  })
})

describe('parts of an upload', () => {
  const first = randomBytes(5 * MIB)
  const second = randomBytes(5 * MIB)
  const segment = (bytes: Buffer, n: number): Buffer => {
    const stride = 64 + 5 * MIB + 16 * (Math.floor((5 * MIB) / CHUNK) + 1)
    return bytes.subarray(n * stride, (n + 1) * stride)
  }

  test('reordered, repeated, and replaced by an older attempt are refused', async () => {
    const Key = 'segments'
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
    const upload = async (PartNumber: number, Body: Buffer) =>
      (await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }))).ETag
    const one = await upload(1, first)
    const two = await upload(2, second)
    const Parts = [
      { PartNumber: 1, ETag: one },
      { PartNumber: 2, ETag: two },
    ]
    await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }))
    const object = await readStored(running.store, Bucket, Key)
    const expected = Buffer.concat([first, second])
    const [a, b] = [segment(object.bytes, 0), segment(object.bytes, 1)]
    const rest = object.bytes.subarray(a.length + b.length)
    for (const bytes of [Buffer.concat([b, a, rest]), Buffer.concat([a, a, rest]), Buffer.concat([b, b, rest])]) {
      await writeStored(running.store, Bucket, Key, { ...object, bytes })
      events = []
      await expectRefused(await send(running, { method: 'GET', path: `/${Bucket}/${Key}` }), expected)
    }
  })
})
