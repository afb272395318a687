// What the tests of authentication share: AWS's example credentials, and requests signed with them.
import { type AuthContext, type Authenticated, authenticate } from '../../../src/s3/auth/authenticate.ts'
import { EMPTY_SHA256 } from '../../../src/s3/auth/canonical-request.ts'
import { presignUrl, type RequestSigning, signRequest, type UrlSigning } from '../../../src/s3/auth/sign.ts'
import { S3Error } from '../../../src/s3/errors.ts'
import { Headers } from '../../../src/s3/headers.ts'
import { Query } from '../../../src/s3/query.ts'

export const ACCESS_KEY = 'AKIAIOSFODNN7EXAMPLE'
export const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
export const NOW = new Date('2013-05-24T00:00:00Z')
export const CREDENTIALS = { accessKey: ACCESS_KEY, secret: SECRET }

export interface Wire {
  method: string
  url: string
  headers: Record<string, string>
}

/** A signed GET, changed as a test likes before or after signing. */
export function signed(change: Partial<RequestSigning> = {}): Wire {
  const signing: RequestSigning = {
    method: 'GET',
    url: 'http://gate.example:9000/bucket/key',
    headers: {},
    credentials: CREDENTIALS,
    region: 'us-east-1',
    now: NOW,
    payloadHash: EMPTY_SHA256,
    ...change,
  }
  return { method: signing.method, url: signing.url, headers: signRequest(signing) }
}

export function presigned(change: Partial<UrlSigning> = {}): Wire {
  const signing: UrlSigning = {
    method: 'GET',
    url: 'http://gate.example:9000/bucket/key',
    credentials: CREDENTIALS,
    region: 'us-east-1',
    now: NOW,
    expiresSeconds: 3600,
    ...change,
  }
  return {
    method: signing.method,
    url: presignUrl(signing),
    headers: { host: 'gate.example:9000', ...signing.headers },
  }
}

/** Authenticates what would have come over the wire. */
export function receive(wire: Wire, change: Partial<AuthContext> = {}): Authenticated {
  const origin = /^https?:\/\/[^/]+/.exec(wire.url)?.[0] ?? ''
  const [rawPath = '', ...query] = wire.url.slice(origin.length).split('?')
  return authenticate(
    {
      method: wire.method,
      rawPath,
      query: new Query(query.join('?')),
      headers: new Headers(Object.entries(wire.headers).flat()),
    },
    {
      now: NOW,
      region: undefined,
      lookup: (accessKey) => (accessKey === ACCESS_KEY ? { secret: SECRET } : undefined),
      ...change,
    },
  )
}

/** The S3 error a function throws. */
export function refusal(run: () => unknown): S3Error {
  try {
    run()
  } catch (error) {
    if (error instanceof S3Error) return error
    throw error
  }
  throw new Error('Nothing was refused')
}

/** The parts of an error that a client sees. */
export function answer(run: () => unknown): { status: number; code: string; extra: Readonly<Record<string, string>> } {
  const { status, code, extra } = refusal(run)
  return { status, code, extra }
}

/** The clock some seconds after signing. */
export const at = (seconds: number): { now: Date } => ({ now: new Date(NOW.getTime() + seconds * 1000) })

/** A copy with some headers set or, with `undefined`, taken away. */
export function withHeaders(wire: Wire, change: Record<string, string | undefined>): Wire {
  const entries = Object.entries({ ...wire.headers, ...change })
  return { ...wire, headers: Object.fromEntries(entries.filter((e): e is [string, string] => e[1] !== undefined)) }
}

export const withAuthorization = (wire: Wire, from: string | RegExp, to: string): Wire =>
  withHeaders(wire, { authorization: wire.headers['authorization']?.replace(from, to) })

export const withUrl = (wire: Wire, from: string | RegExp, to: string): Wire => ({
  ...wire,
  url: wire.url.replace(from, to),
})

export const code = (wire: Wire, change: Partial<AuthContext> = {}): string => refusal(() => receive(wire, change)).code
export const message = (wire: Wire, change: Partial<AuthContext> = {}): string =>
  refusal(() => receive(wire, change)).message
