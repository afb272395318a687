/** What writes and deletions do to the versions of a key. Everything here runs inside one change. */
import { type DeleteOptions, type DeleteResult, StoreError } from '../object-store.ts'
import { BYPASS, requireUnlocked } from './attributes.ts'
import { type DroppedFile, release } from './bodies.ts'
import type { Tables } from './index-db.ts'
import { checkCondition, preconditionFailed } from './objects.ts'
import { objectKey, versionKey } from './row-keys.ts'
import { decodeObject, encodeObject, NO_BODY, NOTHING, type ObjectRow, type RowVersion } from './rows.ts'
import { findVersion, type KeyOfBucket, newestVersion, nullSequence, versionIdOf } from './versions.ts'

/** One change of one key. */
export interface KeyChange extends KeyOfBucket {
  readonly tables: Tables
  readonly dropped: DroppedFile[]
  /** Milliseconds since 1970. */
  readonly now: number
  readonly random: (bytes: number) => Buffer
}

/** So many versions of a key may come in one millisecond before they run ahead of the clock, which does no harm. */
const MILLISECOND = 1n << 20n

/** A version of before versions were switched on has no place of its own: it is the oldest of its key. */
export const sequenceOf = ({ version, modified }: Pick<ObjectRow, 'version' | 'modified'>): bigint =>
  version?.sequence ?? BigInt(modified) * MILLISECOND

/**
 * Moves the current version out of the way of a new one, or removes it where the new one takes its place. Returns what the new
 * version is called. Throws `locked`.
 */
export function makeRoom(change: KeyChange, current: ObjectRow | undefined): RowVersion | undefined {
  const { tables, dropped, state, now, random, bucket, key } = change
  if (state.versioning === undefined) {
    if (current !== undefined) release(tables, current.body, dropped)
    return undefined
  }
  const newest = current ?? newestVersion(tables, bucket, key)?.row
  const clock = BigInt(now) * MILLISECOND
  const least = newest === undefined ? 0n : sequenceOf(newest) + 1n
  const sequence = clock > least ? clock : least
  if (state.versioning === 'Enabled') {
    if (current !== undefined) keep(change, current)
    return { sequence, random: random(8), isNull: false }
  }
  if (current !== undefined && !isNull(current)) keep(change, current)
  removeNull(change, current)
  return { sequence, random: Buffer.alloc(8), isNull: true }
}

const isNull = ({ version }: ObjectRow): boolean => version?.isNull ?? true

/** Makes the current version one of the older ones. */
function keep({ tables, bucket, key }: KeyChange, current: ObjectRow): void {
  const sequence = sequenceOf(current)
  const version = current.version ?? { sequence, random: Buffer.alloc(8), isNull: true }
  tables.versions.putSync(versionKey(bucket, key, sequence), encodeObject({ ...current, version }))
  if (version.isNull) rememberNull(tables, bucket, key, sequence)
}

function rememberNull({ nulls }: Tables, bucket: string, key: string, sequence: bigint): void {
  const row = Buffer.alloc(8)
  row.writeBigUInt64BE(sequence)
  nulls.putSync(objectKey(bucket, key), row)
}

/** There is one null version of a key at most: a new one takes its place. */
function removeNull(change: KeyChange, current: ObjectRow | undefined): void {
  const { tables, dropped, bucket, key, now } = change
  if (current !== undefined && isNull(current)) {
    requireUnlocked(current.attributes, now, false)
    release(tables, current.body, dropped)
    return
  }
  const sequence = nullSequence(tables, bucket, key)
  if (sequence === undefined) return
  const at = versionKey(bucket, key, sequence)
  const bytes = tables.versions.get(at)
  if (bytes !== undefined) {
    const row = decodeObject(bytes)
    requireUnlocked(row.attributes, now, false)
    release(tables, row.body, dropped)
    tables.versions.removeSync(at)
  }
  tables.nulls.removeSync(objectKey(bucket, key))
}

/** Deletes the key, or the version of it that `options` name. Throws `no-such-key`, `precondition-failed`, `locked`. */
export function deleteObject(
  change: Omit<KeyChange, 'state'>,
  { ifMatch, versionId, attributes }: DeleteOptions,
): DeleteResult {
  const { tables, dropped, bucket, key } = change
  const condition = ifMatch === undefined || versionId !== undefined ? undefined : { ifMatch }
  const { state, current } = checkCondition(tables, bucket, key, condition)
  if (versionId !== undefined) {
    return deleteVersion({ ...change, state }, versionId, { ifMatch, bypass: attributes?.[BYPASS] === 'true' })
  }
  if (state.versioning !== undefined) return makeMarker({ ...change, state }, current)
  if (current !== undefined) {
    tables.objects.removeSync(objectKey(bucket, key))
    release(tables, current.body, dropped)
  }
  return {}
}

function makeMarker(change: KeyChange, current: ObjectRow | undefined): DeleteResult {
  const { tables, bucket, key, now } = change
  const version = makeRoom(change, current)
  if (version === undefined) return {}
  if (current !== undefined) tables.objects.removeSync(objectKey(bucket, key))
  const row = {
    etag: '',
    size: 0,
    modified: now,
    body: NO_BODY,
    facts: undefined,
    metadata: NOTHING,
    attributes: NOTHING,
    version,
    marker: true,
  }
  tables.versions.putSync(versionKey(bucket, key, version.sequence), encodeObject(row))
  if (version.isNull) rememberNull(tables, bucket, key, version.sequence)
  return deleted(versionIdOf(version), true)
}

const deleted = (versionId: string, marker: boolean): DeleteResult => ({
  attributes: { ...(marker ? { 'x-amz-delete-marker': 'true' } : {}), 'x-amz-version-id': versionId },
})

function deleteVersion(
  change: KeyChange,
  versionId: string,
  { ifMatch, bypass }: { readonly ifMatch: string | undefined; readonly bypass: boolean },
): DeleteResult {
  const { tables, dropped, state, bucket, key, now } = change
  const found = findVersion(tables, change, versionId)
  if (found === undefined) {
    if (ifMatch !== undefined) throw new StoreError('no-such-version', `no version ${versionId} of ${bucket}/${key}`)
    return state.versioning === undefined ? {} : deleted(versionId, false)
  }
  const { row, at } = found
  if (ifMatch !== undefined && ifMatch !== row.etag) throw preconditionFailed(bucket, key)
  requireUnlocked(row.attributes, now, bypass)
  release(tables, row.body, dropped)
  if (at === undefined) tables.objects.removeSync(objectKey(bucket, key))
  else {
    tables.versions.removeSync(at)
    if (isNull(row)) tables.nulls.removeSync(objectKey(bucket, key))
  }
  if (state.versioning === undefined) return {}
  if (at === undefined || row.marker) promoteNewest(change)
  return deleted(versionId, row.marker)
}

/** Where no version is current and the newest is no marker, it becomes the current one. */
function promoteNewest({ tables, bucket, key }: KeyChange): void {
  const name = objectKey(bucket, key)
  if (tables.objects.get(name) !== undefined) return
  const newest = newestVersion(tables, bucket, key)
  if (newest === undefined || newest.row.marker) return
  tables.versions.removeSync(newest.at)
  if (isNull(newest.row)) tables.nulls.removeSync(name)
  tables.objects.putSync(name, encodeObject(newest.row))
}
