/** XML documents of S3: those that a store answers with, and those that it is sent. */
import { Unavailable } from '../../errors.ts'
import { unquoteEtag, quoteEtag } from '../../s3/etag.ts'
import { child, childrenNamed, childText, el, group, parseXml, xmlDocument, type XmlElement } from '../../s3/xml.ts'
import type {
  BucketInfo,
  DeleteEntry,
  DeleteOutcome,
  ListedObject,
  ListOptions,
  ListPage,
  ListUploadsOptions,
  ListVersionsOptions,
  ListVersionsPage,
  ListedVersion,
  PartInfo,
  UploadInfo,
} from '../object-store.ts'

/** 1,000 names of 1,024 bytes, each byte escaped, with everything around. */
export const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024

/** Throws `Unavailable` for what is no XML. */
export function readDocument(bytes: Buffer): XmlElement {
  try {
    return parseXml(parsable(bytes), MAX_DOCUMENT_BYTES)
  } catch (cause) {
    throw new Unavailable('the store answered with a document that cannot be read', { cause })
  }
}

/** References, and characters, that no XML may hold and that a key may. */
const NEVER_XML = /&#(?:x0+|0+|x0*FFF[EF]|6553[45]);|[\uFFFE\uFFFF]/gi

/** Where a store repeats the key that it was given, nobody reads it: what cannot be parsed is replaced there. Listings are URL-encoded. */
function parsable(bytes: Buffer): Buffer {
  const text = bytes.toString('utf8')
  return text.search(NEVER_XML) < 0 ? bytes : Buffer.from(text.replaceAll(NEVER_XML, '\uFFFD'))
}

/** Anything else in a 200 is no answer: an empty listing would be believed. */
function expectRoot(root: XmlElement, name: string): void {
  if (root.name !== name) throw new Unavailable(`the store answered with <${root.name}> in place of <${name}>`)
}

const isTrue = (text: string | undefined): boolean => text?.trim() === 'true'
/** The beginning of time for what is no ISO 8601, of which `Date` would make anything. */
const dateOf = (text: string | undefined): Date => {
  const written = text?.trim() ?? ''
  const date = new Date(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(written) ? written : '')
  return Number.isNaN(date.getTime()) ? new Date(0) : date
}
const numberOf = (text: string | undefined): number => {
  const digits = text?.trim() ?? ''
  if (!/^\d{1,15}$/.test(digits)) throw new Unavailable('the store listed a size that is no number')
  return Number(digits)
}

const named = (text: string): string => {
  if (text === '') throw new Unavailable('the store listed something without its name')
  return text
}

/** How names are written in a listing: `encoding-type=url` as AWS has it, where `+` is a space. */
function decoderOf(root: XmlElement): (name: string) => string {
  if (childText(root, 'EncodingType') !== 'url') return (name) => name
  return (name) => {
    try {
      return decodeURIComponent(name.replaceAll('+', ' '))
    } catch (cause) {
      throw new Unavailable('the store listed a name that cannot be decoded', { cause })
    }
  }
}

/** The query of ListObjectsV2. */
export function listQuery({
  prefix,
  delimiter,
  after,
  afterPrefix,
  limit,
}: ListOptions): (readonly [string, string])[] {
  const query: (readonly [string, string])[] = [
    ['list-type', '2'],
    ['encoding-type', 'url'],
    ['max-keys', String(limit)],
    ['prefix', prefix],
  ]
  if (delimiter !== undefined) query.push(['delimiter', delimiter])
  // Behind everything below a common prefix: no name sorts behind the last code point.
  if (after !== undefined) query.push(['start-after', afterPrefix === true ? `${after}\u{10FFFF}` : after])
  return query
}

