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

const isTrue = (text: string | undefined): boolean => text?.trim() === 'true'
const dateOf = (text: string | undefined): Date => {
  const date = new Date(text?.trim() ?? '')
  return Number.isNaN(date.getTime()) ? new Date(0) : date
}
const numberOf = (text: string | undefined): number => {
  const value = Number(text?.trim() ?? 'x')
  if (!Number.isSafeInteger(value) || value < 0) throw new Unavailable('the store listed a size that is no number')
  return value
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

/** ListObjectsV2. */
export function readListing(root: XmlElement): ListPage {
  const name = decoderOf(root)
  const objects = childrenNamed(root, 'Contents').map(
    (entry): ListedObject => ({
      key: name(childText(entry, 'Key') ?? ''),
      etag: unquoteEtag(childText(entry, 'ETag') ?? ''),
      size: numberOf(childText(entry, 'Size')),
      lastModified: dateOf(childText(entry, 'LastModified')),
    }),
  )
  const commonPrefixes = childrenNamed(root, 'CommonPrefixes').map((entry) => name(childText(entry, 'Prefix') ?? ''))
  return { objects, commonPrefixes, truncated: isTrue(childText(root, 'IsTruncated')) }
}

export function readBuckets(root: XmlElement): BucketInfo[] {
  const list = child(root, 'Buckets')
  return (list === undefined ? [] : childrenNamed(list, 'Bucket')).map((entry) => ({
    name: childText(entry, 'Name') ?? '',
    created: dateOf(childText(entry, 'CreationDate')),
  }))
}

export function readParts(root: XmlElement): { parts: PartInfo[]; truncated: boolean } {
  const parts = childrenNamed(root, 'Part').map((entry) => ({
    partNumber: numberOf(childText(entry, 'PartNumber')),
    etag: unquoteEtag(childText(entry, 'ETag') ?? ''),
    size: numberOf(childText(entry, 'Size')),
    lastModified: dateOf(childText(entry, 'LastModified')),
  }))
  return { parts, truncated: isTrue(childText(root, 'IsTruncated')) }
}

export function readUploads(root: XmlElement): { uploads: UploadInfo[]; truncated: boolean } {
  const name = decoderOf(root)
  const uploads = childrenNamed(root, 'Upload').map((entry) => ({
    key: name(childText(entry, 'Key') ?? ''),
    uploadId: childText(entry, 'UploadId') ?? '',
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

/** DeleteResult, by what was asked: a key may be there several times, with different versions. */
export function readDeleted(root: XmlElement, entries: readonly DeleteEntry[]): DeleteOutcome[] {
  const outcomes = new Map<string, DeleteOutcome>()
  const id = (key: string, versionId: string | undefined): string => JSON.stringify([key, versionId ?? ''])
  for (const entry of root.children) {
    const asked = id(childText(entry, 'Key') ?? '', childText(entry, 'VersionId'))
    if (entry.name === 'Deleted') outcomes.set(asked, deletedOf(entry))
    if (entry.name === 'Error') {
      outcomes.set(asked, {
        code: childText(entry, 'Code') ?? 'InternalError',
        message: childText(entry, 'Message') ?? '',
      })
    }
  }
  const silent = { code: 'InternalError', message: 'The store did not say what became of this key.' }
  return entries.map(
    ({ key, versionId }) => outcomes.get(id(key, versionId)) ?? outcomes.get(id(key, undefined)) ?? silent,
  )
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
