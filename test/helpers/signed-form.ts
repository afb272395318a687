/** Upload forms, signed as S3's documentation has it and sent over node:http. */
import { signatureOf, signingKey } from '../../src/s3/auth/signing-key.ts'
import { formatAmzDate } from '../../src/s3/auth/amz-date.ts'
import { ACCESS_KEY, SECRET_KEY, type TestGateway } from './gateway.ts'
import { request } from 'node:http'
import type { SignedAnswer } from './signed-request.ts'

export const BOUNDARY = 'form-boundary-7MA4YWxkTrZu0gW'

export type Fields = readonly (readonly [string, string])[]

export interface FormSigning {
  readonly bucket: string
  /** Conditions beside those of bucket and signature. */
  readonly conditions: readonly unknown[]
  readonly now?: number
  readonly accessKey?: string
  readonly secret?: string
  readonly region?: string
  /** In place of the policy that the rest would make. */
  readonly policy?: unknown
}

/** The fields of a signature, in the order of S3's own examples. */
export function signForm(signing: FormSigning): Fields {
  const { bucket, conditions, accessKey = ACCESS_KEY, secret = SECRET_KEY, region = 'us-east-1' } = signing
  const now = signing.now ?? Date.now()
  const date = formatAmzDate(now)
  const day = date.slice(0, 8)
  const fields: [string, string][] = [
    ['x-amz-algorithm', 'AWS4-HMAC-SHA256'],
    ['x-amz-credential', `${accessKey}/${day}/${region}/s3/aws4_request`],
    ['x-amz-date', date],
  ]
  const document = signing.policy ?? {
    expiration: new Date(now + 60_000).toISOString(),
    conditions: [{ bucket }, ...fields.map(([name, value]) => ({ [name]: value })), ...conditions],
  }
  const text = typeof document === 'string' ? document : JSON.stringify(document)
  const policy = Buffer.from(text).toString('base64')
  return [
    ...fields,
    ['policy', policy],
    ['x-amz-signature', signatureOf(signingKey(secret, day, region, 's3'), policy)],
  ]
}

/** The body of a form: its fields, then the file. */
export function formBody(
  fields: Fields,
  file: Buffer | string | undefined,
  filename = 'file.bin',
  after: Fields = [],
): Buffer {
  const part = (name: string, value: Buffer | string, more = ''): Buffer =>
    Buffer.concat([
      Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n`),
      Buffer.from(value),
      Buffer.from('\r\n'),
    ])
  return Buffer.concat([
    ...fields.map(([name, value]) => part(name, value)),
    ...(file === undefined ? [] : [part('file', file, `; filename="${filename}"`)]),
    ...after.map(([name, value]) => part(name, value)),
    Buffer.from(`--${BOUNDARY}--\r\n`),
  ])
}

export interface FormPost {
  readonly path: string
  readonly body: Buffer
  readonly headers?: Readonly<Record<string, string>>
  /** Write the body in pieces of so many bytes. */
  readonly pieces?: number
}

export function post(running: TestGateway, { path, body, headers = {}, pieces }: FormPost): Promise<SignedAnswer> {
  return new Promise((resolve, reject) => {
    const chunked = headers['transfer-encoding'] === undefined ? { 'content-length': String(body.length) } : {}
    const all = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}`, ...chunked, ...headers }
    const { host, port } = running
    const req = request({ host, port, method: 'POST', path, headers: all, agent: false }, (res) => {
      const got: Buffer[] = []
      const done = (torn: boolean) => (): void =>
        resolve({ status: res.statusCode ?? 0, headers: res.headers, bytes: Buffer.concat(got), torn })
      res
        .on('data', (piece: Buffer) => got.push(piece))
        .on('end', done(false))
        .on('error', done(true))
    })
    req.on('error', reject)
    if (pieces === undefined) {
      req.end(body)
      return
    }
    req.setNoDelay(true)
    for (let at = 0; at < body.length; at += pieces) req.write(body.subarray(at, at + pieces))
    req.end()
  })
}
