/** Reads the query parameters of a presigned URL (S3 API reference, "sigv4-query-string-auth"). Nothing is proved here. */
import { S3Error } from '../errors.ts'
import type { Query } from '../query.ts'
import { isoSeconds, parseAmzDate } from './amz-date.ts'
import { ALGORITHM } from './canonical-request.ts'
import { MAX_SKEW_MS } from './header-auth.ts'
import { type Claim, parseCredential, parseSignedHeaders, type Refuse } from './scope.ts'

/** The longest life of a presigned URL, in seconds: a week. */
export const MAX_EXPIRES_SECONDS = 604_800

const REQUIRED = [
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Signature',
  'X-Amz-Date',
  'X-Amz-SignedHeaders',
  'X-Amz-Expires',
] as const

/** Is the request meant to be presigned, however badly? `X-Amz-Date` alone does not make it so. */
export function isPresigned(query: Query): boolean {
  return REQUIRED.some((name) => name !== 'X-Amz-Date' && query.has(name))
}

/** What the URL claims. Throws `AuthorizationQueryParametersError`, or `AccessDenied` outside its life. */
export function readPresigned(query: Query, now: number): Claim {
  const value = requiredParameters(query)
  requireAlgorithm(value['X-Amz-Algorithm'])
  const named = parseCredential(value['X-Amz-Credential'], refuseCredential)
  const time = parseAmzDate(value['X-Amz-Date'])
  if (time === undefined) {
    throw parametersError(`X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`)
  }
  const signedHeaders = parseSignedHeaders(value['X-Amz-SignedHeaders'], parametersError)
  requireLife(value['X-Amz-Expires'], time, now)
  return {
    kind: 'presigned',
    ...named,
    signedHeaders,
    signature: value['X-Amz-Signature'],
    amzDate: value['X-Amz-Date'],
    refuse: refuseCredential,
  }
}

const parametersError: Refuse = (message, extra = {}) =>
  new S3Error('AuthorizationQueryParametersError', { message, extra })

const refuseCredential: Refuse = (detail, extra) =>
  parametersError(`Error parsing the X-Amz-Credential parameter; ${detail}`, extra)

type Parameters = Record<(typeof REQUIRED)[number], string>

/** Each of the six exactly once: a second one would leave it open which of them was signed. */
function requiredParameters(query: Query): Parameters {
  const found: Partial<Parameters> = {}
  for (const [name, value] of query.entries) {
    const known = REQUIRED.find((required) => required === name)
    if (known === undefined || value === '') continue
    if (found[known] !== undefined) throw parametersError(`${name} must be given once.`)
    found[known] = value
  }
  if (!isComplete(found)) {
    throw parametersError(
      'Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.',
    )
  }
  return found
}

const isComplete = (found: Partial<Parameters>): found is Parameters =>
  REQUIRED.every((name) => found[name] !== undefined)

function requireAlgorithm(algorithm: string): void {
  if (algorithm !== ALGORITHM) throw parametersError(`X-Amz-Algorithm only supports "${ALGORITHM}"`)
}

function requireLife(expires: string, time: number, now: number): void {
  if (!/^-?\d+$/.test(expires)) throw parametersError('X-Amz-Expires should be a number')
  const seconds = Number(expires)
  if (seconds < 0) throw parametersError('X-Amz-Expires must be non-negative')
  if (seconds > MAX_EXPIRES_SECONDS) {
    throw parametersError(
      `X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than ${MAX_EXPIRES_SECONDS} seconds`,
    )
  }
  const end = time + seconds * 1000
  const extra = { 'X-Amz-Expires': expires, Expires: isoSeconds(end), ServerTime: isoSeconds(now) }
  if (now >= end) throw new S3Error('AccessDenied', { message: 'Request has expired', extra })
  if (time - now > MAX_SKEW_MS) throw new S3Error('AccessDenied', { message: 'Request is not valid yet', extra })
}
