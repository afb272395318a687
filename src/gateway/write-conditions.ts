/** The client's conditions on a write, translated to the store's own ETag and enforced by the store in one step. */
import type { Capabilities } from '../backends/capabilities.ts'
import { StoreError, type WriteCondition } from '../backends/object-store.ts'
import { evaluateWrite, type WriteConditions } from '../s3/conditions.ts'
import { S3Error } from '../s3/errors.ts'
import { keepsMd5, storeEtagOf } from './etag.ts'
import type { Gateway } from './gateway.ts'
import type { Place } from './place.ts'
import { headInfo, presentInfo, storedEtag } from './sealed-object.ts'

/** What the store must be able to do under a condition. */
export type ConditionalStep = 'put' | 'complete' | 'copy' | 'delete'

const ABILITY: Readonly<Record<ConditionalStep, keyof Capabilities>> = {
  put: 'conditionalWrites',
  complete: 'conditionalComplete',
  copy: 'conditionalCopy',
  delete: 'conditionalDelete',
}

/** Whether the store decides a condition and this step in one. */
export const decides = ({ store }: Gateway, step: ConditionalStep): boolean =>
  store.capabilities[ABILITY[step]] === true

/** A check and a write that are two steps are a race: a store that cannot do both in one is not asked. Throws `NotImplemented`. */
export function requireAbility(gateway: Gateway, step: ConditionalStep): void {
  if (decides(gateway, step)) return
  throw new S3Error('NotImplemented', {
    message: `The store behind this endpoint cannot decide a condition and ${step} in one step, so the condition cannot be kept.`,
  })
}

export interface ConditionalWrite {
  readonly place: Place
  readonly conditions: WriteConditions
  /** The body can be sent again. */
  readonly repeatable: boolean
  readonly needs: ConditionalStep
}

/** The store's condition for the client's. Throws `PreconditionFailed`, `NoSuchKey`, `NotImplemented`. */
export async function storeCondition(
  gateway: Gateway,
  { place, conditions, repeatable, needs }: ConditionalWrite,
): Promise<WriteCondition | undefined> {
  const { ifMatch, ifNoneMatch } = conditions
  if (ifMatch === undefined && ifNoneMatch === undefined) return undefined
  requireAbility(gateway, needs)
  if (ifNoneMatch !== undefined) {
    // Told early where it is worth it: a client need not send gigabytes to learn it. The store decides again when it commits.
    const look = gateway.store.capabilities.near || !repeatable
    const current = look ? await presentInfo(gateway, place) : undefined
    if (current !== undefined) throw new S3Error('PreconditionFailed', { extra: { Condition: 'If-None-Match' } })
    return { ifNoneMatch: '*' }
  }
  if (ifMatch === undefined) return undefined
  return { ifMatch: await storeMatch(gateway, place, ifMatch) }
}

/** The store's ETag for the client's If-Match. Where ETags are opaque it is a matter of spelling, and the store alone decides. */
async function storeMatch(gateway: Gateway, place: Place, ifMatch: string): Promise<string> {
  const spelled = keepsMd5(gateway) || ifMatch === '*' ? undefined : storeEtagOf(ifMatch)
  if (spelled !== undefined) return spelled
  const info = await headInfo(gateway, place)
  evaluateWrite({ ifMatch }, { etag: await storedEtag(gateway, place, info) })
  return info.etag
}

/**
 * Runs a conditional write. If the object moved between our look and the store's decision, the client's condition is
 * evaluated against what is there now: it fails, or the write runs once more where its body can be sent again, or the
 * answer is `ConditionalRequestConflict`, which asks the client to retry.
 */
export async function writingUnder<T>(
  gateway: Gateway,
  conditional: ConditionalWrite,
  write: (condition: WriteCondition | undefined) => Promise<T>,
): Promise<T> {
  const { conditions, repeatable } = conditional
  try {
    return await write(await storeCondition(gateway, conditional))
  } catch (error) {
    const moved = error instanceof StoreError && ['precondition-failed', 'no-such-key'].includes(error.refusal)
    if (!moved || decidedByStore(gateway, conditions)) throw error
    const condition = await storeCondition(gateway, conditional)
    if (!repeatable) throw new S3Error('ConditionalRequestConflict', { cause: error })
    return await write(condition).catch((again: unknown) => {
      throw again instanceof StoreError ? new S3Error('ConditionalRequestConflict', { cause: again }) : again
    })
  }
}

/** Whether the store's refusal is the answer: there was nothing to translate that could have moved. */
function decidedByStore(gateway: Gateway, { ifMatch, ifNoneMatch }: WriteConditions): boolean {
  if (ifMatch === undefined && ifNoneMatch === undefined) return true
  return !keepsMd5(gateway) && ifMatch !== '*'
}

/** The client's ETag of what is there now, or `undefined`. */
export async function currentEtag(
  gateway: Gateway,
  place: Place,
): Promise<{ client: string; store: string } | undefined> {
  const info = await presentInfo(gateway, place)
  if (info === undefined) return undefined
  return { client: await storedEtag(gateway, place, info), store: info.etag }
}
