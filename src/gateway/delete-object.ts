import { parseDeleteConditions } from '../s3/conditions.ts'
import type { Gateway, Operation } from './gateway.ts'
import type { Place } from './sealed-object.ts'
import { currentEtag, writingUnder } from './write-conditions.ts'

/** DeleteObject. A missing key is deleted already: 204, also under If-Match. */
export const deleteObject: Operation = async (gateway, request) => {
  const { ifMatch } = parseDeleteConditions(request.headers)
  await deleteUnder(gateway, { bucket: request.bucket, key: request.key }, ifMatch)
  return { status: 204 }
}

/** Deletes one key, if its ETag is the client's `ifMatch` (absent: whatever it is). Throws `PreconditionFailed`. */
export async function deleteUnder(gateway: Gateway, place: Place, ifMatch: string | undefined): Promise<void> {
  const { store } = gateway
  if (ifMatch === undefined) return store.delete(place.bucket, place.key)
  if ((await currentEtag(gateway, place)) === undefined) return undefined
  return writingUnder(gateway, place, { ifMatch }, true, (condition) =>
    store.delete(
      place.bucket,
      place.key,
      condition?.ifMatch === undefined ? undefined : { ifMatch: condition.ifMatch },
    ),
  )
}
