import { StoreError } from '../backends/object-store.ts'
import { type DeleteEntry, MAX_DELETE_BYTES, parseDelete } from '../s3/delete-xml.ts'
import { S3Error, type S3ErrorCode } from '../s3/errors.ts'
import { renderDelete } from '../s3/result-xml.ts'
import { deleteUnder } from './delete-object.ts'
import type { Gateway, Operation, OperationRequest } from './gateway.ts'
import { readDocument } from './request-document.ts'

/** Deletions that run side by side: enough to share the store's commits, few enough to bound its queue. */
const PARALLEL = 32

interface Failed {
  readonly key: string
  readonly code: S3ErrorCode
  readonly message: string
}

/** DeleteObjects: up to 1,000 keys, each with its own right, condition and error inside a 200. */
export const deleteObjects: Operation = async (gateway, request) => {
  const { headers } = request
  const digested =
    headers.has('content-md5') ||
    [...headers.names()].some((name) => name.startsWith('x-amz-checksum-') || name === 'x-amz-trailer')
  if (!digested)
    throw new S3Error('InvalidRequest', {
      message: 'Missing required header for this request: Content-MD5 OR x-amz-checksum-*',
    })
  const { quiet, objects } = parseDelete(
    await readDocument(request, Math.min(gateway.limits.xmlBytes, MAX_DELETE_BYTES)),
  )
  if ((await gateway.store.headBucket(request.bucket)) === undefined) throw new S3Error('NoSuchBucket')
  const outcomes: (Failed | undefined)[] = []
  for (let at = 0; at < objects.length; at += PARALLEL) {
    const slice = objects.slice(at, at + PARALLEL)
    outcomes.push(...(await Promise.all(slice.map((object) => deleteOne(gateway, request, object)))))
  }
  return {
    status: 200,
    body: renderDelete({
      deleted: objects.filter((_, i) => outcomes[i] === undefined).map((object) => object.key),
      errors: outcomes.filter((outcome) => outcome !== undefined),
      quiet,
    }),
  }
}

async function deleteOne(
  gateway: Gateway,
  request: OperationRequest,
  object: DeleteEntry,
): Promise<Failed | undefined> {
  const { bucket } = request
  const { key, etag, error: refused } = object
  try {
    request.authorise('write', bucket, key)
    if (refused !== undefined) return { key, ...refused }
    await deleteUnder(gateway, { bucket, key }, etag)
    return undefined
  } catch (error) {
    if (error instanceof S3Error) return { key, code: error.code, message: error.message }
    if (error instanceof StoreError && error.refusal === 'no-such-bucket') throw error
    return { key, code: 'InternalError', message: 'An internal error occurred. Try again.' }
  }
}
