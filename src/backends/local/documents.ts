/** Configurations of buckets in the index. Everything here runs inside one snapshot or one change. */
import { requireBucket } from './bucket-state.ts'
import type { Tables } from './index-db.ts'
import { behind, belowBucket, documentHolderKey, documentHolders, documentKey } from './row-keys.ts'

/** The whole value of a row that says who has a document. */
const HELD = Buffer.alloc(1)

export function readDocument({ documents }: Tables, bucket: string, name: string): Buffer | undefined {
  const found = documents.get(documentKey(bucket, name))
  // Values of the index lie in memory that the next snapshot may use again.
  return found === undefined ? undefined : Buffer.from(found)
}

/** Throws `no-such-bucket`. */
export function writeDocument(tables: Tables, bucket: string, name: string, document: Buffer): void {
  requireBucket(tables, bucket)
  tables.documents.putSync(documentKey(bucket, name), document)
  tables.documents.putSync(documentHolderKey(name, bucket), HELD)
}

export function removeDocument({ documents }: Tables, bucket: string, name: string): void {
  documents.removeSync(documentKey(bucket, name))
  documents.removeSync(documentHolderKey(name, bucket))
}

export function removeDocumentsOf({ documents }: Tables, bucket: string): void {
  const start = belowBucket(bucket)
  const keys = [...documents.getKeys({ start, end: behind(start) })]
  for (const key of keys) {
    documents.removeSync(key)
    documents.removeSync(documentHolderKey(key.subarray(start.length).toString('utf8'), bucket))
  }
}

/** The first `limit` buckets that have a document of that name. */
export function bucketsWithDocument({ documents }: Tables, name: string, limit: number): string[] {
  const start = documentHolders(name)
  const keys = [...documents.getKeys({ start, end: behind(start), limit })]
  return keys.map((key) => key.subarray(start.length).toString('utf8'))
}
