/** While the key manager that seals new objects does not answer, others do: those that the settings name, in their order. */
import { Denied, Unavailable } from '../errors.ts'
import { BoundedCache } from './bounded-cache.ts'
import type { BucketKey, RotatingBucketKeys, WrappedBucketKey } from './key-manager.ts'

/** Another manager seals the objects of a namespace from now on, because the active one does not answer. */
export interface Failover {
  readonly namespace: string
  /** The alias of the one that stands in. */
  readonly manager: string
  readonly cause: Unavailable
  /** False for a namespace of which this was told within the hour. */
  readonly fresh: boolean
}

export interface FailoverOptions {
  /** Aliases, the first choice first. */
  readonly order: readonly string[]
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** Namespaces remembered at most. */
  readonly entries: number
  readonly onFailover: (failover: Failover) => void
}

/** Milliseconds for which a stand-in serves before the active manager is asked again. */
const STAND_IN_LIFETIME = 5_000
const TOLD_LIFETIME = 3_600_000

/** The same keys, with a fail-over order for those that name no manager. */
export function withFailover(keys: RotatingBucketKeys, options: FailoverOptions): RotatingBucketKeys {
  return options.order.length === 0 ? keys : new FailoverBucketKeys(keys, options)
}

class FailoverBucketKeys implements RotatingBucketKeys {
  readonly #keys: RotatingBucketKeys
  readonly #options: FailoverOptions
  readonly #standIns: BoundedCache<BucketKey>
  readonly #told: BoundedCache<true>

  constructor(keys: RotatingBucketKeys, options: FailoverOptions) {
    const { entries, clock } = options
    this.#keys = keys
    this.#options = options
    this.#standIns = new BoundedCache(entries, clock)
    this.#told = new BoundedCache(entries, clock)
  }

  /** Whoever names a manager means it: nobody stands in for that one. Nor for one that refuses: that is an order, not an outage. */
  async active(namespace: string, alias?: string): Promise<BucketKey> {
    if (alias !== undefined) return this.#keys.active(namespace, alias)
    const standIn = this.#standIns.get(namespace)
    if (standIn !== undefined) return standIn
    try {
      const key = await this.#keys.active(namespace)
      this.#told.delete(namespace)
      return key
    } catch (error) {
      const found = error instanceof Unavailable ? await this.#standIn(namespace, error) : undefined
      if (found === undefined) throw error
      return found
    }
  }

  knows(alias: string): boolean {
    return this.#keys.knows(alias)
  }

  holds(options: { readonly away: boolean }): boolean {
    return this.#keys.holds(options)
  }

  open(wrapped: WrappedBucketKey, namespace: string): Promise<BucketKey> {
    return this.#keys.open(wrapped, namespace)
  }

  byKid(kid: Buffer, namespace: string): Promise<BucketKey | undefined> {
    return this.#keys.byKid(kid, namespace)
  }

  forgetExpired(): void {
    this.#standIns.forgetEnded()
    this.#keys.forgetExpired()
  }

  /** Those that stand in are kept below too. */
  close(): void {
    this.#standIns.clear()
    this.#keys.close()
  }

  settled(alias: string): Promise<void> {
    return this.#keys.settled(alias)
  }

  forget(): void {
    this.#standIns.clear()
    this.#keys.forget()
  }

  async #standIn(namespace: string, cause: Unavailable): Promise<BucketKey | undefined> {
    for (const manager of this.#options.order) {
      const key = await this.#keys.active(namespace, manager).catch(unlessUnfit)
      if (key === undefined) continue
      this.#standIns.set(namespace, key, STAND_IN_LIFETIME)
      const fresh = this.#told.get(namespace) === undefined
      if (fresh) this.#told.set(namespace, true, TOLD_LIFETIME)
      this.#options.onFailover({ namespace, manager, cause, fresh })
      return key
    }
    return undefined
  }
}

/** One that cannot stand in leaves it to the next. */
function unlessUnfit(error: unknown): undefined {
  if (!(error instanceof Unavailable || error instanceof Denied)) throw error
}
