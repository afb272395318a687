/** Our own signatures, for the requests we send to a backend: the same canonical request as for verification. */
import { Internal } from '../../errors.ts'
import { formatAmzDate } from './amz-date.ts'
import {
  ALGORITHM,
  type CanonicalParts,
  canonicalRequest,
  encodeComponent,
  stringToSign,
  UNSIGNED_PAYLOAD,
} from './canonical-request.ts'
import { type Scope, scopeOf } from './scope.ts'
import { signatureOf, signingKey } from './signing-key.ts'

export interface SigningCredentials {
  readonly accessKey: string
  readonly secret: string
  readonly sessionToken?: string
}

export interface Signing {
  readonly method: string
  /** Absolute and ASCII; it must be sent exactly as it stands. Paths are built with `encodePath`. */
  readonly url: string
  readonly credentials: SigningCredentials
  readonly region: string
  /** `s3` unless said otherwise. */
  readonly service?: string
  readonly now: Date
}

export interface RequestSigning extends Signing {
  readonly headers: Readonly<Record<string, string>>
  /** SHA-256 of the body in hex, or one of the constants of `x-amz-content-sha256`. */
  readonly payloadHash: string
}

export interface UrlSigning extends Signing {
  /** Headers that whoever uses the URL has to send just so. */
  readonly headers?: Readonly<Record<string, string>>
  /** Life of the URL, at most a week. */
  readonly expiresSeconds: number
}

/** All headers to send: those given in lower case, and `host`, `x-amz-date`, `x-amz-content-sha256`, `authorization`. */
export function signRequest(signing: RequestSigning): Record<string, string> {
  const { host, rawPath, rawQuery } = splitUrl(signing.url)
  const amzDate = formatAmzDate(signing.now.getTime())
  const headers = lowerCase(signing.headers)
  headers['host'] = host
  headers['x-amz-date'] = amzDate
  headers['x-amz-content-sha256'] = signing.payloadHash
  const { accessKey, sessionToken } = signing.credentials
  if (sessionToken !== undefined) headers['x-amz-security-token'] = sessionToken

  const signedHeaders = Object.keys(headers).filter(isSignable).sort()
  const { method, payloadHash } = signing
  const canonical = canonicalRequest({
    method,
    rawPath,
    rawQuery,
    headers: wireHeaders(headers),
    signedHeaders,
    payloadHash,
  })
  const scope = signingScope(signing, amzDate)
  const signature = signatureFor(signing, scope, stringToSign(amzDate, scope.text, canonical))
  headers['authorization'] =
    `${ALGORITHM} Credential=${accessKey}/${scope.text}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`
  return headers
}

/** A URL that carries its own authentication. The payload stays unsigned. */
export function presignUrl(signing: UrlSigning): string {
  const { host, rawPath, rawQuery, base } = splitUrl(signing.url)
  const amzDate = formatAmzDate(signing.now.getTime())
  const scope = signingScope(signing, amzDate)
  const headers: Record<string, string> = { ...lowerCase(signing.headers ?? {}), host }
  const signedHeaders = Object.keys(headers).sort()
  const { accessKey, sessionToken } = signing.credentials
  const parameters: [string, string][] = [
    ['X-Amz-Algorithm', ALGORITHM],
    ['X-Amz-Credential', `${accessKey}/${scope.text}`],
    ['X-Amz-Date', amzDate],
    ['X-Amz-Expires', String(signing.expiresSeconds)],
    ['X-Amz-SignedHeaders', signedHeaders.join(';')],
  ]
  if (sessionToken !== undefined) parameters.push(['X-Amz-Security-Token', sessionToken])
  const added = parameters.map(([name, value]) => `${name}=${encodeComponent(value)}`).join('&')
  const query = rawQuery === '' ? added : `${rawQuery}&${added}`
  const canonical = canonicalRequest({
    method: signing.method,
    rawPath,
    rawQuery: query,
    headers: wireHeaders(headers),
    signedHeaders,
    payloadHash: UNSIGNED_PAYLOAD,
  })
  const signature = signatureFor(signing, scope, stringToSign(amzDate, scope.text, canonical))
  return `${base}?${query}&X-Amz-Signature=${signature}`
}

/** Headers that hops on the way add, change or drop. */
const UNSIGNABLE = new Set([
  'accept-encoding',
  'authorization',
  'connection',
  'expect',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
])

const isSignable = (name: string): boolean => !UNSIGNABLE.has(name) && !name.startsWith('proxy-')

function signingScope({ region, service = 's3' }: Signing, amzDate: string): Scope {
  return scopeOf(amzDate.slice(0, 8), region, service)
}

function signatureFor({ credentials }: Signing, scope: Scope, text: string): string {
  return signatureOf(signingKey(credentials.secret, scope.date, scope.region, scope.service), text)
}

function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  const lower: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) lower[name.toLowerCase()] = value
  return lower
}

/** Each header has one value here. */
function wireHeaders(headers: Readonly<Record<string, string>>): CanonicalParts['headers'] {
  for (const [name, value] of Object.entries(headers)) {
    if (!WIRE_VALUE.test(value)) throw new Internal(`The value of header ${name} is not in its wire form`)
  }
  return { all: (name) => [headers[name] ?? ''] }
}

/** Header bytes: no control characters but the tab, nothing beyond one byte. */
const WIRE_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** By hand, since `URL` would take `/./` and `/../` out of the path. */
function splitUrl(url: string): { base: string; host: string; rawPath: string; rawQuery: string } {
  const parts = PRINTABLE.test(url) ? ABSOLUTE.exec(url) : null
  if (parts === null) throw new Internal('A URL to be signed is not an absolute http(s) URL in its wire form')
  const [, scheme = '', authority = '', path = '', rawQuery = ''] = parts
  const rawPath = path === '' ? '/' : path
  const host = authority.replace(scheme === 'https' ? /:443$/ : /:80$/, '')
  return { base: `${scheme}://${authority}${rawPath}`, host, rawPath, rawQuery }
}

const PRINTABLE = /^[\x21-\x7e]+$/
const ABSOLUTE = /^(https?):\/\/([^/?#@]+)(\/[^?#]*)?(?:\?([^#]*))?$/