/** The query of ListObjectVersions. */
export function versionsQuery(options: ListVersionsOptions): (readonly [string, string])[] {
  const { prefix, delimiter, afterKey, afterVersionId, limit } = options
  const query: (readonly [string, string])[] = [
    ['versions', ''],
    ['encoding-type', 'url'],
    ['max-keys', String(limit)],
    ['prefix', prefix],
  ]
  if (delimiter !== undefined) query.push(['delimiter', delimiter])
  if (afterKey !== undefined) query.push(['key-marker', afterKey])
  if (afterVersionId !== undefined) query.push(['version-id-marker', afterVersionId])
  return query
}

/** The query of ListParts. */
export const partsQuery = (uploadId: string, after: number, limit: number): (readonly [string, string])[] => [
  ['max-parts', String(limit)],
  ['part-number-marker', String(after)],
  ['uploadId', uploadId],
]

/** The query of ListMultipartUploads. */
export function uploadsQuery(options: ListUploadsOptions): (readonly [string, string])[] {
  const { prefix, afterKey, afterUploadId, limit } = options
  const query: (readonly [string, string])[] = [
    ['uploads', ''],
    ['encoding-type', 'url'],
    ['max-uploads', String(limit)],
    ['prefix', prefix],
  ]
  if (afterKey !== undefined) query.push(['key-marker', afterKey])
  if (afterUploadId !== undefined) query.push(['upload-id-marker', afterUploadId])
  return query
}

/** ListObjectsV2. */
export function readListing(root: XmlElement): ListPage {
  expectRoot(root, 'ListBucketResult')
  const name = decoderOf(root)
  return {
    objects: childrenNamed(root, 'Contents').map((entry) => objectOf(entry, name)),
    commonPrefixes: prefixesOf(root, name),
    truncated: isTrue(childText(root, 'IsTruncated')),
  }
}

/** ListObjectVersions. */
export function readVersions(root: XmlElement): ListVersionsPage {
  expectRoot(root, 'ListVersionsResult')
  const name = decoderOf(root)
  const versions = root.children
    .filter((entry) => entry.name === 'Version' || entry.name === 'DeleteMarker')
    .map((entry): ListedVersion => {
      const deleteMarker = entry.name === 'DeleteMarker'
      const versionId = named(childText(entry, 'VersionId') ?? '')
      return {
        ...objectOf(entry, name, deleteMarker),
        versionId,
        latest: isTrue(childText(entry, 'IsLatest')),
        deleteMarker,
      }
    })
  return { versions, commonPrefixes: prefixesOf(root, name), truncated: isTrue(childText(root, 'IsTruncated')) }
}

/** A marker has neither ETag nor size. */
function objectOf(entry: XmlElement, name: (text: string) => string, marker = false): ListedObject {
  return {
    key: named(name(childText(entry, 'Key') ?? '')),
    etag: unquoteEtag(childText(entry, 'ETag') ?? ''),
    size: marker ? 0 : numberOf(childText(entry, 'Size')),
    lastModified: dateOf(childText(entry, 'LastModified')),
  }
}

const prefixesOf = (root: XmlElement, name: (text: string) => string): string[] =>
  childrenNamed(root, 'CommonPrefixes').map((entry) => name(childText(entry, 'Prefix') ?? ''))

export function readBuckets(root: XmlElement): BucketInfo[] {
  expectRoot(root, 'ListAllMyBucketsResult')
  const list = child(root, 'Buckets')
  return (list === undefined ? [] : childrenNamed(list, 'Bucket')).map((entry) => ({
    name: childText(entry, 'Name') ?? '',
    created: dateOf(childText(entry, 'CreationDate')),
  }))
}

export function readParts(root: XmlElement): { parts: PartInfo[]; truncated: boolean } {
  expectRoot(root, 'ListPartsResult')
  const parts = childrenNamed(root, 'Part').map((entry) => ({
    partNumber: numberOf(childText(entry, 'PartNumber')),
    etag: unquoteEtag(childText(entry, 'ETag') ?? ''),
    size: numberOf(childText(entry, 'Size')),
    lastModified: dateOf(childText(entry, 'LastModified')),
  }))
  return { parts, truncated: isTrue(childText(root, 'IsTruncated')) }
}

