/** Syslog (RFC 5424): a datagram for each line over UDP (RFC 5426), octets counted over TCP (RFC 6587) and TLS (RFC 5425). */
import { createSocket, type Socket as DatagramSocket } from 'node:dgram'
import { connect as connectPlain, isIPv6, type Socket } from 'node:net'
import { connect as connectSecure } from 'node:tls'
import { Unavailable } from '../../../errors.ts'
import type { Sink } from '../sink-feed.ts'
import { isBad, kindOf, timeOf } from './line-fields.ts'

export interface SyslogOptions {
  readonly name: string
  readonly protocol: 'udp' | 'tcp' | 'tls'
  readonly host: string
  readonly port: number
  readonly appName: string
  /** Of this machine, as messages name it. */
  readonly hostName: string
  readonly processId: number
  /** Certificates of authorities, in PEM. */
  readonly ca?: string
  readonly timeout: number
}

/** Facility 13, log audit; severities informational and warning. */
const INFORMATIONAL = 13 * 8 + 6
const WARNING = 13 * 8 + 4
/** What goes into a datagram. */
const MOST_DATAGRAM = 65_000

export function syslogSink(options: SyslogOptions): Sink {
  return options.protocol === 'udp' ? new DatagramSink(options) : new StreamSink(options)
}

/** No structured data: all of it is in the line, which is ASCII. */
function messageOf(line: string, { hostName, appName, processId }: SyslogOptions): string {
  return `<${isBad(line) ? WARNING : INFORMATIONAL}>1 ${timeOf(line)} ${hostName} ${appName} ${processId} ${kindOf(line)} - ${line}`
}

class DatagramSink implements Sink {
  readonly name: string
  readonly #options: SyslogOptions
  #socket: DatagramSocket | undefined

  constructor(options: SyslogOptions) {
    this.#options = options
    this.name = options.name
  }

  /** Nobody says whether a datagram has arrived. */
  async deliver(lines: readonly string[]): Promise<number> {
    let refused = 0
    for (const line of lines) {
      const message = messageOf(line, this.#options)
      if (message.length > MOST_DATAGRAM) refused += 1
      else await this.#send(message)
    }
    return refused
  }

  async close(): Promise<void> {
    this.#socket?.close()
    this.#socket = undefined
  }

  #send(message: string): Promise<void> {
    const { host, port } = this.#options
    this.#socket ??= createSocket(isIPv6(host) ? 'udp6' : 'udp4')
      .unref()
      .on('error', () => undefined)
    const socket = this.#socket
    return new Promise((resolve, reject) => {
      socket.send(message, port, host, (error) => (error === null ? resolve() : reject(error)))
    })
  }
}

class StreamSink implements Sink {
  readonly name: string
  readonly #options: SyslogOptions
  #socket: Socket | undefined

  constructor(options: SyslogOptions) {
    this.#options = options
    this.name = options.name
  }

  /** Taken is what the system has taken: syslog itself acknowledges nothing. */
  async deliver(lines: readonly string[]): Promise<number> {
    const socket = await this.#connected()
    let frames = ''
    for (const line of lines) {
      const message = messageOf(line, this.#options)
      frames += `${message.length} ${message}`
    }
    await this.#within(socket, (settle) => socket.write(frames, (error) => settle(error ?? undefined)))
    return 0
  }

  async close(): Promise<void> {
    const socket = this.#socket
    this.#socket = undefined
    if (socket === undefined) return
    await new Promise<void>((resolve) => {
      socket.once('close', resolve).end()
      setTimeout(() => socket.destroy(), this.#options.timeout).unref()
    })
  }

  async #connected(): Promise<Socket> {
    if (this.#socket !== undefined && this.#socket.writable) return this.#socket
    const { protocol, host, port, ca } = this.#options
    const secure = protocol === 'tls'
    const socket = secure
      ? connectSecure({
          host,
          port,
          minVersion: 'TLSv1.2',
          ...(ca === undefined ? {} : { ca }),
          ...(isName(host) ? { servername: host } : {}),
        })
      : connectPlain({ host, port })
    // A receiver that goes away while nothing is sent is noticed, and what was sent after that is not taken for received.
    socket
      .on('error', () => undefined)
      .on('close', () => {
        if (this.#socket === socket) this.#socket = undefined
      })
    socket.resume().unref()
    this.#socket = socket
    await this.#within(socket, (settle) => socket.once(secure ? 'secureConnect' : 'connect', () => settle()))
    return socket
  }

  /** The end of what `begin` begins, of the connection, or of the time. */
  #within(socket: Socket, begin: (settle: (error?: Error) => void) => unknown): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (error?: Error): void => {
        socket.destroy()
        finish(error ?? new Error('the connection was closed'))
      }
      const ended = (): void => fail()
      const timer = setTimeout(() => fail(new Error('it does not answer')), this.#options.timeout)
      const finish = (error?: Error): void => {
        clearTimeout(timer)
        socket.off('error', fail).off('close', ended)
        if (error === undefined) resolve()
        else reject(new Unavailable('the receiver of syslog does not take lines', { cause: error }))
      }
      socket.on('error', fail).on('close', ended)
      begin(finish)
    })
  }
}

const isName = (host: string): boolean => !isIPv6(host) && !/^[\d.]+$/.test(host)
