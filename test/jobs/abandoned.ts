/** A gateway whose time stands still until a test moves it, and cleaners beside it. */
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { MemoryStore } from '../../src/backends/memory.ts'
import type { ObjectStore } from '../../src/backends/object-store.ts'
import {
  type CleanUploadsOptions,
  type CleanUploadsReport,
  cleanUploads,
  type DueUpload,
} from '../../src/jobs/clean-uploads.ts'
import { AbandonedUploads } from '../../src/state/abandoned-uploads.ts'
import { StateKeyring } from '../../src/state/keyring.ts'
import { StateStore } from '../../src/state/state-store.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { createUploads } from '../helpers/some-uploads.ts'

export const MINUTE = 60_000
export const DAY = 24 * 60 * MINUTE
export const WEEK = 7 * DAY
export const Bucket = 'uploads'

export class Scene {
  now = Date.UTC(2026, 0, 1)
  readonly clock = (): number => this.now
  readonly backend = new MemoryStore({ now: () => new Date(this.now) })
  readonly stateObjects = new MemoryStore({ now: () => new Date(this.now) })
  /** The records, past everything that a test puts between. */
  readonly records = new StateStore(this.stateObjects, 'sealgate-state')
  #running: TestGateway | undefined

  /** What the gateway sees of the two stores is what `between` makes of them. */
  async open(between: { store?: ObjectStore; state?: ObjectStore } = {}): Promise<void> {
    this.#running = await startGateway({ store: this.backend, state: this.stateObjects, clock: this.clock, ...between })
    await this.s3().send(new CreateBucketCommand({ Bucket }))
  }

  async close(): Promise<void> {
    await this.#running?.close()
  }

  get running(): TestGateway {
    if (this.#running === undefined) throw new Error('open the scene first')
    return this.#running
  }

  /** A client for one request: after an answer it would believe the date that the HTTP server sends. */
  s3(): S3Client {
    return this.running.client({
      systemClockOffset: this.now - Date.now(),
      requestChecksumCalculation: 'WHEN_REQUIRED',
    })
  }

  async create(Key: string): Promise<string> {
    return (await this.s3().send(new CreateMultipartUploadCommand({ Bucket, Key }))).UploadId!
  }

  async part(Key: string, UploadId: string, PartNumber: number, Body: Buffer): Promise<string> {
    return (await this.s3().send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }))).ETag!
  }

  async complete(Key: string, UploadId: string, etags: readonly string[]): Promise<void> {
    const Parts = etags.map((ETag, at) => ({ PartNumber: at + 1, ETag }))
    await this.s3().send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }))
  }

  async read(Key: string): Promise<Buffer> {
    const { Body } = await this.s3().send(new GetObjectCommand({ Bucket, Key }))
    return Buffer.from(await Body!.transformToByteArray())
  }

  /** Uploads without their parts, past the protocol: thousands in a moment. */
  async createMany(count: number): Promise<void> {
    const { uploads } = this.running.gateway
    const keys = Array.from({ length: count }, (_, n) => `many/${n}`)
    await createUploads({ backend: this.backend, uploads }, { bucket: Bucket, keys, initiated: this.now })
  }

  /** One run of a process of its own, which shares only the stores. */
  async clean(
    options: Partial<CleanUploadsOptions> = {},
    between: { store?: ObjectStore; state?: ObjectStore } = {},
  ): Promise<CleanUploadsReport & { readonly due: readonly DueUpload[] }> {
    const { store = this.backend, state: objects = this.stateObjects } = between
    const state = new StateStore(objects, 'sealgate-state')
    const { keys } = this.running.gateway
    const uploads = new AbandonedUploads({ state, keys, keyring: new StateKeyring(state) })
    const due: DueUpload[] = []
    const report = await cleanUploads(
      { uploads, store, clock: this.clock },
      { abandonedAfter: WEEK, onUpload: (one) => due.push(one), ...options },
    )
    return { ...report, due }
  }

  /** Keys of the uploads that the backend has. */
  async atBackend(): Promise<string[]> {
    return (await this.backend.listUploads(Bucket, { prefix: '', limit: 10_000 })).uploads.map(({ key }) => key)
  }

  /** Paths below `uploads/`, without the id, of at most a thousand records. */
  async inState(): Promise<string[]> {
    return (await this.records.list('uploads/')).records.map(({ path }) => path.split('/').slice(2).join('/'))
  }
}

/** A store that runs `before` or `after` around each call of one method. */
export function around(
  inner: ObjectStore,
  method: keyof ObjectStore,
  hooks: { before?: (...args: unknown[]) => Promise<unknown>; after?: (...args: unknown[]) => Promise<unknown> },
): ObjectStore {
  return new Proxy(inner, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      if (name !== method) return value.bind(target) as unknown
      return async (...args: unknown[]) => {
        await hooks.before?.(...args)
        const answer: unknown = await value.apply(target, args)
        await hooks.after?.(...args)
        return answer
      }
    },
  })
}
