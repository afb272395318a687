/** Buckets as labels. Whoever may send requests can invent names: only those count that an operator has written down. */
import { OTHER } from './fast.ts'

export class BucketLabels {
  readonly #limit: number
  readonly #known = new Set<string>()

  /** `limit`: names that become labels, from now to the end of the process. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Further names. One that has been a label stays one: its counters go on. */
  add(names: readonly string[]): void {
    for (const name of names) if (this.#known.size < this.#limit) this.#known.add(name)
  }

  of(bucket: string): string {
    return this.#known.has(bucket) ? bucket : OTHER
  }
}
