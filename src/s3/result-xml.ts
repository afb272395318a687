/** The documents of copies, multipart uploads, deletes, locations and errors. */
import { CHECKSUMS } from './checksum.ts'
import { checksumText, type StoredChecksum } from './checksum-headers.ts'
import { isoDate } from './dates.ts'
import { quoteEtag } from './etag.ts'
import { el, escapeXml, group, rootElement, XML_DECLARATION, xmlDocument } from './xml.ts'

/** For bodies whose declaration went ahead, before white space that kept the connection alive (B65). */
export interface RenderOptions {
  /** Default true. */
  readonly declaration?: boolean
}

const rendered = (options: RenderOptions | undefined, root: string, ...children: readonly string[]): string =>
  (options?.declaration === false ? rootElement : xmlDocument)(root, ...children)

const checksumElements = (checksum: StoredChecksum | undefined): string =>
  checksum === undefined
    ? ''
    : el(CHECKSUMS[checksum.name].element, checksumText(checksum)) + el('ChecksumType', checksum.type)

export interface CopyResult {
  /** Without quotes. */
  readonly etag: string
  readonly lastModified: Date
  readonly checksum?: StoredChecksum
}

const copyElements = ({ etag, lastModified, checksum }: CopyResult): string =>
  el('LastModified', isoDate(lastModified)) + el('ETag', quoteEtag(etag)) + checksumElements(checksum)

export const renderCopyObject = (result: CopyResult, options?: RenderOptions): string =>
  rendered(options, 'CopyObjectResult', copyElements(result))

/** A part's checksum has no type of its own. */
export const renderCopyPart = ({ etag, lastModified, checksum }: CopyResult, options?: RenderOptions): string =>
  rendered(
    options,
    'CopyPartResult',
    copyElements({ etag, lastModified }),
    checksum === undefined ? '' : el(CHECKSUMS[checksum.name].element, checksum.value.toString('base64')),
  )

export const renderInitiateUpload = (upload: {
  readonly bucket: string
  readonly key: string
  readonly uploadId: string
}): string =>
  xmlDocument(
    'InitiateMultipartUploadResult',
    el('Bucket', upload.bucket),
    el('Key', upload.key),
    el('UploadId', upload.uploadId),
  )

export interface CompleteResult {
  readonly location: string
  readonly bucket: string
  readonly key: string
  /** Without quotes. */
  readonly etag: string
  readonly checksum?: StoredChecksum
}

export const renderComplete = (result: CompleteResult, options?: RenderOptions): string =>
  rendered(
    options,
    'CompleteMultipartUploadResult',
    el('Location', result.location),
    el('Bucket', result.bucket),
    el('Key', result.key),
    el('ETag', quoteEtag(result.etag)),
    checksumElements(result.checksum),
  )

/** A key that is gone now, also one that never was (B62). */
export interface Deleted {
  readonly key: string
  readonly versionId?: string
  readonly deleteMarker?: boolean
  readonly deleteMarkerVersionId?: string
}

export interface NotDeleted {
  readonly key: string
  readonly versionId?: string
  readonly code: string
  readonly message: string
}

export interface DeleteResult {
  readonly deleted: readonly Deleted[]
  readonly errors: readonly NotDeleted[]
  /** Errors only. */
  readonly quiet: boolean
}

export const renderDelete = ({ deleted, errors, quiet }: DeleteResult): string =>
  xmlDocument(
    'DeleteResult',
    ...(quiet ? [] : deleted.map(renderDeleted)),
    ...errors.map(({ key, versionId, code, message }) =>
      group('Error', el('Key', key), el('VersionId', versionId), el('Code', code), el('Message', message)),
    ),
  )

const renderDeleted = ({ key, versionId, deleteMarker, deleteMarkerVersionId }: Deleted): string =>
  group(
    'Deleted',
    el('Key', key),
    el('VersionId', versionId),
    el('DeleteMarker', deleteMarker),
    el('DeleteMarkerVersionId', deleteMarkerVersionId),
  )

/** GetBucketLocation. us-east-1 is spelled as nothing (B96). */
export const renderLocation = (region: string | undefined): string =>
  xmlDocument('LocationConstraint', region === undefined || region === 'us-east-1' ? '' : escapeXml(region))

export interface ErrorDocument {
  readonly code: string
  readonly message: string
  /** The path asked for. */
  readonly resource?: string
  readonly requestId: string
  readonly hostId: string
  /** Further elements, in order. */
  readonly extra?: Readonly<Record<string, string>>
}

/** What no document of XML 1.0 can hold, not even as a reference. */
// eslint-disable-next-line no-control-regex -- control characters are what this is about
const UNREADABLE = /[\0-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff\p{Cs}]/gu

/** Names in listings must come back as they are; an error quotes the client, and being read matters more (B20). */
const readable = (text: string): string => text.replace(UNREADABLE, '\ufffd')

/** Error documents have no namespace. Every parser can read them, whatever the client is told to have sent. */
export const renderError = (error: ErrorDocument, options?: RenderOptions): string =>
  (options?.declaration === false ? '' : XML_DECLARATION) +
  group(
    'Error',
    el('Code', error.code),
    el('Message', readable(error.message)),
    ...Object.entries(error.extra ?? {}).map(([name, text]) => el(name, readable(text))),
    el('Resource', error.resource),
    el('RequestId', error.requestId),
    el('HostId', error.hostId),
  )

/** The document of a form that asked for 201. `etag` with its quotes. */
export const renderPostObject = (stored: {
  readonly location: string
  readonly bucket: string
  readonly key: string
  readonly etag: string
}): string =>
  XML_DECLARATION +
  group(
    'PostResponse',
    el('Location', stored.location),
    el('Bucket', stored.bucket),
    el('Key', stored.key),
    el('ETag', stored.etag),
  )
