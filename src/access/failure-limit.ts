/**
 * How often somebody may fail to prove who they are: so many at once, then one each interval; for each address, and for all
 * together. It holds one time for each of a bounded number of addresses.
 */

interface Pace {
  /** Failures that count at once. */
  readonly burst: number
  /** Milliseconds after which one more is allowed. */
  readonly interval: number
}

const EACH: Pace = { burst: 10, interval: 6_000 }
const ALL: Pace = { burst: 100, interval: 600 }
/** Addresses that are remembered. Whoever has more of them meets the limit of all together. */
const ADDRESSES = 1_024

export interface Wait {
  /** Milliseconds. */
  readonly wait: number
  /** Nobody was told to wait since the last failure. */
  readonly first: boolean
}

export class FailureLimit {
  readonly #clock: () => number
  readonly #each = new Map<string, Meter>()
  readonly #all = new Meter(ALL)

  /** Milliseconds since 1970. */
  constructor(clock: () => number) {
    this.#clock = clock
  }

  /** Whether an address has to wait before it may try again; `undefined` if not. */
  wait(address: string): Wait | undefined {
    const now = this.#clock()
    return this.#each.get(networkOf(address))?.wait(now) ?? this.#all.wait(now)
  }

  failed(address: string): void {
    const now = this.#clock()
    const network = networkOf(address)
    let meter = this.#each.get(network)
    if (meter === undefined) {
      this.#makeRoom(now)
      meter = new Meter(EACH)
      this.#each.set(network, meter)
    }
    meter.count(now)
    this.#all.count(now)
  }

  #makeRoom(now: number): void {
    if (this.#each.size < ADDRESSES) return
    for (const [network, meter] of this.#each) if (meter.isEmpty(now)) this.#each.delete(network)
    // A Map iterates in order of insertion.
    for (const oldest of this.#each.keys()) {
      if (this.#each.size < ADDRESSES) break
      this.#each.delete(oldest)
    }
  }
}

class Meter {
  readonly #pace: Pace
  /** When all that was counted is forgotten. */
  #empty = 0
  #told = false

  constructor(pace: Pace) {
    this.#pace = pace
  }

  wait(now: number): Wait | undefined {
    const { burst, interval } = this.#pace
    const wait = this.#heldAt(now) - now - (burst - 1) * interval
    if (wait <= 0) return undefined
    const first = !this.#told
    this.#told = true
    return { wait, first }
  }

  count(now: number): void {
    this.#empty = Math.max(this.#heldAt(now), now) + this.#pace.interval
    this.#told = false
  }

  /** After a clock was set back nobody waits for longer than the meter can hold. */
  #heldAt(now: number): number {
    const { burst, interval } = this.#pace
    this.#empty = Math.min(this.#empty, now + burst * interval)
    return this.#empty
  }

  isEmpty(now: number): boolean {
    return this.#empty <= now
  }
}

/** IPv4 addresses count one by one, of IPv6 the first 64 bits: the rest is for whoever has them to choose. */
function networkOf(address: string): string {
  const bare = address.replace(/%.*$/, '').toLowerCase()
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(bare)?.[1]
  if (mapped !== undefined) return mapped
  if (!bare.includes(':')) return bare
  const [head = '', tail] = bare.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length)
  return [...before, ...Array.from({ length: zeros }, () => '0'), ...after].slice(0, 4).join(':')
}
