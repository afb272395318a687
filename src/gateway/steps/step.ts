/** What jobs that walk over many objects do with one of them. Each step may be repeated, and runs beside clients that write: theirs win. */
import { StoreError } from '../../backends/object-store.ts'
import { S3Error } from '../../s3/errors.ts'

/** One object as a listing shows it, or one version where all of them are walked. */
export interface StepObject {
  readonly bucket: string
  readonly key: string
  readonly versionId?: string
  readonly isLatest: boolean
}

/** `why` is one of a few fixed texts: reports count by it. */
export type StepOutcome =
  | { readonly outcome: 'done'; readonly bytes: number }
  | { readonly outcome: 'unchanged'; readonly why: string }
  | { readonly outcome: 'untouchable'; readonly why: string }
  | { readonly outcome: 'overtaken' }
  | { readonly outcome: 'failed'; readonly cause: unknown }

export interface StepOptions {
  /** Looks, and changes nothing: `done` is what would be done. */
  readonly dryRun: boolean
  /** When the run began, in milliseconds since 1970. */
  readonly begun: number
  readonly signal: AbortSignal
}

export type ObjectStep = (object: StepObject, options: StepOptions) => Promise<StepOutcome>

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

/** What says that the object was overwritten or deleted after it had been read. */
const MOVED: readonly unknown[] = ['precondition-failed', 'no-such-key', 'no-such-version']

function outcomeOf(error: unknown): StepOutcome {
  // A follow-up read that met another object.
  if (error instanceof S3Error && error.code === 'SlowDown' && error.cause instanceof StoreError) {
    return outcomeOf(error.cause)
  }
  const answer = error instanceof StoreError ? error.answer : error instanceof S3Error ? error : undefined
  if (answer?.code === 'InvalidObjectState') return untouchable('it is archived: restore it first')
  if (error instanceof StoreError && error.refusal === 'locked') return untouchable('it is under Object Lock')
  const gone = answer?.code === 'NoSuchKey' || answer?.code === 'NoSuchVersion'
  if (gone || (error instanceof StoreError && MOVED.includes(error.refusal))) return OVERTAKEN
  return { outcome: 'failed', cause: error }
}
