/** Objects under way, in the order of the walk: what is done behind one that is not waits for it, so that a later run passes over nothing. */
import type { JobCounts, JobCursor } from '../state/job-records.ts'
import type { StepOutcome } from '../object-step.ts'
import { Tally } from './tally.ts'
import type { JobObject } from './walk.ts'

export interface Entry {
  readonly object: JobObject
  readonly cursor: JobCursor | undefined
  /** Absent while it is under way. */
  result?: StepOutcome
}

/** Nothing to do with it; a later walk may begin behind it all the same. */
interface Passed {
  cursor: JobCursor
  readonly object?: undefined
}

export class Window {
  readonly #entries: (Entry | Passed)[] = []
  readonly #tally: Tally
  #cursor: JobCursor | undefined
  /** Results since the last place where a walk may begin. */
  #behindCursor: StepOutcome[] = []

  constructor(start: { readonly cursor: JobCursor | undefined; readonly counts: JobCounts }) {
    this.#cursor = start.cursor
    this.#tally = new Tally(start.counts)
  }

  get size(): number {
    return this.#entries.length
  }

  /** How far everything is done, and what came of it. */
  get progress(): { readonly cursor: JobCursor | undefined; readonly counts: JobCounts } {
    return { cursor: this.#cursor, counts: this.#tally.counts }
  }

  add(object: JobObject, cursor: JobCursor | undefined): Entry {
    const entry = { object, cursor }
    this.#entries.push(entry)
    return entry
  }

  pass(cursor: JobCursor): void {
    const last = this.#entries.at(-1)
    if (last !== undefined && last.object === undefined) last.cursor = cursor
    else this.#entries.push({ cursor })
    this.advance()
  }

  /** Moves on over everything that has a result. */
  advance(): void {
    let count = 0
    for (const entry of this.#entries) {
      if (entry.object !== undefined) {
        if (entry.result === undefined) break
        this.#behindCursor.push(entry.result)
      }
      if (entry.cursor !== undefined) {
        this.#cursor = entry.cursor
        this.#flush()
      }
      count += 1
    }
    this.#entries.splice(0, count)
  }

  /** The walk is over: what is done is done, also where no later walk could begin behind it. */
  end(): void {
    this.advance()
    this.#flush()
  }

  #flush(): void {
    for (const result of this.#behindCursor) this.#tally.add(result)
    this.#behindCursor = []
  }
}
