/** A key manager that is somewhere else fails now and then: calls are tried again, and not at all while it is known to be gone. */
import { type RetryPolicy, startAttempts, type Timing } from '../attempts.ts'
import { Denied, Integrity, Unavailable } from '../errors.ts'
import { Breaker, type BreakerPolicy, type BreakerState } from './breaker.ts'
import type { GeneratedKey, KeyContext, KeyManager, ProviderTag } from './key-manager.ts'

/** One call and what came of it, for who counts. `not-asked`: the breaker let nobody through. */
export interface KeyCall {
  readonly call: 'generate' | 'wrap' | 'unwrap' | 'rewrap' | 'health'
  readonly outcome: 'ok' | 'unavailable' | 'denied' | 'integrity' | 'failed' | 'not-asked'
  readonly milliseconds: number
  /** Milliseconds since 1970. */
  readonly at: number
}

export interface ResilienceParts {
  readonly retry: RetryPolicy
  readonly breaker: BreakerPolicy
  readonly timing: Timing
  readonly onBreaker?: (state: BreakerState) => void
  readonly onCall?: (call: KeyCall) => void
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
    return this.#call('generate', () => this.#inner.generate(context))
  }

  wrap(key: Buffer, context: KeyContext): Promise<Buffer> {
    return this.#call('wrap', () => this.#inner.wrap(key, context))
  }

  unwrap(wrapped: Buffer, context: KeyContext): Promise<Buffer> {
    return this.#call('unwrap', () => this.#inner.unwrap(wrapped, context))
  }

  rewrap(wrapped: Buffer, context: KeyContext): Promise<Buffer> {
    return this.#call('rewrap', () => this.#inner.rewrap(wrapped, context))
  }

  /** Asks at once, whatever is known: whoever looks after the gateway's health also finds out that the manager is back. */
  health(): Promise<void> {
    return this.#once('health', () => this.#inner.health())
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  async #call<T>(call: KeyCall['call'], work: () => Promise<T>): Promise<T> {
    const attempts = startAttempts(this.#parts.retry, this.#parts.timing)
    for (;;) {
      this.#enter(call)
      try {
        return await this.#once(call, work)
      } catch (error) {
        // A breaker that has opened meanwhile says for how long: nobody waits for that here.
        if (!(error instanceof Unavailable) || this.#breaker.state === 'open' || !(await attempts.again())) throw error
      }
    }
  }

  #enter(call: KeyCall['call']): void {
    try {
      this.#breaker.enter()
    } catch (error) {
      this.#parts.onCall?.({ call, outcome: 'not-asked', milliseconds: 0, at: this.#parts.timing.now() })
      throw error
    }
  }

  async #once<T>(call: KeyCall['call'], work: () => Promise<T>): Promise<T> {
    const { onCall, timing } = this.#parts
    const started = timing.now()
    const tell = (outcome: KeyCall['outcome']): void => {
      const at = timing.now()
      onCall?.({ call, outcome, milliseconds: at - started, at })
    }
    try {
      const found = await work()
      this.#breaker.succeeded()
      tell('ok')
      return found
    } catch (error) {
      tell(outcomeOf(error))
      if (error instanceof Unavailable) this.#breaker.failed()
      else this.#breaker.succeeded()
      throw error
    }
  }
}

function outcomeOf(error: unknown): KeyCall['outcome'] {
  if (error instanceof Unavailable) return 'unavailable'
  if (error instanceof Denied) return 'denied'
  return error instanceof Integrity ? 'integrity' : 'failed'
}
