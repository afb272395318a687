/** Counts of a job, by outcome and by reason. */
import { Integrity, Unavailable } from '../errors.ts'
import type { StepOutcome } from '../object-step.ts'
import type { JobCounts } from '../state/job-records.ts'

export const NOTHING: JobCounts = {
  done: 0,
  unchanged: 0,
  untouchable: 0,
  overtaken: 0,
  failed: 0,
  damaged: 0,
  unavailable: 0,
  bytes: 0,
  reasons: {},
}

/** Steps give a few; this bounds a record whatever they do. */
const MOST_REASONS = 64

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export class Tally {
  readonly #counts: Mutable<JobCounts>
  readonly #reasons: Map<string, number>

  constructor({ reasons, ...counts }: JobCounts = NOTHING) {
    this.#counts = { ...counts, reasons: {} }
    this.#reasons = new Map(Object.entries(reasons))
  }

  add(result: StepOutcome): void {
    const counts = this.#counts
    counts[result.outcome] += 1
    if (result.outcome === 'done') counts.bytes += result.bytes
    else if (result.outcome === 'failed') {
      if (result.cause instanceof Integrity) counts.damaged += 1
      if (result.cause instanceof Unavailable) counts.unavailable += 1
    } else if (result.outcome !== 'overtaken') this.#count(result.why)
  }

  #count(why: string): void {
    const known = this.#reasons.has(why) || this.#reasons.size < MOST_REASONS
    const name = known ? why : 'other'
    this.#reasons.set(name, (this.#reasons.get(name) ?? 0) + 1)
  }

  get counts(): JobCounts {
    return { ...this.#counts, reasons: Object.fromEntries(this.#reasons) }
  }
}

export const examined = ({ done, unchanged, untouchable, overtaken, failed }: JobCounts): number =>
  done + unchanged + untouchable + overtaken + failed
