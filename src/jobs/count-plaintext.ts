/** What is left in plaintext in a bucket that may hold it. */
import { Denied } from '../errors.ts'
import type { ObjectStore } from '../backends/object-store.ts'

/** Objects looked at in each bucket, in the order of their names: each is a request to the store once, and remembered. */
const MOST = 10_000

export interface PlaintextCount {
  readonly examined: number
  readonly plain: number
  /** The key of one of them. */
  readonly example: string | undefined
  /** Whether the bucket has no more objects than were examined. */
  readonly whole: boolean
}

/** The buckets whose contents are mixed: those that the store lists, and those in `named`, which is all we know where it lists none to us. */
export async function mixedBuckets(
  store: Pick<ObjectStore, 'listBuckets'>,
  named: readonly string[],
  isMixed: (bucket: string) => boolean,
): Promise<string[]> {
  try {
    return (await store.listBuckets()).map(({ name }) => name).filter(isMixed)
  } catch (error) {
    if (!(error instanceof Denied)) throw error
    return named.filter(isMixed)
  }
}

/** An entry of a listing. */
interface Entry {
  readonly key: string
  readonly etag: string
  readonly size: number
  /** Milliseconds since 1970. */
  readonly modified: number
}

/** `arePlain` says of each entry of a page whether it lies in plaintext. Throws what the store throws, and the signal's reason. */
export async function countPlaintext(
  store: Pick<ObjectStore, 'list'>,
  bucket: string,
  { arePlain, signal }: { arePlain: (entries: readonly Entry[]) => Promise<boolean[]>; signal: AbortSignal },
): Promise<PlaintextCount> {
  let examined = 0
  let plain = 0
  let example: string | undefined
  let after: string | undefined
  for (;;) {
    signal.throwIfAborted()
    const page = await store.list(bucket, { prefix: '', limit: 1_000, ...(after === undefined ? {} : { after }) })
    const entries = page.objects.map((one) => ({ ...one, modified: one.lastModified.getTime() }))
    const found = await arePlain(entries)
    examined += found.length
    plain += found.filter(Boolean).length
    example ??= entries[found.indexOf(true)]?.key
    after = page.objects.at(-1)?.key
    const whole = !page.truncated || after === undefined
    if (whole || examined >= MOST) return { examined, plain, example, whole }
  }
}
