/** Gateways of several masters over one store, for what changes objects that are there already. */
import { randomBytes } from 'node:crypto'
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import type { ObjectStore } from '../../src/backends/object-store.ts'
import { parseEnvelope } from '../../src/format/envelope.ts'
import type { ObjectStep, StepOutcome } from '../../src/object-step.ts'
import { rewrapKeyring } from '../../src/jobs/rewrap-keyring.ts'
import { createBucketKeys } from '../../src/keys/bucket-keys.ts'
import type { KeyManager } from '../../src/keys/key-manager.ts'
import { MemoryKeyManager } from '../../src/keys/memory.ts'
import { StateKeyring } from '../../src/state/keyring.ts'
import { StateStore } from '../../src/state/state-store.ts'
import { startGateway, type TestGateway, type TestGatewayOptions } from './gateway.ts'
import { readStored } from './tamper.ts'
import type { World } from './worlds.ts'

export const Bucket = 'kept'

export class StepWorld {
  readonly store: ObjectStore
  readonly state = new MemoryStore()
  readonly old: KeyManager = new MemoryKeyManager({ alias: 'old', random: randomBytes })
  readonly next: KeyManager = new MemoryKeyManager({ alias: 'next', random: randomBytes })
  readonly #options: TestGatewayOptions
  readonly #running: TestGateway[] = []
  readonly #close: () => Promise<unknown>

  constructor({ store, close }: Pick<World, 'store' | 'close'>, options: TestGatewayOptions = {}) {
    this.store = store
    this.#close = close
    this.#options = options
  }

  /** A gateway that seals under the first of these; with another state it has the objects and the managers alone. */
  async start(managers: readonly KeyManager[], more: TestGatewayOptions = {}): Promise<TestGateway> {
    const byAlias = new Map(managers.map((manager) => [manager.alias, manager]))
    const keys = (keyring: StateKeyring) =>
      createBucketKeys({ managers: byAlias, activeAlias: managers[0]?.alias ?? '', keyring, clock: Date.now })
    const running = await startGateway({ store: this.store, state: this.state, keys, ...this.#options, ...more })
    this.#running.push(running)
    return running
  }

  /** Wraps all bucket keys that the keyring has anew. */
  async rewrapKeyring(to?: string) {
    const managers = new Map([this.old, this.next].map((manager) => [manager.alias, manager]))
    const keyring = new StateKeyring(new StateStore(this.state, 'sealgate-state'))
    return rewrapKeyring({ keyring, managers }, to === undefined ? {} : { to })
  }

  async envelope(key: string) {
    const info = await this.store.head(Bucket, key)
    return parseEnvelope(info?.metadata['sg-e'] ?? '')
  }

  /** What the store has of the body. */
  async stored(key: string): Promise<Buffer> {
    return (await readStored(this.store, Bucket, key)).bytes
  }

  /** The store too. */
  async close(): Promise<void> {
    for (const running of this.#running) await running.close()
    await this.#close()
  }
}

/** The step with the newest object of that name. */
export const run = (
  step: ObjectStep,
  key: string,
  more: {
    readonly dryRun?: boolean
    readonly begun?: number
    readonly versionId?: string
    readonly isLatest?: boolean
  } = {},
): Promise<StepOutcome> => {
  const { dryRun = false, begun = Date.now() + 1_000, versionId, isLatest = true } = more
  const version = versionId === undefined ? {} : { versionId }
  const signal = new AbortController().signal
  return step({ bucket: Bucket, key, isLatest, ...version }, { dryRun, begun, signal })
}

export const MIB = 1024 * 1024
const DESCRIBED = {
  ContentType: 'text/x-kept',
  CacheControl: 'max-age=60',
  ContentEncoding: 'identity',
  Metadata: { owner: 'somebody', note: 'that stays' },
} as const

/** By name, the bodies of objects of every shape, written by a client. */
export async function writeShapes(s3: S3Client): Promise<ReadonlyMap<string, Buffer>> {
  await s3.send(new CreateBucketCommand({ Bucket }))
  const bodies = new Map([
    ['empty', Buffer.alloc(0)],
    ['small', randomBytes(1_000)],
    ['streamed', randomBytes(2 * MIB)],
    ['with a foot', randomBytes(5 * MIB + 7)],
    ['one part', randomBytes(70_000)],
    ['parts', randomBytes(5 * MIB + 100)],
  ])
  for (const [Key, Body] of bodies) {
    if (Key === 'parts') await writeParts(s3, Key, [Body.subarray(0, 5 * MIB), Body.subarray(5 * MIB)])
    else if (Key === 'one part') await writeParts(s3, Key, [Body])
    else await s3.send(new PutObjectCommand({ Bucket, Key, Body, ChecksumAlgorithm: 'SHA256', ...DESCRIBED }))
  }
  return bodies
}

async function writeParts(s3: S3Client, Key: string, bodies: readonly Buffer[]): Promise<void> {
  const created = await s3.send(
    new CreateMultipartUploadCommand({
      Bucket,
      Key,
      ChecksumAlgorithm: 'CRC32',
      ChecksumType: 'COMPOSITE',
      ...DESCRIBED,
    }),
  )
  const { UploadId } = created
  const Parts = []
  // Numbers with a gap: they are told by GetObjectAttributes and `partNumber`.
  for (const [i, Body] of bodies.entries()) {
    const PartNumber = 2 * i + 3
    const part = await s3.send(
      new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body, ChecksumAlgorithm: 'CRC32' }),
    )
    Parts.push({ PartNumber, ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32 })
  }
  await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }))
}

/** What a client gives who brings a key of its own. */
export const customerKey = () => ({
  SSECustomerAlgorithm: 'AES256',
  SSECustomerKey: randomBytes(32).toString('base64'),
})

export async function read(
  s3: S3Client,
  Key: string,
  more: { readonly Range?: string; readonly VersionId?: string } = {},
) {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, ...more }))
  return Buffer.from((await Body?.transformToByteArray()) ?? [])
}

/** All that a client can see of an object but its bytes and when it was written. */
export async function told(s3: S3Client, Key: string, { etag }: { readonly etag: boolean }) {
  const asked = { Bucket, Key, ChecksumMode: 'ENABLED' } as const
  const { $metadata: _, LastModified: __, ETag, VersionId: ___, ...head } = await s3.send(new HeadObjectCommand(asked))
  const second = await s3.send(new HeadObjectCommand({ ...asked, PartNumber: 1 }))
  const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: Key }))
  const listed = Contents?.find((one) => one.Key === Key)
  expect(listed?.ETag).toBe(ETag)
  return {
    ...head,
    ...(etag ? { ETag } : {}),
    listed: { Size: listed?.Size },
    part: { length: second.ContentLength, count: second.PartsCount, crc32: second.ChecksumCRC32 },
  }
}
