import { alarm } from '../telemetry/channels.ts'

/** Work that goes on after its request was answered. Shutdown waits for it; a failure is an alarm, since nobody else would hear of it. */
export class Background {
  readonly #running = new Set<Promise<void>>()

  run(what: string, work: () => Promise<void>): void {
    const running = work()
      .catch((cause: unknown) => alarm.publish({ what: `could not ${what}`, detail: {}, cause }))
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  /** What runs now. */
  get size(): number {
    return this.#running.size
  }

  /** Resolves once nothing runs. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }
}
