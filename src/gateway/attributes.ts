/** What a request says about versions, locks, tags and the like, for a store that has them. */
import type { Attributes } from '../backends/object-store.ts'
import { directive } from '../s3/copy-source.ts'
import { S3Error } from '../s3/errors.ts'
import { keptHeaders, nativeHeaders } from '../s3/native-headers.ts'
import { judgeAttributes, locksVersion, retainedBy } from '../s3/kept-attributes.ts'
import type { OperationName } from '../s3/operation-name.ts'
import { defaultRetention } from './configuration/object-lock.ts'
import type { Gateway, OperationRequest } from './gateway.ts'
import type { StoredObject } from './sealed-object.ts'

export interface ForStore {
  readonly attributes?: Attributes
}

const TAGGING = 'x-amz-tagging'
const TAGGING_DIRECTIVE = 'x-amz-tagging-directive'

/**
 * The attributes of a new object or bucket, or those that a deletion heeds: as they came for a store that speaks S3, judged for
 * another. Throws `InvalidArgument`, `InvalidStorageClass`, and `InvalidRequest` for a lock where the bucket has no Object Lock.
 */
export async function attributesFor(
  gateway: Gateway,
  operation: OperationName,
  { bucket, headers }: Pick<OperationRequest, 'bucket' | 'headers'>,
): Promise<ForStore> {
  const { versions, native } = gateway.store.capabilities
  if (!versions) return {}
  if (native) return { attributes: nativeHeaders(operation, headers) }
  const attributes = judgeAttributes(keptHeaders(operation, headers), gateway.clock())
  if (locksVersion(attributes)) {
    const found = await gateway.store.headBucket(bucket)
    if (found === undefined) throw new S3Error('NoSuchBucket')
    if (found.objectLock !== true) {
      throw new S3Error('InvalidRequest', { message: 'Bucket is missing Object Lock Configuration' })
    }
  }
  const all = NEW_VERSIONS.has(operation) ? await retained(gateway, bucket, attributes) : attributes
  return Object.keys(all).length === 0 ? {} : { attributes: all }
}

const NEW_VERSIONS: ReadonlySet<OperationName> = new Set(['PutObject', 'CopyObject', 'CreateMultipartUpload'])

/** A version that names no retention gets that of its bucket (B100). */
async function retained(gateway: Gateway, bucket: string, attributes: Attributes) {
  const retention = await defaultRetention(gateway, bucket)
  return retention === undefined ? attributes : { ...retainedBy(retention, gateway.clock()), ...attributes }
}

/** Of a copy on a store that does not speak S3: the tags are those of the source, unless the request replaces them (B68). */
export async function attributesOfCopy(
  { store }: Gateway,
  { headers }: Pick<OperationRequest, 'headers'>,
  { place, info }: Pick<StoredObject, 'place' | 'info'>,
  given: ForStore,
): Promise<ForStore> {
  if (store.attributesOf === undefined) return given
  const { [TAGGING]: asked, [TAGGING_DIRECTIVE]: _, ...others } = given.attributes ?? {}
  if (directive(headers, TAGGING_DIRECTIVE) === 'REPLACE') {
    return { attributes: { ...others, ...(asked === undefined ? {} : { [TAGGING]: asked }) } }
  }
  if (info.attributes?.['x-amz-tagging-count'] === undefined) return { attributes: others }
  const versionId = place.versionId ?? info.versionId
  const source = await store.attributesOf(place.bucket, place.key, versionId === undefined ? {} : { versionId })
  const kept = source.attributes[TAGGING]
  return { attributes: { ...others, ...(kept === undefined ? {} : { [TAGGING]: kept }) } }
}
