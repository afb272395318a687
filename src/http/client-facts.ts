/** Who asked, and how, for whoever writes it down. */
import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import type { ClientFacts } from '../telemetry/channels.ts'

/** What a signed URL is valid by (SigV4 and its predecessor). */
const SIGNING = /^(?:x-amz-signature|x-amz-security-token|signature)$/i
const REDACTED = 'REDACTED'

/** Path and query as they came, without what would let a reader of the log use the URL. */
export function redactTarget(target: string): string {
  const at = target.indexOf('?')
  if (at < 0) return target
  const fields = target
    .slice(at + 1)
    .split('&')
    .map((field) => {
      const end = field.indexOf('=')
      return end > 0 && SIGNING.test(decoded(field.slice(0, end))) ? `${field.slice(0, end)}=${REDACTED}` : field
    })
  return `${target.slice(0, at)}?${fields.join('&')}`
}

/** A name may be written with escapes. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

export function clientFacts(raw: IncomingMessage): ClientFacts {
  const { socket, headers } = raw
  return {
    address: socket.remoteAddress ?? '',
    target: redactTarget(raw.url ?? '/'),
    httpVersion: raw.httpVersion,
    host: headers.host ?? '',
    userAgent: headers['user-agent'],
    referer: headers.referer,
    tls: isSecure(socket) ? tlsOf(socket) : undefined,
  }
}

const isSecure = (socket: IncomingMessage['socket']): socket is TLSSocket => 'encrypted' in socket

function tlsOf(socket: TLSSocket): ClientFacts['tls'] {
  const version = socket.getProtocol()
  return version === null ? undefined : { version, cipher: socket.getCipher().name }
}
