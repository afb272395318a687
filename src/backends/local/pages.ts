/** Pages of names, read in one snapshot of the index and never further than the page. */
import { checkUploadMarker } from '../upload-marker.ts'
import type { ListOptions, ListPage, ListUploadsOptions, UploadInfo } from '../object-store.ts'
import { requireBucket } from './bucket-state.ts'
import type { Tables } from './index-db.ts'
import { listed } from './objects.ts'
import {
  after,
  behind,
  belowBucket,
  bucketKey,
  uploadIdOfOrderKey,
  uploadOrderKey,
  uploadOrderPrefix,
} from './row-keys.ts'
import { decodeListed, decodeUpload } from './rows.ts'

export type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] }

/** One page of objects and common prefixes. A common prefix is found by its first key; the rest below it is jumped over. */
export function listPage(tables: Tables, bucket: string, options: ListOptions): ListPage {
  const state = requireBucket(tables, bucket)
  const { prefix, delimiter, limit } = options
  const nameAt = bucketKey(bucket).length + 1
  const end = behind(belowBucket(bucket, Buffer.from(prefix)))
  const page: Mutable<ListPage> = { objects: [], commonPrefixes: [], truncated: false }
  let start = startOf(bucket, options)
  while (start.compare(end) < 0) {
    let jump = end
    for (const { key, value } of tables.objects.getRange({ start, end })) {
      const full = page.objects.length + page.commonPrefixes.length === limit
      if (full) return { ...page, truncated: true }
      const name = key.toString('utf8', nameAt)
      const common = commonPrefixOf(name, prefix, delimiter)
      if (common === undefined) {
        page.objects.push(listed(name, state, decodeListed(value)))
        continue
      }
      page.commonPrefixes.push(common)
      jump = behind(belowBucket(bucket, Buffer.from(common)))
      break
    }
    start = jump
  }
  return page
}

function startOf(bucket: string, { prefix, after: last, afterPrefix }: ListOptions): Buffer {
  const least = belowBucket(bucket, Buffer.from(prefix))
  if (last === undefined) return least
  const name = belowBucket(bucket, Buffer.from(last))
  const next = afterPrefix === true ? behind(name) : after(name)
  return Buffer.compare(next, least) > 0 ? next : least
}

export function commonPrefixOf(name: string, prefix: string, delimiter: string | undefined): string | undefined {
  if (delimiter === undefined || delimiter === '') return undefined
  const at = name.indexOf(delimiter, prefix.length)
  return at < 0 ? undefined : name.slice(0, at + delimiter.length)
}

/** One page of uploads by key, then initiation, then id. */
export function listUploadsPage(
  tables: Tables,
  bucket: string,
  options: ListUploadsOptions,
): { uploads: readonly UploadInfo[]; truncated: boolean } {
  checkUploadMarker(options.afterUploadId)
  const all = uploadOrderPrefix(bucket, options.prefix)
  const start = uploadStart(tables, bucket, options)
  const range = { start: Buffer.compare(start, all) > 0 ? start : all, end: behind(all), limit: options.limit + 1 }
  const keys = [...tables.uploadOrder.getKeys(range)]
  const uploads = keys.slice(0, options.limit).flatMap((orderKey) => {
    const id = uploadIdOfOrderKey(orderKey)
    const row = tables.uploads.get(id)
    if (row === undefined) return []
    const { key, initiated } = decodeUpload(row)
    return [{ key, uploadId: id.toString('hex'), initiated: new Date(initiated) }]
  })
  return { uploads, truncated: keys.length > options.limit }
}

/** A marker upload that is gone has lost its place: its key's uploads are listed again rather than some of them skipped. */
function uploadStart(tables: Tables, bucket: string, { afterKey, afterUploadId }: ListUploadsOptions): Buffer {
  if (afterKey === undefined) return belowBucket(bucket)
  const ofKey = Buffer.concat([uploadOrderPrefix(bucket, afterKey), Buffer.alloc(1)])
  if (afterUploadId === undefined) return behind(ofKey)
  const id = Buffer.from(afterUploadId, 'hex')
  const row = tables.uploads.get(id)
  const marker = row === undefined ? undefined : decodeUpload(row)
  if (marker?.bucket !== bucket || marker.key !== afterKey) return ofKey
  return after(uploadOrderKey(bucket, afterKey, marker.initiated, id))
}
