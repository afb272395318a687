/**
 * Versions of a key: the current one is in `objects`, all others and every delete marker are in `versions`. So a listing of
 * objects and a read of the current version know nothing of them, and a key without a row in `objects` has a marker as its newest
 * version or none at all. Everything here runs inside one snapshot or one change.
 */
import { StoreError } from '../object-store.ts'
import type { BucketState } from './bucket-state.ts'
import type { Tables } from './index-db.ts'
import { behind, objectKey, versionKey, versionsOf } from './row-keys.ts'
import { decodeObject, type ObjectRow, type RowVersion } from './rows.ts'

export interface KeyOfBucket {
  readonly bucket: string
  readonly key: string
  readonly state: BucketState
}

export interface FoundVersion {
  readonly row: ObjectRow
  /** The key of its row in `versions`; absent for the current version. */
  readonly at?: Buffer
}

export const NULL_ID = 'null'
const ID = /^[0-9a-f]{32}$/

/** What clients call a version: its sequence and its random bytes in hexadecimal, so that the row is found without a search. */
export function versionIdOf(version: RowVersion | undefined): string {
  if (version === undefined || version.isNull) return NULL_ID
  return version.sequence.toString(16).padStart(16, '0') + version.random.toString('hex')
}

/** The place in time that an id names; `undefined` for the null version, whose id names none. Throws what the client hears of an id that none of ours can be (B52). */
export function sequenceOfId(versionId: string): bigint | undefined {
  if (versionId === NULL_ID) return undefined
  if (ID.test(versionId)) return BigInt(`0x${versionId.slice(0, 16)}`)
  const answer = {
    status: 400,
    code: 'InvalidArgument',
    message: 'Invalid version id specified',
    attributes: {},
    extra: { ArgumentName: 'versionId', ArgumentValue: versionId },
  }
  throw new StoreError('native', 'not the id of a version', undefined, answer)
}

/** Throws as `sequenceOfId`. */
export function findVersion(tables: Tables, place: KeyOfBucket, versionId: string): FoundVersion | undefined {
  const { bucket, key, state } = place
  const sequence = sequenceOfId(versionId)
  const bytes = tables.objects.get(objectKey(bucket, key))
  const current = bytes === undefined ? undefined : decodeObject(bytes)
  if (current !== undefined && versionIdOf(current.version) === versionId) return { row: current }
  if (state.versioning === undefined) return undefined
  const older = sequence ?? nullSequence(tables, bucket, key)
  if (older === undefined) return undefined
  const at = versionKey(bucket, key, older)
  const row = tables.versions.get(at)
  const found = row === undefined ? undefined : decodeObject(row)
  return found === undefined || versionIdOf(found.version) !== versionId ? undefined : { row: found, at }
}

/** Of the null version, if it is not the current one. */
export function nullSequence({ nulls }: Tables, bucket: string, key: string): bigint | undefined {
  return nulls.get(objectKey(bucket, key))?.readBigUInt64BE(0)
}

/** The newest version that is not current. */
export function newestVersion({ versions }: Tables, bucket: string, key: string): Required<FoundVersion> | undefined {
  const start = versionsOf(bucket, key)
  for (const { key: at, value } of versions.getRange({ start, end: behind(start), limit: 1 })) {
    return { row: decodeObject(value), at }
  }
  return undefined
}

const markerHeaders = ({ version }: ObjectRow) => ({
  'x-amz-delete-marker': 'true',
  'x-amz-version-id': versionIdOf(version),
})

/** What a read of a key hears whose newest version is a delete marker (B51). */
export function deletedKey(marker: ObjectRow): StoreError {
  const answer = {
    status: 404,
    code: 'NoSuchKey',
    message: 'The specified key does not exist.',
    attributes: markerHeaders(marker),
  }
  return new StoreError('no-such-key', 'the newest version is a delete marker', undefined, answer)
}

/** What a read of a delete marker itself hears (B51). */
export function markerItself(marker: ObjectRow): StoreError {
  const answer = {
    status: 405,
    code: 'MethodNotAllowed',
    message: 'The specified method is not allowed against this resource.',
    attributes: { ...markerHeaders(marker), allow: 'DELETE', 'last-modified': new Date(marker.modified).toUTCString() },
  }
  return new StoreError('native', 'a delete marker has no contents', undefined, answer)
}
