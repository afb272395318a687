/** A backend, a state store and one upload in them, with gateways that share nothing else: what several replicas are to each other. */
import { createHash } from 'node:crypto'
import { MemoryStore } from '../../src/backends/memory.ts'
import type { Body } from '../../src/backends/body.ts'
import { Meter } from '../../src/telemetry/meter.ts'
import type { ListedObject, ObjectStore } from '../../src/backends/object-store.ts'
import { Background } from '../../src/gateway/background.ts'
import { ByteBudget } from '../../src/gateway/byte-budget.ts'
import type { Gateway, OperationRequest } from '../../src/gateway/gateway.ts'
import { OPERATION_FUNCTIONS } from '../../src/gateway/operations.ts'
import { PlainLookup } from '../../src/gateway/plain-lookup.ts'
import { TailCache } from '../../src/gateway/tail-cache.ts'
import { toS3Error } from '../../src/http/failures.ts'
import { createBucketKeys } from '../../src/keys/bucket-keys.ts'
import type { BucketKeys } from '../../src/keys/key-manager.ts'
import { MemoryKeyManager } from '../../src/keys/memory.ts'
import { Headers } from '../../src/s3/headers.ts'
import { Query } from '../../src/s3/query.ts'
import { StateKeyring } from '../../src/state/keyring.ts'
import { StateBucketDocuments } from '../../src/state/bucket-documents.ts'
import { StateStore } from '../../src/state/state-store.ts'
import { Uploads } from '../../src/state/uploads.ts'
import { journalOrder } from './observed-calls.ts'
import { ownRules } from './own-rules.ts'

const NOW = Date.UTC(2026, 0, 2, 12)
const BUCKET = 'bucket'
const KEY = 'object'
const STATE = 'sealgate-state'

type Random = (bytes: number) => Buffer
/** What a client hears: `200`, `204` or the code of an error, and the ETag where there is one. */
export interface Answer {
  readonly code: string
  readonly etag?: string
  readonly body?: Buffer | string
}

export interface Listed {
  readonly partNumber: number
  readonly etag: string
}

/** The bucket's key is asked for before: it is not what is looked at, and no call of it is a step. */
export async function sharedKeys(): Promise<BucketKeys> {
  let drawn = 0
  const random: Random = (bytes) => shake(`keys/${drawn++}`, bytes)
  const state = new StateStore(new MemoryStore(), STATE)
  await state.ensureBucket()
  const managers = new Map([['main', new MemoryKeyManager({ alias: 'main', random })]])
  const keys = createBucketKeys({ managers, activeAlias: 'main', keyring: new StateKeyring(state), clock: () => NOW })
  await keys.active(BUCKET)
  return keys
}

export interface WorldOptions {
  readonly keys: BucketKeys
  /** For the stores. */
  readonly random: Random
  /** Whether the backend keeps facts, and ETags are MD5s. */
  readonly facts: boolean
  /** The state store tells times by the second, and all of this happens in one. */
  readonly coarse?: boolean
}

export class MultipartWorld {
  readonly backend: MemoryStore
  readonly state: MemoryStore
  readonly #options: WorldOptions
  readonly #client: Client
  uploadId = ''

  constructor(options: WorldOptions) {
    this.#options = options
    const { random, facts, coarse } = options
    let ticks = 0
    const now = (): Date => new Date(coarse === true ? NOW : NOW + 1_000 * ticks++)
    this.backend = new MemoryStore({ random, now: () => new Date(NOW), capabilities: { facts } })
    this.state = new MemoryStore({ random, now })
    this.#client = this.client({ name: 'direct', wrap: (_, store) => store })
  }

  async createBuckets(): Promise<void> {
    await this.backend.createBucket(BUCKET)
    await this.state.createBucket(STATE)
  }

  /** A client of a gateway that no scheduler sees. */
  get direct(): Client {
    return this.#client
  }

  /** A client of a gateway of its own. `wrap` makes its stores. */
  client(of: { name: string; random?: Random; wrap: (label: string, store: ObjectStore) => ObjectStore }): Client {
    let drawn = 0
    const random = of.random ?? ((bytes: number): Buffer => shake(`${of.name}/${drawn++}`, bytes))
    const clock = (): number => NOW
    const state = new StateStore(of.wrap('state', this.state), STATE)
    const { keys } = this.#options
    return new Client(this, {
      meter: new Meter(),
      store: of.wrap('backend', this.backend),
      keys,
      uploads: new Uploads({ state, keys, clock, random }),
      documents: new StateBucketDocuments(state, clock),
      tails: new TailCache(1024 * 1024),
      plain: new PlainLookup(),
      background: new Background(),
      rules: ownRules,
      clock,
      random,
      owner: { id: 'ab'.repeat(32), displayName: 'sealgate' },
      region: 'us-east-1',
      limits: { xmlBytes: 1024 * 1024, gather: new ByteBudget(1024 * 1024) },
      checksums: { default: 'none', onGet: 'headers-only' },
    })
  }

