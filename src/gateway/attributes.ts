/** What a request says about versions, locks, tags, ACLs and the like, for a store that has them. */
import type { Attributes, BucketInfo } from '../backends/object-store.ts'
import { retainedUntil } from '../s3/configuration/object-lock.ts'
import { directive } from '../s3/copy-source.ts'
import { S3Error } from '../s3/errors.ts'
import { judgeAttributes, locksVersion } from '../s3/kept-attributes.ts'
import { keptHeaders, nativeHeaders } from '../s3/native-headers.ts'
import { noObjectLock, retentionOf, withRetention } from '../s3/object-lock.ts'
import type { OperationName } from '../s3/operation-name.ts'
import { TAGGING_HEADER } from '../s3/tags.ts'
import { requireBucket } from './configuration/configuration.ts'
import { defaultRetention } from './configuration/object-lock.ts'
import type { Gateway, OperationRequest } from './gateway.ts'
import { aclAttribute } from './object-acl-headers.ts'
import type { PlaintextClaims } from './plaintext-verifier.ts'
import type { StoredObject } from './sealed-object.ts'

export interface ForStore {
  readonly attributes?: Attributes
}

const TAGGING_DIRECTIVE = 'x-amz-tagging-directive'

/** What makes a version. */
const MAKES_VERSION: ReadonlySet<OperationName> = new Set<OperationName>([
  'CopyObject',
  'CreateMultipartUpload',
  'PutObject',
])

/** Whether `attributesFor` has seen that the bucket is there. */
export const seesBucket = ({ store }: Gateway): boolean => store.capabilities.versions && !store.capabilities.native

/**
 * The attributes of a new object or bucket, or those that a deletion heeds: as they came for a store that speaks S3, judged for
 * another. Throws `NoSuchBucket`, `InvalidArgument`, `InvalidStorageClass`, `InvalidTag`, `InvalidRequest` for a lock where the bucket
 * has no Object Lock, and what a bucket without ACLs says of them.
 */
export async function attributesFor(
  gateway: Gateway,
  operation: OperationName,
  request: Pick<OperationRequest, 'bucket' | 'headers'>,
): Promise<ForStore> {
  const { headers } = request
  const { versions, native } = gateway.store.capabilities
  if (!versions) return {}
  if (native) return { attributes: nativeHeaders(operation, headers) }
  const judged = judgeAttributes(keptHeaders(operation, headers), gateway.clock())
  const attributes = MAKES_VERSION.has(operation) ? await ofVersion(gateway, request, judged) : judged
  return Object.keys(attributes).length === 0 ? {} : { attributes }
}

/** With the ACL, and with the bucket's own retention where the request has none (B100). */
async function ofVersion(
  gateway: Gateway,
  request: Pick<OperationRequest, 'bucket' | 'headers'>,
  judged: Attributes,
): Promise<Attributes> {
  const found = await requireBucket(gateway, request.bucket)
  const asked = { ...judged, ...(await aclAttribute(gateway, request)) }
  if (found.objectLock !== true && locksVersion(judged)) throw noObjectLock()
  return retained(gateway, found, asked)
}

/** With the retention of the bucket, where the attributes of a new version have none (B100). */
export async function retained(
  gateway: Gateway,
  { name, objectLock }: BucketInfo,
  attributes: Attributes,
): Promise<Attributes> {
  if (objectLock !== true || retentionOf(attributes) !== undefined) return attributes
  const retention = await defaultRetention(gateway, name)
  if (retention === undefined) return attributes
  return withRetention(attributes, { mode: retention.mode, until: retainedUntil(retention, gateway.clock()) })
}

/** Whether a body needs a digest, since it is to be locked: what cannot be deleted must be what was meant. A store that speaks S3 judges what it is given. */
export const needsDigest = ({ store }: Gateway, { attributes = {} }: ForStore): boolean =>
  !store.capabilities.native && locksVersion(attributes)

/** Throws `InvalidRequest` for a body without the digest that it needs. */
export function requireDigest({ contentMd5, checksum }: PlaintextClaims, of: 'Put Object' | 'Put Part'): void {
  if (contentMd5 !== undefined || checksum.kind !== 'none') return
  throw new S3Error('InvalidRequest', {
    message: `Content-MD5 OR x-amz-checksum- HTTP header is required for ${of} requests with Object Lock parameters`,
  })
}

/** Of a copy on a store that does not speak S3: the tags are those of the source, unless the request replaces them (B68). */
export async function attributesOfCopy(
  { store }: Gateway,
  { headers }: Pick<OperationRequest, 'headers'>,
  { place, info }: Pick<StoredObject, 'place' | 'info'>,
  given: ForStore,
): Promise<ForStore> {
  if (store.attributesOf === undefined) return given
  const { [TAGGING_HEADER]: asked, [TAGGING_DIRECTIVE]: _, ...others } = given.attributes ?? {}
  if (directive(headers, TAGGING_DIRECTIVE) === 'REPLACE') {
    return { attributes: { ...others, ...(asked === undefined ? {} : { [TAGGING_HEADER]: asked }) } }
  }
  if (info.attributes?.['x-amz-tagging-count'] === undefined) return { attributes: others }
  const versionId = place.versionId ?? info.versionId
  const source = await store.attributesOf(place.bucket, place.key, versionId === undefined ? {} : { versionId })
  const kept = source.attributes[TAGGING_HEADER]
  return { attributes: { ...others, ...(kept === undefined ? {} : { [TAGGING_HEADER]: kept }) } }
}
