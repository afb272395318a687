/** One TLS connection to a KMIP server: a request, its answer, the next request. */
import { isIP } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { codeOf } from '../provider-errors.ts'
import { KmipFault } from './fault.ts'
import { MAX_RESPONSE_BYTES } from './messages.ts'
import { TAG } from './protocol.ts'
import { HEADER_BYTES, lengthOfMessage } from './ttlv.ts'

/** PEM texts. The client certificate is who we are to the server. */
export interface KmipTls {
  readonly ca?: string
  readonly cert: string
  readonly key: string
}

export interface Place {
  readonly host: string
  readonly port: number
  /** The name that the server's certificate has to have, if it is not the host. */
  readonly serverName?: string | undefined
}

interface Exchange {
  readonly resolve: (message: Buffer) => void
  readonly reject: (fault: KmipFault) => void
}

/** Throws the fault `lost` if there is nobody whom we trust and who trusts us, `silent` if `signal` says that it took too long. */
export async function openConnection(place: Place, tls: KmipTls, signal: AbortSignal): Promise<KmipConnection> {
  const { host, port, serverName = isIP(host) === 0 ? host : undefined } = place
  // Certificates that are none throw at once.
  const socket = attempt(() =>
    connect({
      ...tls,
      host,
      port,
      ...(serverName === undefined ? {} : { servername: serverName }),
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
    }),
  )
  socket.setNoDelay(true)
  return new Promise((resolve, reject) => {
    const silence = (): void => fail(new KmipFault({ reason: 'silent' }))
    const lose = (error?: Error): void => fail(lost(error))
    const settle = (): void => {
      signal.removeEventListener('abort', silence)
      socket.off('error', lose).off('close', lose)
    }
    const fail = (fault: KmipFault): void => {
      settle()
      socket.on('error', () => undefined).destroy()
      reject(fault)
    }
    socket.on('error', lose).on('close', lose)
    socket.once('secureConnect', () => {
      settle()
      resolve(new KmipConnection(socket))
    })
    if (signal.aborted) silence()
    else signal.addEventListener('abort', silence)
  })
}

export class KmipConnection {
  readonly #socket: TLSSocket
  readonly #head = Buffer.alloc(HEADER_BYTES)
  /** The answer that is coming, once its length is known. */
  #message: Buffer | undefined
  #length = 0
  #exchange: Exchange | undefined
  #ended = false

  constructor(socket: TLSSocket) {
    this.#socket = socket
    socket.on('data', (piece) => this.#take(piece))
    socket.on('error', (error) => this.#fail(lost(error)))
    socket.on('close', () => this.#fail(lost()))
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Nothing of the answer has come yet. */
  get unanswered(): boolean {
    return this.#length === 0
  }

  /** Sends a request and gives the whole answer, in memory of its own. `request` is wiped. */
  async exchange(request: Buffer, signal: AbortSignal): Promise<Buffer> {
    const silence = (): void => this.#fail(new KmipFault({ reason: 'silent' }))
    try {
      if (signal.aborted) silence()
      if (this.#ended) {
        request.fill(0)
        throw signal.aborted ? new KmipFault({ reason: 'silent' }) : lost()
      }
      signal.addEventListener('abort', silence)
      return await new Promise((resolve, reject) => {
        this.#exchange = { resolve, reject }
        this.#socket.write(request, () => request.fill(0))
      })
    } finally {
      signal.removeEventListener('abort', silence)
    }
  }

  close(): void {
    this.#fail(new KmipFault({ reason: 'closed' }))
  }

  #take(piece: Buffer): void {
    try {
      this.#collect(piece)
    } catch (error) {
      if (!(error instanceof KmipFault)) throw error
      this.#fail(error)
    } finally {
      piece.fill(0)
    }
  }

  #collect(piece: Buffer): void {
    // Nobody has asked: whatever it is, it would be taken for the answer to the next request.
    if (this.#exchange === undefined) throw new KmipFault({ reason: 'garbage' })
    let at = 0
    if (this.#message === undefined) {
      at = piece.copy(this.#head, this.#length)
      this.#length += at
      if (this.#length < HEADER_BYTES) return
      const whole = lengthOfMessage(this.#head, TAG.responseMessage)
      if (whole > MAX_RESPONSE_BYTES) throw new KmipFault({ reason: 'garbage' })
      this.#message = Buffer.alloc(whole)
      this.#head.copy(this.#message)
    }
    const message = this.#message
    if (this.#length + piece.length - at > message.length) throw new KmipFault({ reason: 'garbage' })
    this.#length += piece.copy(message, this.#length, at)
    if (this.#length < message.length) return
    const { resolve } = this.#exchange
    this.#message = undefined
    this.#exchange = undefined
    this.#length = 0
    resolve(message)
  }

  #fail(fault: KmipFault): void {
    this.#ended = true
    this.#socket.destroy()
    this.#message?.fill(0)
    this.#message = undefined
    const exchange = this.#exchange
    this.#exchange = undefined
    exchange?.reject(fault)
  }
}

function attempt<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw lost(error)
  }
}

function lost(error?: unknown): KmipFault {
  return new KmipFault({ reason: 'lost', detail: codeOf(error) ?? 'closed' })
}
