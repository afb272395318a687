/** Configurations of buckets in the index. Everything here runs inside one snapshot or one change. */
import { requireBucket } from './bucket-state.ts'
import type { Tables } from './index-db.ts'
import { behind, belowBucket, waitingKey, waitingFor, documentKey } from './row-keys.ts'

/** The whole value of a row that says whose document waits. */
const WAITS = Buffer.alloc(1)

export function readDocument({ documents }: Tables, bucket: string, name: string): Buffer | undefined {
  const found = documents.get(documentKey(bucket, name))
  // Values of the index lie in memory that the next snapshot may use again.
  return found === undefined ? undefined : Buffer.from(found)
}

/** Throws `no-such-bucket`. */
export function writeDocument(
  tables: Tables,
  bucket: string,
  name: string,
  { document, waits }: { readonly document: Buffer; readonly waits: boolean },
): void {
  requireBucket(tables, bucket)
  tables.documents.putSync(documentKey(bucket, name), document)
  if (waits) tables.documents.putSync(waitingKey(name, bucket), WAITS)
  else tables.documents.removeSync(waitingKey(name, bucket))
}

export function removeDocument({ documents }: Tables, bucket: string, name: string): void {
  documents.removeSync(documentKey(bucket, name))
  documents.removeSync(waitingKey(name, bucket))
}

export function removeDocumentsOf({ documents }: Tables, bucket: string): void {
  const start = belowBucket(bucket)
  const keys = [...documents.getKeys({ start, end: behind(start) })]
  for (const key of keys) {
    documents.removeSync(key)
    documents.removeSync(waitingKey(key.subarray(start.length).toString('utf8'), bucket))
  }
}

/** The first `limit` buckets whose document of that name waits. */
export function bucketsWaiting({ documents }: Tables, name: string, limit: number): string[] {
  const start = waitingFor(name)
  const keys = [...documents.getKeys({ start, end: behind(start), limit })]
  return keys.map((key) => key.subarray(start.length).toString('utf8'))
}
