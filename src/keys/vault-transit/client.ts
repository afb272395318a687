/** Requests to the HTTP API of Vault or OpenBao (docs/decisions/0010-our-own-vault-client.md). */
import { Agent, buildConnector, type Dispatcher } from 'undici'
import { Unavailable } from '../../errors.ts'
import { codeOf, patienceOf } from '../provider-errors.ts'

/** PEM texts. */
export interface VaultTls {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

export interface VaultClientParts {
  /** Of the key manager, for messages. */
  readonly alias: string
  /** `https://host:port` */
  readonly address: string
  readonly namespace?: string | undefined
  /** Milliseconds for one request. */
  readonly timeout: number
  /** Asked for each new connection: certificates are renewed while we run. */
  readonly tls: () => Promise<VaultTls>
}

export interface VaultRequest {
  readonly method: 'GET' | 'POST'
  /** Below `/v1/`. */
  readonly path: string
  readonly token?: string
  readonly body?: Buffer
  /** Milliseconds, in place of those of the client. */
  readonly timeout?: number
}

export interface VaultAnswer {
  readonly status: number
  /** In a buffer of its own, so that it can be wiped. */
  readonly body: Buffer
  /** Milliseconds, if Vault asks for patience. */
  readonly retryAfter: number | undefined
}

/** The description of a key with hundreds of thousands of versions is smaller. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024
const CONNECTIONS = 16
/** Load balancers close idle connections; a request that is on its way when they do fails for nothing. */
const KEEP_ALIVE_MILLISECONDS = 4_000

export class VaultClient {
  readonly #parts: VaultClientParts
  readonly #agent: Agent

  /** Opens nothing yet: the first request does. */
  constructor(parts: VaultClientParts) {
    this.#parts = parts
    const { timeout } = parts
    this.#agent = new Agent({
      connections: CONNECTIONS,
      keepAliveTimeout: KEEP_ALIVE_MILLISECONDS,
      headersTimeout: timeout,
      bodyTimeout: timeout,
      connect: freshConnector(parts),
    })
  }

  /** One request, once. Throws `Unavailable` where no whole answer comes in time. Redirects are answers: a token goes nowhere but to the address. */
  async send({ method, path, token, body, timeout = this.#parts.timeout }: VaultRequest): Promise<VaultAnswer> {
    const { alias, address, namespace } = this.#parts
    const headers: Record<string, string> = {
      'x-vault-request': 'true',
      ...(token === undefined ? {} : { 'x-vault-token': token }),
      ...(namespace === undefined ? {} : { 'x-vault-namespace': namespace }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    }
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => reject(new Unavailable(`Vault, key manager ${alias}: ${why}`))
      const exchange = new Exchange(timeout, resolve, fail)
      this.#agent.dispatch({ origin: address, path: `/v1/${path}`, method, headers, body: body ?? null }, exchange)
    })
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }
}

function freshConnector({ tls, timeout, address }: VaultClientParts): buildConnector.connector {
  const secure = address.startsWith('https:')
  return (options, callback) => {
    const files = secure ? tls() : Promise.resolve({})
    files.then(
      (trust) => buildConnector({ ...trust, timeout })(options, callback),
      (error: unknown) => callback(error instanceof Error ? error : new Error('no certificates'), null),
    )
  }
}

/** One request on its way: undici's handler. It takes what comes at once, so that no answer waits for a reader, and wipes the pieces that it copied. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #resolve: (answer: VaultAnswer) => void
  readonly #fail: (why: string) => void
  readonly #timer: NodeJS.Timeout
  readonly #pieces: Buffer[] = []
  #controller: Dispatcher.DispatchController | undefined
  #length = 0
  #status = 0
  #retryAfter: number | undefined
  #ended: string | undefined

  constructor(timeout: number, resolve: (answer: VaultAnswer) => void, fail: (why: string) => void) {
    this.#resolve = resolve
    this.#fail = fail
    this.#timer = setTimeout(() => this.#give(`no answer within ${timeout} ms`), timeout)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Thrown, it spares the connection, on which nothing was sent yet.
    if (this.#ended !== undefined) throw new Error(this.#ended)
    this.#controller = controller
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status
    this.#retryAfter = patienceOf(headers['retry-after'])
  }

  onResponseData(_controller: Dispatcher.DispatchController, piece: Buffer): void {
    this.#length += piece.length
    if (this.#length > MAX_ANSWER_BYTES) return this.#give('the answer is too long to be one of Vault')
    const own = Buffer.allocUnsafeSlow(piece.length)
    piece.copy(own)
    this.#pieces.push(own)
    piece.fill(0)
  }

  onResponseEnd(): void {
    clearTimeout(this.#timer)
    if (this.#ended !== undefined) return
    const body = Buffer.alloc(this.#length)
    let at = 0
    for (const piece of this.#pieces) at += piece.copy(body, at)
    this.#wipe()
    this.#resolve({ status: this.#status, body, retryAfter: this.#retryAfter })
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    clearTimeout(this.#timer)
    this.#wipe()
    if (this.#ended === undefined) this.#fail(`no connection, or one that broke (${codeOf(error) ?? error.name})`)
  }

  #give(why: string): void {
    this.#ended = why
    this.#wipe()
    this.#fail(why)
    this.#controller?.abort(new Error(why))
  }

  #wipe(): void {
    for (const piece of this.#pieces.splice(0)) piece.fill(0)
  }
}
