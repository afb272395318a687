/** What a client stores beside the bytes: content headers and user metadata, kept as the bytes received (B35, B58, B59). */
import { invalidArgument, S3Error } from './errors.ts'
import type { Headers } from './headers.ts'
import { mailSafe } from './mail-safe.ts'
import type { Query } from './query.ts'

/** Values are latin1 strings: one character for each byte received. */
export interface ContentHeaders {
  readonly contentType?: string
  readonly cacheControl?: string
  readonly contentDisposition?: string
  readonly contentEncoding?: string
  readonly contentLanguage?: string
  readonly expires?: string
}

/** Field and header. */
const FIELDS: readonly (readonly [keyof ContentHeaders, string])[] = [
  ['contentType', 'content-type'],
  ['cacheControl', 'cache-control'],
  ['contentDisposition', 'content-disposition'],
  ['contentEncoding', 'content-encoding'],
  ['contentLanguage', 'content-language'],
  ['expires', 'expires'],
]

/** What S3 answers for an object that came without a Content-Type (B58). */
export const DEFAULT_CONTENT_TYPE = 'binary/octet-stream'

/** Reads the content headers of a write; `aws-chunked` is taken out of Content-Encoding, since it is gone from the body (B35). */
export const readContentHeaders = (headers: Headers): ContentHeaders => {
  const content: { -readonly [Field in keyof ContentHeaders]: string } = {}
  for (const [field, header] of FIELDS) {
    const value = headers.get(header)
    const kept = value !== undefined && field === 'contentEncoding' ? withoutAwsChunked(value) : value
    if (kept !== undefined && kept !== '') content[field] = kept
  }
  return content
}

const withoutAwsChunked = (value: string): string => {
  const codings = value.split(',').map((coding) => coding.trim())
  const kept = codings.filter((coding) => coding.toLowerCase() !== 'aws-chunked')
  return kept.length === codings.length ? value : kept.join(', ')
}

/** Names without `x-amz-meta-`, lower case, sorted; values as received, repetitions joined by commas. */
export type UserMetadata = readonly (readonly [name: string, value: string])[]

const META = 'x-amz-meta-'
/** S3's limit on names and values together (B59). */
const MAX_METADATA_BYTES = 2048
/** What a stored record can hold (docs/format.md section 6). */
const MAX_NAME_BYTES = 255

/** Reads the user metadata of a write. Throws `MetadataTooLarge` with `Size` and `MaxSizeAllowed`, `InvalidArgument` for a name that is empty or longer than 255 bytes. */
export const readUserMetadata = (headers: Headers): UserMetadata => {
  const entries = userMetadataIn(headers)
  const size = entries.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  if (size > MAX_METADATA_BYTES) {
    throw new S3Error('MetadataTooLarge', {
      extra: { Size: String(size), MaxSizeAllowed: String(MAX_METADATA_BYTES) },
    })
  }
  if (entries.some(([name]) => name === '' || name.length > MAX_NAME_BYTES)) {
    throw new S3Error('InvalidArgument', { message: 'The name of a user metadata entry must have 1 to 255 bytes.' })
  }
  return sorted(entries)
}

/** The user metadata of an object that a store already has: its limits were that store's. A name that no record can hold is left out. */
export const storedUserMetadata = (metadata: Readonly<Record<string, string>>): UserMetadata =>
  sorted(Object.entries(metadata).filter(([name]) => name !== '' && name.length <= MAX_NAME_BYTES))

const userMetadataIn = (headers: Headers): (readonly [string, string])[] =>
  [...headers.names()]
    .filter((header) => header.startsWith(META))
    .map((header) => [header.slice(META.length), headers.get(header) ?? ''] as const)

const sorted = (entries: readonly (readonly [string, string])[]): UserMetadata =>
  [...entries].sort(([a], [b]) => (a < b ? -1 : 1))

/** The response headers of an object: its content headers, the default type, its user metadata, and how much of it no header can carry (B59). */
export const objectHeaders = (content: ContentHeaders, user: UserMetadata): Record<string, string> => {
  const headers: Record<string, string> = { 'content-type': DEFAULT_CONTENT_TYPE }
  for (const [field, header] of FIELDS) {
    const value = content[field]
    if (value !== undefined) headers[header] = value
  }
  let missing = 0
  for (const [name, value] of user) {
    const safe = mailSafe(value)
    if (safe === undefined) missing += 1
    else headers[META + name] = safe
  }
  if (missing > 0) headers['x-amz-missing-meta'] = String(missing)
  return headers
}

/** Control characters but tab would end or split a header; anything above U+00FF has no byte in one. */
// eslint-disable-next-line no-control-regex -- control characters are what this is about
const NOT_IN_HEADER = /[^\t\u0020-\u007e\u0080-\u00ff]/

/** Whether a text can be sent as the value of a header. */
export const isHeaderValue = (text: string): boolean => !NOT_IN_HEADER.test(text)

/**
 * The headers that `response-*` parameters of GET and HEAD put in place of the stored ones, on 200 and 206 only (B16).
 * Throws `InvalidRequest` on a request without signature, `InvalidArgument` for a value that no header can carry.
 */
export const responseOverrides = (query: Query, signed: boolean): Record<string, string> => {
  const overrides: Record<string, string> = {}
  if (query.entries.length === 0) return overrides
  for (const [, header] of FIELDS) {
    const parameter = `response-${header}`
    const value = query.get(parameter)
    if (value === undefined || value === '') continue
    if (!signed) {
      throw new S3Error('InvalidRequest', {
        message: 'Request specific response headers cannot be used for anonymous GET requests.',
      })
    }
    if (!isHeaderValue(value)) {
      throw invalidArgument('Header value cannot be represented using ISO-8859-1.', parameter, value)
    }
    overrides[header] = value
  }
  return overrides
}

export const WEBSITE_REDIRECT = 'x-amz-website-redirect-location'
const MAX_REDIRECT_BYTES = 2048

/** Where a website sends whoever asks for the object. Throws `InvalidRedirectLocation` as S3 does. */
export const readWebsiteRedirect = (headers: Headers): string | undefined => {
  const location = headers.get(WEBSITE_REDIRECT)
  if (location === undefined) return undefined
  if (/^(\/|https?:\/\/)/.test(location) && Buffer.byteLength(location) <= MAX_REDIRECT_BYTES) return location
  throw new S3Error('InvalidRedirectLocation')
}
