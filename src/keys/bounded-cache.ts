/** A small map with a bound on entries and on age: the least recently used entry leaves first. */

interface Entry<V> {
  readonly value: V
  readonly added: number
  readonly expires: number
  /** When it may not even be used for want of something better. */
  readonly ends: number
}

/** Times are milliseconds of the clock it is given. Values that leave are only let go of, never altered. */
export class BoundedCache<V> {
  readonly #entries = new Map<string, Entry<V>>()
  readonly #limit: number
  readonly #clock: () => number
  readonly #onEvicted: () => void

  /** `onEvicted` is told of every entry that leaves for want of room. */
  constructor(limit: number, clock: () => number, onEvicted: () => void = () => undefined) {
    this.#limit = limit
    this.#clock = clock
    this.#onEvicted = onEvicted
  }

  get(key: string): V | undefined {
    const entry = this.#touch(key)
    return entry !== undefined && entry.expires > this.#clock() ? entry.value : undefined
  }

  /** Also what has expired, for as long as `set` gave it grace. */
  getStale(key: string): V | undefined {
    return this.#touch(key)?.value
  }

  set(key: string, value: V, lifetime: number, grace = 0): void {
    const added = this.#clock()
    const expires = added + lifetime
    this.#entries.delete(key)
    this.#entries.set(key, { value, added, expires, ends: expires + grace })
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#limit) break
      this.#entries.delete(oldest)
      this.#onEvicted()
    }
  }

  #touch(key: string): Entry<V> | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    if (entry.ends <= this.#clock()) return undefined
    // A Map iterates in order of insertion, so the entry used last stands last.
    this.#entries.set(key, entry)
    return entry
  }

  clear(): void {
    this.#entries.clear()
  }

  /** Whether `get` would find anything, or `getStale` where `stale`. */
  any(stale: boolean): boolean {
    const now = this.#clock()
    for (const { expires, ends } of this.#entries.values()) if ((stale ? ends : expires) > now) return true
    return false
  }

  /** Milliseconds for which `get` and `getStale` will find the entry; 0 or less if not any more. */
  left(key: string): { readonly fresh: number; readonly stale: number } {
    const { expires = 0, ends = 0 } = this.#entries.get(key) ?? {}
    const now = this.#clock()
    return { fresh: expires - now, stale: ends - now }
  }

  /** Milliseconds since the entry was set that was set first; 0 without any. */
  get oldest(): number {
    const now = this.#clock()
    let oldest = 0
    for (const { added } of this.#entries.values()) oldest = Math.max(oldest, now - added)
    return oldest
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  /** Lets go of what nobody would get any more. */
  forgetEnded(): void {
    const now = this.#clock()
    for (const [key, { ends }] of this.#entries) if (ends <= now) this.#entries.delete(key)
  }

  /** Everything that is there, which is let go of. */
  drain(): V[] {
    const values = [...this.#entries.values()].map(({ value }) => value)
    this.#entries.clear()
    return values
  }

  get size(): number {
    return this.#entries.size
  }
}
