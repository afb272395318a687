/** ListBucketResult of both versions (B83 to B91). Plain string building: a page of 1,000 keys takes about a millisecond. */
import type { ChecksumName, ChecksumType } from './checksum.ts'
import { encodeToken, type ListStart } from './continuation-token.ts'
import { isoDate } from './dates.ts'
import { quoteEtag } from './etag.ts'
import { listNames } from './list-name.ts'
import type { ListObjectsRequest } from './listing-parameters.ts'
import { compareUtf8 } from './utf8-order.ts'
import { el, group, xmlDocument } from './xml.ts'

/** The one owner of everything, from the settings. */
export interface Owner {
  readonly id: string
  readonly displayName: string
}

export interface ListedEntry {
  readonly key: string
  readonly lastModified: Date
  /** The client's ETag, without quotes. */
  readonly etag: string
  /** Plaintext bytes. */
  readonly size: number
  readonly checksum?: { readonly name: ChecksumName; readonly type: ChecksumType }
  /** Absent for STANDARD. */
  readonly storageClass?: string
}

export interface ListObjectsPage {
  readonly bucket: string
  readonly request: ListObjectsRequest
  /** Both in UTF-8 order. */
  readonly entries: readonly ListedEntry[]
  readonly commonPrefixes: readonly string[]
  readonly truncated: boolean
  readonly owner: Owner
}

/** The document of either version. Makes NextMarker or NextContinuationToken from the last entry of the page. */
export const renderListObjects = (page: ListObjectsPage): string => {
  const { request } = page
  const name = listNames(request.encode)
  return xmlDocument(
    'ListBucketResult',
    el('Name', page.bucket),
    el('Prefix', name(request.prefix)),
    el('Delimiter', mapped(request.delimiter, name)),
    request.version === 1 ? continuationOfV1(page, name) : continuationOfV2(page, name),
    el('MaxKeys', request.maxKeys),
    el('EncodingType', request.encode ? 'url' : undefined),
    el('IsTruncated', page.truncated),
    contents(page, name),
    renderCommonPrefixes(page.commonPrefixes, name),
  )
}

const mapped = (text: string | undefined, name: (text: string) => string): string | undefined =>
  text === undefined ? undefined : name(text)

/** NextMarker only where a delimiter was given (B86). */
const continuationOfV1 = (page: ListObjectsPage, name: (text: string) => string): string => {
  const next = page.request.delimiter === undefined ? undefined : nextStart(page)?.after
  return el('Marker', name(page.request.marker ?? '')) + el('NextMarker', mapped(next, name))
}

/** Tokens are never encoded (B89). */
const continuationOfV2 = (page: ListObjectsPage, name: (text: string) => string): string => {
  const next = nextStart(page)
  return (
    el('StartAfter', mapped(page.request.startAfter, name)) +
    el('ContinuationToken', page.request.continuationToken) +
    el('NextContinuationToken', next === undefined ? undefined : encodeToken('objects', next)) +
    el('KeyCount', page.entries.length + page.commonPrefixes.length)
  )
}

/** The last name of a truncated page, key or common prefix. */
const nextStart = ({ entries, commonPrefixes, truncated }: ListObjectsPage): ListStart | undefined => {
  if (!truncated) return undefined
  const key = entries.at(-1)?.key
  const prefix = commonPrefixes.at(-1)
  if (prefix !== undefined && (key === undefined || compareUtf8(prefix, key) > 0)) {
    return { after: prefix, afterPrefix: true }
  }
  return key === undefined ? undefined : { after: key, afterPrefix: false }
}

const contents = ({ entries, request, owner }: ListObjectsPage, name: (text: string) => string): string => {
  const ownerElement = request.fetchOwner ? renderOwner('Owner', owner) : ''
  let rendered = ''
  for (const entry of entries) {
    rendered += `<Contents>${el('Key', name(entry.key))}${el('LastModified', isoDate(entry.lastModified))}${el('ETag', quoteEtag(entry.etag))}${el('ChecksumAlgorithm', entry.checksum?.name)}${el('ChecksumType', entry.checksum?.type)}${el('Size', entry.size)}${ownerElement}<StorageClass>${entry.storageClass ?? 'STANDARD'}</StorageClass></Contents>`
  }
  return rendered
}

/** One CommonPrefixes element for each. */
export const renderCommonPrefixes = (prefixes: readonly string[], name: (text: string) => string): string =>
  prefixes.map((prefix) => group('CommonPrefixes', el('Prefix', name(prefix)))).join('')

/** Owner and Initiator have the same shape. */
export const renderOwner = (element: 'Owner' | 'Initiator', owner: Owner): string =>
  group(element, el('ID', owner.id), el('DisplayName', owner.displayName))
