/** Objects in the index: looking one up, and the conditions on it. Everything here runs inside one snapshot or one change. */
import { Internal } from '../../errors.ts'
import { type GetOptions, type ObjectInfo, StoreError, type WriteCondition } from '../object-store.ts'
import type { Tables } from './index-db.ts'
import { bucketKey, objectKey } from './row-keys.ts'
import { type BodyRef, contentOf, decodeObject, decodePieces, type ObjectRow, type Piece } from './rows.ts'

export const dateOf = (bytes: Buffer): Date => new Date(bytes.readUIntBE(0, 6))

/** Throws `no-such-bucket`. */
export function requireBucket(tables: Tables, bucket: string): void {
  if (tables.buckets.get(bucketKey(bucket)) === undefined) throw new StoreError('no-such-bucket', `no bucket ${bucket}`)
}

/** Throws `no-such-bucket`, `no-such-key`. */
export function requireObject(tables: Tables, bucket: string, key: string): ObjectRow {
  requireBucket(tables, bucket)
  const row = tables.objects.get(objectKey(bucket, key))
  if (row === undefined) throw new StoreError('no-such-key', `no object ${bucket}/${key}`)
  return decodeObject(row)
}

export function preconditionFailed(bucket: string, key: string): StoreError {
  return new StoreError('precondition-failed', `the condition on ${bucket}/${key} does not hold`)
}

/** The object of that name now, if the condition holds. */
export function checkCondition(
  tables: Tables,
  bucket: string,
  key: string,
  condition: WriteCondition | undefined,
): ObjectRow | undefined {
  requireBucket(tables, bucket)
  const bytes = tables.objects.get(objectKey(bucket, key))
  const current = bytes === undefined ? undefined : decodeObject(bytes)
  if (condition?.ifNoneMatch !== undefined && current !== undefined) throw preconditionFailed(bucket, key)
  if (condition?.ifMatch === undefined) return current
  if (current === undefined) throw new StoreError('no-such-key', `no object ${bucket}/${key}`)
  if (current.etag !== condition.ifMatch) throw preconditionFailed(bucket, key)
  return current
}

export function infoOf({ etag, size, modified, metadata, facts }: ObjectRow): ObjectInfo {
  return { etag, size, lastModified: new Date(modified), metadata, ...(facts === undefined ? {} : { facts }) }
}

/** The files of a body in order. */
export function piecesOf(tables: Tables, { body, size }: ObjectRow): readonly Piece[] {
  if (body.kind === 'file') return [{ id: body.id, size }]
  if (body.kind !== 'pieces') return []
  const row = tables.pieces.get(body.id)
  if (row === undefined) throw new Internal('an object without its body')
  return decodePieces(contentOf(row))
}

/** The bytes of a body that lies in the index. */
export function inlineOf(tables: Tables, body: BodyRef): Buffer | undefined {
  if (body.kind !== 'inline') return undefined
  const row = tables.inline.get(body.id)
  if (row === undefined) throw new Internal('an object without its body')
  return contentOf(row)
}

/** What is sent of `size` bytes. Throws `range-not-satisfiable`. */
export function resolveRange(size: number, range: GetOptions['range']): { first: number; last: number } {
  if (range === undefined) return { first: 0, last: size - 1 }
  if (range.first >= size)
    throw new StoreError('range-not-satisfiable', `nothing at ${range.first} of ${size} bytes`, size)
  return { first: range.first, last: Math.min(range.last ?? size - 1, size - 1) }
}
