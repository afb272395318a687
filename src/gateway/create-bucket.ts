import { StoreError } from '../backends/object-store.ts'
import { isValidBucketName } from '../s3/address.ts'
import { checkLocation, MAX_CREATE_BUCKET_BYTES, parseCreateBucket } from '../s3/create-bucket-xml.ts'
import { S3Error } from '../s3/errors.ts'
import { attributesFor, type ForStore } from './attributes.ts'
import { forgetConfigurations } from './configuration/configuration.ts'
import type { Gateway, Operation } from './gateway.ts'
import { readDocument } from './request-document.ts'

/** Whether Object Lock is asked for and the bucket that exists does not have it: it must not be taken for one that does. */
async function lacksLock({ store }: Gateway, bucket: string, { attributes = {} }: ForStore): Promise<boolean> {
  if (store.capabilities.native || attributes['x-amz-bucket-object-lock-enabled'] === undefined) return false
  return (await store.headBucket(bucket))?.objectLock !== true
}

/** CreateBucket. One's own existing bucket is 200 in us-east-1 and `BucketAlreadyOwnedByYou` elsewhere, as in S3. */
export const createBucket: Operation = async (gateway, request) => {
  const { bucket } = request
  if (!isValidBucketName(bucket)) throw new S3Error('InvalidBucketName', { extra: { BucketName: bucket } })
  const document = await readDocument(request, MAX_CREATE_BUCKET_BYTES)
  checkLocation(parseCreateBucket(document).locationConstraint, gateway.region)
  const forStore = await attributesFor(gateway, 'CreateBucket', request)
  try {
    await gateway.store.createBucket(bucket, forStore)
    // Those of an earlier bucket of that name, if its deletion was cut short.
    await forgetConfigurations(gateway, bucket)
  } catch (error) {
    const ours = error instanceof StoreError && error.refusal === 'bucket-exists' && error.answer === undefined
    if (!ours || gateway.region !== 'us-east-1' || (await lacksLock(gateway, bucket, forStore))) throw error
  }
  return { status: 200, headers: { location: `/${bucket}` } }
}
