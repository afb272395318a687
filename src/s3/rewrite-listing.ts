/** Listings of a store that speaks S3, with sizes and ETags as the client knows them; everything else stays as the store wrote it. */

export interface ListingView {
  /** Plaintext bytes of an object of so many stored bytes. */
  readonly size: (stored: number) => number
  /** The client's ETag for the store's, both bare. */
  readonly etag: (stored: string) => string
}

/** `<` stands in no text of a document, so that a tag is a tag. */
const SIZE = /<Size>(\d{1,15})<\/Size>/g
const ETAG = /<ETag>(&quot;|&#34;|&#x22;|")?([^<"&]*)\1?<\/ETag>/g
/** What a listing says of checksums is about the ciphertext. */
const CHECKSUMS = /<Checksum(Algorithm|Type)>[^<]*<\/Checksum\1>/g

/** Rewrites ListBucketResult and ListVersionsResult. */
export const rewriteListing = (document: string, view: ListingView): string =>
  document
    .replaceAll(SIZE, (_, stored: string) => `<Size>${view.size(Number(stored))}</Size>`)
    .replaceAll(ETAG, (_, quote: string | undefined, stored: string) => {
      const mark = quote ?? ''
      return `<ETag>${mark}${view.etag(stored)}${mark}</ETag>`
    })
    .replaceAll(CHECKSUMS, '')