export function readUploads(root: XmlElement): { uploads: UploadInfo[]; truncated: boolean } {
  expectRoot(root, 'ListMultipartUploadsResult')
  const name = decoderOf(root)
  const uploads = childrenNamed(root, 'Upload').map((entry) => ({
    key: named(name(childText(entry, 'Key') ?? '')),
    uploadId: named(childText(entry, 'UploadId') ?? ''),
    initiated: dateOf(childText(entry, 'Initiated')),
  }))
  return { uploads, truncated: isTrue(childText(root, 'IsTruncated')) }
}

export function writeComplete(parts: readonly { readonly partNumber: number; readonly etag: string }[]): Buffer {
  const rendered = parts.map(({ partNumber, etag }) =>
    group('Part', el('PartNumber', partNumber), el('ETag', quoteEtag(etag))),
  )
  return Buffer.from(xmlDocument('CompleteMultipartUpload', ...rendered))
}

export function writeCreateBucket(region: string): Buffer {
  if (region === 'us-east-1') return Buffer.alloc(0)
  return Buffer.from(xmlDocument('CreateBucketConfiguration', el('LocationConstraint', region)))
}

export function writeDelete(entries: readonly DeleteEntry[]): Buffer {
  const rendered = entries.map(({ key, versionId, ifMatch }) =>
    group(
      'Object',
      el('Key', key),
      el('VersionId', versionId),
      el('ETag', ifMatch === undefined || ifMatch === '*' ? ifMatch : quoteEtag(ifMatch)),
    ),
  )
  return Buffer.from(xmlDocument('Delete', el('Quiet', false), ...rendered))
}

/**
 * DeleteResult, by what was asked: a key may be there several times, with different versions. Where only one version of a key was
 * asked for, what is said of the key is about it, however the store spells the version.
 */
export function readDeleted(root: XmlElement, entries: readonly DeleteEntry[]): DeleteOutcome[] {
  expectRoot(root, 'DeleteResult')
  const byVersion = new Map<string, DeleteOutcome>()
  const byKey = new Map<string, DeleteOutcome>()
  const id = (key: string, versionId: string | undefined): string => JSON.stringify([written(key), versionId ?? ''])
  for (const entry of root.children) {
    if (entry.name !== 'Deleted' && entry.name !== 'Error') continue
    const key = childText(entry, 'Key') ?? ''
    const outcome = entry.name === 'Deleted' ? deletedOf(entry) : refusedOf(entry)
    byVersion.set(id(key, childText(entry, 'VersionId')), outcome)
    byKey.set(written(key), outcome)
  }
  const asked = new Map<string, Set<string | undefined>>()
  for (const { key, versionId } of entries) {
    asked.set(written(key), (asked.get(written(key)) ?? new Set()).add(versionId))
  }
  const silent = { code: 'InternalError', message: 'The store did not say what became of this key.' }
  return entries.map(({ key, versionId }) => {
    const alone = asked.get(written(key))?.size === 1
    return byVersion.get(id(key, versionId)) ?? (alone ? byKey.get(written(key)) : undefined) ?? silent
  })
}

/** A key as `parsable` leaves it. */
const written = (key: string): string => key.replaceAll(/[\0\uFFFE\uFFFF]/g, '\uFFFD')

function refusedOf(entry: XmlElement): DeleteOutcome {
  return { code: childText(entry, 'Code') ?? 'InternalError', message: childText(entry, 'Message') ?? '' }
}

function deletedOf(entry: XmlElement): DeleteOutcome {
  const deleteMarkerVersionId = childText(entry, 'DeleteMarkerVersionId')
  return {
    ...(childText(entry, 'DeleteMarker') === undefined
      ? {}
      : { deleteMarker: isTrue(childText(entry, 'DeleteMarker')) }),
    ...(deleteMarkerVersionId === undefined ? {} : { deleteMarkerVersionId }),
  }
}
