/** Spans on their way to a collector: a bounded queue, sent in batches. A request never waits for it, and what finds no room is counted and forgotten. */
import { alarm, spans as told } from '../channels.ts'
import type { Span } from './span.ts'

/** Sends a batch; rejects if the collector did not take it. */
export type SendSpans = (batch: readonly Span[]) => Promise<void>

export interface SpanQueueOptions {
  readonly send: SendSpans
  /** Where the collector is, for the log. */
  readonly endpoint: string
  /** Spans kept at most, those under way included. */
  readonly most?: number
  /** Spans sent at once: the longest make less than the 4 MiB that a collector takes over gRPC. */
  readonly batch?: number
  /** How long a span waits for others. */
  readonly delayMilliseconds?: number
}

export class SpanQueue {
  readonly #send: SendSpans
  readonly #endpoint: string
  readonly #most: number
  readonly #batch: number
  readonly #delay: number
  #waiting: Span[] = []
  #sending = 0
  #timer: NodeJS.Timeout | undefined
  #run: Promise<void> | undefined
  #failing = false
  #closed = false

  constructor({ send, endpoint, most = 4_096, batch = 256, delayMilliseconds = 2_000 }: SpanQueueOptions) {
    this.#send = send
    this.#endpoint = endpoint
    this.#most = most
    this.#batch = batch
    this.#delay = delayMilliseconds
  }

  /** The spans of one request: all, or none. */
  add(spans: readonly Span[]): void {
    if (this.#closed || this.#waiting.length + this.#sending + spans.length > this.#most) {
      told.publish({ outcome: 'dropped', spans: spans.length })
      return
    }
    this.#waiting.push(...spans)
    if (this.#waiting.length >= this.#batch) this.#begin()
    else if (this.#run === undefined) this.#timer ??= setTimeout(() => this.#begin(), this.#delay).unref()
  }

  /** Sends what is there, and gives up after so long. */
  async close(milliseconds: number): Promise<void> {
    this.#closed = true
    this.#begin()
    let late: NodeJS.Timeout | undefined
    const timeout = new Promise<void>((resolve) => {
      late = setTimeout(resolve, milliseconds)
    })
    await Promise.race([this.#run, timeout])
    clearTimeout(late)
    // What is under way tells for itself what came of it.
    if (this.#waiting.length > 0) told.publish({ outcome: 'dropped', spans: this.#waiting.length })
    this.#waiting = []
  }

  #begin(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#run ??= this.#sendAll().finally(() => {
      this.#run = undefined
      if (this.#waiting.length > 0) this.#timer ??= setTimeout(() => this.#begin(), this.#delay).unref()
    })
  }

  /** One batch at a time: whoever is slow is not asked for more at once. */
  async #sendAll(): Promise<void> {
    do {
      const batch = this.#waiting.splice(0, this.#batch)
      this.#sending = batch.length
      await this.#sendOne(batch)
      this.#sending = 0
    } while (this.#waiting.length >= this.#batch || (this.#closed && this.#waiting.length > 0))
  }

  async #sendOne(batch: readonly Span[]): Promise<void> {
    if (batch.length === 0) return
    try {
      await this.#send(batch)
      told.publish({ outcome: 'exported', spans: batch.length })
      this.#failing = false
    } catch (cause) {
      told.publish({ outcome: 'failed', spans: batch.length })
      // Once, not for each batch.
      if (!this.#failing)
        alarm.publish({ what: 'the collector takes no spans', detail: { endpoint: this.#endpoint }, cause })
      this.#failing = true
    }
  }
}
