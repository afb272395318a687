/** What a job over objects is made of: the objects that are found, and the step that is done with each. Each job and each step speaks so. */

/** One object, or one version of it, as a listing shows it. */
export interface StepObject {
  readonly bucket: string
  readonly key: string
  /** Only where all versions are walked. */
  readonly versionId?: string
  readonly isLatest: boolean
}

/** `why` is one of a few fixed texts: reports count by it. */
export type StepOutcome =
  /** `bytes` moved through us. */
  | { readonly outcome: 'done'; readonly bytes: number }
  /** There is nothing to do: it is so already. */
  | { readonly outcome: 'unchanged'; readonly why: string }
  /** It may not be touched: Object Lock, a customer's key, a version that is not the current one. */
  | { readonly outcome: 'untouchable'; readonly why: string }
  /** Overwritten or deleted at the same moment: nothing was done with what is there now. */
  | { readonly outcome: 'overtaken' }
  | { readonly outcome: 'failed'; readonly cause: unknown }

export interface StepOptions {
  /** Looks, and changes nothing: `done` is what would be done. */
  readonly dryRun: boolean
  /** When the run began, in milliseconds since 1970; the same for all processes that go on with it. */
  readonly begun: number
  /** Gives up: whatever comes of the step then, a later run repeats it. */
  readonly signal: AbortSignal
}

/** May be repeated for an object that it was done with before: a run that was killed goes on a little before where it ended. */
export type ObjectStep = (object: StepObject, options: StepOptions) => Promise<StepOutcome>
