/** Where one file of the audit log is not what was written, and how. */
import { hashOf, numberOf } from './chain-file.ts'

/** What of a line is looked at. */
export interface Link {
  /** The number that it gives itself; 0 if it gives none. */
  readonly n: number
  readonly prev: string
  readonly sha256: string
}

export interface ChainFault {
  /** The place of the line in the file, from 1. */
  readonly line: number
  readonly what: 'changed' | 'removed' | 'inserted' | 'moved' | 'cut off'
  readonly text: string
}

export function linkOf(line: string): Link {
  const prev = /^\{"n":\d{1,15},"prev":"([0-9a-f]{64})",/.exec(line)?.[1] ?? ''
  return { n: isJson(line) ? numberOf(line) : 0, prev, sha256: hashOf(line) }
}

function isJson(line: string): boolean {
  try {
    JSON.parse(line)
    return true
  } catch {
    return false
  }
}

/** `first`: what the first line has to stand on; `undefined` if that is not known. */
export function faultsOf(links: readonly Link[], first: string | undefined): ChainFault[] {
  return new Search(links, first).run()
}

class Search {
  readonly #links: readonly Link[]
  readonly #faults = new Map<string, ChainFault>()
  /** Numbers of lines that were found at another place. */
  readonly #moved = new Set<number>()
  readonly #places = new Map<number, number[]>()
  #expected = 1
  /** The hash of the line before; `undefined` where nothing can be said of it. */
  #link: string | undefined

  constructor(links: readonly Link[], first: string | undefined) {
    this.#links = links
    this.#link = first
    for (const [at, { n }] of links.entries()) this.#places.set(n, [...(this.#places.get(n) ?? []), at])
  }

  run(): ChainFault[] {
    for (let at = 0; at < this.#links.length; ) at = this.#step(at)
    return [...this.#faults.values()].toSorted((a, b) => a.line - b.line)
  }

  /** Looks at one line, and says which is next. */
  #step(at: number): number {
    const link = this.#links[at]
    if (link === undefined) return at + 1
    if (link.n === this.#expected && this.#follows(link)) return this.#go(link, at)
    const right = this.#placeOfNext(at)
    // Of two descriptions the one with fewer lines out of their places.
    if (right !== undefined && !(link.n > this.#expected && right - at > link.n - this.#expected)) {
      for (let stray = at; stray < right; stray += 1) this.#outOfPlace(stray)
      return right
    }
    if (link.n === this.#expected) return this.#broken(link, at)
    if (link.n > this.#expected && !this.#isNumberedAnew(link, at)) return this.#gap(link, at)
    if (this.#takesThePlace(link, at)) {
      this.#tell(at + 1, 'changed', `line ${at + 1} was changed`)
      this.#expected += 1
      // What it was before is lost, and with it what the next one stands on.
      this.#link = undefined
      return at + 1
    }
    this.#outOfPlace(at)
    return at + 1
  }

  #follows = ({ prev }: Link): boolean => this.#link === undefined || prev === this.#link

  #go(link: Link, at: number): number {
    this.#expected = link.n + 1
    this.#link = link.sha256
    return at + 1
  }

  /** Where the line stands that should be here. */
  #placeOfNext(at: number): number | undefined {
    if (this.#link === undefined) return undefined
    return this.#places.get(this.#expected)?.find((place) => place > at && this.#links[place]?.prev === this.#link)
  }

  /** Number and place are right, and the line before is not what it was. */
  #broken(link: Link, at: number): number {
    if (at === 0) this.#tell(1, 'changed', 'line 1 does not follow from the file before, or was changed')
    else this.#tell(at, 'changed', `line ${at} was changed: line ${at + 1} does not follow from it`)
    return this.#go(link, at)
  }

  /** Its link is right, so that it stands where it was written, and says another number. */
  #isNumberedAnew = (link: Link, at: number): boolean =>
    this.#link !== undefined && link.prev === this.#link && this.#links[at + 1]?.n === this.#expected + 1

  #takesThePlace(link: Link, at: number): boolean {
    const next = this.#links[at + 1]
    return (
      (this.#link !== undefined && link.prev === this.#link) ||
      next?.n === this.#expected + 1 ||
      (next === undefined && link.n === 0)
    )
  }

  #gap(link: Link, at: number): number {
    const from = this.#expected
    const missing: number[] = []
    for (let n = from; n < link.n; n += 1) if (!this.#places.has(n)) missing.push(n)
    for (let n = from; n < link.n; n += 1) {
      const place = this.#places.get(n)?.[0]
      if (place !== undefined) this.#tellMoved(place, n)
    }
    if (missing.length > 0) {
      const [low = 0] = missing
      const high = missing.at(-1) ?? low
      const which = low === high ? `line ${low} was removed` : `lines ${low} to ${high} were removed`
      this.#tell(at + 1, 'removed', `${which} before what is line ${at + 1} now`)
    }
    const before = this.#places.get(link.n - 1)?.[0]
    this.#link = undefined
    if (missing.length === 0 && before !== undefined && this.#links[before]?.sha256 !== link.prev)
      this.#tell(at + 1, 'changed', `line ${at + 1} does not follow from the line before it`)
    return this.#go(link, at)
  }

  #outOfPlace(at: number): void {
    const n = this.#links[at]?.n ?? 0
    const elsewhere = n >= this.#expected && this.#places.get(n)?.length === 1 && n <= this.#links.length
    if (this.#moved.has(n) && this.#places.get(n)?.length === 1) return
    if (elsewhere) this.#tellMoved(at, n)
    else this.#tell(at + 1, 'inserted', `line ${at + 1} was inserted`)
  }

  #tellMoved(at: number, n: number): void {
    if (this.#moved.has(n)) return
    this.#moved.add(n)
    this.#tell(at + 1, 'moved', `line ${at + 1} was moved here: it was line ${n}`)
  }

  #tell(line: number, what: ChainFault['what'], text: string): void {
    const key = `${line} ${what}`
    if (!this.#faults.has(key)) this.#faults.set(key, { line, what, text })
  }
}
