/**
 * Small records over any object store (docs/format.md, "State store"): whole values, written and read at once, guarded by
 * conditional writes. Names, sizes and times are the store's; what records mean is their owners' business.
 */
import { type Body, HeldBody } from '../backends/body.ts'
import { type GetResult, type ObjectStore, StoreError, type WriteCondition } from '../backends/object-store.ts'
import { Integrity, Internal, Invalid, Unavailable } from '../errors.ts'

export interface StateRecord {
  readonly bytes: Buffer
  readonly etag: string
  readonly lastModified: Date
}

export interface StateEntry {
  /** Without the store's prefix. */
  readonly path: string
  readonly etag: string
  readonly size: number
  readonly lastModified: Date
}

export interface StatePage {
  readonly records: readonly StateEntry[]
  /** Common prefixes, without the store's prefix. */
  readonly prefixes: readonly string[]
  readonly truncated: boolean
}

export interface StateListOptions {
  /** Start strictly after this path, or after everything below it if it is a prefix that an earlier page returned. */
  readonly after?: string
  /** 1 to 1,000; default 1,000. */
  readonly limit?: number
  readonly delimiter?: string
}

/** The longest value: 64 MiB. */
export const MAX_RECORD_BYTES = 64 * 1024 * 1024

/** Every method throws `Unavailable` if the store does not answer, or its bucket is gone. */
export class StateStore {
  readonly #store: ObjectStore
  readonly #bucket: string
  readonly #prefix: string

  /** `prefix` is '' or ends with '/'. */
  constructor(store: ObjectStore, bucket: string, prefix = '') {
    if (prefix !== '' && !prefix.endsWith('/'))
      throw new Invalid(`the prefix of the state store ends with "/", not "${prefix}"`)
    this.#store = store
    this.#bucket = bucket
    this.#prefix = prefix
  }

  /** The value of a path; `undefined` if there is none. */
  async get(path: string): Promise<StateRecord | undefined> {
    const found = await this.#call(() => this.#store.get(this.#bucket, this.#prefix + path)).catch(unlessMissing)
    if (found === undefined) return undefined
    const { etag, lastModified } = found.info
    return { bytes: await collect(path, found), etag, lastModified }
  }

