/** Reads the `Authorization` header (S3 API reference, "sigv4-auth-using-authorization-header"). Nothing is proved here. */
import { invalidArgument, S3Error } from '../errors.ts'
import type { Headers } from '../headers.ts'
import { formatAmzDate, isoSeconds, parseAmzDate, parseHttpDate } from './amz-date.ts'
import { ALGORITHM } from './canonical-request.ts'
import { type Claim, parseCredential, parseSignedHeaders, type Refuse } from './scope.ts'

/** How far the clocks of client and gateway may differ, in milliseconds. */
export const MAX_SKEW_MS = 15 * 60 * 1000

/** What the header claims. Throws the errors of a bad header, a missing date and a clock that is off. */
export function readHeaderAuth(headers: Headers, now: number): Claim {
  const { credential, signedHeaders, signature } = parseAuthorization(headers.get('authorization') ?? '')
  const named = parseCredential(credential, refuse)
  const names = parseSignedHeaders(signedHeaders, refuse)
  const time = requestTime(headers)
  if (Math.abs(now - time) > MAX_SKEW_MS) {
    throw new S3Error('RequestTimeTooSkewed', {
      extra: {
        RequestTime: headers.get('x-amz-date') ?? headers.get('date') ?? '',
        ServerTime: isoSeconds(now),
        MaxAllowedSkewMilliseconds: String(MAX_SKEW_MS),
      },
    })
  }
  return { kind: 'header', ...named, signedHeaders: names, signature, amzDate: formatAmzDate(time), refuse }
}

const refuse: Refuse = (detail, extra = {}) =>
  new S3Error('AuthorizationHeaderMalformed', {
    message: `The authorization header is malformed; ${detail}`,
    extra,
  })

/** `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`, the spaces after the commas optional. */
function parseAuthorization(value: string): { credential: string; signedHeaders: string; signature: string } {
  const space = value.indexOf(' ')
  const scheme = space < 0 ? value : value.slice(0, space)
  if (scheme !== ALGORITHM) throw unsupportedScheme(scheme, value)
  const components = (space < 0 ? '' : value.slice(space + 1)).split(',').map((component) => component.trim())
  if (components.length !== COMPONENTS.length) {
    throw refuse('the authorization header requires three components: Credential, SignedHeaders, and Signature.')
  }
  const [credential = '', signedHeaders = '', signature = ''] = COMPONENTS.map((name) => {
    const found = components.find((component) => component.startsWith(`${name}=`))?.slice(name.length + 1)
    if (found === undefined || found === '') throw refuse(`missing ${name}.`)
    return found
  })
  return { credential, signedHeaders, signature }
}

const COMPONENTS = ['Credential', 'SignedHeaders', 'Signature']

function unsupportedScheme(scheme: string, value: string): S3Error {
  if (scheme === 'AWS') return signatureVersion2()
  if (scheme.startsWith('AWS4-ECDSA-')) {
    return new S3Error('NotImplemented', {
      message: 'Signature Version 4A is not implemented. Please use AWS4-HMAC-SHA256.',
      extra: { Header: 'Authorization' },
    })
  }
  return invalidArgument('Unsupported Authorization Type', 'Authorization', value)
}

/** The answer to Signature Version 2 in any form. */
export function signatureVersion2(): S3Error {
  return new S3Error('InvalidRequest', {
    message: 'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
  })
}

/** `x-amz-date`, or `Date` where that is absent, in either of the two forms. */
function requestTime(headers: Headers): number {
  const text = headers.get('x-amz-date') ?? headers.get('date') ?? ''
  const time = parseAmzDate(text) ?? parseHttpDate(text)
  if (time !== undefined) return time
  throw new S3Error('AccessDenied', { message: 'AWS authentication requires a valid Date or x-amz-date header' })
}
