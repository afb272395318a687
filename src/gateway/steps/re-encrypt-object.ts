/** Re-encryption: a new object key, and every byte rewritten under it. What the object says of itself, its parts and its ETag of MD5s stay. */
import type { ObjectStep } from '../../object-step.ts'
import type { Gateway } from '../gateway.ts'
import { reseal } from '../reseal.ts'
import { readTail, type SealedObject } from '../sealed-object.ts'
import { decides } from '../write-conditions.ts'
import { stepOfWrite } from '../write-anew.ts'
import { KeptAttributes } from './kept-attributes.ts'
import { findObject, type ReplacementOptions, Replacements } from './replacement.ts'
import { isOutcome, type ManagerChoice, openFound, sealedAsAsked } from './sealed-found.ts'
import { done, OVERTAKEN, telling, unchanged, untouchable } from './step.ts'

export interface ReencryptOptions extends ReplacementOptions, Pick<ManagerChoice, 'active'> {
  /** Milliseconds since 1970: an object key that was made since then stays. By default since the run began, so that one that broke off can go on. */
  readonly before?: number
}

export function reencryptObject(gateway: Gateway, options: ReencryptOptions = {}): ObjectStep {
  const replacements = new Replacements(gateway, options)
  const kept = new KeptAttributes(gateway)
  return telling(async (object, { dryRun, begun, signal }) => {
    const found = await findObject(gateway, object)
    if (found === undefined) return OVERTAKEN
    const sealed = await openFound(gateway, found)
    if (isOutcome(sealed)) return sealed
    if (await isNewer(gateway, sealed, options.before ?? begun, signal)) return unchanged('its key is newer')
    const decided = decides(gateway, stepOfWrite(gateway, sealed.size))
    const bar = await replacements.bar(found, decided, signal)
    if (bar !== undefined) return untouchable(bar)
    if (dryRun) return done(sealed.size)
    await reseal(gateway, {
      sealed,
      target: found.place,
      encryption: await sealedAsAsked(gateway, found.place.bucket, sealed.metadata.tlvs, options),
      ...replacements.of(found, decided, await kept.of(sealed, found.place, false, signal)),
      signal,
    })
    return done(sealed.size)
  })
}

/**
 * Whether the object key was made since `before`. It is as old as the sealed metadata at least, or as the tail: metadata is
 * sealed anew by every copy, which keeps the key, and the tail of an upload is written when that ends.
 */
async function isNewer(gateway: Gateway, sealed: SealedObject, before: number, signal: AbortSignal): Promise<boolean> {
  if (sealed.metadata.writeTime < before) return false
  return (await readTail(gateway, sealed, signal)).writeTime >= before
}
