/**
 * The ETag contract: one string for an object in every answer, without quotes here. On a store that keeps our facts it is the MD5
 * of the plaintext, as in S3; on any other a reversible form of the store's own ETag, which costs no hash and no request.
 */
import type { Facts } from '../format/facts.ts'
import type { Gateway } from './gateway.ts'

/** Whether ETags are MD5s of the plaintext. */
export const keepsMd5 = ({ store }: Gateway): boolean => store.capabilities.facts

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

/** The store's ETag that a client's opaque one stands for; `undefined` if it stands for none. */
export function storeEtagOf(opaque: string): string | undefined {
  const storeEtag = /^[0-9a-f]{32}(?:-1)+$/.test(opaque) ? opaque.slice(0, -2) : opaque
  return opaqueEtag(storeEtag) === opaque ? storeEtag : undefined
}

/** The client's ETag of an object: from its facts where they opened and know the MD5, else from the store's. */
export function clientEtag(facts: Facts | undefined, storeEtag: string): string {
  return facts?.md5 === undefined ? opaqueEtag(storeEtag) : md5Etag(facts.md5, facts.partCount)
}

/** The client's ETag of what was just written: `md5` where it is kept. */
export function writtenEtag(storeEtag: string, md5: Buffer | undefined): string {
  return md5 === undefined ? opaqueEtag(storeEtag) : md5Etag(md5, 0)
}

/** What says that an ETag is no MD5 (S3 API reference, "Common Response Headers": ETag). */
export function etagSign(gateway: Gateway): Record<string, string> {
  return keepsMd5(gateway) ? {} : { 'x-amz-server-side-encryption': 'aws:kms' }
}
