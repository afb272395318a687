/** Configurations of buckets whose store cannot keep them for us: records of the state store, remembered for a few seconds. */
import type { BucketDocuments } from '../backends/bucket-documents.ts'
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

/** Every method throws `Unavailable` if the state store does not answer. */
export class StateBucketDocuments implements BucketDocuments {
  readonly #state: StateStore
  readonly #clock: () => number
  readonly #remembered = new Map<string, Remembered>()

  /** `clock` in milliseconds since 1970. */
  constructor(state: StateStore, clock: () => number) {
    this.#state = state
    this.#clock = clock
  }

  async read(bucket: string, name: string): Promise<Buffer | undefined> {
    const path = pathOf(bucket, name)
    const known = this.#remembered.get(path)
    if (known !== undefined && known.until > this.#clock()) return known.document
    const record = await this.#state.get(path)
    this.#remember(path, record?.bytes)
    return record?.bytes
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
    this.#remembered.delete(path)
    this.#remembered.set(path, { document, until: this.#clock() + LIFETIME_MS })
    const [oldest] = this.#remembered.keys()
    if (this.#remembered.size > MAX_REMEMBERED && oldest !== undefined) this.#remembered.delete(oldest)
  }
}

const pathOf = (bucket: string, name: string): string => `buckets/${pathSegment(bucket)}/${name}`
