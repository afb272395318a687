/** Configurations of buckets whose store cannot keep them for us: records of the state store, remembered for a few seconds. */
import type { BucketDocuments } from '../backends/bucket-documents.ts'
import { Unavailable } from '../errors.ts'
import { pathSegment } from './path-segment.ts'
import type { StateStore } from './state-store.ts'

/** S3 itself promises no more: a changed configuration takes effect a little later. Here: on other replicas. */
const LIFETIME_MS = 5_000
/** Documents are small; this bounds what requests for many buckets can make a process keep. */
const MAX_REMEMBERED = 4_096

interface Remembered {
  readonly document: Buffer | undefined
  readonly until: number
}

/** Every method throws `Unavailable` if the state store does not answer; `read` only for what this process has never read. */
export class StateBucketDocuments implements BucketDocuments {
  readonly #state: StateStore
  readonly #clock: () => number
  readonly #remembered = new Map<string, Remembered>()
  /** Reads under way: every write into a bucket may ask at the same moment. */
  readonly #reading = new Map<string, Promise<Buffer | undefined>>()

  /** `clock` in milliseconds since 1970. */
  constructor(state: StateStore, clock: () => number) {
    this.#state = state
    this.#clock = clock
  }

  async read(bucket: string, name: string): Promise<Buffer | undefined> {
    const path = pathOf(bucket, name)
    const known = this.#remembered.get(path)
    if (known !== undefined && known.until > this.#clock()) return known.document
    try {
      return await (this.#reading.get(path) ?? this.#read(path))
    } catch (error) {
      // What held a moment ago is a better answer than none: a state store that is away must not stop every write.
      if (!(error instanceof Unavailable) || known === undefined) throw error
      const latest = this.#remembered.get(path) ?? known
      if (latest === known) this.#remember(path, known.document)
      return latest.document
    }
  }

  async #read(path: string): Promise<Buffer | undefined> {
    const reading = this.#state.get(path).then((record) => record?.bytes)
    this.#reading.set(path, reading)
    try {
      const document = await reading
      // Unless it was written meanwhile: then this is the past.
      if (this.#reading.get(path) === reading) this.#remember(path, document)
      return document
    } finally {
      if (this.#reading.get(path) === reading) this.#reading.delete(path)
    }
  }

  async write(bucket: string, name: string, document: Buffer): Promise<void> {
    const path = pathOf(bucket, name)
    await this.#state.put(path, document)
    this.#remember(path, document)
  }

  async remove(bucket: string, name: string): Promise<void> {
    const path = pathOf(bucket, name)
    await this.#state.delete(path)
    this.#remember(path, undefined)
  }

  #remember(path: string, document: Buffer | undefined): void {
    this.#reading.delete(path)
    this.#remembered.delete(path)
    this.#remembered.set(path, { document, until: this.#clock() + LIFETIME_MS })
    const [oldest] = this.#remembered.keys()
    if (this.#remembered.size > MAX_REMEMBERED && oldest !== undefined) this.#remembered.delete(oldest)
  }
}

const pathOf = (bucket: string, name: string): string => `buckets/${pathSegment(bucket)}/${name}`
