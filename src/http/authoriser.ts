/** Binds who may do what (`access/`) to the rows of the operation table. */
import { type PublicAccess, publicHeaders, requirePublic } from '../access/anonymous.ts'
import type { Credentials } from '../access/credentials.ts'
import { type AccessRequest, canList, requireAccess, visibleBuckets } from '../access/policy.ts'
import type { AccessAction, OperationResponse } from '../gateway/gateway.ts'
import type { Target } from '../s3/address.ts'
import { S3Error } from '../s3/errors.ts'
import type { Headers } from '../s3/headers.ts'
import type { OperationName } from '../s3/operation-name.ts'
import type { OperationRow } from '../s3/operation-row.ts'

/** What one caller may do. The functions throw `AccessDenied`. */
export interface Caller {
  readonly operation: (name: OperationName, row: OperationRow, target: Target, headers: Headers) => void
  readonly action: (action: AccessAction, bucket: string, key: string) => void
  readonly sees: (bucket: string) => boolean
  /** Whether the caller may learn that a key does not exist (S3 behaviour 50). */
  readonly mayMiss: (bucket: string, key: string) => boolean
  /** What of an answer is for the caller. */
  readonly told: (response: OperationResponse) => OperationResponse
}

export interface Authoriser {
  readonly lookup: (accessKey: string) => { readonly secret: string } | undefined
  readonly of: (accessKey: string) => Caller
  /** Whoever sends requests without a signature. */
  readonly anonymous: Caller
}

/** The right that an operation asks for on what it addresses. */
function rightOf(name: OperationName, row: OperationRow, target: Target): AccessRequest | undefined {
  const bucket = target.bucket ?? ''
  if (row.access === 'none') return undefined
  if (row.resource === 'service') return { action: 'list-buckets' }
  // The key of a form is in its body, and has been read.
  if (row.resource === 'object' || name === 'PostObject') {
    return { action: row.access === 'read' || row.access === 'list' ? 'read' : 'write', bucket, key: target.key ?? '' }
  }
  if (name === 'DeleteObjects') return { action: 'write-some', bucket }
  if (row.access === 'list') return { action: 'list', bucket, prefix: target.query.get('prefix') ?? '' }
  return { action: row.access === 'read' ? 'read-bucket' : 'write-bucket', bucket }
}

export interface AccessRules {
  /** Buckets that are nobody's to see, whatever a credential grants. */
  readonly hidden?: (bucket: string) => boolean
  /** What anybody may do in a bucket. */
  readonly publicAccess?: (bucket: string) => PublicAccess
  /** Whether clients may use an operation in a bucket at all. */
  readonly mayUse?: (bucket: string, operation: OperationName) => boolean
}

export function createAuthoriser(
  credentials: Credentials,
  { hidden = () => false, publicAccess = () => 'none', mayUse = () => true }: AccessRules = {},
): Authoriser {
  const requireSeen = (bucket: string): void => {
    if (hidden(bucket)) throw new S3Error('AccessDenied', { cause: `${bucket} is the bucket of the state store` })
  }
  const requireUse = (bucket: string | undefined, operation: OperationName): void => {
    if (bucket === undefined || mayUse(bucket, operation)) return
    throw new S3Error('AccessDenied', { cause: `buckets[].operations of ${bucket} does not have ${operation}` })
  }
  return {
    lookup: (accessKey) => credentials.lookup(accessKey),
    anonymous: {
      operation: (name, _row, { bucket, query }, headers) => {
        requireSeen(bucket ?? '')
        requireUse(bucket, name)
        requirePublic(bucket === undefined ? 'none' : publicAccess(bucket), name, query, headers)
      },
      // No second resource: neither copies nor lists of keys are public.
      action: () => {
        throw new S3Error('AccessDenied')
      },
      sees: () => false,
      mayMiss: (bucket) => !hidden(bucket) && publicAccess(bucket) === 'list',
      told: (response) => ({ ...response, headers: publicHeaders(response.headers ?? {}) }),
    },
    of: (accessKey) => {
      const identity = credentials.lookup(accessKey)?.identity
      if (identity === undefined) throw new S3Error('InvalidAccessKeyId', { extra: { AWSAccessKeyId: accessKey } })
      return {
        operation: (name, row, target) => {
          requireSeen(target.bucket ?? '')
          if (row.access !== 'none') requireUse(target.bucket, name)
          const right = rightOf(name, row, target)
          if (right !== undefined) requireAccess(identity, right)
        },
        action: (action, bucket, key) => {
          requireSeen(bucket)
          if (action === 'read') requireUse(bucket, 'GetObject')
          requireAccess(identity, action === 'list' ? { action, bucket, prefix: key } : { action, bucket, key })
        },
        sees: (bucket) => !hidden(bucket) && visibleBuckets(identity, [bucket]).length > 0,
        mayMiss: (bucket, key) => canList(identity, bucket, key),
        told: (response) => response,
      }
    },
  }
}
