/** Listings of a store that speaks S3, with sizes and ETags as the client knows them; everything else stays as the store wrote it. */
import { unquoteEtag } from './etag.ts'
import { childText, parseXml, type XmlElement } from './xml.ts'

export interface ListingView {
  /** Plaintext bytes of an object of so many stored bytes; `at` counts the objects of the page. */
  readonly size: (stored: number, at: number) => number
  /** The client's ETag for the store's, both bare. */
  readonly etag: (stored: string) => string
}

/** `<` stands in no text of a document, so that a tag is a tag. */
const SIZE = /<Size>(\d{1,15})<\/Size>/g
const ETAG = /<ETag>(&quot;|&#34;|&#x22;|")?([^<"&]*)\1?<\/ETag>/g
/** What a listing says of checksums is about the ciphertext. */
const CHECKSUMS = /<Checksum(Algorithm|Type)>[^<]*<\/Checksum\1>/g

/** Rewrites ListBucketResult and ListVersionsResult. */
export const rewriteListing = (document: string, view: ListingView): string => {
  let at = 0
  return document
    .replaceAll(SIZE, (_, stored: string) => `<Size>${view.size(Number(stored), at++)}</Size>`)
    .replaceAll(ETAG, (_, quote: string | undefined, stored: string) => {
      const mark = quote ?? ''
      return `<ETag>${mark}${view.etag(stored)}${mark}</ETag>`
    })
    .replaceAll(CHECKSUMS, '')
}

/** The objects of a page in its order; `undefined` if it cannot be parsed. Names are decoded. */
export const readEntries = (document: string): ListedObjectEntry[] | undefined => {
  try {
    const root = parseXml(Buffer.from(document), MAX_BYTES)
    const encoded = childText(root, 'EncodingType') === 'url'
    return root.children
      .filter(({ name }) => name === 'Contents' || name === 'Version')
      .map((entry) => entryOf(entry, encoded))
  } catch {
    return undefined
  }
}

export interface ListedObjectEntry {
  readonly key: string
  readonly etag: string
  readonly size: number
  /** Milliseconds since 1970. */
  readonly modified: number
  readonly versionId?: string
}

const MAX_BYTES = 16 * 1024 * 1024

const entryOf = (entry: XmlElement, encoded: boolean): ListedObjectEntry => {
  const name = childText(entry, 'Key') ?? ''
  const versionId = childText(entry, 'VersionId')
  return {
    key: encoded ? decodeURIComponent(name.replaceAll('+', ' ')) : name,
    etag: unquoteEtag(childText(entry, 'ETag') ?? ''),
    size: Number(childText(entry, 'Size') ?? 0),
    modified: Date.parse(childText(entry, 'LastModified') ?? ''),
    ...(versionId === undefined ? {} : { versionId }),
  }
}
