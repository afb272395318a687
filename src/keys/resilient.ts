/** A key manager that is somewhere else fails now and then: calls are tried again, and not at all while it is known to be gone. */
import { type RetryPolicy, startAttempts, type Timing } from '../attempts.ts'
import { Unavailable } from '../errors.ts'
import { Breaker, type BreakerPolicy, type BreakerState } from './breaker.ts'
import type { GeneratedKey, KeyContext, KeyManager, ProviderTag } from './key-manager.ts'

export interface ResilienceParts {
  readonly retry: RetryPolicy
  readonly breaker: BreakerPolicy
  readonly timing: Timing
  readonly onBreaker?: (state: BreakerState) => void
}

/** Wraps a manager. Only `Unavailable` is tried again and counts against it: a refusal is an answer. */
export class ResilientKeyManager implements KeyManager {
  readonly alias: string
  readonly tag: ProviderTag
  readonly #inner: KeyManager
  readonly #parts: ResilienceParts
  readonly #breaker: Breaker

  constructor(inner: KeyManager, parts: ResilienceParts) {
    this.alias = inner.alias
    this.tag = inner.tag
    this.#inner = inner
    this.#parts = parts
    const { breaker, timing, onBreaker = () => undefined } = parts
    this.#breaker = new Breaker(`key manager ${inner.alias}`, breaker, timing.now, onBreaker)
  }

  generate(context: KeyContext): Promise<GeneratedKey> {
    return this.#call(() => this.#inner.generate(context))
  }

  wrap(key: Buffer, context: KeyContext): Promise<Buffer> {
    return this.#call(() => this.#inner.wrap(key, context))
  }

  unwrap(wrapped: Buffer, context: KeyContext): Promise<Buffer> {
    return this.#call(() => this.#inner.unwrap(wrapped, context))
  }

  rewrap(wrapped: Buffer, context: KeyContext): Promise<Buffer> {
    return this.#call(() => this.#inner.rewrap(wrapped, context))
  }

  /** Asks at once, whatever is known: whoever looks after the gateway's health also finds out that the manager is back. */
  health(): Promise<void> {
    return this.#once(() => this.#inner.health())
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    const attempts = startAttempts(this.#parts.retry, this.#parts.timing)
    for (;;) {
      this.#breaker.enter()
      try {
        return await this.#once(work)
      } catch (error) {
        // A breaker that has opened meanwhile says for how long: nobody waits for that here.
        if (!(error instanceof Unavailable) || this.#breaker.state === 'open' || !(await attempts.again())) throw error
      }
    }
  }

  async #once<T>(work: () => Promise<T>): Promise<T> {
    try {
      const found = await work()
      this.#breaker.succeeded()
      return found
    } catch (error) {
      if (error instanceof Unavailable) this.#breaker.failed()
      else this.#breaker.succeeded()
      throw error
    }
  }
}
