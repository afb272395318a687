// What the sections of the object store contract share.
import { afterAll, beforeAll, beforeEach } from 'vitest'
import type { Body } from '../../../src/backends/body.ts'
import type { ListOptions, ListPage, ObjectStore, PutOptions, WriteResult } from '../../../src/backends/object-store.ts'
import { StoreError } from '../../../src/backends/object-store.ts'

export const KIB = 1024
const NO_COMMIT: PutOptions['commit'] = () => Promise.resolve({})

export function bytes(length: number, seed = 1): Buffer {
  const buffer = Buffer.alloc(length)
  for (let i = 0, x = seed; i < length; i++) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0
    buffer[i] = x >>> 16
  }
  return buffer
}

/** A body in batches of about `batch` bytes, each of several buffers. */
export async function* bodyOf(content: Buffer | string, batch = 70_000): Body {
  const whole = Buffer.from(content)
  for (let at = 0; at < whole.length; at += batch) {
    const piece = whole.subarray(at, at + batch)
    const middle = piece.length >> 1
    await Promise.resolve()
    yield [Buffer.from(piece.subarray(0, middle)), Buffer.alloc(0), Buffer.from(piece.subarray(middle))]
  }
}

/** Yields the content and then fails. */
export async function* brokenBody(content: Buffer, error: Error): Body {
  yield* bodyOf(content)
  throw error
}

export async function collect(body: Body): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const batch of body) pieces.push(...batch)
  return Buffer.concat(pieces)
}

export function putOptions(options: Partial<PutOptions> = {}): PutOptions {
  return { metadata: {}, commit: NO_COMMIT, ...options }
}

export async function refusal(action: Promise<unknown>): Promise<string> {
  try {
    await action
    return 'no refusal'
  } catch (error) {
    return error instanceof StoreError ? error.refusal : String(error)
  }
}

/** The store under test with a new bucket for each test, and short words for what tests do most. */
export interface Bench {
  readonly store: ObjectStore
  readonly bucket: string
  /** See `ContractOptions`. */
  readonly remote: boolean
  put(key: string, content: Buffer | string, options?: Partial<PutOptions>): Promise<WriteResult>
  read(key: string, options?: object): Promise<Buffer>
  text(key: string): Promise<string>
  page(options: Partial<ListOptions>): Promise<NamesPage>
}

export interface NamesPage extends Pick<ListPage, 'commonPrefixes' | 'truncated'> {
  readonly keys: string[]
}

/** Opens the store before the tests of the surrounding `describe`, and makes a bucket before each. */
export function makeBench({
  open,
  close,
  remote,
}: {
  readonly open: () => Promise<ObjectStore>
  readonly close: (store: ObjectStore) => Promise<void>
  readonly remote: boolean
}): Bench {
  let store: ObjectStore | undefined
  let buckets = 0
  const opened = (): ObjectStore => {
    if (store === undefined) throw new Error('the store is not open yet')
    return store
  }
  const bench: Bench = {
    remote,
    get store() {
      return opened()
    },
    get bucket() {
      return `bucket-${buckets}`
    },
    put: (key, content, options = {}) => opened().put(bench.bucket, key, bodyOf(content), putOptions(options)),
    read: async (key, options = {}) => collect((await opened().get(bench.bucket, key, options)).body),
    text: async (key) => (await bench.read(key)).toString(),
    page: async (options) => {
      const { objects, commonPrefixes, truncated } = await opened().list(bench.bucket, {
        prefix: '',
        limit: 1000,
        ...options,
      })
      return { keys: objects.map(({ key }) => key), commonPrefixes, truncated }
    },
  }
  beforeAll(async () => {
    store = await open()
  })
  afterAll(() => close(opened()))
  beforeEach(async () => {
    buckets++
    await opened().createBucket(bench.bucket)
  })
  return bench
}

/** The listing's contract, in its plainest form. */
export function naivePage(
  keys: readonly string[],
  { prefix, delimiter, after, afterPrefix, limit }: ListOptions,
): NamesPage {
  const inOrder = keys
    .map((key) => Buffer.from(key))
    .sort(Buffer.compare)
    .map(String)
  const left = inOrder.filter(
    (key) =>
      key.startsWith(prefix) &&
      (after === undefined ||
        (Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0 && !(afterPrefix === true && key.startsWith(after)))),
  )
  const entries: { name: string; common: boolean }[] = []
  for (const key of left) {
    const cut = delimiter === undefined || delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    const entry =
      cut < 0 ? { name: key, common: false } : { name: key.slice(0, cut + (delimiter ?? '').length), common: true }
    if (!(entry.common && entries.at(-1)?.common === true && entries.at(-1)?.name === entry.name)) entries.push(entry)
  }
  const page = entries.slice(0, limit)
  return {
    keys: page.filter(({ common }) => !common).map(({ name }) => name),
    commonPrefixes: page.filter(({ common }) => common).map(({ name }) => name),
    truncated: entries.length > limit,
  }
}
