/** The query parameters of all listings (B79, B80, B84 to B91, B94). */
import { decodeToken, type ListStart } from './continuation-token.ts'
import { invalidArgument } from './errors.ts'
import type { Query } from './query.ts'

/** S3's largest page of everything but buckets. */
const MAX_PAGE = 1000
const MAX_INTEGER = 2 ** 31 - 1
const MAX_BUCKETS = 10_000

export interface ListObjectsRequest {
  readonly version: 1 | 2
  readonly prefix: string
  readonly delimiter?: string
  /** 0 to 1,000. */
  readonly maxKeys: number
  /** `encoding-type=url`. */
  readonly encode: boolean
  /** Where to start, whichever parameter said so. */
  readonly start?: ListStart
  /** As sent, to be echoed. */
  readonly marker?: string
  readonly startAfter?: string
  readonly continuationToken?: string
  readonly fetchOwner: boolean
}

/** A count: absent or empty is `absent`, above `cap` is capped silently, anything but 0 to 2^31 - 1 is `InvalidArgument` (B84). */
const count = (query: Query, name: string, absent = MAX_PAGE, cap = MAX_PAGE): number => {
  const text = query.get(name) ?? ''
  if (text === '') return absent
  if (!/^\d{1,10}$/.test(text) || Number(text) > MAX_INTEGER) {
    throw invalidArgument(`Provided ${name} not an integer or within integer range`, name, text)
  }
  return Math.min(Number(text), cap)
}

const nonEmpty = (query: Query, name: string): string | undefined => {
  const text = query.get(name)
  return text === '' ? undefined : text
}

const encoding = (query: Query): boolean => {
  const text = nonEmpty(query, 'encoding-type')
  if (text !== undefined && text !== 'url') {
    throw invalidArgument('Invalid Encoding Method specified in Request', 'encoding-type', text)
  }
  return text !== undefined
}

const common = (query: Query) => {
  const delimiter = nonEmpty(query, 'delimiter')
  return {
    prefix: query.get('prefix') ?? '',
    ...(delimiter === undefined ? {} : { delimiter }),
    encode: encoding(query),
  }
}

/** A name from which to go on. Inside a common prefix, or equal to one, all that the prefix stands for is skipped (B88). */
const startAt = (marker: string, prefix: string, delimiter: string | undefined): ListStart => {
  const at = delimiter === undefined || !marker.startsWith(prefix) ? -1 : marker.indexOf(delimiter, prefix.length)
  if (delimiter === undefined || at < 0) return { after: marker, afterPrefix: false }
  return { after: marker.slice(0, at + delimiter.length), afterPrefix: true }
}

/** ListObjects, the first version. */
export const parseListObjects = (query: Query): ListObjectsRequest => {
  const shared = common(query)
  const marker = nonEmpty(query, 'marker')
  return {
    version: 1,
    ...shared,
    maxKeys: count(query, 'max-keys'),
    fetchOwner: true,
    ...(marker === undefined ? {} : { marker, start: startAt(marker, shared.prefix, shared.delimiter) }),
  }
}

/** ListObjectsV2. `continuation-token` wins over `start-after`; both are echoed (B87). Throws `InvalidArgument` for a bad or empty token. */
export const parseListObjectsV2 = (query: Query): ListObjectsRequest => {
  const type = query.get('list-type')
  if (type !== '2') throw invalidArgument('Invalid List Type specified in Request', 'list-type', type ?? '')
  const shared = common(query)
  const continuationToken = query.get('continuation-token')
  const startAfter = nonEmpty(query, 'start-after')
  const start =
    continuationToken !== undefined
      ? decodeToken('objects', continuationToken)
      : startAfter !== undefined
        ? startAt(startAfter, shared.prefix, shared.delimiter)
        : undefined
  return {
    version: 2,
    ...shared,
    maxKeys: count(query, 'max-keys'),
    fetchOwner: query.get('fetch-owner')?.toLowerCase() === 'true',
    ...(start === undefined ? {} : { start }),
    ...(startAfter === undefined ? {} : { startAfter }),
    ...(continuationToken === undefined ? {} : { continuationToken }),
  }
}

