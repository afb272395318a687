/** Whether a bucket keeps versions: a byte of the row that every request reads anyway. */
import { Internal } from '../../errors.ts'
import { StoreError, type VersioningStatus } from '../object-store.ts'
import type { Tables } from './index-db.ts'
import { bucketKey } from './row-keys.ts'

export interface BucketState {
  /** `undefined`: versions were never switched on. */
  readonly versioning: VersioningStatus | undefined
  readonly objectLock: boolean
}

const STATUSES = [undefined, 'Enabled', 'Suspended'] as const
const OBJECT_LOCK = 4
const STATE_AT = 6

/** By its byte. */
const STATES: ReadonlyMap<number, BucketState> = new Map<number, BucketState>(
  STATUSES.flatMap((versioning, code) => [
    [code, { versioning, objectLock: false }] as const,
    [code + OBJECT_LOCK, { versioning, objectLock: true }] as const,
  ]),
)

/** The state in a bucket's row: created (6) ‖ state (1, absent where versions were never switched on). */
export function stateOf(row: Buffer): BucketState {
  const state = STATES.get(row.length > STATE_AT ? row.readUInt8(STATE_AT) : 0)
  if (state === undefined) throw new Internal('a row of the index with an unknown state of a bucket')
  return state
}

export function encodeBucket(created: number, { versioning, objectLock }: BucketState): Buffer {
  const row = Buffer.alloc(versioning === undefined ? STATE_AT : STATE_AT + 1)
  row.writeUIntBE(created, 0, STATE_AT)
  if (versioning !== undefined) {
    row.writeUInt8(STATUSES.indexOf(versioning) + (objectLock ? OBJECT_LOCK : 0), STATE_AT)
  }
  return row
}

/** Milliseconds since 1970. */
export const createdOf = (row: Buffer): number => row.readUIntBE(0, STATE_AT)

/** Throws `no-such-bucket`. */
export function requireBucket(tables: Tables, bucket: string): BucketState {
  const row = tables.buckets.get(bucketKey(bucket))
  if (row === undefined) throw new StoreError('no-such-bucket', `no bucket ${bucket}`)
  return stateOf(row)
}
