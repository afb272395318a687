/** Slows a job down to so many objects and bytes a second, on average: what one object costs beyond its share, the next ones wait for. */
import type { Timing } from '../attempts.ts'

export interface Rate {
  /** A second. */
  readonly objects?: number | undefined
  readonly bytes?: number | undefined
}

/** Bytes may be given back while somebody waits for them. */
const LOOK_MILLISECONDS = 1_000

export class Pace {
  readonly #timing: Pick<Timing, 'now' | 'sleep'>
  readonly #objects: Meter
  readonly #bytes: Meter
  /** Whoever comes waits behind those who came before. */
  #last: Promise<void> = Promise.resolve()

  constructor({ objects, bytes }: Rate, timing: Pick<Timing, 'now' | 'sleep'>) {
    this.#timing = timing
    this.#objects = new Meter(objects)
    this.#bytes = new Meter(bytes)
  }

  /** Waits until one more object of so many bytes may begin. Throws the signal's reason. */
  begin(bytes: number, signal: AbortSignal): Promise<void> {
    const turn = this.#last.then(() => this.#wait(bytes, signal))
    this.#last = turn.catch(() => undefined)
    return turn
  }

  async #wait(bytes: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      const now = this.#timing.now()
      const wait = Math.max(this.#objects.next, this.#bytes.next) - now
      if (wait <= 0) {
        this.#objects.take(1, now)
        this.#bytes.take(bytes, now)
        return
      }
      await this.#timing.sleep(Math.min(wait, LOOK_MILLISECONDS), signal)
    }
  }

  /** Gives back bytes that were taken for an object and did not move. */
  refund(bytes: number): void {
    this.#bytes.refund(bytes)
  }
}

class Meter {
  /** `undefined`: no limit. */
  readonly #perSecond: number | undefined
  /** When the next one may begin, in milliseconds since 1970. */
  #next = 0

  constructor(perSecond: number | undefined) {
    this.#perSecond = perSecond
  }

  get next(): number {
    return this.#next
  }

  take(cost: number, now: number): void {
    if (this.#perSecond !== undefined) this.#next = Math.max(now, this.#next) + (cost / this.#perSecond) * 1_000
  }

  refund(cost: number): void {
    if (this.#perSecond !== undefined) this.#next -= (cost / this.#perSecond) * 1_000
  }
}
