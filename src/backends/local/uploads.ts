/** Multipart uploads in the index: parts are files, and completing moves rows, not bytes. */
import { type CompleteOptions, type PartInfo, StoreError, type UploadRef } from '../object-store.ts'
import { type DroppedFile, release } from './bodies.ts'
import type { Tables } from './index-db.ts'
import { behind, belowBucket, objectKey, partKey, uploadIdOfOrderKey, uploadOrderKey } from './row-keys.ts'
import {
  decodeStored,
  decodeUpload,
  encodeStored,
  encodeUpload,
  type Piece,
  type StoredRow,
  type UploadRow,
} from './rows.ts'

const ID = /^[0-9a-f]{32}$/

/** The upload that a reference names, with its id in bytes. Throws `no-such-upload`. */
export function requireUpload(tables: Tables, { bucket, key, uploadId }: UploadRef): { id: Buffer; row: UploadRow } {
  const id = Buffer.from(ID.test(uploadId) ? uploadId : '', 'hex')
  const bytes = id.length === 0 ? undefined : tables.uploads.get(id)
  const row = bytes === undefined ? undefined : decodeUpload(bytes)
  if (row === undefined || row.bucket !== bucket || row.key !== key) {
    throw new StoreError('no-such-upload', `no upload ${uploadId} of ${bucket}/${key}`)
  }
  return { id, row }
}

export function makeUpload(tables: Tables, id: Buffer, row: UploadRow): void {
  const { bucket, key, initiated } = row
  // Refuses keys that no object can have.
  objectKey(bucket, key)
  tables.uploads.putSync(id, encodeUpload(row))
  tables.uploadOrder.putSync(uploadOrderKey(bucket, key, initiated, id), Buffer.alloc(0))
}

/** Puts a part in the place of whatever attempt was there. */
export function replacePart(
  tables: Tables,
  id: Buffer,
  partNumber: number,
  row: StoredRow,
  dropped: DroppedFile[],
): void {
  const key = partKey(id, partNumber)
  const before = tables.parts.get(key)
  if (before !== undefined) release(tables, decodeStored(before).body, dropped)
  tables.parts.putSync(key, encodeStored(row))
}

/** The parts of an upload in ascending order. */
export function partsPage(
  tables: Tables,
  id: Buffer,
  { after, limit }: { readonly after: number; readonly limit: number },
): { parts: PartInfo[]; truncated: boolean } {
  const start = partKey(id, after + 1)
  const rows = [...tables.parts.getRange({ start, end: partKey(id, 0xffff_ffff), limit: limit + 1 })]
  const parts = rows.slice(0, limit).map(({ key, value }) => {
    const { etag, size, modified } = decodeStored(value)
    return { partNumber: key.readUInt32BE(16), etag, size, lastModified: new Date(modified) }
  })
  return { parts, truncated: rows.length > limit }
}

/** The files of the listed parts in order. Throws `invalid-part` for one that is not there, has another ETag, or is out of order. */
export function joinParts(
  tables: Tables,
  id: Buffer,
  parts: CompleteOptions['parts'],
): { pieces: Piece[]; size: number } {
  const pieces: Piece[] = []
  let size = 0
  let previous = 0
  for (const { partNumber, etag } of parts) {
    const bytes = tables.parts.get(partKey(id, partNumber))
    const row = bytes === undefined ? undefined : decodeStored(bytes)
    if (row === undefined || row.etag !== etag || partNumber <= previous) {
      throw new StoreError('invalid-part', `part ${partNumber} is not there, has another ETag, or is out of order`)
    }
    previous = partNumber
    size += row.size
    if (row.body.kind !== 'none') pieces.push({ id: row.body.id, size: row.size })
  }
  return { pieces, size }
}

/** Removes an upload and its parts. The files of the parts in `kept` live on in an object. */
export function removeUpload(
  tables: Tables,
  id: Buffer,
  { bucket, key, initiated }: UploadRow,
  dropped: DroppedFile[],
  kept: ReadonlySet<number> = new Set(),
): void {
  const rows = [...tables.parts.getRange({ start: partKey(id, 0), end: partKey(id, 0xffff_ffff) })]
  for (const { key: part, value } of rows) {
    if (!kept.has(part.readUInt32BE(16))) release(tables, decodeStored(value).body, dropped)
    tables.parts.removeSync(part)
  }
  tables.uploads.removeSync(id)
  tables.uploadOrder.removeSync(uploadOrderKey(bucket, key, initiated, id))
}

/** Removes every upload of a bucket. */
export function removeUploadsOf(tables: Tables, bucket: string, dropped: DroppedFile[]): void {
  const start = belowBucket(bucket)
  const orderKeys = [...tables.uploadOrder.getKeys({ start, end: behind(start) })]
  for (const orderKey of orderKeys) {
    const id = uploadIdOfOrderKey(orderKey)
    const row = tables.uploads.get(id)
    if (row !== undefined) removeUpload(tables, id, decodeUpload(row), dropped)
  }
}
