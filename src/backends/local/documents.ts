/** Configurations of buckets in the index. Everything here runs inside one snapshot or one change. */
import { requireBucket } from './bucket-state.ts'
import type { Tables } from './index-db.ts'
import { behind, belowBucket, documentKey } from './row-keys.ts'

export function readDocument({ documents }: Tables, bucket: string, name: string): Buffer | undefined {
  const found = documents.get(documentKey(bucket, name))
  // Values of the index lie in memory that the next snapshot may use again.
  return found === undefined ? undefined : Buffer.from(found)
}

/** Throws `no-such-bucket`. */
export function writeDocument(tables: Tables, bucket: string, name: string, document: Buffer): void {
  requireBucket(tables, bucket)
  tables.documents.putSync(documentKey(bucket, name), document)
}

export function removeDocument({ documents }: Tables, bucket: string, name: string): void {
  documents.removeSync(documentKey(bucket, name))
}

export function removeDocumentsOf({ documents }: Tables, bucket: string): void {
  const start = belowBucket(bucket)
  const keys = [...documents.getKeys({ start, end: behind(start) })]
  for (const key of keys) documents.removeSync(key)
}
