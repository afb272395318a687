/** Whether an upload has been completed by its plan, whoever did it: this request before its answer was lost, or another replica. */
import { Integrity, Unavailable } from '../../errors.ts'
import { parseEnvelope } from '../../format/envelope.ts'
import { fromStoredMetadata } from '../../format/metadata.ts'
import type { CompleteAnswer, PlanRecord } from '../../state/upload-records.ts'
import { keepsMd5, opaqueEtag } from '../etag.ts'
import type { Gateway } from '../gateway.ts'
import type { Place } from '../place.ts'
import { openListed, presentInfo, readTail } from '../sealed-object.ts'
import type { OpenUpload } from './upload-of.ts'

/** The plan's answer, with what only the backend knows. */
export function answerOf(
  gateway: Gateway,
  { answer }: PlanRecord,
  { etag, versionId }: { readonly etag: string; readonly versionId?: string },
): CompleteAnswer {
  return { ...answer, etag: keepsMd5(gateway) ? answer.etag : opaqueEtag(etag), versionId }
}

/** The answer of a Complete that took place; `undefined` if none did, or what is there now is no proof. */
export async function findCompleted(
  gateway: Gateway,
  upload: OpenUpload,
  plan: PlanRecord,
  signal: AbortSignal,
): Promise<CompleteAnswer | undefined> {
  const { ref, namespace } = upload
  try {
    const done = await gateway.uploads.done(ref, namespace)
    if (done?.requestHash === plan.requestHash) return done.answer
    const current = await findCurrent(gateway, upload, plan, signal).catch(unlessAnother)
    return current ?? (await findOlder(gateway, ref, plan))
  } catch {
    return undefined
  }
}

/** A tail that the key of the upload does not open is that of another object, which may have followed ours. */
function unlessAnother(error: unknown): undefined {
  if (!(error instanceof Integrity)) throw error
}

/** How often, and how many milliseconds apart, somebody else's Complete is looked for. */
const LOOKS = 30
const PAUSE_MILLISECONDS = 100
/** Longer no store puts an object together: one that is not there by now has come and gone, or never comes. */
const COMPLETING_MILLISECONDS = 3_600_000

/**
 * The answer of a Complete that another replica may be in the middle of. Some stores forget the upload before the object is
 * there (Versity S3 Gateway). `at`: the plan is as old. Throws `error` where nobody has completed it: as soon as its state is
 * gone, which an abort deletes, or if the plan is too old; and `Unavailable` for one that takes longer than we wait.
 */
export async function awaitCompleted(
  gateway: Gateway,
  upload: OpenUpload,
  plan: PlanRecord,
  { error, at, signal }: { readonly error: unknown; readonly at: Date; readonly signal: AbortSignal },
): Promise<CompleteAnswer> {
  const { ref, namespace } = upload
  // One transaction of such a store: there is no middle.
  if (gateway.store.capabilities.near) throw error
  if (gateway.clock() - at.getTime() > COMPLETING_MILLISECONDS) throw error
  for (let look = 0; look < LOOKS; look += 1) {
    if ((await gateway.uploads.find(ref, namespace)) === undefined) {
      const done = await gateway.uploads.done(ref, namespace)
      if (done?.requestHash === plan.requestHash) return done.answer
      throw error
    }
    await pause(PAUSE_MILLISECONDS, signal)
    const found = await findCompleted(gateway, upload, plan, signal)
    if (found !== undefined) return found
  }
  throw new Unavailable('another request is completing this upload', { cause: error })
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds))
  signal.throwIfAborted()
}

async function findCurrent(
  gateway: Gateway,
  { ref: { bucket, key }, record: { objectKey } }: OpenUpload,
  plan: PlanRecord,
  signal: AbortSignal,
): Promise<CompleteAnswer | undefined> {
  const place = { bucket, key }
  const info = await presentInfo(gateway, place)
  const stored = info === undefined ? 'foreign' : fromStoredMetadata(info.metadata)
  if (info === undefined || stored === 'foreign') return undefined
  const envelope = parseEnvelope(stored.envelope)
  if (envelope.flags.sizeInMetadata) return undefined
  // By the key of the upload itself: that of an object under a customer's key comes with no request to complete it.
  const tail = await readTail(gateway, { place, info, envelope, objectKey }, signal)
  return tail.generation.equals(plan.generation) ? answerOf(gateway, plan, info) : undefined
}

/** How far back in time a key is searched. */
const VERSIONS = 1000

/** Where the store keeps versions, ours may be followed by others already: facts tell it without a read. */
async function findOlder(
  gateway: Gateway,
  { bucket, key }: Place,
  plan: PlanRecord,
): Promise<CompleteAnswer | undefined> {
  if (!gateway.store.capabilities.facts) return undefined
  const page = await gateway.store.listVersions?.(bucket, { prefix: key, limit: VERSIONS })
  const own = page?.versions.filter((version) => version.key === key && !version.deleteMarker) ?? []
  const listed = await openListed(gateway, bucket, own)
  const found = listed.find(({ facts }) => facts?.generation.equals(plan.generation) === true)
  return found === undefined ? undefined : answerOf(gateway, plan, found.object)
}
