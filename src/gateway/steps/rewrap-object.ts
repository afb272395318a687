/**
 * Deep re-wrap: a new envelope under today's bucket key, with that key's wrapped form inside, on an object whose bytes stay where
 * they are (docs/format.md, "Copies"). Afterwards the object and the master key of now are enough to read it, without the keyring.
 */
import type { ObjectStep } from '../../object-step.ts'
import type { BucketKey } from '../../keys/key-manager.ts'
import { copiesSafely, copyShared, decidesCopies, describeShared } from '../copy-shared.ts'
import type { Gateway } from '../gateway.ts'
import type { SealedObject } from '../sealed-object.ts'
import { KeptAttributes } from './kept-attributes.ts'
import { conditionOf, findObject, type ReplacementOptions, Replacements } from './replacement.ts'
import { isOutcome, type ManagerChoice, openFound, sealedAsAsked } from './sealed-found.ts'
import { done, OVERTAKEN, telling, unchanged, untouchable } from './step.ts'

export interface RewrapOptions extends ReplacementOptions, ManagerChoice {
  /** Only objects whose bucket key was wrapped by this key manager when they were sealed. */
  readonly from?: string
}

export function rewrapObject(gateway: Gateway, options: RewrapOptions = {}): ObjectStep {
  const replacements = new Replacements(gateway, options)
  const kept = new KeptAttributes(gateway)
  return telling(async (object, { dryRun, signal }) => {
    const found = await findObject(gateway, object)
    if (found === undefined) return OVERTAKEN
    const sealed = await openFound(gateway, found)
    if (isOutcome(sealed)) return sealed
    const { envelope, metadata, place, info } = sealed
    if (options.from !== undefined && envelope.alias !== options.from)
      return unchanged('another key manager wrapped it')
    const encryption = await sealedAsAsked(gateway, place.bucket, metadata.tlvs, options)
    const { namespace } = gateway.rules(place.bucket)
    const bucketKey = await asRecorded(gateway, await gateway.keys.active(namespace, encryption.manager))
    if (!(await isDue(gateway, sealed, bucketKey))) return unchanged('its envelope is up to date')
    const decided = decidesCopies(gateway, info.size)
    const bar = await replacements.bar(found, decided, signal)
    if (bar !== undefined) return untouchable(bar)
    if (!copiesSafely(gateway, info.size)) return untouchable('the store cannot copy it safely: use re-encrypt')
    const description = await describeShared(gateway, sealed, {
      target: place,
      tlvs: metadata.tlvs,
      encryption,
      bucketKey,
      keepsArea: envelope.flags.areaUsed,
    })
    if (description === undefined) return untouchable('its metadata leaves no room for the envelope: use re-encrypt')
    if (dryRun) return done(0)
    const { forStore } = await kept.of(sealed, place, true, signal)
    signal.throwIfAborted()
    // Without a condition on the target there is that on the source, which is the same object.
    const condition = conditionOf(found, decided)
    await copyShared(gateway, sealed, { target: place, description, attributes: forStore, condition })
    return done(0)
  })
}

/** The key in the form that the keyring has: its slot still has the one in which it was published. */
async function asRecorded({ keys }: Gateway, active: BucketKey): Promise<BucketKey> {
  const recorded = await keys.byKid(active.kid, active.namespace)
  const same = recorded?.tag === active.tag && recorded.alias === active.alias && recorded.day === active.day
  return same ? recorded : active
}

/** Whether the envelope says less than it could: no wrapped key, one of another manager, or another form than the keyring has. */
async function isDue({ keys, rules }: Gateway, { envelope, place }: SealedObject, active: BucketKey): Promise<boolean> {
  if (!envelope.flags.inlineKey || envelope.tag !== active.tag || envelope.alias !== active.alias) return true
  const recorded = await keys.byKid(envelope.kid, rules(place.bucket).namespace)
  if (recorded === undefined) return false
  return recorded.alias !== envelope.alias || !recorded.wrapped.equals(envelope.wrapped)
}
