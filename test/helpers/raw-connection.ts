/** One TCP connection on which exact bytes are sent and answers are read one by one. */
import { connect, type Socket } from 'node:net'

export interface RawAnswer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

export class RawConnection {
  readonly #socket: Socket
  #received = Buffer.alloc(0)
  #ended = false
  #wake: () => void = () => {}

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (piece: Buffer) => {
      this.#received = Buffer.concat([this.#received, piece])
      this.#wake()
    })
    const end = (): void => {
      this.#ended = true
      this.#wake()
    }
    socket.on('end', end).on('close', end).on('error', end)
  }

  static open(port: number): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(new RawConnection(socket)))
      socket.once('error', reject)
    })
  }

  write(data: string | Buffer): void {
    this.#socket.write(data)
  }

  /** Sends no more, and still listens. */
  end(): void {
    this.#socket.end()
  }

  /** Takes nothing more off the wire until `resume`. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Everything that comes until the connection ends. */
  async rest(milliseconds = 10_000): Promise<Buffer> {
    await this.#until(() => -1, milliseconds)
    return this.#received
  }

  /** Whether the server has closed the connection. */
  get closed(): boolean {
    return this.#ended
  }

  /** The next answer; `undefined` if the connection ends before one. `bodiless`: it answers a HEAD. */
  async answer(milliseconds = 5_000, bodiless = false): Promise<RawAnswer | undefined> {
    const head = await this.#until((bytes) => bytes.indexOf('\r\n\r\n'), milliseconds)
    if (head === undefined) return undefined
    const [line = '', ...lines] = this.#received.subarray(0, head).toString('latin1').split('\r\n')
    this.#received = this.#received.subarray(head + 4)
    const headers = new Map(
      lines.map((one) => [one.slice(0, one.indexOf(':')).toLowerCase(), one.slice(one.indexOf(':') + 1).trim()]),
    )
    const status = Number(line.split(' ')[1])
    const length = bodiless || status === 100 || status === 304 ? 0 : Number(headers.get('content-length') ?? 0)
    if ((await this.#until((bytes) => (bytes.length >= length ? length : -1), milliseconds)) === undefined)
      return undefined
    const body = this.#received.subarray(0, length).toString()
    this.#received = this.#received.subarray(length)
    return { status, headers, body }
  }

  /** Resolves to whether the server closes within the time. */
  async closes(milliseconds = 5_000): Promise<boolean> {
    await this.#until(() => -1, milliseconds)
    return this.#ended
  }

  close(): void {
    this.#socket.destroy()
  }

  async #until(find: (bytes: Buffer) => number, milliseconds: number): Promise<number | undefined> {
    const deadline = Date.now() + milliseconds
    for (;;) {
      const found = find(this.#received)
      if (found >= 0) return found
      const left = deadline - Date.now()
      if (this.#ended || left <= 0) return undefined
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
}

/** The text of a request head. */
export function head(method: string, path: string, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`
}
