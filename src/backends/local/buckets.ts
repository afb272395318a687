/** Buckets in the index. Everything here runs inside one snapshot or one change. */
import { type BucketChange, type BucketInfo, StoreError } from '../object-store.ts'
import type { DroppedFile } from './bodies.ts'
import { createdOf, encodeBucket, requireBucket, stateOf } from './bucket-state.ts'
import { removeDocumentsOf } from './documents.ts'
import type { Tables } from './index-db.ts'
import { behind, belowBucket, bucketKey } from './row-keys.ts'
import { removeUploadsOf } from './uploads.ts'

function infoOfBucket(name: string, row: Buffer): BucketInfo {
  const { versioning, objectLock } = stateOf(row)
  return {
    name,
    created: new Date(createdOf(row)),
    ...(versioning === undefined ? {} : { versioning }),
    ...(objectLock ? { objectLock } : {}),
  }
}

export function allBuckets({ buckets }: Tables): BucketInfo[] {
  return [...buckets.getRange({})].map(({ key, value }) => infoOfBucket(key.toString('utf8'), value))
}

export function findBucket({ buckets }: Tables, bucket: string): BucketInfo | undefined {
  const row = buckets.get(bucketKey(bucket))
  return row === undefined ? undefined : infoOfBucket(bucket, row)
}

/** Throws `bucket-exists`. With `objectLock` versions are switched on too. */
export function makeBucket({ buckets }: Tables, bucket: string, created: number, objectLock: boolean): void {
  const key = bucketKey(bucket)
  if (buckets.get(key) !== undefined) throw new StoreError('bucket-exists', `bucket ${bucket} exists`)
  buckets.putSync(key, encodeBucket(created, { versioning: objectLock ? 'Enabled' : undefined, objectLock }))
}

/** Throws `no-such-bucket`, and `invalid-state` for suspending versions where Object Lock is on. */
export function changeBucket(tables: Tables, bucket: string, change: BucketChange): void {
  const before = requireBucket(tables, bucket)
  const objectLock = before.objectLock || change.objectLock === true
  if (objectLock && change.versioning === 'Suspended') {
    throw new StoreError(
      'invalid-state',
      'An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.',
    )
  }
  const versioning = objectLock ? 'Enabled' : (change.versioning ?? before.versioning)
  const key = bucketKey(bucket)
  const created = createdOf(tables.buckets.get(key) ?? Buffer.alloc(6))
  tables.buckets.putSync(key, encodeBucket(created, { versioning, objectLock }))
}

/** Throws `no-such-bucket`, and `bucket-not-empty` also for versions and markers alone. Uploads and documents go with it. */
export function removeBucket(tables: Tables, bucket: string, dropped: DroppedFile[]): void {
  requireBucket(tables, bucket)
  const start = belowBucket(bucket)
  for (const table of [tables.objects, tables.versions]) {
    for (const _ of table.getKeys({ start, end: behind(start), limit: 1 })) {
      throw new StoreError('bucket-not-empty', `bucket ${bucket} holds objects`)
    }
  }
  removeUploadsOf(tables, bucket, dropped)
  removeDocumentsOf(tables, bucket)
  tables.buckets.removeSync(bucketKey(bucket))
}
