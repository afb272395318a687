/** A proxy before a real server that breaks chosen requests, before or after they took effect. */
import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** A request as the proxy tells it from others. */
export interface Passing {
  readonly method: string
  readonly path: string
}

/** What the client of the proxy meets in place of the answer. */
export type Break =
  | 'reset'
  | 'hang'
  /** The head of the real answer and half of its body, then the end of the connection. */
  | 'half'
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
  /** The real answer with other headers. */
  | { readonly headers: (headers: Record<string, string>) => Record<string, string> }

export interface ProxyFault {
  /** `before`: the real server never hears of the request. `after`: it has answered. */
  readonly when: 'before' | 'after'
  readonly how: Break
  readonly matching?: (request: Passing) => boolean
  /** Default: once. */
  readonly times?: number
}

interface Pending extends ProxyFault {
  left: number
}

export class FaultProxy {
  /** Requests that reached the real server, with the status of its answer. */
  readonly passed: (Passing & { readonly status: number })[] = []
  /** All requests that came. */
  readonly came: Passing[] = []
  readonly #server: Server
  readonly #target: URL
  readonly #agent = new Agent({ keepAlive: true })
  readonly #sockets = new Set<Socket>()
  readonly #bodies: Buffer[] = []
  #faults: Pending[] = []

  private constructor(target: string) {
    this.#target = new URL(target)
    this.#server = createServer((req, res) => void this.#handle(req, res))
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
  }

  static async start(target: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(target)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get open(): number {
    return this.#sockets.size
  }

  /** All bodies that came, complete or not. */
  get received(): Buffer {
    return Buffer.concat(this.#bodies)
  }

  fault(...faults: ProxyFault[]): void {
    this.#faults.push(...faults.map((fault) => ({ ...fault, left: fault.times ?? 1 })))
  }

  clear(): void {
    this.#faults = []
    this.#bodies.length = 0
    this.passed.length = 0
    this.came.length = 0
  }

  async close(): Promise<void> {
    this.#agent.destroy()
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const passing = { method: req.method ?? '', path: req.url ?? '' }
    this.came.push(passing)
    req.on('data', (piece: Buffer) => this.#bodies.push(piece))
    req.on('error', () => undefined)
    const fault = this.#faults.find((one) => one.left > 0 && (one.matching?.(passing) ?? true))
    if (fault !== undefined) fault.left -= 1
    if (fault?.when === 'before') return broken(req, res, fault.how)
    const answer = await this.#forward(req, passing).catch(() => undefined)
    if (answer === undefined) return void req.socket.destroy()
    if (fault !== undefined) return broken(req, res, fault.how, answer)
    res.writeHead(answer.status, answer.headers)
    res.end(answer.body)
  }

  #forward(req: IncomingMessage, passing: Passing): Promise<Answered> {
    const { hostname, port } = this.#target
    const { method, path } = passing
    return new Promise((resolve, reject) => {
      const out = request(
        { hostname, port, method, path, headers: req.headers, agent: this.#agent, setHost: false },
        (answer) => {
          const pieces: Buffer[] = []
          answer.on('data', (piece: Buffer) => pieces.push(piece))
          answer.on('error', reject)
          answer.on('end', () => {
            const status = answer.statusCode ?? 0
            this.passed.push({ ...passing, status })
            const { connection: _, 'keep-alive': _alive, 'transfer-encoding': _chunked, ...headers } = answer.headers
            resolve({ status, headers: headers as Record<string, string>, body: Buffer.concat(pieces) })
          })
        },
      )
      out.on('error', reject)
      req.pipe(out)
      req.on('close', () => {
        if (!req.complete) out.destroy()
      })
    })
  }
}

interface Answered {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: Buffer
}

/** The client's side of a fault; the whole request is read first. */
function broken(req: IncomingMessage, res: ServerResponse, how: Break, real?: Answered): void {
  const end = (): void => {
    if (how === 'hang') return
    if (how === 'reset') return void req.socket.resetAndDestroy()
    if (how === 'half') {
      const { status = 200, headers = {}, body = Buffer.alloc(0) } = real ?? {}
      res.writeHead(status, { ...headers, 'content-length': String(body.length) })
      res.write(body.subarray(0, body.length >> 1), () => req.socket.destroy())
      return
    }
    if ('status' in how) {
      const body = how.body ?? ''
      res.writeHead(how.status, { ...how.headers, 'content-length': String(Buffer.byteLength(body)) })
      return void res.end(req.method === 'HEAD' ? '' : body)
    }
    res.writeHead(real?.status ?? 200, how.headers(real?.headers ?? {}))
    res.end(real?.body)
  }
  if (req.complete) return end()
  req.on('end', end)
  req.resume()
}

/** An error document of S3. */
export const errorDocument = (code: string, message = 'words of the store'): string =>
  `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`
