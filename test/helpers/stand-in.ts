/** How stand-ins listen: on a port of 127.0.0.1 that they keep, until they stop with all of their connections. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo, Server, Socket } from 'node:net'

export class Listener {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #port = 0

  constructor(server: Server) {
    this.#server = server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
  }

  /** After `stop` it comes back where it was. Resolves with its port. */
  async start(): Promise<number> {
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
    return this.#port
  }

  get port(): number {
    return this.#port
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.dropConnections()
    await closed
  }

  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

/** Looks at a request whose body is there. */
type Serve = (req: IncomingMessage, res: ServerResponse, body: string) => Promise<void> | void

/** One that speaks HTTP, or HTTPS with `tls`. */
export class HttpListener extends Listener {
  readonly #scheme: 'http' | 'https'

  constructor(serve: Serve, tls?: ServerOptions) {
    const read = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
      const pieces: Buffer[] = []
      for await (const piece of req) pieces.push(piece as Buffer)
      await serve(req, res, Buffer.concat(pieces).toString())
    }
    const take = (req: IncomingMessage, res: ServerResponse): void => void read(req, res)
    super(tls === undefined ? createServer(take) : createTlsServer(tls, take))
    this.#scheme = tls === undefined ? 'http' : 'https'
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}`
  }
}