  /** Equal for stores in which everything is equal but the times, of which the journal's order counts. */
  async fingerprint(): Promise<string> {
    const page = await this.state.list(STATE, { prefix: '', limit: 1_000 })
    const ref = { bucket: BUCKET, key: KEY, uploadId: this.uploadId }
    // Whoever wrote this record last: of it only what it says counts.
    const done = async (): Promise<unknown> => this.direct.gateway.uploads.done(ref, BUCKET)
    const says = async ({ key, etag }: ListedObject) => [key, key.endsWith('/done') ? await done() : etag]
    const records = await Promise.all(page.objects.map(says))
    const parts = await this.backend.listParts(ref, { after: 0, limit: 100 }).catch(() => undefined)
    const object = await this.backend.head(BUCKET, KEY)
    const listed = parts?.parts.map(({ partNumber, etag }) => [partNumber, etag]) ?? 'no upload'
    return JSON.stringify([records, journalOrder(page), listed, object?.etag ?? 'no object'])
  }

  /** What is left of the upload in the state store, without the id in front. */
  async leftovers(): Promise<string[]> {
    const { objects } = await this.state.list(STATE, { prefix: 'uploads/', limit: 1_000 })
    return objects.map(({ key }) => key.replace(/^uploads\/[0-9a-f]{32}\//, ''))
  }

  async isOpenOnBackend(): Promise<boolean> {
    return (await this.backend.listUploads(BUCKET, { prefix: '', limit: 10 })).uploads.length > 0
  }
}

type OperationName = keyof typeof OPERATION_FUNCTIONS

/** Requests about the one upload and its object. */
export class Client {
  readonly gateway: Gateway
  readonly #world: MultipartWorld

  constructor(world: MultipartWorld, gateway: Gateway) {
    this.#world = world
    this.gateway = gateway
  }

  /** Resolves when what goes on behind the answers is done. */
  async idle(): Promise<void> {
    await this.gateway.background.idle()
  }

  async createUpload(): Promise<void> {
    const { body } = await this.send('CreateMultipartUpload')
    this.#world.uploadId = /<UploadId>([^<]+)/.exec(String(body))?.[1] ?? ''
  }

  uploadPart(partNumber: number, bytes: Buffer): Promise<Answer> {
    return this.send('UploadPart', `partNumber=${partNumber}`, bytes)
  }

  complete(list: readonly Listed[]): Promise<Answer> {
    const parts = list.map(({ partNumber, etag }) => {
      return `<Part><PartNumber>${partNumber}</PartNumber><ETag>"${etag}"</ETag></Part>`
    })
    const document = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`
    return this.send('CompleteMultipartUpload', '', Buffer.from(document))
  }

  abort(): Promise<Answer> {
    return this.send('AbortMultipartUpload')
  }

  async listParts(): Promise<Answer & { readonly parts: readonly Listed[] }> {
    const answer = await this.send('ListParts')
    const rows = String(answer.body ?? '').matchAll(
      /<Part>.*?<PartNumber>(\d+)<.*?<ETag>(?:&quot;|")([^&"]+).*?<\/Part>/gs,
    )
    return { ...answer, parts: [...rows].map(([, number, etag]) => ({ partNumber: Number(number), etag: etag ?? '' })) }
  }

  get(): Promise<Answer> {
    return this.send('GetObject')
  }

  async send(operation: OperationName, query = '', body: Buffer = Buffer.alloc(0)): Promise<Answer> {
    const { uploadId } = this.#world
    const request: OperationRequest = {
      operation,
      method: 'POST',
      bucket: BUCKET,
      key: KEY,
      query: new Query(operation === 'GetObject' ? '' : `uploadId=${uploadId}&${query}`),
      headers: new Headers(['host', 'localhost', 'content-length', String(body.length)]),
      body: { length: body.length, stream: once(body), trailers: () => ({}) },
      authorise: () => undefined,
      urlOf: (key) => key,
      visible: () => true,
      signal: new AbortController().signal,
    }
    try {
      const response = await OPERATION_FUNCTIONS[operation](this.gateway, request)
      const content = typeof response.body === 'object' ? await collect(response.body.stream) : response.body
      const etag =
        response.headers?.etag?.replaceAll('"', '') ?? /<ETag>(?:&quot;|")([^&"]+)/.exec(String(content))?.[1]
      return {
        code: String(response.status),
        ...(etag === undefined ? {} : { etag }),
        ...(content === undefined ? {} : { body: content }),
      }
    } catch (error) {
      const { code } = toS3Error(error)
      return { code, body: error instanceof Error ? error.message : '' }
    }
  }
}

async function collect(body: Body): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const pieces of body) all.push(...pieces)
  return Buffer.concat(all)
}

async function* once(bytes: Buffer): Body {
  yield [bytes]
}

function shake(seed: string, bytes: number): Buffer {
  return createHash('shake256', { outputLength: bytes }).update(seed).digest()
}
