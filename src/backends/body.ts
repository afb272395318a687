/** Bodies as stores take and give them. */

/** A body in pieces. Lists of buffers are handed on as they are: nothing on the data path concatenates. */
export interface Body extends AsyncIterable<readonly Buffer[]> {
  readonly replayable?: true
}

/** A body that gives the same bytes each time it is begun, so that a store may send it again. */
export interface ReplayableBody extends Body {
  readonly replayable: true
}

/** One that is in memory. */
export class HeldBody implements ReplayableBody {
  readonly replayable = true
  readonly pieces: readonly Buffer[]
  readonly length: number

  constructor(pieces: readonly Buffer[]) {
    this.pieces = pieces
    this.length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  }

  async *[Symbol.asyncIterator](): AsyncIterator<readonly Buffer[]> {
    yield this.pieces
  }
}
