/** The one place where inner errors and refusals of a store become S3 errors. */
import { StoreError, type StoreRefusal } from '../backends/object-store.ts'
import { Denied, Integrity, Invalid, type KeyFault, Unavailable } from '../errors.ts'
import { NativeError, S3Error, type S3ErrorCode } from '../s3/errors.ts'

const REFUSALS: Record<StoreRefusal, S3ErrorCode> = {
  'no-such-bucket': 'NoSuchBucket',
  'no-such-key': 'NoSuchKey',
  'no-such-upload': 'NoSuchUpload',
  'invalid-part': 'InvalidPart',
  'bucket-exists': 'BucketAlreadyOwnedByYou',
  'bucket-not-empty': 'BucketNotEmpty',
  'precondition-failed': 'PreconditionFailed',
  'range-not-satisfiable': 'InvalidRange',
  conflict: 'ConditionalRequestConflict',
  'not-supported': 'NotImplemented',
  'invalid-state': 'InvalidBucketState',
  locked: 'AccessDenied',
  'no-such-version': 'NoSuchVersion',
  native: 'InternalError',
}

/** As S3 tells them of SSE-KMS: whoever is told AccessDenied looks at their own credential, and finds nothing. */
const KEY_FAULTS: Record<KeyFault, S3ErrorCode> = {
  disabled: 'KMS.DisabledException',
  missing: 'KMS.NotFoundException',
  'wrong-state': 'KMS.KMSInvalidStateException',
}

/** Whose message is for the client. */
const SPOKEN: ReadonlySet<StoreRefusal> = new Set<StoreRefusal>(['not-supported', 'locked', 'invalid-state'])

/** What the client is told about `error`. All failures of decryption have one face; the cause stays for the log. */
export function toS3Error(error: unknown): S3Error {
  if (error instanceof S3Error) return error
  if (error instanceof StoreError) {
    const { answer, refusal, message } = error
    if (answer !== undefined) return new NativeError(answer, error)
    return new S3Error(REFUSALS[refusal], { ...(SPOKEN.has(refusal) ? { message } : {}), cause: error })
  }
  if (error instanceof Unavailable) {
    const seconds = Math.ceil((error.retryAfter ?? 1_000) / 1_000)
    return new S3Error('ServiceUnavailable', { cause: error, headers: { 'retry-after': String(seconds) } })
  }
  if (error instanceof Denied) {
    return new S3Error(error.key === undefined ? 'AccessDenied' : KEY_FAULTS[error.key], { cause: error })
  }
  if (error instanceof Invalid) return new S3Error('InvalidRequest', { cause: error })
  if (error instanceof Integrity) return new S3Error('InternalError', { cause: error })
  return new S3Error('InternalError', { cause: error })
}

/** What is missing, with its name, as S3 tells it. Operations on two places have named the one that is not the request's. */
export function named(error: unknown, bucket: string, key: string): unknown {
  const { code, message, headers, extra, cause = error } = toS3Error(error)
  if (code === 'NoSuchBucket' && extra['BucketName'] === undefined) {
    return new S3Error(code, { message, headers, cause, extra: { BucketName: bucket, ...extra } })
  }
  if (code === 'NoSuchKey' && extra['Key'] === undefined) {
    return new S3Error(code, { message, headers, cause, extra: { Key: key, ...extra } })
  }
  return error
}