  /** Writes a whole value and returns its ETag. Throws `StoreError('precondition-failed')`, also for If-Match on a path that has no value. */
  async put(path: string, bytes: Buffer, condition?: WriteCondition): Promise<string> {
    if (bytes.length > MAX_RECORD_BYTES) throw new Internal(`state record ${path} has ${bytes.length} bytes`)
    const options = {
      length: bytes.length,
      metadata: {},
      commit: async () => ({}),
      ...(condition === undefined ? {} : { condition }),
    }
    const key = this.#prefix + path
    try {
      return (await this.#call(() => this.#store.put(this.#bucket, key, new HeldBody([bytes]), options))).etag
    } catch (error) {
      // A request that was sent again met its own first attempt: records are sealed anew each time, so equal bytes are ours.
      const refused = isRefusal(error, 'precondition-failed')
      const there = refused && bytes.length > 0 ? await this.get(path).catch(() => undefined) : undefined
      if (there?.bytes.equals(bytes) === true) return there.etag
      // Gone and changed are one answer to "only if it is still what I read".
      if (isRefusal(error, 'no-such-key')) throw new StoreError('precondition-failed', `there is no record ${path}`)
      throw error
    }
  }

  /** Puts a value in the place of what had that ETag, or of nothing. Returns the new ETag; `undefined` if something else is there by now. */
  async exchange(path: string, bytes: Buffer, etag: string | undefined): Promise<string | undefined> {
    try {
      return await this.put(path, bytes, etag === undefined ? { ifNoneMatch: '*' } : { ifMatch: etag })
    } catch (error) {
      if (isRefusal(error, 'precondition-failed')) return undefined
      throw error
    }
  }

  /** Writes a value of any size as it streams, `length` bytes exactly. */
  async putStream(path: string, body: Body, length: number, signal?: AbortSignal): Promise<void> {
    const options = { length, metadata: {}, commit: async () => ({}), ...(signal === undefined ? {} : { signal }) }
    await this.#call(() => this.#store.put(this.#bucket, this.#prefix + path, body, options))
  }

  /** A value of any size as a stream; `undefined` if there is none. */
  async getStream(path: string, signal?: AbortSignal): Promise<GetResult | undefined> {
    const options = signal === undefined ? {} : { signal }
    return this.#call(() => this.#store.get(this.#bucket, this.#prefix + path, options)).catch(unlessMissing)
  }

  /** No error if there is no such value. */
  async delete(path: string): Promise<void> {
    await this.#call(() => this.#store.delete(this.#bucket, this.#prefix + path))
  }

  /** One page of the paths that begin with `prefix`, in UTF-8 order. Throws `Unavailable` for times that cannot be read. */
  async list(prefix: string, { after, limit = 1_000, delimiter }: StateListOptions = {}): Promise<StatePage> {
    const page = await this.#call(() =>
      this.#store.list(this.#bucket, {
        prefix: this.#prefix + prefix,
        limit,
        ...(delimiter === undefined ? {} : { delimiter }),
        ...(after === undefined
          ? {}
          : { after: this.#prefix + after, afterPrefix: delimiter !== undefined && after.endsWith(delimiter) }),
      }),
    )
    const own = (name: string): string => name.slice(this.#prefix.length)
    // A store that could not be understood gives the beginning of time: taken for an age, it would make everything abandoned.
    if (page.objects.some(({ lastModified }) => lastModified.getTime() === 0)) {
      throw new Unavailable('the state store listed a record without a time that can be read')
    }
    return {
      records: page.objects.map(({ key, etag, size, lastModified }) => ({ path: own(key), etag, size, lastModified })),
      prefixes: page.commonPrefixes.map(own),
      truncated: page.truncated,
    }
  }

  /** Page after page of those paths, from behind `after` on; what is written or deleted meanwhile may or may not be among them. Throws as `list` does. */
  async *pages(prefix: string, after?: string): AsyncGenerator<readonly StateEntry[]> {
    for (let from = after; ; ) {
      const { records, truncated } = await this.list(prefix, from === undefined ? {} : { after: from })
      yield records
      from = records.at(-1)?.path
      if (!truncated || from === undefined) return
    }
  }

  /** Makes the bucket if it is missing; several processes may call it at once. */
  async ensureBucket(): Promise<void> {
    if ((await this.#store.headBucket(this.#bucket)) !== undefined) return
    try {
      await this.#store.createBucket(this.#bucket)
    } catch (error) {
      if (!isRefusal(error, 'bucket-exists')) throw error
    }
  }

  /** Clients never hear of our bucket: that it is missing is our outage, not their NoSuchBucket. */
  async #call<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (!isRefusal(error, 'no-such-bucket')) throw error
      throw new Unavailable(`the bucket "${this.#bucket}" of the state store is missing`, { cause: error })
    }
  }
}

function isRefusal(error: unknown, refusal: StoreError['refusal']): boolean {
  return error instanceof StoreError && error.refusal === refusal
}

function unlessMissing(error: unknown): undefined {
  if (isRefusal(error, 'no-such-key')) return undefined
  throw error
}

async function collect(path: string, { info, body }: GetResult): Promise<Buffer> {
  if (info.size > MAX_RECORD_BYTES)
    throw new Integrity('metadata failure', `state record ${path} has ${info.size} bytes, which Sealgate never writes`)
  const bytes = Buffer.alloc(info.size)
  let filled = 0
  for await (const pieces of body) {
    for (const piece of pieces) filled += piece.copy(bytes, filled)
  }
  if (filled !== info.size) throw new Unavailable(`state record ${path} ended after ${filled} of ${info.size} bytes`)
  return bytes
}
