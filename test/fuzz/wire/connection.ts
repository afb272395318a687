/** A connection of a listener in memory: bytes in, bytes out, no socket. */
import type { Server } from 'node:http'
import { Duplex } from 'node:stream'

/** Turns of the event loop after which a server that says nothing waits for more of the request. */
const QUIET_TURNS = 40
/** Turns that may pass before its answer is overdue. A timer of its own would be the clock of the machine, not of the case. */
const OVERDUE_MILLISECONDS = 2_000

class MemorySocket extends Duplex {
  readonly remoteAddress = '127.0.0.1'
  readonly #out: Buffer[] = []
  gone = false

  constructor() {
    super({ allowHalfOpen: true })
    this.on('close', () => (this.gone = true))
    this.on('error', () => undefined)
  }

  override _read(): void {}

  override _write(piece: Buffer, _encoding: string, done: () => void): void {
    this.#out.push(piece)
    done()
  }

  override _final(done: () => void): void {
    this.gone = true
    done()
  }

  setTimeout(): this {
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  /** Everything that was written so far. */
  received(): Buffer {
    return Buffer.concat(this.#out)
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/**
 * Hands a request to the server and gives all it answered. The client closes its side once the server, having said nothing for
 * a while, must be waiting for more. Throws if the server neither answers nor closes.
 */
export async function exchange(server: Server, request: Buffer, isWhole: (answer: Buffer) => boolean): Promise<Buffer> {
  const socket = new MemorySocket()
  server.emit('connection', socket)
  socket.push(request)
  const started = performance.now()
  let ended = false
  try {
    for (let turns = 0; ; turns += 1) {
      const answer = socket.received()
      if (socket.gone || isWhole(answer)) return answer
      if (!ended && turns > QUIET_TURNS) {
        ended = true
        socket.push(null)
      }
      if (performance.now() - started > OVERDUE_MILLISECONDS) throw new Error('no answer and no end')
      await turn()
    }
  } finally {
    socket.destroy()
    await turn()
  }
}
