import { S3Error } from '../s3/errors.ts'

/** A bound on bytes held in memory by all requests together. Over it a request is turned away, never queued: the client's SDK retries. */
export class ByteBudget {
  readonly limit: number
  #used = 0

  constructor(limit: number) {
    this.limit = limit
  }

  /** Takes `bytes` and returns the function that gives them back (once). Throws `SlowDown` if they are not there. */
  take(bytes: number): () => void {
    if (this.#used + bytes > this.limit) {
      throw new S3Error('SlowDown', {
        cause: `${this.#used + bytes} bytes of gathered bodies would exceed limits.gatherBytes`,
      })
    }
    this.#used += bytes
    let held = true
    return () => {
      if (held) this.#used -= bytes
      held = false
    }
  }
}
