/** The part of the port that keeps configurations of buckets. */
/** The configurations of a bucket that its store does not act on: small documents by name. A missing bucket has none. */
export interface BucketDocuments {
  read(bucket: string, name: string): Promise<Buffer | undefined>
  /** `waits`: nothing acts on it yet, and the store shall tell. Refuses `no-such-bucket`. */
  write(bucket: string, name: string, document: Buffer, options?: { readonly waits?: boolean }): Promise<void>
  /** No error if there is none. */
  remove(bucket: string, name: string): Promise<void>
}

/** Of a store that keeps them itself. */
export interface StoreDocuments extends BucketDocuments {
  /** The first `limit` buckets whose document of that name waits, without looking at others. */
  bucketsWaiting(name: string, limit: number): Promise<readonly string[]>
}
