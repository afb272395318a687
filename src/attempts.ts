/** When something that failed is tried again, and how long to wait before. */

export interface RetryPolicy {
  /** How often it is tried at most. */
  readonly attempts: number
  /** Milliseconds from the first attempt after which none begins. */
  readonly budget: number
  /** Milliseconds: the first wait is at most this, each further one at most twice as long, up to `maxDelay`. */
  readonly baseDelay: number
  readonly maxDelay: number
}

export interface Attempts {
  /**
   * Waits and returns true if another attempt is due, else returns false at once. `afterMilliseconds` is what the other side asks for.
   * Throws the signal's reason.
   */
  readonly again: (afterMilliseconds?: number) => Promise<boolean>
}

export interface Timing {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** 0 ≤ x < 1. */
  readonly random: () => number
  readonly sleep: (milliseconds: number, signal?: AbortSignal) => Promise<void>
}

/** Exponential backoff with full jitter: of many clients that failed together, few come back together. */
export function startAttempts(policy: RetryPolicy, timing: Timing, signal?: AbortSignal): Attempts {
  const started = timing.now()
  let made = 1
  return {
    again: async (afterMilliseconds = 0) => {
      if (made >= policy.attempts) return false
      const ceiling = Math.min(policy.maxDelay, policy.baseDelay * 2 ** (made - 1))
      const wait = Math.max(afterMilliseconds, timing.random() * ceiling)
      if (timing.now() + wait - started > policy.budget) return false
      made += 1
      await timing.sleep(wait, signal).catch((error: unknown) => {
        if (signal?.aborted !== true) throw error
      })
      signal?.throwIfAborted()
      return true
    },
  }
}
