/** A circuit breaker: a dependency that does not answer is not asked again by everybody, all the time. */
import { Unavailable } from '../errors.ts'

export interface BreakerPolicy {
  /** Failures in a row that open it. */
  readonly failures: number
  /** Milliseconds for which an open one lets nobody through; then one call tries. */
  readonly probeInterval: number
}

export type BreakerState = 'closed' | 'open' | 'half-open'

export class Breaker {
  readonly #name: string
  readonly #policy: BreakerPolicy
  readonly #clock: () => number
  readonly #onChange: (state: BreakerState) => void
  #state: BreakerState = 'closed'
  #failures = 0
  #probeAt = 0

  /** `clock` in milliseconds. `name` is for whoever is turned away. */
  constructor(name: string, policy: BreakerPolicy, clock: () => number, onChange: (state: BreakerState) => void) {
    this.#name = name
    this.#policy = policy
    this.#clock = clock
    this.#onChange = onChange
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Throws `Unavailable` where nobody may ask now. Whoever is let through reports what came of it. */
  enter(): void {
    if (this.#state === 'closed') return
    const wait = this.#probeAt - this.#clock()
    if (this.#state === 'half-open' || wait > 0) {
      throw new Unavailable(`${this.#name} has not answered and is not asked before its next trial`, {
        retryAfter: Math.max(1_000, wait),
      })
    }
    this.#become('half-open')
  }

  /** It answered, whatever it said. */
  succeeded(): void {
    this.#failures = 0
    this.#become('closed')
  }

  /** It did not answer. */
  failed(): void {
    // Late answers, and looks at its health, do not put off the next trial.
    if (this.#state === 'open') return
    this.#failures += 1
    if (this.#state === 'closed' && this.#failures < this.#policy.failures) return
    this.#probeAt = this.#clock() + this.#policy.probeInterval
    this.#become('open')
  }

  #become(state: BreakerState): void {
    if (state === this.#state) return
    this.#state = state
    this.#onChange(state)
  }
}
