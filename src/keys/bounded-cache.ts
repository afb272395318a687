/** A small map with a bound on entries and on age: the least recently used entry leaves first. */

interface Entry<V> {
  readonly value: V
  readonly expires: number
}

/** Times are milliseconds of the clock it is given. Values that leave are only let go of, never altered. */
export class BoundedCache<V> {
  readonly #entries = new Map<string, Entry<V>>()
  readonly #limit: number
  readonly #clock: () => number

  constructor(limit: number, clock: () => number) {
    this.#limit = limit
    this.#clock = clock
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    if (entry.expires <= this.#clock()) return undefined
    // A Map iterates in order of insertion, so the entry used last stands last.
    this.#entries.set(key, entry)
    return entry.value
  }

  set(key: string, value: V, lifetime: number): void {
    this.#entries.delete(key)
    this.#entries.set(key, { value, expires: this.#clock() + lifetime })
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#limit) break
      this.#entries.delete(oldest)
    }
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  get size(): number {
    return this.#entries.size
  }
}
