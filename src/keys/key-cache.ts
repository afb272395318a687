/** Wrapped bucket keys in, open ones out: one unwrap for each at a time, checked against its kid, cached. */
import { Integrity, Unavailable } from '../errors.ts'
import { kidOf, sameBytes } from '../format/derive.ts'
import { takeSecret } from '../secret-bytes.ts'
import { BoundedCache } from './bounded-cache.ts'
import type { BucketKey, KeyManager, WrappedBucketKey } from './key-manager.ts'
import { claimOf } from './keyring.ts'
import { SingleFlight } from './single-flight.ts'

/** What became of a look for an open key: for who counts. `rejected`: the manager opened something, and it is not that key. */
export type CacheEvent = 'hit' | 'miss' | 'stale' | 'evicted' | 'rejected'

export interface KeyCacheOptions {
  readonly managers: ReadonlyMap<string, KeyManager>
  /** Milliseconds since 1970. */
  readonly clock: () => number
  readonly cacheEntries: number
  /** Milliseconds. */
  readonly cacheLifetime: number
  /** Milliseconds for which a key is used after that while its manager is unavailable. */
  readonly grace: number
  readonly onCache: (event: CacheEvent) => void
  /** Told how many keys are kept, whenever one was added; `oldest` says for how many milliseconds the oldest of them has been open. */
  readonly onSize: (entries: number, oldest: () => number) => void
}

export class KeyCache {
  readonly #options: KeyCacheOptions
  // Keys that leave the cache are let go of: a stream may be sealing or opening under one for hours, and it ends with its last
  // holder (docs/decisions/0015-secrets-end.md).
  readonly #cache: BoundedCache<BucketKey>
  readonly #flights = new SingleFlight<BucketKey>()
  readonly #oldest = (): number => this.#cache.oldest

  constructor(options: KeyCacheOptions) {
    this.#options = options
    this.#cache = new BoundedCache(options.cacheEntries, options.clock, () => options.onCache('evicted'))
  }

  /** Whether any key is open. `away`: while its manager does not answer, so that old ones count. */
  holds({ away }: { readonly away: boolean }): boolean {
    return this.#cache.any(away)
  }

  /** Milliseconds for which a key that is open may be used: without its manager, and while that does not answer. */
  left(key: BucketKey): { readonly fresh: number; readonly stale: number } {
    return this.#cache.left(claimOf(key, key.namespace))
  }

  /** What is open already. */
  peek(wrapped: WrappedBucketKey, namespace: string): BucketKey | undefined {
    const found = this.#cache.get(claimOf(wrapped, namespace))
    if (found !== undefined) this.#options.onCache('hit')
    return found
  }

  /**
   * Throws `Integrity('unwrap failure')` if the bytes do not open to a key of this kid in this namespace; `Unavailable` or
   * `Denied` if its manager cannot tell. A manager that is away does not take back what it has opened; one that refuses does.
   */
  async open(wrapped: WrappedBucketKey, namespace: string): Promise<BucketKey> {
    const claim = claimOf(wrapped, namespace)
    const cached = this.#cache.get(claim)
    if (cached !== undefined) return cached
    return this.#flights.run(claim, async () => {
      this.#options.onCache('miss')
      try {
        return this.keep(await this.#unwrap(wrapped, namespace))
      } catch (error) {
        const stale = error instanceof Unavailable ? this.#cache.getStale(claim) : undefined
        if (stale === undefined) throw error
        this.#options.onCache('stale')
        return stale
      }
    })
  }

  /** Remembers a key that was just made or opened. */
  keep(key: BucketKey): BucketKey {
    const { cacheLifetime, grace } = this.#options
    this.#cache.set(claimOf(key, key.namespace), key, cacheLifetime, grace)
    this.#options.onSize(this.#cache.size, this.#oldest)
    return key
  }

  forgetExpired(): void {
    this.#cache.forgetEnded()
    this.#options.onSize(this.#cache.size, this.#oldest)
  }

  /** Ends all keys that it holds. */
  close(): void {
    for (const { key } of this.#cache.drain()) key.dispose()
  }

  async #unwrap(wrapped: WrappedBucketKey, namespace: string): Promise<BucketKey> {
    const { tag, alias, day, kid } = wrapped
    const manager = this.#options.managers.get(alias)
    if (manager?.tag !== tag) {
      throw new Integrity('unwrap failure', `no key manager "${alias}" of provider "${tag}" is configured`)
    }
    if (wrapped.wrapped.length === 0) {
      throw new Integrity('unwrap failure', `key ${kid.toString('hex')} is neither inline nor in the keyring`)
    }
    const key = takeSecret(await manager.unwrap(wrapped.wrapped, { namespace, day }))
    if (!sameBytes(kidOf(key), kid)) {
      key.dispose()
      this.#options.onCache('rejected')
      throw new Integrity('unwrap failure', `the wrapped key is not the key ${kid.toString('hex')}`)
    }
    return { tag, alias, day, kid, wrapped: wrapped.wrapped, namespace, key }
  }
}
