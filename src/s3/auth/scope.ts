/** The credential of a signature: `<access key>/<date>/<region>/<service>/aws4_request`. */
import type { S3Error } from '../errors.ts'
import { parseAmzDate } from './amz-date.ts'

/** The last part of every credential scope. */
export const TERMINATOR = 'aws4_request'

/** Where and when a signature is good. */
export interface Scope {
  /** `YYYYMMDD`. */
  readonly date: string
  readonly region: string
  readonly service: string
  /** `date/region/service/aws4_request`, as it is signed. */
  readonly text: string
}

/** What a request claims about itself, before anything of it has been proved. */
export interface Claim {
  readonly kind: 'header' | 'presigned'
  readonly accessKey: string
  readonly scope: Scope
  /** Lower-case names as listed by the client. */
  readonly signedHeaders: readonly string[]
  readonly signature: string
  /** Time of signing, `YYYYMMDDTHHMMSSZ`. */
  readonly amzDate: string
  /** Makes the error of this kind of authentication for a fault in the credential. */
  readonly refuse: Refuse
}

export type Refuse = (detail: string, extra?: Readonly<Record<string, string>>) => S3Error

/** A scope for signing. */
export function scopeOf(date: string, region: string, service: string): Scope {
  return { date, region, service, text: `${date}/${region}/${service}/${TERMINATOR}` }
}

/** Parses a credential; throws what `refuse` makes if it is not one for S3. */
export function parseCredential(text: string, refuse: Refuse): { accessKey: string; scope: Scope } {
  const [accessKey = '', date = '', region = '', service = '', terminator = '', ...rest] = text.split('/')
  if (terminator === '' || rest.length > 0 || accessKey === '' || region === '') {
    throw refuse('the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".')
  }
  if (service !== 's3') throw refuse(`incorrect service "${service}". This endpoint belongs to "s3".`)
  if (terminator !== TERMINATOR) {
    throw refuse(`incorrect terminal "${terminator}". This endpoint uses "${TERMINATOR}".`)
  }
  if (parseAmzDate(`${date}T000000Z`) === undefined) {
    throw refuse(`incorrect date format "${date}". This date in the credential must be in the format "yyyyMMdd".`)
  }
  return { accessKey, scope: scopeOf(date, region, service) }
}

/** Parses a `SignedHeaders` list; throws what `refuse` makes if it is empty or has holes. */
export function parseSignedHeaders(text: string, refuse: Refuse): string[] {
  const names = text.toLowerCase().split(';')
  if (names.includes('') || new Set(names).size !== names.length) {
    throw refuse('SignedHeaders must be a list of distinct header names separated by semicolons.')
  }
  return names
}
