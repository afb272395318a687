/** Pages of versions: the current ones and the others, merged by key in one snapshot, read no further than the page. */
import type { ListedVersion, ListVersionsOptions, ListVersionsPage } from '../object-store.ts'
import { type BucketState, requireBucket } from './bucket-state.ts'
import type { Tables } from './index-db.ts'
import { listed } from './objects.ts'
import { commonPrefixOf, type Mutable } from './pages.ts'
import { sequenceOf } from './replacing.ts'
import {
  after,
  behind,
  belowBucket,
  bucketKey,
  nameOfVersionKey,
  objectKey,
  uploadOrderPrefix,
  versionKey,
  versionsOf,
} from './row-keys.ts'
import { decodeListed, decodeObject } from './rows.ts'
import { newestVersion, nullSequence, sequenceOfId, versionIdOf } from './versions.ts'

/** Where a page begins or ends in each of the two tables. */
interface Ends {
  readonly objects: Buffer
  readonly versions: Buffer
}

/** Throws `no-such-bucket`, and what the client hears of a marker that is no id. A common prefix is found by its first key; the rest below it is jumped over. */
export function listVersionsPage(tables: Tables, bucket: string, options: ListVersionsOptions): ListVersionsPage {
  const state = requireBucket(tables, bucket)
  const { prefix, delimiter, limit } = options
  const end = behindNames(bucket, prefix)
  const page: Mutable<ListVersionsPage> = { versions: [], commonPrefixes: [], truncated: false }
  let start = startOf(tables, bucket, options)
  for (;;) {
    let jump: Ends | undefined
    for (const row of merged(tables, bucket, start, end)) {
      if (page.versions.length + page.commonPrefixes.length === limit) return { ...page, truncated: true }
      const common = commonPrefixOf(row.name, prefix, delimiter)
      if (common === undefined) {
        page.versions.push(entryOf(tables, bucket, state, row, row.name === options.afterKey))
        continue
      }
      page.commonPrefixes.push(common)
      jump = behindNames(bucket, common)
      break
    }
    if (jump === undefined) return page
    start = jump
  }
}

interface VersionRow {
  readonly name: string
  readonly value: Buffer
  readonly current: boolean
  /** Of all rows of its key on this page. */
  readonly first: boolean
}

/** Both tables in the order of names; the current version of a key comes before the others. */
function* merged(tables: Tables, bucket: string, start: Ends, end: Ends): Generator<VersionRow> {
  const nameAt = bucketKey(bucket).length + 1
  const currents = tables.objects.getRange({ start: start.objects, end: end.objects })[Symbol.iterator]()
  const others = tables.versions.getRange({ start: start.versions, end: end.versions })[Symbol.iterator]()
  const nextOf = (rows: typeof currents, nameOf: (key: Buffer) => string) => {
    const { done, value } = rows.next()
    if (done === true) return undefined
    const name = nameOf(value.key)
    return { name, bytes: Buffer.from(name), value: value.value }
  }
  const nextCurrent = () => nextOf(currents, (key) => key.toString('utf8', nameAt))
  const nextOther = () => nextOf(others, (key) => nameOfVersionKey(key, bucket))
  let previous: string | undefined
  try {
    let current = nextCurrent()
    let other = nextOther()
    for (;;) {
      const takeCurrent = current !== undefined && (other === undefined || current.bytes.compare(other.bytes) <= 0)
      const row = takeCurrent ? current : other
      if (row === undefined) return
      yield { name: row.name, value: row.value, current: takeCurrent, first: row.name !== previous }
      previous = row.name
      if (takeCurrent) current = nextCurrent()
      else other = nextOther()
    }
  } finally {
    currents.return?.()
    others.return?.()
  }
}

function entryOf(
  tables: Tables,
  bucket: string,
  state: BucketState,
  { name, value, current, first }: VersionRow,
  midKey: boolean,
): ListedVersion {
  const row = decodeListed(value)
  const newest =
    current || (first && row.marker && (!midKey || isNewest(tables, bucket, name, versionIdOf(row.version))))
  const etag = row.marker ? '' : row.etag
  const versionId = versionIdOf(row.version)
  return { ...listed(name, state, row), etag, versionId, latest: newest, deleteMarker: row.marker }
}

/** Whether a delete marker is the newest version of its key, where the page began within the key. */
function isNewest(tables: Tables, bucket: string, key: string, versionId: string): boolean {
  if (tables.objects.get(objectKey(bucket, key)) !== undefined) return false
  return versionIdOf(newestVersion(tables, bucket, key)?.row.version) === versionId
}

const behindNames = (bucket: string, prefix: string): Ends => ({
  objects: behind(belowBucket(bucket, Buffer.from(prefix))),
  versions: behind(uploadOrderPrefix(bucket, prefix)),
})

function startOf(tables: Tables, bucket: string, options: ListVersionsOptions): Ends {
  const { prefix, afterKey } = options
  const least = { objects: belowBucket(bucket, Buffer.from(prefix)), versions: uploadOrderPrefix(bucket, prefix) }
  if (afterKey === undefined) return least
  const next =
    options.afterPrefix === true ? behindNames(bucket, afterKey) : afterVersion(tables, bucket, afterKey, options)
  return { objects: later(next.objects, least.objects), versions: later(next.versions, least.versions) }
}

const later = (a: Buffer, b: Buffer): Buffer => (Buffer.compare(a, b) > 0 ? a : b)

/** Where the rows go on after a version of a key. One that is gone has kept its place in time, except for the null version: of its key all is listed again rather than some skipped. */
function afterVersion(tables: Tables, bucket: string, key: string, { afterVersionId }: ListVersionsOptions): Ends {
  const name = belowBucket(bucket, Buffer.from(key))
  if (afterVersionId === undefined) return { objects: after(name), versions: behind(versionsOf(bucket, key)) }
  const bytes = tables.objects.get(name)
  const current = bytes === undefined ? undefined : decodeObject(bytes)
  const sequence =
    current !== undefined && versionIdOf(current.version) === afterVersionId
      ? sequenceOf(current)
      : (sequenceOfId(afterVersionId) ?? nullSequence(tables, bucket, key))
  if (sequence === undefined) return { objects: name, versions: versionsOf(bucket, key) }
  const older = current !== undefined && sequenceOf(current) < sequence
  return { objects: older ? name : after(name), versions: after(versionKey(bucket, key, sequence)) }
}
