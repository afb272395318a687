import type { UploadRef } from '../../backends/object-store.ts'
import type { CreateRecord } from '../../state/upload-records.ts'
import { S3Error } from '../../s3/errors.ts'
import type { Gateway, OperationRequest } from '../gateway.ts'

/** An upload in progress, as a request names it. */
export interface OpenUpload {
  readonly ref: UploadRef
  readonly namespace: string
  readonly record: CreateRecord
}

/** The upload that `?uploadId=` and the key name together. */
export function refOf(request: OperationRequest): UploadRef {
  return { bucket: request.bucket, key: request.key, uploadId: request.query.get('uploadId') ?? '' }
}

/** Throws `NoSuchUpload` for one that is unknown, completed or aborted. */
export async function uploadOf(gateway: Gateway, request: OperationRequest): Promise<OpenUpload> {
  const ref = refOf(request)
  const { namespace } = gateway.rules(ref.bucket)
  const record = await gateway.uploads.find(ref, namespace)
  if (record !== undefined) return { ref, namespace, record }
  if ((await gateway.store.headBucket(ref.bucket)) === undefined) throw new S3Error('NoSuchBucket')
  throw noSuchUpload(ref)
}

export function noSuchUpload(ref: UploadRef, cause?: unknown): S3Error {
  return new S3Error('NoSuchUpload', { extra: { UploadId: ref.uploadId }, ...(cause === undefined ? {} : { cause }) })
}
