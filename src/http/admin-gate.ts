/** Who may use the admin API: whoever connects with a right certificate, or sends a right token. Failures are counted, told and limited. */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { AdminAccess } from '../access/admin-access.ts'
import type { FailureLimit } from '../access/failure-limit.ts'
import { type AdminAnswer, type AdminCaller, refuse } from '../admin/call.ts'
import type { AdminErrorCode } from '../admin/refusal.ts'
import { audit } from '../telemetry/channels.ts'

interface GateParts {
  readonly access: AdminAccess
  /** Whether client certificates let in. */
  readonly certificates: boolean
  readonly limit: FailureLimit
  /** How often requests of pages are told: they count as no failure, lest a page that somebody looks at keeps him out. */
  readonly pages: FailureLimit
}

export class AdminGate {
  readonly #certificates: boolean
  readonly #limit: FailureLimit
  readonly #pages: FailureLimit
  #access: AdminAccess
  /** Connections that began under the authorities of now, by which their certificates are judged. */
  #judged = new Set<string>()

  constructor({ access, certificates, limit, pages }: GateParts) {
    this.#access = access
    this.#certificates = certificates
    this.#limit = limit
    this.#pages = pages
  }

  /** From the next request on. */
  replace(access: AdminAccess): void {
    this.#access = access
  }

  /** There are other authorities: a connection has to be made anew for its certificate to count. */
  forgetConnections(): void {
    this.#judged = new Set()
  }

  /** A connection has begun; whether it will show a certificate nobody knows yet. */
  connected(socket: Socket): void {
    const [judged, ends] = [this.#judged, endsOf(socket)]
    judged.add(ends)
    socket.once('close', () => judged.delete(ends))
  }

  /** Who it is; or the answer, if nobody. */
  admit(raw: IncomingMessage): AdminCaller | { readonly refused: AdminAnswer } {
    const peer = raw.socket.remoteAddress ?? 'unknown'
    const { authorization } = raw.headers
    if (isOfPage(raw)) return this.#refusePage(raw, peer)
    if (!this.#access.configured && !this.#certificates) return { refused: refuse('NotConfigured') }
    // A certificate is no guess: its holder is let in whoever else fails from the same address.
    if (authorization === undefined) {
      const name = this.#certificateOf(raw.socket)
      if (name !== undefined) return { who: `certificate ${name}`, peer }
    }
    const limited = this.#limit.wait(peer)
    if (limited !== undefined) {
      if (limited.first) this.#tell(raw, peer, 'TooManyRequests')
      return { refused: refuse('TooManyRequests', Math.ceil(limited.wait / 1_000)) }
    }
    const token = /^Bearer +([A-Za-z0-9._~+/=-]{1,256})$/i.exec(authorization ?? '')?.[1]
    const name = token === undefined ? undefined : this.#access.whoHas(token)
    if (name !== undefined) return { who: `token ${name}`, peer }
    this.#limit.failed(peer)
    this.#tell(raw, peer, 'Unauthorized')
    return { refused: refuse('Unauthorized') }
  }

  #refusePage(raw: IncomingMessage, peer: string): { readonly refused: AdminAnswer } {
    if (this.#pages.wait(peer) === undefined) {
      this.#pages.failed(peer)
      this.#tell(raw, peer, 'Forbidden')
    }
    return { refused: refuse('Forbidden') }
  }

  #tell({ method = '', url = '' }: IncomingMessage, peer: string, code: AdminErrorCode): void {
    // What stands behind the `?` may be anything, a token too.
    const target = `${method} ${url.split('?', 1)[0]?.slice(0, MAX_TARGET) ?? ''}`
    audit.publish({ who: 'nobody', peer, what: 'authenticate', target, result: 'refused', code })
  }

  /** The name in it. That a session is resumed proves no certificate: it has to be there. */
  #certificateOf(socket: Socket): string | undefined {
    if (!this.#certificates || !(socket instanceof TLSSocket) || !socket.authorized) return undefined
    if (!this.#judged.has(endsOf(socket))) return undefined
    const certificate = socket.getPeerX509Certificate()
    if (certificate === undefined) return undefined
    const { subject, subjectAltName } = certificate
    const name = /^CN=(.+)$/m.exec(subject)?.[1] ?? subjectAltName ?? certificate.fingerprint256
    return name.slice(0, MAX_NAME)
  }
}

/**
 * Browsers add a certificate by themselves, for whatever page asks. `none` is what somebody has typed. Our own page reads, with a token
 * that it was given: no other page has that, whatever name it has this address by.
 */
function isOfPage({ method, headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'] ?? 'none'
  const ours = site === 'same-origin' && method === 'GET' && headers.authorization !== undefined
  return headers.origin !== undefined || (site !== 'none' && !ours)
}

/** The secure socket is another object than the one below it. */
const endsOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`

const MAX_TARGET = 200
const MAX_NAME = 128
