/** Wrapped bucket keys in, open ones out: one unwrap for each at a time, checked against its kid, cached. */
import { hash } from 'node:crypto'
import { Integrity } from '../errors.ts'
import { kidOf, lengthPrefixed, sameBytes } from '../format/derive.ts'
import { BoundedCache } from './bounded-cache.ts'
import type { BucketKey, KeyManager, WrappedBucketKey } from './key-manager.ts'
import { SingleFlight } from './single-flight.ts'

export interface KeyCacheOptions {
  readonly managers: ReadonlyMap<string, KeyManager>
  /** Milliseconds since 1970. */
  readonly clock: () => number
  readonly cacheEntries: number
  /** Milliseconds. */
  readonly cacheLifetime: number
}

export class KeyCache {
  readonly #options: KeyCacheOptions
  // Keys that leave the cache are not wiped: a stream may be sealing or opening under the very buffer for hours, and
  // zeroes under its hands would be a key that everybody knows. The garbage collector takes them after their last holder
  // (docs/decisions/0005-key-hygiene.md).
  readonly #cache: BoundedCache<BucketKey>
  readonly #flights = new SingleFlight<BucketKey>()

  constructor(options: KeyCacheOptions) {
    this.#options = options
    this.#cache = new BoundedCache(options.cacheEntries, options.clock)
  }

  /** What is open already. */
  peek(wrapped: WrappedBucketKey, namespace: string): BucketKey | undefined {
    return this.#cache.get(claimOf(wrapped, namespace))
  }

  /** Throws `Integrity('unwrap failure')` if the bytes do not open to a key of this kid in this namespace; `Unavailable` or `Denied` if its manager cannot tell. */
  async open(wrapped: WrappedBucketKey, namespace: string): Promise<BucketKey> {
    const claim = claimOf(wrapped, namespace)
    const cached = this.#cache.get(claim)
    return cached ?? this.#flights.run(claim, async () => this.keep(await this.#unwrap(wrapped, namespace)))
  }

  /** Remembers a key that was just made or opened. */
  keep(key: BucketKey): BucketKey {
    this.#cache.set(claimOf(key, key.namespace), key, this.#options.cacheLifetime)
    return key
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
    const key = await manager.unwrap(wrapped.wrapped, { namespace, day })
    if (!sameBytes(kidOf(key), kid)) {
      throw new Integrity('unwrap failure', `the wrapped key is not the key ${kid.toString('hex')}`)
    }
    return { tag, alias, day, kid, wrapped: wrapped.wrapped, namespace, key }
  }
}

/**
 * The name of everything a wrapped key claims to be: SHA-256 over provider, alias, namespace and wrapped bytes, as the
 * format asks, and over day and kid too. With the day, because a key opened once under its true day must not pass for a
 * younger one; with the kid, because a wrong claim must not take the place of a right one. Never the kid alone: kids are
 * public, and whoever names one has not shown that the key manager would open it for this namespace.
 */
export function claimOf({ tag, alias, day, kid, wrapped }: WrappedBucketKey, namespace: string): string {
  const parts = [tag, alias, namespace, String(day), kid, wrapped]
  return hash('sha256', Buffer.concat(parts.map(lengthPrefixed)), 'base64url')
}
