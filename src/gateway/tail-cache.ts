import type { TailRecord } from '../format/tail-record.ts'

/** Verified tails of multipart objects, least recently used out first. Keyed by bucket, key and the store's ETag, so that an overwritten object is never found. */
export class TailCache {
  readonly #limit: number
  readonly #entries = new Map<string, { record: TailRecord; cost: number }>()
  #used = 0

  /** `limit` is bytes of decoded tails, estimated. */
  constructor(limit: number) {
    this.#limit = limit
  }

  get(id: string): TailRecord | undefined {
    const entry = this.#entries.get(id)
    if (entry === undefined) return undefined
    this.#entries.delete(id)
    this.#entries.set(id, entry)
    return entry.record
  }

  put(id: string, record: TailRecord): void {
    const cost = 512 + record.entries.length * 256
    if (cost > this.#limit || this.#entries.has(id)) return
    this.#entries.set(id, { record, cost })
    this.#used += cost
    for (const [oldest, entry] of this.#entries) {
      if (this.#used <= this.#limit) break
      this.#entries.delete(oldest)
      this.#used -= entry.cost
    }
  }
}
