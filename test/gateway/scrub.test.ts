// Scrubbing over real sealed objects: what is whole passes, and every family of damage is told.
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { Integrity, Unavailable } from '../../src/errors.ts'
import { type ObjectStore, StoreError } from '../../src/backends/object-store.ts'
import { scrubObject } from '../../src/gateway/steps/scrub-object.ts'
import { StateKeyring } from '../../src/state/keyring.ts'
import { StateStore } from '../../src/state/state-store.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { replacing } from '../helpers/replacing.ts'
import { flip, once, readStored, type StoredObject, writeStored } from '../helpers/tamper.ts'

const Bucket = 'files'
const TEXT = 'what nobody may read of it. '
const MIB = 1024 * 1024
const CUSTOMER_KEY = Buffer.alloc(32, 7).toString('base64')

let running: TestGateway
let client: S3Client
let keyring: StateKeyring
let contents: 'sealed' | 'mixed' = 'sealed'
/** By key, as the gateway wrote it. */
const written = new Map<string, StoredObject>()

beforeAll(async () => {
  const store = new MemoryStore({ capabilities: { metadataLimit: 2_048 } })
  running = await startGateway({ store, customerKeysOverHttp: true, rules: () => ({ contents }) })
  client = running.client()
  keyring = new StateKeyring(new StateStore(running.state, 'sealgate-state'))
  await client.send(new CreateBucketCommand({ Bucket }))
  await put('empty', 0)
  await put('small', 100)
  await put('chunks', 200_000)
  await put('large', 5 * MIB + 100)
  await put('other', 5 * MIB + 100)
  const Metadata = { long: 'x'.repeat(1_900) }
  await put('area', 6 * MIB, { Metadata })
  await upload('parts', [5 * MIB, 5 * MIB, 1_000])
  await upload('part', [1_000])
  await client.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/large` }))
  await put('customer', 1_000, { SSECustomerAlgorithm: 'AES256', SSECustomerKey: CUSTOMER_KEY })
  for (const key of ['empty', 'small', 'chunks', 'large', 'other', 'area', 'parts', 'part', 'copy', 'customer'])
    written.set(key, await readStored(running.store, Bucket, key))
})
afterAll(() => running.close())
beforeEach(() => {
  contents = 'sealed'
})

const text = (bytes: number): Buffer => Buffer.alloc(bytes, TEXT)

async function put(Key: string, bytes: number, more: object = {}): Promise<void> {
  await client.send(new PutObjectCommand({ Bucket, Key, Body: text(bytes), ...more }))
}

async function upload(Key: string, sizes: readonly number[]): Promise<void> {
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }))
  const Parts = []
  for (const [i, size] of sizes.entries()) {
    const part = { Bucket, Key, UploadId, PartNumber: i + 1 }
    const { ETag } = await client.send(new UploadPartCommand({ ...part, Body: text(size) }))
    Parts.push({ PartNumber: i + 1, ETag })
  }
  await client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }))
}

const STEP = { dryRun: false, begun: 0, signal: new AbortController().signal }
const scrub = (key: string, bodies = true, ring: Pick<StateKeyring, 'find'> = keyring) =>
  scrubObject(running.gateway, ring)({ bucket: Bucket, key, isLatest: true }, { ...STEP, dryRun: !bodies })

const whole = (key: string): StoredObject => {
  const object = written.get(key)
  if (object === undefined) throw new Error(`no object ${key}`)
  return object
}

/** Which layer a scrub names once what is stored of an object is another thing. */
async function layerAfter(key: string, change: (object: StoredObject) => Partial<StoredObject>): Promise<string> {
  const object = whole(key)
  await writeStored(running.store, Bucket, key, { ...object, ...change(object) })
  try {
    const result = await scrub(key)
    if (result.outcome !== 'failed' || !(result.cause instanceof Integrity)) return JSON.stringify(result)
    expect(result.cause.message).not.toContain(TEXT.trim())
    return result.cause.layer
  } finally {
    await writeStored(running.store, Bucket, key, object)
  }
}

const trailerOf = (bytes: Buffer) => {
  const at = bytes.length - 16
  const foot = bytes.readUInt16BE(at)
  return { tail: bytes.readUIntBE(at + 2, 6), foot: at - foot, footBytes: foot, trailer: at }
}
const flippedAt =
  (where: (bytes: Buffer) => number) =>
  ({ bytes }: StoredObject): Partial<StoredObject> => ({ bytes: flip(bytes, where(bytes)) })

describe('what is whole', () => {
  test.each(['empty', 'small', 'chunks', 'large', 'area', 'parts', 'part', 'copy'])('%s passes', async (key) => {
    expect(await scrub(key)).toEqual({ outcome: 'done', bytes: whole(key).bytes.length })
    expect(await scrub(key, false)).toEqual({ outcome: 'done', bytes: 0 })
  })

  test('an object under a key of a customer cannot be checked', async () => {
    expect(await scrub('customer')).toEqual({ outcome: 'untouchable', why: 'it is under a key of its client (SSE-C)' })
  })

  test('one that is gone by then is no failure', async () => {
    expect(await scrub('missing')).toEqual({ outcome: 'overtaken' })
  })

  test('nor is one that was overwritten while it was read', async () => {
    const result = await scrubWhere('small', () => writeStored(running.store, Bucket, 'small', whole('small')))
    expect(result).toEqual({ outcome: 'overtaken' })
  })

  test('one that the store has archived may not be read', async () => {
    const answer = { status: 403, code: 'InvalidObjectState', message: 'archived', attributes: {} }
    const result = await scrubWhere('small', async () => {
      throw new StoreError('native', 'archived', undefined, answer)
    })
    expect(result).toEqual({ outcome: 'untouchable', why: 'it is archived: restore it first' })
  })

  /** Scrubs while something happens before each read of a body. */
  function scrubWhere(key: string, before: () => Promise<void>) {
    const { store } = running.gateway
    const get: ObjectStore['get'] = async (...args) => {
      await before()
      return store.get(...args)
    }
    const racing = replacing(store, { get })
    return scrubObject({ ...running.gateway, store: racing }, keyring)({ bucket: Bucket, key, isLatest: true }, STEP)
  }
})

describe('plaintext', () => {
  beforeEach(() =>
    running.store.put(Bucket, 'plain', once(text(50)), { length: 50, metadata: {}, commit: async () => ({}) }),
  )

  test('is counted where the bucket may hold it', async () => {
    contents = 'mixed'
    expect(await scrub('plain')).toEqual({ outcome: 'unchanged', why: 'it lies in plaintext' })
  })

  test('is damage elsewhere, as is a stripped envelope', async () => {
    expect(await layerAfter('small', () => ({ metadata: {} }))).toBe('envelope failure')
    expect(await scrub('plain')).toMatchObject({ outcome: 'failed', cause: { layer: 'envelope failure' } })
  })
})

describe('damage', () => {
  test.each<[string, string, string, (object: StoredObject) => Partial<StoredObject>]>([
    ['the header', 'small', 'commitment failure', flippedAt(() => 40)],
    ['the salt in the header', 'chunks', 'commitment failure', flippedAt(() => 10)],
    ['a chunk', 'chunks', 'payload failure', flippedAt(() => 64 + 65_552 + 5)],
    ['the last chunk', 'large', 'payload failure', flippedAt(() => 64 + (5 * MIB + 16 * 80) + 3)],
    ['a tag', 'small', 'payload failure', flippedAt(() => 64 + 100 + 3)],
    ['a chunk of a later part', 'parts', 'payload failure', flippedAt(() => 7 * MIB)],
    ['the header of a later part', 'parts', 'commitment failure', flippedAt(() => 64 + 5 * MIB + 16 * 81 + 9)],
    ['the pad', 'large', 'tail failure', flippedAt((bytes) => trailerOf(bytes).tail - 1)],
    ['the pad of an upload', 'parts', 'tail failure', flippedAt((bytes) => trailerOf(bytes).tail - 1)],
    ['the header of the tail', 'large', 'commitment failure', flippedAt((bytes) => trailerOf(bytes).tail + 40)],
    ['the tail', 'small', 'tail failure', flippedAt((bytes) => trailerOf(bytes).tail + 80)],
    ['the tail of an upload', 'parts', 'tail failure', flippedAt((bytes) => trailerOf(bytes).tail + 200)],
    ['the area in the tail', 'area', 'tail failure', flippedAt((bytes) => trailerOf(bytes).tail + 64 + 300)],
    ['the trailer', 'small', 'tail failure', flippedAt((bytes) => bytes.length - 1)],
    ['the length of the foot', 'large', 'tail failure', flippedAt((bytes) => bytes.length - 15)],
    ['the offset of the tail', 'large', 'tail failure', flippedAt((bytes) => bytes.length - 9)],
    ['a byte too few', 'small', 'size mismatch', ({ bytes }) => ({ bytes: bytes.subarray(0, -1) })],
    [
      'a byte too many',
      'chunks',
      'size mismatch',
      ({ bytes }) => ({ bytes: Buffer.concat([bytes, bytes.subarray(0, 1)]) }),
    ],
    ['an upload cut short', 'parts', 'size mismatch', ({ bytes }) => ({ bytes: bytes.subarray(0, -17) })],
    ['another object in its place', 'large', 'unwrap failure', () => whole('other')],
    ["another object's body", 'large', 'commitment failure', () => ({ bytes: whole('other').bytes })],
    ["a copy's metadata beside another envelope", 'large', 'metadata failure', exchangedMetadata],
    ['the envelope', 'small', 'unwrap failure', ({ metadata }) => ({ metadata: damaged(metadata, 'sg-e', -10) })],
    [
      'the head of the envelope',
      'small',
      'envelope failure',
      ({ metadata }) => ({ metadata: damaged(metadata, 'sg-e', 1) }),
    ],
    [
      'the sealed metadata',
      'small',
      'metadata failure',
      ({ metadata }) => ({ metadata: damaged(metadata, 'sg-m', -10) }),
    ],
    ['the facts', 'small', 'metadata failure', ({ facts }) => ({ facts: flip(facts ?? Buffer.alloc(1), 40) })],
  ])('%s of %s: %s', async (_, key, layer, change) => {
    expect(await layerAfter(key, change)).toBe(layer)
  })

  function exchangedMetadata({ metadata }: StoredObject): Partial<StoredObject> {
    return { metadata: { ...metadata, 'sg-m': whole('copy').metadata['sg-m'] ?? '' } }
  }

  test('facts of an earlier write of the same name', async () => {
    await put('again', 77)
    const { facts } = await readStored(running.store, Bucket, 'again')
    await put('again', 77)
    written.set('again', await readStored(running.store, Bucket, 'again'))
    expect(await layerAfter('again', () => ({ facts }))).toBe('metadata failure')
  })

  test('a foot that a read does not open is opened', async () => {
    const Key = 'large'
    const object = whole(Key)
    const { foot, footBytes } = trailerOf(object.bytes)
    expect(footBytes).toBeGreaterThan(100)
    for (const at of [foot, foot + footBytes - 1, foot + footBytes - 30]) {
      await writeStored(running.store, Bucket, Key, { ...object, bytes: flip(object.bytes, at) })
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }))
      expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(text(5 * MIB + 100))).toBe(true)
      expect(await scrub(Key)).toMatchObject({ outcome: 'failed', cause: expect.any(Integrity) as unknown })
    }
    await writeStored(running.store, Bucket, Key, object)
  })

  test('a foot of another object', async () => {
    const { bytes } = whole('large')
    const other = whole('other').bytes
    const [mine, theirs] = [trailerOf(bytes), trailerOf(other)]
    expect(mine.footBytes).toBe(theirs.footBytes)
    const exchanged = Buffer.concat([
      bytes.subarray(0, mine.foot),
      other.subarray(theirs.foot, theirs.trailer),
      bytes.subarray(mine.trailer),
    ])
    expect(await layerAfter('large', () => ({ bytes: exchanged }))).toBe('unwrap failure')
  })

  test('a dry run sees what lies beside the body alone', async () => {
    const object = whole('chunks')
    await writeStored(running.store, Bucket, 'chunks', { ...object, bytes: flip(object.bytes, 70_000) })
    expect(await scrub('chunks', false)).toEqual({ outcome: 'done', bytes: 0 })
    await writeStored(running.store, Bucket, 'chunks', { ...object, metadata: damaged(object.metadata, 'sg-m', -10) })
    expect(await scrub('chunks', false)).toMatchObject({ outcome: 'failed' })
    await writeStored(running.store, Bucket, 'chunks', object)
  })
})

describe('the keyring', () => {
  test('an object whose bucket key it does not have is told, although it opens', async () => {
    expect(await scrub('small', true, { find: async () => undefined })).toMatchObject({
      outcome: 'failed',
      cause: { layer: 'unwrap failure', message: expect.stringContaining('the keyring has no record') as unknown },
    })
  })

  test('while it cannot be asked nobody knows', async () => {
    const find = async (): Promise<never> => {
      throw new Unavailable('away')
    }
    expect(await scrub('small', true, { find })).toMatchObject({
      outcome: 'failed',
      cause: expect.any(Unavailable) as unknown,
    })
  })
})

/** A letter of a base64url text exchanged, so that it stays canonical. */
function damaged(
  metadata: StoredObject['metadata'],
  name: 'sg-e' | 'sg-m',
  at: number,
): Readonly<Record<string, string>> {
  const value = metadata[name] ?? ''
  const index = at < 0 ? value.length + at : at
  return { ...metadata, [name]: `${value.slice(0, index)}${value[index] === 'A' ? 'B' : 'A'}${value.slice(index + 1)}` }
}
