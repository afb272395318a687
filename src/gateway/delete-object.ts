import { type Attributes, type DeleteResult, StoreError } from '../backends/object-store.ts'
import { parseDeleteConditions } from '../s3/conditions.ts'
import { S3Error } from '../s3/errors.ts'
import { attributesFor } from './attributes.ts'
import type { Gateway, Operation } from './gateway.ts'
import type { Place } from './place.ts'
import { versionOf } from './versions.ts'
import { currentEtag, writingUnder } from './write-conditions.ts'

/** DeleteObject. A missing key is deleted already: 204, also under If-Match. */
export const deleteObject: Operation = async (gateway, request) => {
  const { bucket, key, query } = request
  const { ifMatch } = parseDeleteConditions(request.headers)
  const place = { bucket, key, ...versionOf(gateway, query.get('versionId')) }
  const { attributes } = await attributesFor(gateway, 'DeleteObject', request)
  const deleted = await deleteUnder(gateway, place, ifMatch, attributes)
  return { status: 204, headers: deleted.attributes ?? {} }
}

/** Deletes one key, if its ETag is the client's `ifMatch` (absent: whatever it is). Throws `PreconditionFailed`. */
export async function deleteUnder(
  gateway: Gateway,
  place: Place,
  ifMatch: string | undefined,
  attributes?: Attributes,
): Promise<DeleteResult> {
  const { store } = gateway
  const { bucket, key, versionId } = place
  const options = {
    ...(versionId === undefined ? {} : { versionId }),
    ...(attributes === undefined ? {} : { attributes }),
  }
  if (ifMatch === undefined) return store.delete(bucket, key, options)
  if (store.capabilities.near && (await currentEtag(gateway, place)) === undefined) return {}
  const conditional = { place, conditions: { ifMatch }, repeatable: true, needs: 'delete' as const }
  return writingUnder(gateway, conditional, (condition) =>
    store.delete(bucket, key, {
      ...options,
      ...(condition?.ifMatch === undefined ? {} : { ifMatch: condition.ifMatch }),
    }),
  ).catch(unlessMissing)
}

function unlessMissing(error: unknown): DeleteResult {
  const missing =
    (error instanceof StoreError && error.refusal === 'no-such-key') ||
    (error instanceof StoreError && error.refusal === 'no-such-version') ||
    (error instanceof S3Error && ['NoSuchKey', 'NoSuchVersion'].includes(error.code))
  if (missing) return {}
  throw error
}
