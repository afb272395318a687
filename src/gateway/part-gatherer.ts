import type { Body } from '../backends/body.ts'
import type { ByteBudget, HeldBytes } from './byte-budget.ts'

export interface GatheredPart {
  readonly pieces: readonly Buffer[]
  readonly bytes: number
  /** Nothing follows. */
  readonly last: boolean
}

/** Cuts a body of unknown length into parts held in memory one at a time, under the byte budget. */
export class PartGatherer {
  readonly #source: AsyncIterator<readonly Buffer[]>
  readonly #held: HeldBytes
  #ahead: Buffer[] = []
  #ended = false

  constructor(body: Body, budget: ByteBudget) {
    this.#source = body[Symbol.asyncIterator]()
    this.#held = budget.open()
  }

  /** The next `size` bytes, or what is left. Gives back the memory of the part before. */
  async next(size: number): Promise<GatheredPart> {
    this.#held.release(total(this.#ahead))
    const pieces: Buffer[] = []
    let bytes = 0
    // One byte beyond the part tells whether it is the last.
    while (bytes < size || (this.#ahead.length === 0 && !this.#ended)) {
      const piece = this.#ahead.shift()
      if (piece === undefined) {
        if (this.#ended) break
        const step = await this.#source.next()
        if (step.done === true) {
          this.#ended = true
          continue
        }
        this.#held.add(total(step.value))
        this.#ahead.push(...step.value.filter((one) => one.length > 0))
        continue
      }
      const room = size - bytes
      pieces.push(piece.subarray(0, room))
      bytes += Math.min(room, piece.length)
      if (piece.length > room) this.#ahead.unshift(piece.subarray(room))
    }
    return { pieces, bytes, last: this.#ended && this.#ahead.length === 0 }
  }

  /** Gives back the memory; nothing may be read afterwards. */
  release(): void {
    this.#held.release()
    void this.#source.return?.()
  }
}

const total = (pieces: readonly Buffer[]): number => pieces.reduce((sum, piece) => sum + piece.length, 0)
