/** What requests without a signature may do: nothing, but for buckets that the settings make public. */
import { S3Error } from '../s3/errors.ts'
import type { Headers } from '../s3/headers.ts'
import { responseOverrides } from '../s3/metadata.ts'
import type { OperationName } from '../s3/operation-name.ts'
import type { Query } from '../s3/query.ts'

/** `read`: objects by their keys. `list`: the listings too. `upload`: new contents only, nothing is read. */
export type PublicAccess = 'none' | 'read' | 'list' | 'upload'

const READ: readonly OperationName[] = ['GetObject', 'HeadObject']

/** Named one by one: an operation that is built later is not public by that. */
const OPERATIONS: Readonly<Record<PublicAccess, ReadonlySet<OperationName>>> = {
  none: new Set(),
  read: new Set(READ),
  list: new Set<OperationName>([...READ, 'HeadBucket', 'ListObjects', 'ListObjectsV2']),
  upload: new Set<OperationName>(['PutObject', 'PostObject']),
}

/** What may come with it: contents, their checksums and metadata. Locks, tags, grants and keys are for those whom we know. */
const HEADERS = new Set([
  'x-amz-checksum-mode',
  'x-amz-content-sha256',
  'x-amz-date',
  'x-amz-decoded-content-length',
  'x-amz-expected-bucket-owner',
  'x-amz-sdk-checksum-algorithm',
  'x-amz-te',
  'x-amz-trailer',
  'x-amz-user-agent',
])

const isPublicHeader = (name: string): boolean =>
  HEADERS.has(name) || name.startsWith('x-amz-meta-') || /^x-amz-checksum-(?!algorithm|type)/.test(name)

/** Throws `AccessDenied`, or `InvalidRequest` for a read that wants other response headers than the object has (B16). */
export function requirePublic(access: PublicAccess, operation: OperationName, query: Query, headers: Headers): void {
  if (!OPERATIONS[access].has(operation)) throw new S3Error('AccessDenied')
  // Old versions may hold what was meant to be gone.
  if (query.has('versionId')) throw new S3Error('AccessDenied')
  // Whether contents are what somebody guesses is a read of them: S3 wants the right to read for it too.
  if (access === 'upload' && headers.has('if-match')) throw new S3Error('AccessDenied')
  for (const name of headers.names()) {
    if (name.startsWith('x-amz-') && !isPublicHeader(name)) throw new S3Error('AccessDenied')
  }
  responseOverrides(query, false)
}

/** What GET and HEAD say of tags and locks. S3 tells it to those who may ask for these themselves. */
const BESIDE = /^x-amz-(?:tagging-count$|object-lock-)/

/** What anybody is told of the headers of an answer. */
export const publicHeaders = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !BESIDE.test(name)))
