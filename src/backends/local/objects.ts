/** Objects in the index: looking one up, and the conditions on it. Everything here runs inside one snapshot or one change. */
import { Internal } from '../../errors.ts'
import {
  type Attributes,
  type GetOptions,
  type ListedObject,
  type ObjectInfo,
  StoreError,
  type WriteCondition,
} from '../object-store.ts'
import { requireLockable, shownAttributes } from './attributes.ts'
import { type BucketState, requireBucket } from './bucket-state.ts'
import type { Tables } from './index-db.ts'
import { objectKey } from './row-keys.ts'
import {
  type BodyRef,
  contentOf,
  decodeObject,
  decodePieces,
  encodeObject,
  type ListedRow,
  NOTHING,
  type ObjectRow,
  type Piece,
} from './rows.ts'
import { deletedKey, findVersion, markerItself, newestVersion, versionIdOf } from './versions.ts'

/** A version of a key, in a bucket of that state. */
export interface FoundObject {
  readonly state: BucketState
  readonly row: ObjectRow
}

/** The current version, or the one asked for. Throws `no-such-bucket`, `no-such-key`, `no-such-version`, and what the client hears of a delete marker. */
export function requireObject(tables: Tables, bucket: string, key: string, versionId?: string): FoundObject {
  const state = requireBucket(tables, bucket)
  if (versionId === undefined) {
    const bytes = tables.objects.get(objectKey(bucket, key))
    if (bytes !== undefined) return { state, row: decodeObject(bytes) }
    const newest = state.versioning === undefined ? undefined : newestVersion(tables, bucket, key)?.row
    throw newest?.marker === true ? deletedKey(newest) : new StoreError('no-such-key', `no object ${bucket}/${key}`)
  }
  const found = findVersion(tables, { bucket, key, state }, versionId)
  if (found === undefined) throw new StoreError('no-such-version', `no version ${versionId} of ${bucket}/${key}`)
  if (found.row.marker) throw markerItself(found.row)
  return { state, row: found.row }
}

/** The same, `undefined` if there is no such key or version. Of a deleted key and of a delete marker the client hears more. */
export function findObject(tables: Tables, bucket: string, key: string, versionId?: string): FoundObject | undefined {
  try {
    return requireObject(tables, bucket, key, versionId)
  } catch (error) {
    const absent = error instanceof StoreError && ['no-such-key', 'no-such-version'].includes(error.refusal)
    if (absent && error.answer === undefined) return undefined
    throw error
  }
}

/** As they were given. Throws like `requireObject`. */
export function attributesOfObject(
  tables: Tables,
  bucket: string,
  key: string,
  versionId: string | undefined,
): { readonly versionId?: string; readonly attributes: Attributes } {
  const { state, row } = requireObject(tables, bucket, key, versionId)
  return { ...shown(state, row), attributes: row.attributes }
}

/** Keeps what `change` makes of the attributes of a version. Throws like `requireObject`, and what `change` throws. */
export function replaceAttributes(
  tables: Tables,
  bucket: string,
  key: string,
  versionId: string | undefined,
  change: (current: Attributes) => Attributes,
): { readonly versionId?: string } {
  const { state, row } = requireObject(tables, bucket, key, versionId)
  const attributes = change(row.attributes)
  requireLockable(attributes, state.objectLock)
  const at = versionId === undefined ? undefined : findVersion(tables, { bucket, key, state }, versionId)?.at
  const bytes = encodeObject({ ...row, attributes })
  if (at === undefined) tables.objects.putSync(objectKey(bucket, key), bytes)
  else tables.versions.putSync(at, bytes)
  return state.versioning === undefined ? {} : { versionId: versionIdOf(row.version) }
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
): { readonly state: BucketState; readonly current: ObjectRow | undefined } {
  const state = requireBucket(tables, bucket)
  const bytes = tables.objects.get(objectKey(bucket, key))
  const current = bytes === undefined ? undefined : decodeObject(bytes)
  if (condition?.ifNoneMatch !== undefined && current !== undefined) throw preconditionFailed(bucket, key)
  if (condition?.ifMatch === undefined) return { state, current }
  if (current === undefined) throw new StoreError('no-such-key', `no object ${bucket}/${key}`)
  if (current.etag !== condition.ifMatch) throw preconditionFailed(bucket, key)
  return { state, current }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** An entry of a listing. */
export function listed(key: string, state: BucketState, row: ListedRow): ListedObject {
  const info: Mutable<ListedObject> = { key, etag: row.etag, size: row.size, lastModified: new Date(row.modified) }
  if (row.facts !== undefined) info.facts = row.facts
  return isPlain(state, row) ? info : Object.assign(info, shown(state, row))
}

export function infoOf({ state, row }: FoundObject): ObjectInfo {
  const { etag, size, modified, metadata } = row
  const info: Mutable<ObjectInfo> = { etag, size, lastModified: new Date(modified), metadata }
  if (row.facts !== undefined) info.facts = row.facts
  return isPlain(state, row) ? info : Object.assign(info, shown(state, row))
}

/** Whether there is nothing more to say: so it is for nearly all objects. */
const isPlain = ({ versioning }: BucketState, { attributes }: ListedRow): boolean =>
  versioning === undefined && attributes === NOTHING

/** Version id and response headers. */
export function shown(
  { versioning }: BucketState,
  { attributes, version }: Pick<ObjectRow, 'attributes' | 'version'>,
): { readonly versionId?: string; readonly attributes: Attributes } {
  const headers = shownAttributes(attributes)
  if (versioning === undefined) return { attributes: headers }
  const versionId = versionIdOf(version)
  return { versionId, attributes: { 'x-amz-version-id': versionId, ...headers } }
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