export interface ListVersionsRequest {
  readonly prefix: string
  readonly delimiter?: string
  /** 0 to 1,000. */
  readonly maxKeys: number
  readonly encode: boolean
  readonly keyMarker?: string
  /** Only beside a key marker. */
  readonly versionIdMarker?: string
  /** Where to start by key. With `versionIdMarker`, that key's older versions come first. */
  readonly start?: ListStart
}

/** ListObjectVersions (B92). Throws `InvalidArgument` for a version marker without a key marker, and for an empty one. */
export const parseListVersions = (query: Query): ListVersionsRequest => {
  const shared = common(query)
  const keyMarker = nonEmpty(query, 'key-marker')
  const versionIdMarker = query.get('version-id-marker')
  if (versionIdMarker !== undefined && keyMarker === undefined) {
    const message = 'A version-id marker cannot be specified without a key marker.'
    throw invalidArgument(message, 'version-id-marker', versionIdMarker)
  }
  if (versionIdMarker === '') {
    throw invalidArgument('A version-id marker cannot be empty.', 'version-id-marker', '')
  }
  return {
    ...shared,
    maxKeys: count(query, 'max-keys'),
    ...(keyMarker === undefined ? {} : { keyMarker, start: startAt(keyMarker, shared.prefix, shared.delimiter) }),
    ...(versionIdMarker === undefined ? {} : { versionIdMarker }),
  }
}

export interface ListBucketsRequest {
  /** 1 to 10,000. Absent: all in one page. */
  readonly maxBuckets?: number
  readonly prefix?: string
  /** Start after this name. */
  readonly after?: string
  readonly bucketRegion?: string
}

/** ListBuckets (B94). */
export const parseListBuckets = (query: Query): ListBucketsRequest => {
  const max = nonEmpty(query, 'max-buckets')
  if (max !== undefined && (!/^\d{1,5}$/.test(max) || Number(max) < 1 || Number(max) > MAX_BUCKETS)) {
    throw invalidArgument('Argument max-buckets must be an integer between 1 and 10000', 'max-buckets', max)
  }
  const prefix = nonEmpty(query, 'prefix')
  const token = query.get('continuation-token')
  const bucketRegion = nonEmpty(query, 'bucket-region')
  return {
    ...(max === undefined ? {} : { maxBuckets: Number(max) }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(token === undefined ? {} : { after: decodeToken('buckets', token).after }),
    ...(bucketRegion === undefined ? {} : { bucketRegion }),
  }
}

export interface ListPartsRequest {
  readonly uploadId: string
  /** 0 to 1,000. */
  readonly maxParts: number
  /** Start after this part number. */
  readonly partNumberMarker: number
  readonly encode: boolean
}

/** ListParts (B79). */
export const parseListParts = (query: Query): ListPartsRequest => ({
  uploadId: query.get('uploadId') ?? '',
  maxParts: count(query, 'max-parts'),
  partNumberMarker: count(query, 'part-number-marker', 0, MAX_INTEGER),
  encode: encoding(query),
})

export interface ListUploadsRequest {
  readonly prefix: string
  readonly delimiter?: string
  /** 0 to 1,000. */
  readonly maxUploads: number
  readonly encode: boolean
  readonly keyMarker?: string
  /** Only beside a key marker; otherwise ignored (B80). */
  readonly uploadIdMarker?: string
  /** Where to start by key. With `uploadIdMarker`, that key's later uploads come first. */
  readonly start?: ListStart
}

/** ListMultipartUploads (B80). */
export const parseListUploads = (query: Query): ListUploadsRequest => {
  const shared = common(query)
  const keyMarker = nonEmpty(query, 'key-marker')
  const uploadIdMarker = keyMarker === undefined ? undefined : nonEmpty(query, 'upload-id-marker')
  return {
    ...shared,
    maxUploads: count(query, 'max-uploads'),
    ...(keyMarker === undefined ? {} : { keyMarker, start: startAt(keyMarker, shared.prefix, shared.delimiter) }),
    ...(uploadIdMarker === undefined ? {} : { uploadIdMarker }),
  }
}
