/** Headers between the port and a store. */
import { Unavailable } from '../../errors.ts'
import { encodeComponent, encodePath } from '../../s3/auth/canonical-request.ts'
import { quoteEtag, unquoteEtag } from '../../s3/etag.ts'
import type { Attributes, ByteRange, CopyOptions, CopySource, ObjectInfo, WriteCondition } from '../object-store.ts'
import type { Profile } from './profiles.ts'

type HeaderMap = Readonly<Record<string, string>>

const META = 'x-amz-meta-'

/** What a store says about an object that belongs to S3 and not to contents. */
const ATTRIBUTES = [
  'x-amz-delete-marker',
  'x-amz-expiration',
  'x-amz-object-lock-legal-hold',
  'x-amz-object-lock-mode',
  'x-amz-object-lock-retain-until-date',
  'x-amz-replication-status',
  'x-amz-request-charged',
  'x-amz-restore',
  'x-amz-storage-class',
  'x-amz-tagging-count',
  'x-amz-version-id',
]

/** Of a new object: the store never learns a content type or an encoding. */
export function newObjectHeaders(metadata: HeaderMap, attributes: Attributes = {}): Record<string, string> {
  const headers: Record<string, string> = { ...attributes, 'content-type': 'application/octet-stream' }
  for (const [name, value] of Object.entries(metadata)) headers[`${META}${name}`] = value
  return headers
}

export function conditionHeaders(condition: WriteCondition | undefined): Record<string, string> {
  if (condition?.ifNoneMatch !== undefined) return { 'if-none-match': '*' }
  return condition?.ifMatch === undefined ? {} : { 'if-match': quoteEtag(condition.ifMatch) }
}

export function rangeHeader(range: ByteRange | undefined): Record<string, string> {
  return range === undefined ? {} : { range: `bytes=${range.first}-${range.last ?? ''}` }
}

export function attributesOf(headers: HeaderMap, profile: Profile): Attributes {
  const found: Record<string, string> = {}
  for (const name of ATTRIBUTES) {
    const value = headers[name]
    // A version id from a store without versions could never be asked for.
    if (value !== undefined && (profile.versions || name !== 'x-amz-version-id')) found[name] = value
  }
  return found
}

export function versionOf(headers: HeaderMap, profile: Profile): { readonly versionId?: string } {
  const versionId = headers['x-amz-version-id']
  return versionId === undefined || !profile.versions ? {} : { versionId }
}

export const etagOf = (headers: HeaderMap): string => unquoteEtag(headers['etag'] ?? '')

export function dateOf(text: string | undefined): Date {
  const date = new Date(text ?? '')
  return Number.isNaN(date.getTime()) ? new Date(0) : date
}

/** What a head or the head of a get describes; `size` is of the whole object. */
export function infoOf(headers: HeaderMap, size: number, profile: Profile): ObjectInfo {
  const metadata: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(META)) metadata[name.slice(META.length)] = value
  }
  return {
    etag: etagOf(headers),
    size,
    lastModified: dateOf(headers['last-modified']),
    ...versionOf(headers, profile),
    metadata,
    attributes: attributesOf(headers, profile),
    content: contentOf(headers),
  }
}

/** The bytes that an answer carries and the size of the whole. Throws `Unavailable` for another range than was asked for, or another length than that of the range. */
export function sentRange(
  status: number,
  headers: HeaderMap,
  asked: ByteRange | undefined,
): { readonly first: number; readonly last: number; readonly size: number } {
  if (status === 206) {
    const [first, last, size] = contentRange(headers)
    const { first: wantedFirst, last: wantedLast = size - 1 } = asked ?? { first: 0 }
    if (first !== wantedFirst || last !== Math.min(wantedLast, size - 1)) {
      throw new Unavailable('the store sent another range than it was asked for')
    }
    const length = headers['content-length']
    if (length !== undefined && contentLength(headers) !== last - first + 1) {
      throw new Unavailable(`the store sent ${length} bytes of a range of ${last - first + 1}`)
    }
    return { first, last, size }
  }
  const size = contentLength(headers)
  const ignored = asked !== undefined && (asked.first > 0 || (asked.last !== undefined && asked.last < size - 1))
  if (ignored) throw new Unavailable('the store ignored a range')
  return { first: 0, last: size - 1, size }
}

function contentRange(headers: HeaderMap): [first: number, last: number, size: number] {
  const found = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(headers['content-range'] ?? '')
  if (found === null) throw new Unavailable('the store did not say which range it sent')
  const [, first = 0, last = 0, size = 0] = found.map(Number)
  if (last < first || last >= size) throw new Unavailable('the store sent a range that is none')
  return [first, last, size]
}

const CONTENT = [
  'content-type',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
]

function contentOf(headers: HeaderMap): Record<string, string> {
  const found: Record<string, string> = {}
  for (const name of CONTENT) {
    const value = headers[name]
    if (value !== undefined) found[name] = value
  }
  return found
}

export function contentLength(headers: HeaderMap): number {
  const text = headers['content-length'] ?? ''
  if (!/^\d{1,15}$/.test(text)) throw new Unavailable('the store did not say how long an object is')
  return Number(text)
}

/** The source of a copy, and the condition that it is still the one that was read. */
export function copySourceHeaders(
  { bucket, key, versionId }: CopySource,
  { sourceIfMatch }: Pick<CopyOptions, 'sourceIfMatch'>,
): Record<string, string> {
  const version = versionId === undefined ? '' : `?versionId=${encodeComponent(versionId)}`
  return {
    'x-amz-copy-source': `/${bucket}/${encodePath(key)}${version}`,
    'x-amz-copy-source-if-match': quoteEtag(sourceIfMatch),
  }
}
