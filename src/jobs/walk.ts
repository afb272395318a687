/** Every object of some buckets, or every version of each, a page at a time and from anywhere on. */
import { type ListedVersion, type ObjectStore, StoreError } from '../backends/object-store.ts'
import { Unavailable } from '../errors.ts'
import type { StepObject } from '../object-step.ts'
import type { JobCursor } from '../state/job-records.ts'

export interface Walk {
  /** In ascending order. */
  readonly buckets: readonly string[]
  readonly prefix: string
  /** Every version, where the store keeps them. */
  readonly allVersions: boolean
}

export interface JobObject extends StepObject {
  /** Stored bytes. */
  readonly size: number
}

export interface Walked {
  readonly object: JobObject
  /** Where a later walk may begin once all up to here is done; absent where versions of the same key follow. */
  readonly cursor?: JobCursor
}

export type WalkedStore = Pick<ObjectStore, 'list' | 'listVersions' | 'capabilities'>

const PAGE = 1_000

/** Pages of the walk, from behind `from` on. What is written or deleted meanwhile may or may not be among them. A bucket that is gone by then is passed over. */
export async function* walkPages(
  store: WalkedStore,
  { buckets, prefix, allVersions }: Walk,
  from?: JobCursor,
): AsyncGenerator<readonly Walked[]> {
  for (const bucket of buckets) {
    if (from !== undefined && bucket < from.bucket) continue
    const after = bucket === from?.bucket ? from.key : undefined
    try {
      if (allVersions && store.capabilities.versions && store.listVersions !== undefined)
        yield* versions(store, bucket, prefix, after)
      else yield* objects(store, bucket, prefix, after)
    } catch (error) {
      if (!(error instanceof StoreError && error.refusal === 'no-such-bucket')) throw error
    }
  }
}

async function* objects(
  store: WalkedStore,
  bucket: string,
  prefix: string,
  from: string | undefined,
): AsyncGenerator<readonly Walked[]> {
  for (let after = from; ; ) {
    const page = await store.list(bucket, { prefix, limit: PAGE, ...(after === undefined ? {} : { after }) })
    yield page.objects.map(({ key, size }) => ({
      object: { bucket, key, size, isLatest: true },
      cursor: { bucket, key },
    }))
    if (!page.truncated) return
    after = furtherThan(after, page.objects.at(-1)?.key)
  }
}

/** Goes on behind a key with all its versions alone: a version that a cursor names may be gone when it is needed. */
async function* versions(
  store: WalkedStore,
  bucket: string,
  prefix: string,
  from: string | undefined,
): AsyncGenerator<readonly Walked[]> {
  let held: ListedVersion | undefined
  let at: { readonly afterKey: string; readonly afterVersionId?: string } | undefined =
    from === undefined ? undefined : { afterKey: from }
  for (;;) {
    const page = await store.listVersions?.(bucket, { prefix, limit: PAGE, ...at })
    if (page === undefined) return
    const seen = held === undefined ? page.versions : [held, ...page.versions]
    held = page.truncated ? seen.at(-1) : undefined
    // The last one of a page waits for the next: whether its key has more versions is known only then.
    yield seen.slice(0, held === undefined ? undefined : -1).flatMap((version, i) => {
      if (version.deleteMarker) return []
      return [walkedVersion(bucket, version, seen[i + 1])]
    })
    if (!page.truncated) return
    if (held === undefined) throw repeated()
    const next = { afterKey: held.key, afterVersionId: held.versionId }
    furtherThan(at === undefined ? undefined : JSON.stringify(at), JSON.stringify(next))
    at = next
  }
}

function walkedVersion(
  bucket: string,
  { key, versionId, size, latest }: ListedVersion,
  next: ListedVersion | undefined,
): Walked {
  const object = { bucket, key, versionId, size, isLatest: latest }
  return next?.key === key ? { object } : { object, cursor: { bucket, key } }
}

/** A store that says that there is more and shows nothing new would be walked for ever, or not to its end. */
function furtherThan(before: string | undefined, last: string | undefined): string {
  if (last === undefined || last === before) throw repeated()
  return last
}

const repeated = (): Unavailable => new Unavailable('the store says that a listing goes on and shows nothing new')
