/** What a store's refusals mean: an inner error, or a refusal that the port knows. */
import { Denied, Invalid, Unavailable } from '../../errors.ts'
import { childText, parseXml, type XmlElement } from '../../s3/xml.ts'
import { type NativeAnswer, StoreError, type StoreRefusal } from '../object-store.ts'

/** A status of 300 and above, or an error document in a 200. */
export interface Failure {
  readonly status: number
  /** The S3 code; '' if there is no document, as with HEAD. */
  readonly code: string
  readonly message: string
  /** From the document or a header: the region that the bucket is in. */
  readonly region: string | undefined
  readonly headers: Readonly<Record<string, string>>
  /** Only for a range behind the end: the size of the object. */
  readonly size: number | undefined
  /** As it came. */
  readonly document: Buffer
  /** An answer to HEAD: what there is to say, its status says. */
  readonly head: boolean
}

const MAX_DOCUMENT_BYTES = 1024 * 1024

/** Reads an error document; one that is none gives an empty code. */
export function readFailure(
  method: string,
  { status, headers }: Pick<Failure, 'status' | 'headers'>,
  bytes: Buffer,
): Failure {
  const root = parsed(bytes)
  const text = (name: string): string | undefined => (root === undefined ? undefined : childText(root, name))
  const size = /^bytes \*\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1] ?? text('ActualObjectSize')
  return {
    status,
    code: text('Code') ?? headers['x-minio-error-code'] ?? '',
    message: text('Message') ?? '',
    region: headers['x-amz-bucket-region'] ?? text('Region'),
    headers,
    size: size !== undefined && /^\d{1,15}$/.test(size) ? Number(size) : undefined,
    document: bytes,
    head: method === 'HEAD',
  }
}

/** The failure in the body of a 200 (CopyObject, CompleteMultipartUpload, UploadPartCopy), if it is one. */
export function failureIn(root: XmlElement, headers: Readonly<Record<string, string>>): Failure | undefined {
  if (root.name !== 'Error') return undefined
  const code = childText(root, 'Code') ?? 'InternalError'
  const status = TRANSIENT_CODES.has(code) ? 503 : (STATUS_OF[code] ?? 400)
  const message = childText(root, 'Message') ?? ''
  const nothing = { region: undefined, size: undefined, document: Buffer.alloc(0), head: false }
  return { status, code, message, headers, ...nothing }
}

/** Errors that come as a 200 have no status of their own. */
const STATUS_OF: Readonly<Record<string, number>> = {
  PreconditionFailed: 412,
  NoSuchUpload: 404,
  NoSuchKey: 404,
  NoSuchBucket: 404,
  InvalidPart: 400,
  InvalidPartOrder: 400,
  AccessDenied: 403,
  ConditionalRequestConflict: 409,
  NotImplemented: 501,
}

function parsed(bytes: Buffer): XmlElement | undefined {
  try {
    const root = parseXml(bytes, MAX_DOCUMENT_BYTES)
    return root.name === 'Error' ? root : undefined
  } catch {
    return undefined
  }
}

const TRANSIENT_STATUS = new Set([408, 429, 500, 502, 503, 504])
const TRANSIENT_CODES = new Set([
  // Damage on the way: the digests are ours, of ciphertext.
  'BadDigest',
  'IncompleteBody',
  'XAmzContentChecksumMismatch',
  'XAmzContentSHA256Mismatch',
  'InternalError',
  'OperationAborted',
  'RequestTimeout',
  'ServiceUnavailable',
  'SlowDown',
  'SlowDownRead',
  'SlowDownWrite',
  'Throttling',
  'ThrottlingException',
  'TooManyRequests',
  'XMinioServerNotInitialized',
])

/** Whether the same request may succeed later. */
export function isTransient({ status, code }: Failure): boolean {
  return TRANSIENT_STATUS.has(status) || TRANSIENT_CODES.has(code)
}

/** Whether newer credentials may help. */
export function isStaleCredential({ code }: Failure): boolean {
  return code === 'ExpiredToken' || code === 'ExpiredTokenException' || code === 'TokenRefreshRequired'
}

/** The same where there is no document to say so, as with HEAD. */
export function mayBeStale({ status, code }: Failure): boolean {
  return status === 400 && code === ''
}

/** Whether our credentials may have been replaced by others. To HEAD, which has no code, a 403 may mean that too. */
export function mayBeReplaced({ code, status, head }: Failure): boolean {
  return code === 'InvalidAccessKeyId' || code === 'SignatureDoesNotMatch' || (head && status === 403 && code === '')
}

/** How far apart S3 lets clocks be. */
const SKEW_LIMIT_MILLISECONDS = 15 * 60_000

/** Whether our clock differs from the store's, said by a code or, where there is no document, by the two times. */
export function mayBeSkew({ status, code, headers }: Failure, signedAt: number): boolean {
  if (code !== '') return code === 'RequestTimeTooSkewed'
  const theirs = Date.parse(headers['date'] ?? '')
  return status === 403 && Math.abs(theirs - signedAt) > SKEW_LIMIT_MILLISECONDS
}

