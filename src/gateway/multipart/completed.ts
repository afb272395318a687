/** Whether an upload has been completed by its plan, whoever did it: this request before its answer was lost, or another replica. */
import type { CompleteAnswer, PlanRecord } from '../../state/upload-records.ts'
import { keepsMd5, opaqueEtag } from '../etag.ts'
import type { Gateway } from '../gateway.ts'
import { headStored, readTail } from '../sealed-object.ts'
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
  { ref, namespace }: Pick<OpenUpload, 'ref' | 'namespace'>,
  plan: PlanRecord,
  signal: AbortSignal,
): Promise<CompleteAnswer | undefined> {
  try {
    const done = await gateway.uploads.done(ref, namespace)
    if (done?.requestHash === plan.requestHash) return done.answer
    const sealed = await headStored(gateway, { bucket: ref.bucket, key: ref.key })
    if (sealed.kind === 'plain' || sealed.envelope.flags.sizeInMetadata) return undefined
    const tail = await readTail(gateway, sealed, signal)
    return tail.generation.equals(plan.generation) ? answerOf(gateway, plan, sealed.info) : undefined
  } catch {
    return undefined
  }
}
