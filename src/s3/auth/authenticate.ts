/** Who sends this request? Verifies Signature Version 4, in the `Authorization` header or in a presigned URL. */
import { isCustomerSecret } from '../encryption-headers.ts'
import { invalidArgument, S3Error } from '../errors.ts'
import type { Headers } from '../headers.ts'
import type { Query } from '../query.ts'
import {
  type CanonicalParts,
  canonicalRequest,
  collapseSpaces,
  collapseSpacesOutsideQuotes,
  stringToSign,
  UNSIGNED_PAYLOAD,
} from './canonical-request.ts'
import { readHeaderAuth, signatureVersion2 } from './header-auth.ts'
import { type PayloadMode, payloadMode, requirePayloadHash } from './payload-mode.ts'
import { isPresigned, readPresigned } from './presigned.ts'
import type { Claim, Scope } from './scope.ts'
import { signatureMismatch } from './signature-mismatch.ts'
import { sameSignature, signatureOf, signingKey } from './signing-key.ts'

const ALGORITHM_OF_KEY = 'x-amz-server-side-encryption-customer-algorithm'

/** A request as it came over the wire. */
export interface AuthRequest {
  readonly method: string
  /** Undecoded path without the query. */
  readonly rawPath: string
  readonly query: Query
  readonly headers: Headers
}

export interface AuthContext {
  readonly now: Date
  /** The one region we answer for; `undefined` accepts any. */
  readonly region: string | undefined
  readonly lookup: (accessKey: string) => { readonly secret: string } | undefined
}

/** A request whose signature holds. */
export interface Authenticated {
  readonly kind: 'header' | 'presigned'
  readonly accessKey: string
  readonly scope: Scope
  readonly signedHeaders: readonly string[]
  /** What is still to be proved about the body. */
  readonly payload: PayloadMode
}

/**
 * Authenticates a request, or throws the `S3Error` that S3 would answer with. Cheap faults come first, in S3's order:
 * form, clock, region, access key, payload hash, unsigned headers, signature. A request without any authentication is `AccessDenied`.
 */
export function authenticate(request: AuthRequest, context: AuthContext): Authenticated {
  const claim = readClaim(request, context.now.getTime())
  requireRegion(claim, context.region)
  const credential = context.lookup(claim.accessKey)
  if (credential === undefined) {
    throw new S3Error('InvalidAccessKeyId', { extra: { AWSAccessKeyId: claim.accessKey } })
  }
  requireSameDay(claim)
  requireNoSessionToken(request)
  const payloadHash = claimedPayloadHash(request, claim)
  requireHeadersSigned(request, claim)

  const { accessKey, scope, signedHeaders, amzDate } = claim
  const key = signingKey(credential.secret, scope.date, scope.region, scope.service)
  verifySignature(claim, key, {
    method: request.method,
    rawPath: request.rawPath,
    rawQuery: request.query.raw,
    headers: request.headers,
    signedHeaders,
    payloadHash,
  })
  const payload = payloadMode(payloadHash, { accessKey, key, amzDate, scope, seed: claim.signature })
  return { kind: claim.kind, accessKey, scope, signedHeaders, payload }
}

function readClaim({ headers, query }: AuthRequest, now: number): Claim {
  const presigned = isPresigned(query)
  const version2 = query.has('AWSAccessKeyId') || query.has('Signature')
  const authorizations = headers.all('authorization')
  const [authorization] = authorizations
  if (authorization === undefined) {
    if (presigned) return readPresigned(query, now)
    throw version2 ? signatureVersion2() : new S3Error('AccessDenied')
  }
  if (presigned || version2 || authorizations.length > 1) {
    throw invalidArgument(
      'Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified',
      'Authorization',
      authorization,
    )
  }
  return readHeaderAuth(headers, now)
}

/** Throws what the claim's kind of authentication says of a wrong region. */
export function requireRegion({ scope, refuse }: Pick<Claim, 'scope' | 'refuse'>, region: string | undefined): void {
  if (region === undefined || scope.region === region) return
  throw refuse(`the region '${scope.region}' is wrong; expecting '${region}'`, { Region: region })
}

/** The day of the key must be that of the signature. */
export function requireSameDay({ scope, amzDate, refuse }: Pick<Claim, 'scope' | 'amzDate' | 'refuse'>): void {
  if (amzDate.startsWith(scope.date)) return
  throw refuse(`Invalid credential date "${scope.date}". This date is not the same as X-Amz-Date: "${amzDate}".`)
}

/** We hand out no temporary credentials, so no token can be right; S3 answers a stray one likewise. */
function requireNoSessionToken({ headers, query }: AuthRequest): void {
  if (headers.has('x-amz-security-token') || query.has('X-Amz-Security-Token')) throw new S3Error('InvalidToken')
}

/** A presigned URL leaves the payload open unless it says otherwise, as a parameter or as a signed header. */
function claimedPayloadHash({ headers, query }: AuthRequest, { kind }: Claim): string {
  const header = headers.get('x-amz-content-sha256') ?? ''
  const parameter = query.get('X-Amz-Content-Sha256') ?? query.get('x-amz-content-sha256') ?? ''
  const value = kind === 'header' ? header : parameter || header || UNSIGNED_PAYLOAD
  if (value === '') {
    throw new S3Error('InvalidRequest', { message: 'Missing required header for this request: x-amz-content-sha256' })
  }
  requirePayloadHash(value)
  return value
}

/**
 * Whatever S3 acts on must have been signed: the host and every `x-amz-` header. Other headers may come unsigned. Whoever
 * signs a URL for SSE-C signs the algorithm; the key itself is added by whoever uses it (S3 user guide, "Presigned URLs
 * and SSE-C").
 */
function requireHeadersSigned({ headers, query }: AuthRequest, { kind, signedHeaders }: Claim): void {
  const unsigned: string[] = signedHeaders.includes('host') ? [] : ['host']
  const keyMayFollow = kind === 'presigned' && (signedHeaders.includes(ALGORITHM_OF_KEY) || query.has(ALGORITHM_OF_KEY))
  for (const name of headers.names()) {
    if (!name.startsWith('x-amz-') || signedHeaders.includes(name)) continue
    if (!(keyMayFollow && isCustomerSecret(name))) unsigned.push(name)
  }
  if (unsigned.length === 0) return
  throw new S3Error('AccessDenied', {
    message: 'There were headers present in the request which were not signed',
    extra: { HeadersNotSigned: unsigned.join(', ') },
  })
}

function verifySignature({ accessKey, amzDate, scope, signature }: Claim, key: Buffer, parts: CanonicalParts): void {
  const canonical = canonicalRequest(parts, collapseSpaces)
  const text = stringToSign(amzDate, scope.text, canonical)
  if (sameSignature(signatureOf(key, text), signature)) return
  // Clients disagree about spaces inside quotes. Both readings are of the same header, so either proves the sender.
  const quoted = canonicalRequest(parts, collapseSpacesOutsideQuotes)
  if (quoted !== canonical && sameSignature(signatureOf(key, stringToSign(amzDate, scope.text, quoted)), signature)) {
    return
  }
  throw signatureMismatch({ accessKey, signature, stringToSign: text, canonicalRequest: canonical })
}
