/** The client's conditions on a write, translated to the store's own ETag and enforced by the store in one step. */
import { StoreError, type WriteCondition } from '../backends/object-store.ts'
import { evaluateWrite, type WriteConditions } from '../s3/conditions.ts'
import { S3Error } from '../s3/errors.ts'
import type { Gateway } from './gateway.ts'
import { headSealed, type Place, unseal } from './sealed-object.ts'

/** The store's condition for the client's. Reads the current object for If-Match. Throws `PreconditionFailed`, `NoSuchKey`. */
export async function storeCondition(
  gateway: Gateway,
  place: Place,
  conditions: WriteConditions,
): Promise<WriteCondition | undefined> {
  if (conditions.ifNoneMatch !== undefined) {
    // Told early where it can be: a client need not send gigabytes to learn it. The store decides again when it commits.
    const current = await gateway.store.head(place.bucket, place.key)
    if (current !== undefined) throw new S3Error('PreconditionFailed', { extra: { Condition: 'If-None-Match' } })
    return { ifNoneMatch: '*' }
  }
  if (conditions.ifMatch === undefined) return undefined
  const current = await headSealed(gateway, place)
  evaluateWrite(conditions, { etag: current.etag })
  return { ifMatch: current.info.etag }
}

/**
 * Runs a conditional write. If the object moved between our look and the store's decision, the client's condition is
 * evaluated against what is there now: it fails, or the write runs once more where its body can be sent again, or the
 * answer is `ConditionalRequestConflict`, which asks the client to retry.
 */
export async function writingUnder<T>(
  gateway: Gateway,
  place: Place,
  conditions: WriteConditions,
  repeatable: boolean,
  write: (condition: WriteCondition | undefined) => Promise<T>,
): Promise<T> {
  try {
    return await write(await storeCondition(gateway, place, conditions))
  } catch (error) {
    const moved = error instanceof StoreError && ['precondition-failed', 'no-such-key'].includes(error.refusal)
    if (!moved || (conditions.ifMatch === undefined && conditions.ifNoneMatch === undefined)) throw error
    const condition = await storeCondition(gateway, place, conditions)
    if (!repeatable) throw new S3Error('ConditionalRequestConflict', { cause: error })
    return await write(condition).catch((again: unknown) => {
      throw again instanceof StoreError ? new S3Error('ConditionalRequestConflict', { cause: again }) : again
    })
  }
}

/** The client's ETag of what is there now, or `undefined`. */
export async function currentEtag(
  gateway: Gateway,
  place: Place,
): Promise<{ client: string; store: string } | undefined> {
  const info = await gateway.store.head(place.bucket, place.key)
  if (info === undefined) return undefined
  return { client: (await unseal(gateway, place, info)).etag, store: info.etag }
}