/** Refusals by code, whatever the operation. */
const REFUSALS: Readonly<Record<string, StoreRefusal>> = {
  NoSuchBucket: 'no-such-bucket',
  NoSuchKey: 'no-such-key',
  NoSuchUpload: 'no-such-upload',
  InvalidPart: 'invalid-part',
  InvalidPartOrder: 'invalid-part',
  BucketAlreadyExists: 'bucket-exists',
  BucketAlreadyOwnedByYou: 'bucket-exists',
  BucketNotEmpty: 'bucket-not-empty',
  PreconditionFailed: 'precondition-failed',
  InvalidRange: 'range-not-satisfiable',
  ConditionalRequestConflict: 'conflict',
}

/** For HEAD, and for a document that says less than the status. */
const BY_STATUS: Readonly<Record<number, StoreRefusal>> = {
  404: 'no-such-key',
  409: 'conflict',
  412: 'precondition-failed',
  416: 'range-not-satisfiable',
}

/** Codes about the client's own request that our table of refusals has no word for: it hears them as they are. */
const NATIVE = new Set([
  'BucketAlreadyExists',
  'EntityTooLarge',
  'IllegalLocationConstraintException',
  'InvalidBucketName',
  'InvalidBucketState',
  'InvalidLocationConstraint',
  'InvalidObjectState',
  'InvalidRetentionPeriod',
  'InvalidStorageClass',
  'InvalidTag',
  'KeyTooLongError',
  'MethodNotAllowed',
  'NoSuchObjectLockConfiguration',
  'NoSuchVersion',
  'ObjectLockConfigurationNotFoundError',
  'QuotaExceeded',
  'TooManyBuckets',
  'XMinioAdminBucketQuotaExceeded',
  'XMinioStorageFull',
])

/** Response headers that explain a 404 or 405 on a versioned object. */
const EXPLAINING = ['x-amz-delete-marker', 'x-amz-version-id', 'allow', 'last-modified']

/** Codes that say that our own credentials or signature are wrong: an outage for the client, which cannot help it. */
const OURS = new Set([
  'AuthorizationHeaderMalformed',
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidAccessKeyId',
  'InvalidSecurity',
  'InvalidToken',
  'NotSignedUp',
  'RequestExpired',
  'RequestTimeTooSkewed',
  'SignatureDoesNotMatch',
  'TokenRefreshRequired',
  'XMinioInvalidRegion',
])

/** The error to throw for a failure that no further attempt will mend. `what` names the request for the log. */
export function toError(what: string, failure: Failure): Error {
  const { status, code, message } = failure
  const said = `${what}: the store answered ${status} ${code}${message === '' ? '' : `: ${message}`}`
  if (OURS.has(code)) {
    return new Unavailable(`${said} (the credentials, the region or the clock of the gateway are wrong)`)
  }
  if (isTransient(failure)) return new Unavailable(said)
  if (NATIVE.has(code) || isDeleteMarker(failure)) {
    const refusal = status === 404 ? 'no-such-key' : (REFUSALS[code] ?? 'native')
    return new StoreError(refusal, said, failure.size, nativeAnswer(failure))
  }
  const refusal = REFUSALS[code] ?? BY_STATUS[status]
  if (refusal === undefined) return byStatus(status, said)
  // Whatever stands before a store answers so too; believed, it would make an object missing and a DELETE succeed.
  if (code === '' && !failure.head) return new Unavailable(`${said} (without an error document of S3)`)
  return new StoreError(refusal, said, failure.size)
}

/** What the status says where the code says nothing that we know. */
function byStatus(status: number, said: string): Error {
  if (status === 403 || status === 401) return new Denied(said)
  if (status === 501) return new StoreError('not-supported', said)
  if (status >= 500) return new Unavailable(said)
  if (status >= 400) return new Invalid(said)
  return new Unavailable(`${said} (a redirect that is not followed; check the endpoint and the region)`)
}

/** For answers without a document. */
const CODE_OF: Readonly<Record<number, string>> = { 403: 'AccessDenied', 404: 'NoSuchKey', 405: 'MethodNotAllowed' }

const isDeleteMarker = ({ headers }: Failure): boolean => headers['x-amz-delete-marker'] === 'true'

/** The refusal in the store's own words: code and message, nothing of its names, keys or request ids. */
export function nativeAnswer({ status, code, message, headers }: Failure): NativeAnswer {
  const attributes: Record<string, string> = {}
  for (const name of EXPLAINING) {
    const value = headers[name]
    if (value !== undefined) attributes[name] = value
  }
  const named = code === '' ? (CODE_OF[status] ?? 'InvalidRequest') : code
  return { status, code: named, message, attributes }
}

/** Throws for a name under which a store would answer 200 and then have no body. */
export function requireKept({ slashKeys }: { readonly slashKeys: boolean }, key: string): void {
  if (slashKeys || !key.endsWith('/')) return
  throw new StoreError('not-supported', 'The store behind this endpoint keeps no body for a name that ends in "/".')
}
