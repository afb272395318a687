import { S3Error } from '../s3/errors.ts'

/** A bound on bytes held in memory by all requests together. Over it a request is turned away, never queued: the client's SDK retries. */
export class ByteBudget {
  /** May be exchanged: what is held already stays. */
  limit: number
  #used = 0

  constructor(limit: number) {
    this.limit = limit
  }

  /** Held now. */
  get used(): number {
    return this.#used
  }

  /** For one body, which counts as it arrives: an announcement costs its client nothing, and may take nothing from the others. */
  open(): HeldBytes {
    return new HeldBytes((bytes) => this.#take(bytes))
  }

  #take(bytes: number): void {
    if (bytes > 0 && this.#used + bytes > this.limit) {
      throw new S3Error('SlowDown', {
        cause: `${this.#used + bytes} bytes of gathered bodies would exceed limits.gatherBytes`,
      })
    }
    this.#used += bytes
  }
}

/** What one body holds of a budget. */
export class HeldBytes {
  readonly #take: (bytes: number) => void
  #bytes = 0

  constructor(take: (bytes: number) => void) {
    this.#take = take
  }

  /** Throws `SlowDown` if they are not there. */
  add(bytes: number): void {
    this.#take(bytes)
    this.#bytes += bytes
  }

  /** Gives back all but `kept`. */
  release(kept = 0): void {
    this.#take(kept - this.#bytes)
    this.#bytes = kept
  }
}
