import { S3Error } from '../s3/errors.ts'
import type { Operation } from './gateway.ts'

/** HeadBucket: whether it exists, and where. */
export const headBucket: Operation = async (gateway, request) => {
  if ((await gateway.store.headBucket(request.bucket)) === undefined) throw new S3Error('NoSuchBucket')
  return { status: 200, headers: { 'x-amz-bucket-region': gateway.region } }
}
