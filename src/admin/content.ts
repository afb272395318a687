/** An answer of the admin API that is no JSON: bytes, made while somebody reads them. */
export class Content {
  readonly type: string
  /** What a client may call the file. */
  readonly name: string
  readonly pieces: AsyncIterable<Uint8Array>

  constructor(type: string, name: string, pieces: AsyncIterable<Uint8Array>) {
    this.type = type
    this.name = name
    this.pieces = pieces
  }
}

export async function* onePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
