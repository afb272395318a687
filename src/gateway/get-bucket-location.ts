import { S3Error } from '../s3/errors.ts'
import { renderLocation } from '../s3/result-xml.ts'
import type { Operation } from './gateway.ts'

/** GetBucketLocation: empty for us-east-1, as in S3. */
export const getBucketLocation: Operation = async (gateway, request) => {
  if ((await gateway.store.headBucket(request.bucket)) === undefined) throw new S3Error('NoSuchBucket')
  return { status: 200, body: renderLocation(gateway.region) }
}
