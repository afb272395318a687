import { StoreError } from '../backends/object-store.ts'
import { grantsOthers, ownerOnly, parseAclHeaders } from '../s3/acl.ts'
import { isValidBucketName } from '../s3/address.ts'
import { checkLocation, MAX_CREATE_BUCKET_BYTES, parseCreateBucket } from '../s3/create-bucket-xml.ts'
import { S3Error } from '../s3/errors.ts'
import { renderTagging, type Tag } from '../s3/tags.ts'
import { attributesFor, type ForStore } from './attributes.ts'
import { checkGrants, checkNewBucketAcl, keepBucketAcl } from './configuration/bucket-acl.ts'
import { BUCKET_TAGGING } from './configuration/bucket-tagging.ts'
import { forgetConfigurations } from './configuration/configuration.ts'
import { OWNERSHIP_CONTROLS, parseOwnership, renderOwnership } from './configuration/ownership-controls.ts'
import type { Gateway, Operation, OperationRequest } from './gateway.ts'
import { readDocument } from './request-document.ts'

/** What is kept of a new bucket, or of one that is made again: both return once it is kept. */
interface NewBucket {
  readonly keep: () => Promise<void>
  readonly reset: () => Promise<void>
}

/**
 * Whether Object Lock is asked for and the bucket that exists does not have it: it must not be taken for one that does. What a store that
 * speaks S3 refused stays refused: it does not say why.
 */
async function lacksLock({ store }: Gateway, bucket: string, { attributes = {} }: ForStore): Promise<boolean> {
  const asked = attributes['x-amz-bucket-object-lock-enabled']
  if (store.capabilities.native) return asked?.toLowerCase() === 'true'
  if (asked === undefined) return false
  return (await store.headBucket(bucket))?.objectLock !== true
}

/** Removes what is kept of an earlier bucket of that name, whose deletion was cut short. A bucket that is there keeps everything: some stores answer as if they had made it anew. */
async function forgetEarlier(gateway: Gateway, bucket: string): Promise<void> {
  const { store } = gateway
  if (store.documents !== undefined) return
  const absent = await store.headBucket(bucket).then(
    (found) => found === undefined,
    () => false,
  )
  if (absent) await forgetConfigurations(gateway, bucket)
}

/** CreateBucket. One's own existing bucket is 200 in us-east-1, with its ACL as asked for, and `BucketAlreadyOwnedByYou` elsewhere, as in S3 (B95). */
export const createBucket: Operation = async (gateway, request) => {
  const { bucket } = request
  if (!isValidBucketName(bucket)) throw new S3Error('InvalidBucketName', { extra: { BucketName: bucket } })
  const { locationConstraint, tags } = parseCreateBucket(await readDocument(request, MAX_CREATE_BUCKET_BYTES))
  checkLocation(locationConstraint, gateway.region)
  const forStore = await attributesFor(gateway, 'CreateBucket', request)
  const kept = gateway.store.capabilities.native ? ofNative(tags) : ofOthers(gateway, request, tags)
  try {
    await forgetEarlier(gateway, bucket)
    await gateway.store.createBucket(bucket, forStore)
    await kept.keep()
  } catch (error) {
    const ours = error instanceof StoreError && error.refusal === 'bucket-exists' && error.answer === undefined
    if (!ours || gateway.region !== 'us-east-1' || (await lacksLock(gateway, bucket, forStore))) throw error
    await kept.reset()
  }
  return { status: 200, headers: { location: `/${bucket}` } }
}

/** A store that speaks S3 is given the headers; the document is ours. */
function ofNative(tags: readonly Tag[]): NewBucket {
  if (tags.length > 0) {
    throw new S3Error('NotImplemented', {
      message: 'Tags of CreateBucketConfiguration are not implemented before a store that speaks S3.',
    })
  }
  const nothing = (): Promise<void> => Promise.resolve()
  return { keep: nothing, reset: nothing }
}

/** Throws `InvalidArgument` for headers that S3 does not know, and the two errors that it has for ACLs of new buckets. */
function ofOthers(gateway: Gateway, { bucket, headers }: OperationRequest, tags: readonly Tag[]): NewBucket {
  const asked = headers.get('x-amz-object-ownership')
  const ownership = asked === undefined ? undefined : parseOwnership(asked)
  const grants = parseAclHeaders(headers, gateway.owner, 'bucket')
  checkNewBucketAcl(grants, ownership)
  const write = (name: string, document: string): Promise<void> =>
    gateway.documents.write(bucket, name, Buffer.from(document))
  return {
    keep: async () => {
      if (ownership !== undefined) await write(OWNERSHIP_CONTROLS.name, renderOwnership(ownership))
      if (grants !== undefined) await keepBucketAcl(gateway, bucket, grants)
      if (tags.length > 0) await write(BUCKET_TAGGING.name, renderTagging(tags))
    },
    reset: async () => {
      // The bucket that is there decides, whatever ownership was asked for a new one.
      if (grants !== undefined && grantsOthers(grants)) await checkGrants(gateway, bucket, grants)
      await keepBucketAcl(gateway, bucket, grants ?? ownerOnly(gateway.owner))
    },
  }
}
