/** A raw HTTP server on 127.0.0.1 whose answers the test writes, well-formed or not. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** One request as it came. */
export interface ScriptedRequest {
  readonly method: string
  /** Undecoded, with the query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** The body as far as it has come. */
  body: Buffer
}

/** What becomes of one request. */
export type Step = (exchange: Exchange) => Promise<void> | void

export interface Answer {
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string | Buffer
  /** In place of the body's length. */
  readonly announced?: number
  /** Before the request's body is there. */
  readonly early?: boolean
}

/** One request and the connection it came on. */
export class Exchange {
  readonly request: ScriptedRequest
  readonly socket: Socket
  readonly #complete: Promise<void>

  constructor(request: ScriptedRequest, socket: Socket, complete: Promise<void>) {
    this.request = request
    this.socket = socket
    this.#complete = complete
  }

  /** Resolves when the whole body is there. */
  complete(): Promise<void> {
    return this.#complete
  }

  head(status: number, headers: Answer['headers'], length: number): void {
    const lines = Object.entries(headers ?? {}).flatMap(([name, value]) =>
      (typeof value === 'string' ? [value] : value).map((one) => `${name}: ${one}\r\n`),
    )
    this.socket.write(`HTTP/1.1 ${status} X\r\ncontent-length: ${length}\r\n${lines.join('')}\r\n`)
  }
}

/** An answer, on a connection that stays open. */
export function answer(status: number, { headers, body = '', announced, early = false }: Answer = {}): Step {
  return async (exchange) => {
    if (!early) await exchange.complete()
    const bytes = Buffer.from(body)
    exchange.head(status, headers, announced ?? bytes.length)
    if (exchange.request.method !== 'HEAD') exchange.socket.write(bytes)
  }
}

/** An error document. */
export function refuse(status: number, code: string, headers: Answer['headers'] = {}, more = ''): Step {
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>words of the store</Message>${more}</Error>`
  return answer(status, { headers: { 'content-type': 'application/xml', ...headers }, body })
}

/** The connection is reset when the whole request is there. */
export const reset: Step = async (exchange) => {
  await exchange.complete()
  exchange.socket.resetAndDestroy()
}

/** The connection is reset as soon as the head is there. */
export const resetAtHead: Step = ({ socket }) => void socket.resetAndDestroy()

/** Nothing ever comes. */
export const hang: Step = () => undefined

/** Nothing comes, and nothing more is read. */
export const stall: Step = ({ socket }) => void socket.pause()

/** Less than was announced, then the end of the connection. */
export function truncated(status: number, { headers, body = '', announced }: Answer): Step {
  return async (exchange) => {
    await exchange.complete()
    const bytes = Buffer.from(body)
    exchange.head(status, headers, announced ?? bytes.length + 1)
    exchange.socket.end(bytes)
  }
}

/** A proper answer, and the connection is closed when it has lain idle: whoever uses it again meets its end. */
export function thenClose(step: Step, milliseconds: number): Step {
  return async (exchange) => {
    await step(exchange)
    setTimeout(() => exchange.socket.destroy(), milliseconds)
  }
}

/** The body in pieces, with a pause before each. */
export function drip(status: number, pieces: readonly Buffer[], pause: number, headers: Answer['headers'] = {}): Step {
  return async (exchange) => {
    await exchange.complete()
    exchange.head(
      status,
      headers,
      pieces.reduce((sum, piece) => sum + piece.length, 0),
    )
    for (const piece of pieces) {
      await sleep(pause)
      exchange.socket.write(piece)
    }
  }
}

export class ScriptedServer {
  /** All requests so far. */
  readonly requests: ScriptedRequest[] = []
  /** For each request, the number of its connection. */
  readonly carriedBy: number[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #received: Buffer[] = []
  #steps: Step[] = []
  #otherwise: Step = refuse(500, 'InternalError')
  #connections = 0

  private constructor() {
    this.#server = createServer((socket) => void this.#serve(socket))
  }

  static async start(): Promise<ScriptedServer> {
    const scripted = new ScriptedServer()
    scripted.#server.listen(0, '127.0.0.1')
    await once(scripted.#server, 'listening')
    return scripted
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#sockets.size
  }

  /** Connections that were ever made. */
  get connections(): number {
    return this.#connections
  }

  /** Every byte that came. */
  get received(): Buffer {
    return Buffer.concat(this.#received)
  }

  /** The next requests, one step each. */
  next(...steps: Step[]): void {
    this.#steps.push(...steps)
  }

  /** All requests that have no step of their own. */
  otherwise(step: Step): void {
    this.#otherwise = step
  }

  /** Reads on where a step had stopped, so that the ends of connections are seen. */
  release(): void {
    for (const socket of this.#sockets) socket.resume()
  }

  /** Forgets requests and steps. */
  clear(): void {
    this.#steps = []
    this.requests.length = 0
    this.carriedBy.length = 0
    this.#received.length = 0
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #serve(socket: Socket): Promise<void> {
    const number = ++this.#connections
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket)).on('error', () => undefined)
    let pending: Buffer = Buffer.alloc(0)
    let wake = (): void => undefined
    let ended = false
    socket.on('data', (piece: Buffer) => {
      this.#received.push(piece)
      pending = Buffer.concat([pending, piece])
      wake()
    })
    socket.on('close', () => {
      ended = true
      wake()
    })
    const more = (): Promise<void> => new Promise((resolve) => (wake = resolve))
    for (;;) {
      while (pending.indexOf('\r\n\r\n') < 0) {
        if (ended) return
        await more()
      }
      const end = pending.indexOf('\r\n\r\n')
      const request = parsed(pending.subarray(0, end).toString('latin1'))
      pending = pending.subarray(end + 4)
      this.requests.push(request)
      this.carriedBy.push(number)
      const length = Number(request.headers['content-length'] ?? 0)
      const whole = deferred()
      const step = this.#steps.shift() ?? this.#otherwise
      const answered = Promise.resolve(step(new Exchange(request, socket, whole.promise)))
      answered.catch(() => undefined)
      while (request.body.length < length) {
        const now = pending.subarray(0, length - request.body.length)
        pending = pending.subarray(now.length)
        request.body = request.body.length === 0 ? now : Buffer.concat([request.body, now])
        if (request.body.length < length) {
          if (ended) return
          await more()
        }
      }
      whole.resolve()
      await answered
    }
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined
  const promise = new Promise<void>((settle) => (resolve = settle))
  return { promise, resolve }
}

function parsed(head: string): ScriptedRequest {
  const [line = '', ...lines] = head.split('\r\n')
  const [method = '', path = ''] = line.split(' ')
  const headers = Object.fromEntries(
    lines.map((one) => [one.slice(0, one.indexOf(':')).toLowerCase(), one.slice(one.indexOf(':') + 1).trim()]),
  )
  return { method, path, headers, body: Buffer.alloc(0) }
}
