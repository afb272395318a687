/** A clock that moves when it is told to, and whose sleepers wake in the order of their times. */
import type { Timing } from '../../src/attempts.ts'

interface Sleeper {
  readonly until: number
  readonly wake: () => void
}

export class ManualClock implements Pick<Timing, 'now' | 'sleep'> {
  #now: number
  #sleepers: Sleeper[] = []

  constructor(now = 1_760_000_000_000) {
    this.#now = now
  }

  now = (): number => this.#now

  sleep = (milliseconds: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error)
        return
      }
      const giveUp = (): void => {
        this.#sleepers = this.#sleepers.filter((one) => one !== sleeper)
        reject(signal?.reason as Error)
      }
      const wake = (): void => {
        signal?.removeEventListener('abort', giveUp)
        resolve()
      }
      const sleeper = { until: this.#now + milliseconds, wake }
      this.#sleepers.push(sleeper)
      signal?.addEventListener('abort', giveUp)
    })

  /** Moves on, waking sleepers one after the other and giving what they wake time to act. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds
    for (;;) {
      await settled()
      const next = this.#sleepers.toSorted((a, b) => a.until - b.until)[0]
      if (next === undefined || next.until > end) break
      this.#sleepers = this.#sleepers.filter((one) => one !== next)
      this.#now = Math.max(this.#now, next.until)
      next.wake()
    }
    this.#now = end
    await settled()
  }
}

/** Long enough for everything that waits for no clock. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 30; i += 1) await new Promise((resolve) => setImmediate(resolve))
}
