/** The documents of ListBuckets, ListParts and ListMultipartUploads (B79, B80, B94). */
import { CHECKSUMS, type ChecksumName, type ChecksumType } from './checksum.ts'
import { encodeToken } from './continuation-token.ts'
import { isoDate } from './dates.ts'
import { quoteEtag } from './etag.ts'
import { listNames } from './list-name.ts'
import type { ListPartsRequest, ListUploadsRequest } from './listing-parameters.ts'
import { type Owner, renderCommonPrefixes, renderOwner } from './listing-xml.ts'
import { compareUtf8 } from './utf8-order.ts'
import { el, group, xmlDocument } from './xml.ts'

export interface ListBucketsPage {
  readonly owner: Owner
  readonly buckets: readonly { readonly name: string; readonly created: Date }[]
  /** As asked for, to be echoed. */
  readonly prefix?: string
  /** The last name of a truncated page. */
  readonly next?: string
  /** Shown with each bucket if given. */
  readonly region?: string
}

export const renderListBuckets = ({ owner, buckets, prefix, next, region }: ListBucketsPage): string =>
  xmlDocument(
    'ListAllMyBucketsResult',
    renderOwner('Owner', owner),
    group(
      'Buckets',
      ...buckets.map(({ name, created }) =>
        group('Bucket', el('Name', name), el('CreationDate', isoDate(created)), el('BucketRegion', region)),
      ),
    ),
    el('Prefix', prefix),
    el(
      'ContinuationToken',
      next === undefined ? undefined : encodeToken('buckets', { after: next, afterPrefix: false }),
    ),
  )

export interface ListedPart {
  readonly partNumber: number
  readonly lastModified: Date
  /** The client's ETag of the part, without quotes. */
  readonly etag: string
  /** Plaintext bytes. */
  readonly size: number
  readonly checksum?: { readonly name: ChecksumName; readonly value: Buffer }
}

export interface ListPartsPage {
  readonly bucket: string
  readonly key: string
  readonly request: ListPartsRequest
  readonly owner: Owner
  readonly parts: readonly ListedPart[]
  readonly truncated: boolean
  /** What CreateMultipartUpload fixed. */
  readonly checksum?: { readonly name: ChecksumName; readonly type: ChecksumType }
}

export const renderListParts = ({ bucket, key, request, owner, parts, truncated, checksum }: ListPartsPage): string =>
  xmlDocument(
    'ListPartsResult',
    el('Bucket', bucket),
    el('EncodingType', request.encode ? 'url' : undefined),
    el('Key', listNames(request.encode)(key)),
    el('UploadId', request.uploadId),
    renderOwner('Initiator', owner),
    renderOwner('Owner', owner),
    el('StorageClass', 'STANDARD'),
    el('PartNumberMarker', request.partNumberMarker),
    el('NextPartNumberMarker', parts.at(-1)?.partNumber ?? 0),
    el('MaxParts', request.maxParts),
    el('IsTruncated', truncated),
    el('ChecksumAlgorithm', checksum?.name),
    el('ChecksumType', checksum?.type),
    ...parts.map(renderPart),
  )

const renderPart = ({ partNumber, lastModified, etag, size, checksum }: ListedPart): string =>
  group(
    'Part',
    el('PartNumber', partNumber),
    el('LastModified', isoDate(lastModified)),
    el('ETag', quoteEtag(etag)),
    el('Size', size),
    checksum === undefined ? '' : el(CHECKSUMS[checksum.name].element, checksum.value.toString('base64')),
  )

export interface ListedUpload {
  readonly key: string
  readonly uploadId: string
  readonly initiated: Date
  readonly checksum?: { readonly name: ChecksumName; readonly type: ChecksumType }
}

export interface ListUploadsPage {
  readonly bucket: string
  readonly request: ListUploadsRequest
  readonly owner: Owner
  /** By key in UTF-8 order, then initiation. */
  readonly uploads: readonly ListedUpload[]
  readonly commonPrefixes: readonly string[]
  readonly truncated: boolean
}

export const renderListUploads = (page: ListUploadsPage): string => {
  const { request, uploads, commonPrefixes } = page
  const name = listNames(request.encode)
  const next = nextMarkers(page)
  return xmlDocument(
    'ListMultipartUploadsResult',
    el('Bucket', page.bucket),
    el('KeyMarker', name(request.keyMarker ?? '')),
    el('UploadIdMarker', request.uploadIdMarker ?? ''),
    el('NextKeyMarker', next === undefined ? undefined : name(next.key)),
    el('NextUploadIdMarker', next?.uploadId),
    el('Prefix', name(request.prefix)),
    el('Delimiter', request.delimiter === undefined ? undefined : name(request.delimiter)),
    el('EncodingType', request.encode ? 'url' : undefined),
    el('MaxUploads', request.maxUploads),
    el('IsTruncated', page.truncated),
    ...uploads.map((upload) => renderUpload(upload, page.owner, name)),
    renderCommonPrefixes(commonPrefixes, name),
  )
}

const renderUpload = (upload: ListedUpload, owner: Owner, name: (text: string) => string): string =>
  group(
    'Upload',
    el('Key', name(upload.key)),
    el('UploadId', upload.uploadId),
    renderOwner('Initiator', owner),
    renderOwner('Owner', owner),
    el('StorageClass', 'STANDARD'),
    el('Initiated', isoDate(upload.initiated)),
    el('ChecksumAlgorithm', upload.checksum?.name),
    el('ChecksumType', upload.checksum?.type),
  )

/** Both markers, or after a common prefix only the key marker. */
const nextMarkers = ({
  uploads,
  commonPrefixes,
  truncated,
}: ListUploadsPage): { key: string; uploadId?: string } | undefined => {
  if (!truncated) return undefined
  const upload = uploads.at(-1)
  const prefix = commonPrefixes.at(-1)
  if (prefix !== undefined && (upload === undefined || compareUtf8(prefix, upload.key) > 0)) return { key: prefix }
  return upload === undefined ? undefined : { key: upload.key, uploadId: upload.uploadId }
}
