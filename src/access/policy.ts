/** Who may do what. Access is the union of a credential's grants; whatever none of them allows is denied. */
import { globMatches } from '../config/glob.ts'
import { climbs } from '../s3/address.ts'
import { S3Error } from '../s3/errors.ts'

/** What one entry of `credentials[].allow` gives. */
export interface Grant {
  /** Bucket names, where `*` stands for any characters. */
  readonly buckets: readonly string[]
  /** Keys must begin with one of these; none means all keys. */
  readonly prefixes: readonly string[]
  readonly actions: 'read-only' | 'read-write'
}

export interface Identity {
  readonly accessKey: string
  readonly grants: readonly Grant[]
}

/** What a request wants to do. */
export type AccessRequest =
  /** ListBuckets: always allowed, its result is what `visibleBuckets` leaves. */
  | { readonly action: 'list-buckets' }
  /** Objects, and the uploads and parts of one key. */
  | { readonly action: 'read' | 'write'; readonly bucket: string; readonly key: string }
  /** ListObjects and ListMultipartUploads, with the prefix that the client asks for ('' if none). */
  | { readonly action: 'list'; readonly bucket: string; readonly prefix: string }
  /** HeadBucket, GetBucketLocation and other facts about a bucket; CreateBucket, DeleteBucket and other changes of it. */
  | { readonly action: 'read-bucket' | 'write-bucket'; readonly bucket: string }
  /** DeleteObjects before its keys are known: whether any key could be written. Each key is then a `write` of its own. */
  | { readonly action: 'write-some'; readonly bucket: string }

const WRITES: ReadonlySet<AccessRequest['action']> = new Set(['write', 'write-some', 'write-bucket'])

/** Whether one of the identity's grants allows the request. */
export function authorise(identity: Identity, request: AccessRequest): boolean {
  if (request.action === 'list-buckets') return true
  return identity.grants.some((grant) => coversBucket(grant, request.bucket) && permits(grant, request))
}

/** Throws `S3Error` AccessDenied unless `authorise` says yes. */
export function requireAccess(identity: Identity, request: AccessRequest): void {
  if (!authorise(identity, request)) throw new S3Error('AccessDenied')
}

/** Of these buckets, those that the identity may do anything in, in the same order. */
export function visibleBuckets(identity: Identity, names: readonly string[]): string[] {
  return names.filter((bucket) => authorise(identity, { action: 'read-bucket', bucket }))
}

/** Whether the identity may learn that a key does not exist. If not, a missing key is answered with 403 as S3 does, not with 404. */
export function canList(identity: Identity, bucket: string, key: string): boolean {
  return authorise(identity, { action: 'list', bucket, prefix: key })
}

function coversBucket(grant: Grant, bucket: string): boolean {
  return grant.buckets.some((pattern) => globMatches(pattern, bucket))
}

/** Keys and list prefixes follow one rule: a listing of `a/b` shows keys below `a/b` only, so it needs what its shortest key would need. */
function coversKey(grant: Grant, keyOrPrefix: string): boolean {
  if (grant.prefixes.length === 0) return true
  return !climbs(keyOrPrefix) && grant.prefixes.some((prefix) => keyOrPrefix.startsWith(prefix))
}

function permits(grant: Grant, request: Exclude<AccessRequest, { action: 'list-buckets' }>): boolean {
  if (WRITES.has(request.action) && grant.actions !== 'read-write') return false
  // Assigned in every case, or it does not compile: an action without a rule must not fall through to a yes.
  let permitted: boolean
  switch (request.action) {
    case 'read':
    case 'write':
      permitted = coversKey(grant, request.key)
      break
    case 'list':
      permitted = coversKey(grant, request.prefix)
      break
    case 'write-bucket':
      permitted = grant.prefixes.length === 0
      break
    case 'read-bucket':
    case 'write-some':
      permitted = true
      break
  }
  return permitted
}
