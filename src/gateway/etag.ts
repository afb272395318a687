/** The ETag contract: one string for an object in every answer, without quotes here. */
import type { Facts } from '../format/facts.ts'

/** What S3 calls the object's ETag: MD5 of the plaintext, or MD5 of the parts' MD5s with `-N`. */
export function md5Etag(md5: Buffer, partCount: number): string {
  return partCount > 0 ? `${md5.toString('hex')}-${partCount}` : md5.toString('hex')
}

/**
 * A reversible form of a store's own ETag that never looks like a bare MD5, which clients would compare with the bytes they sent:
 * `<hex>` → `<hex>-1`, `<hex>-1` → `<hex>-1-1`; everything else stays.
 */
export function opaqueEtag(storeEtag: string): string {
  return /^[0-9a-f]{32}(?:-1)*$/.test(storeEtag) ? `${storeEtag}-1` : storeEtag
}

/** The client's ETag of an object: from its facts where they opened and know the MD5, else from the store's. */
export function clientEtag(facts: Facts | undefined, storeEtag: string): string {
  return facts?.md5 === undefined ? opaqueEtag(storeEtag) : md5Etag(facts.md5, facts.partCount)
}
