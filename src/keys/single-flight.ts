/** Calls for the same thing at the same time share one run of the work. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Promise<T>>()

  /** Joins the run of `key` that is under way, or starts one. A failed run fails all who joined it and is not kept. */
  async run(key: string, work: () => Promise<T>): Promise<T> {
    const joined = this.#flights.get(key)
    if (joined !== undefined) return joined
    const flight = work().finally(() => this.#flights.delete(key))
    this.#flights.set(key, flight)
    return flight
  }

  /** Resolves once the runs that are under way now, of keys that match, have ended, however they end. */
  async ended(matches: (key: string) => boolean): Promise<void> {
    await Promise.allSettled([...this.#flights].filter(([key]) => matches(key)).map(([, flight]) => flight))
  }
}
