/** Request headers as they came over the wire: order, spelling of values and repetitions kept, because SigV4 signs the wire form. */
export class Headers {
  /** Name (lower case) and value in the order received. */
  readonly entries: readonly (readonly [string, string])[]
  readonly #byName = new Map<string, string[]>()

  /** `raw` alternates names and values, as `http.IncomingMessage.rawHeaders` does. */
  constructor(raw: readonly string[]) {
    const entries: [string, string][] = []
    for (let i = 0; i + 1 < raw.length; i += 2) {
      const name = (raw[i] ?? '').toLowerCase()
      const value = raw[i + 1] ?? ''
      entries.push([name, value])
      const known = this.#byName.get(name)
      if (known === undefined) this.#byName.set(name, [value])
      else known.push(value)
    }
    this.entries = entries
  }

  /** All values of a header joined by commas, or `undefined` if it is absent. Names are lower case. */
  get(name: string): string | undefined {
    return this.#byName.get(name)?.join(',')
  }

  /** Every value of a header, in order. */
  all(name: string): readonly string[] {
    return this.#byName.get(name) ?? []
  }

  has(name: string): boolean {
    return this.#byName.has(name)
  }

  /** Distinct lower-case names in order of first appearance. */
  names(): IterableIterator<string> {
    return this.#byName.keys()
  }
}
