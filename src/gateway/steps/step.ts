/** How steps say what came of them. They run beside clients that write: theirs win. */
import { type ObjectInfo, StoreError } from '../../backends/object-store.ts'
import type { ObjectStep, StepOutcome } from '../../object-step.ts'
import { S3Error } from '../../s3/errors.ts'
import type { Gateway } from '../gateway.ts'
import type { Place } from '../place.ts'
import { presentInfo } from '../sealed-object.ts'

export const OVERTAKEN: StepOutcome = { outcome: 'overtaken' }
export const done = (bytes: number): StepOutcome => ({ outcome: 'done', bytes })
export const unchanged = (why: string): StepOutcome => ({ outcome: 'unchanged', why })
export const untouchable = (why: string): StepOutcome => ({ outcome: 'untouchable', why })

/** A step that tells what it throws as its outcome. An abort alone is thrown. What it left unread is let go of. */
export function telling(step: ObjectStep): ObjectStep {
  return async (object, options) => {
    const { signal } = options
    const ended = new AbortController()
    try {
      return await step(object, { ...options, signal: AbortSignal.any([signal, ended.signal]) })
    } catch (error) {
      signal.throwIfAborted()
      return outcomeOf(error)
    } finally {
      ended.abort()
    }
  }
}

/** What is there; `undefined` if it is gone, also with its bucket. */
export async function foundInfo(gateway: Gateway, place: Place): Promise<ObjectInfo | undefined> {
  return presentInfo(gateway, place).catch((error: unknown) => {
    if (!isBucketGone(error)) throw error
    return undefined
  })
}

const isBucketGone = (error: unknown): boolean => error instanceof StoreError && error.refusal === 'no-such-bucket'

/** What says that the object was overwritten or deleted after it had been read. */
const MOVED: readonly unknown[] = ['precondition-failed', 'no-such-key', 'no-such-version']
const GONE: readonly unknown[] = ['NoSuchKey', 'NoSuchVersion']

function outcomeOf(error: unknown): StepOutcome {
  // A follow-up read that met another object.
  if (error instanceof S3Error && error.code === 'SlowDown' && error.cause instanceof StoreError) {
    return isBucketGone(error.cause) ? OVERTAKEN : outcomeOf(error.cause)
  }
  const refusal = error instanceof StoreError ? error.refusal : undefined
  const code = error instanceof StoreError ? error.answer?.code : error instanceof S3Error ? error.code : undefined
  if (code === 'InvalidObjectState') return untouchable('it is archived: restore it first')
  if (refusal === 'locked') return untouchable('it is under Object Lock')
  if (GONE.includes(code) || MOVED.includes(refusal)) return OVERTAKEN
  return { outcome: 'failed', cause: error }
}
