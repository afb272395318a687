/** The source of CopyObject and UploadPartCopy (B63, B64, B66 to B68). */
import { isValidBucketName, MAX_KEY_BYTES } from './address.ts'
import { invalidArgument, S3Error } from './errors.ts'
import type { Headers } from './headers.ts'
import type { ResolvedRange } from './range.ts'

export interface CopySource {
  readonly bucket: string
  readonly key: string
  /** As the client named it; which versions there are is for others to know. */
  readonly versionId?: string
}

const SOURCE = 'x-amz-copy-source'

const VERSION = '?versionId='

/**
 * Reads `x-amz-copy-source`: `[/]bucket/key[?versionId=…]`, URL-decoded once (B64). Raw bytes beyond ASCII are UTF-8, and
 * `+` is a space as on AWS: clients that leave a plus unencoded fail there too. Throws `InvalidArgument`, and
 * `NotImplemented` for access points.
 */
export const parseCopySource = (header: string): CopySource => {
  const at = header.lastIndexOf(VERSION)
  const path = decode(at < 0 ? header : header.slice(0, at), header).replace(/^\//, '')
  const versionId = at < 0 ? undefined : decode(header.slice(at + VERSION.length), header)
  if (versionId === '') throw emptyVersion(versionId)
  if (path.startsWith('arn:')) {
    throw new S3Error('NotImplemented', { message: 'Copy sources that are access points are not implemented.' })
  }
  const slash = path.indexOf('/')
  const bucket = slash < 0 ? path : path.slice(0, slash)
  const key = slash < 0 ? '' : path.slice(slash + 1)
  if (!isValidBucketName(bucket)) throw invalidArgument('Invalid copy source bucket name', SOURCE, header)
  if (key === '') throw invalidArgument('Invalid copy source object key', SOURCE, header)
  const size = Buffer.byteLength(key)
  if (size > MAX_KEY_BYTES) {
    throw new S3Error('KeyTooLongError', { extra: { Size: String(size), MaxSizeAllowed: String(MAX_KEY_BYTES) } })
  }
  return { bucket, key, ...(versionId === undefined ? {} : { versionId }) }
}

const emptyVersion = (versionId: string): S3Error =>
  invalidArgument('Invalid version id specified', 'versionId', versionId)

const decode = (text: string, header: string): string => {
  try {
    const unicode = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(text, 'latin1'))
    return decodeURIComponent(unicode.replaceAll('+', ' '))
  } catch {
    throw invalidArgument('Invalid copy source encoding', SOURCE, header)
  }
}

/** The versionId of a request or copy source, where only the null version exists (B52). Throws `InvalidArgument` if it is empty, `NotImplemented` for another. */
export const requireNullVersion = (versionId: string): void => {
  if (versionId === 'null') return
  if (versionId === '') throw emptyVersion(versionId)
  throw new S3Error('NotImplemented', { message: 'Object versions are not implemented.' })
}

/** `x-amz-copy-source-range`, of the form `bytes=first-last` and no other. Throws `InvalidArgument` (B67). */
export const parseCopySourceRange = (header: string | undefined): ResolvedRange | undefined => {
  if (header === undefined) return undefined
  const [, from, to] = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(header) ?? []
  if (from === undefined || to === undefined || Number(from) > Number(to)) {
    throw invalidArgument(
      'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy',
      'x-amz-copy-source-range',
      header,
    )
  }
  return { first: Number(from), last: Number(to) }
}

/** Both ends must lie within the source of `size` plaintext bytes. Throws `InvalidRange` (B67). */
export const checkCopySourceRange = (range: ResolvedRange, size: number): void => {
  if (range.last < size) return
  throw new S3Error('InvalidRange', {
    message: `Range specified is not valid for source object of size: ${size}`,
    extra: { RangeRequested: `bytes=${range.first}-${range.last}`, ActualObjectSize: String(size) },
  })
}

/** S3's limit for one copy: 5 GiB of plaintext. */
export const MAX_COPY_BYTES = 5 * 1024 ** 3

/** Throws `InvalidRequest` for a copy of more than 5 GiB (B66). */
export const checkCopySize = (bytes: number): void => {
  if (bytes <= MAX_COPY_BYTES) return
  throw new S3Error('InvalidRequest', {
    message: `The specified copy source is larger than the maximum allowable size for a copy source: ${MAX_COPY_BYTES}`,
  })
}

export type Directive = 'COPY' | 'REPLACE'

/** `x-amz-metadata-directive`; COPY if there is none. Throws `InvalidArgument` (B68). */
export const metadataDirective = (headers: Headers): Directive => directive(headers, 'x-amz-metadata-directive')

/** A directive header; COPY if there is none. Throws `InvalidArgument` for another word. */
export const directive = (headers: Headers, name: string): Directive => {
  const word = headers.get(name) ?? 'COPY'
  if (word === 'COPY' || word === 'REPLACE') return word
  throw invalidArgument('Unknown directive.', name, word)
}

/** What a copy would change. */
export interface PlannedCopy {
  readonly source: CopySource
  readonly target: CopySource
  readonly directive: Directive
  /** See `changesAttributes`. */
  readonly changes: boolean
}

/** What makes a copy of an object onto itself one that changes something, whatever the object has now (B63). */
const ATTRIBUTES = ['x-amz-checksum-algorithm', 'x-amz-storage-class', 'x-amz-website-redirect-location']

/** Whether a copy asks for storage class, website redirect, encryption or checksum: naming them is enough for S3, which does not compare. */
export const changesAttributes = (headers: Headers): boolean =>
  ATTRIBUTES.some((name) => headers.has(name)) ||
  [...headers.names()].some((name) => name.startsWith('x-amz-server-side-encryption'))

/** Throws `InvalidRequest` for a copy of an object onto itself that changes nothing (B63). */
export const checkSelfCopy = (copy: PlannedCopy): void => {
  const { source, target } = copy
  // An older version copied onto its key is how it is restored.
  const same = source.bucket === target.bucket && source.key === target.key && source.versionId === undefined
  if (!same || copy.directive === 'REPLACE' || copy.changes) return
  throw new S3Error('InvalidRequest', {
    message:
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
  })
}
