/** One signed request over node:http, with whatever the server did to the connection. */
import { type IncomingHttpHeaders, request } from 'node:http'
import { signRequest } from '../../src/s3/auth/sign.ts'
import { ACCESS_KEY, SECRET_KEY, type TestGateway } from './gateway.ts'

export interface SignedCall {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
  /** `x-amz-content-sha256`. */
  readonly payloadHash?: string
  readonly credentials?: { readonly accessKey: string; readonly secret: string }
  /** Send this many bytes of the body, then drop the connection. */
  readonly cutAfter?: number
}

export interface SignedAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly bytes: Buffer
  /** The connection was destroyed before the body was complete. */
  readonly torn: boolean
}

/** Headers of a signed call; what is sent beside them is unsigned. */
export function signedHeaders(running: TestGateway, call: SignedCall): Record<string, string> {
  return signRequest({
    method: call.method,
    url: `${running.endpoint}${call.path}`,
    headers: {
      ...(call.body === undefined || call.headers?.['transfer-encoding'] !== undefined
        ? {}
        : { 'content-length': String(call.body.length) }),
      ...call.headers,
    },
    credentials: call.credentials ?? { accessKey: ACCESS_KEY, secret: SECRET_KEY },
    region: 'us-east-1',
    now: new Date(running.gateway.clock()),
    payloadHash: call.payloadHash ?? 'UNSIGNED-PAYLOAD',
  })
}

export function send(running: TestGateway, call: SignedCall): Promise<SignedAnswer> {
  const { method, path, body, cutAfter } = call
  return new Promise((resolve, reject) => {
    const req = request(
      { host: running.host, port: running.port, method, path, headers: signedHeaders(running, call), agent: false },
      (res) => {
        const pieces: Buffer[] = []
        const done = (torn: boolean) => (): void =>
          resolve({ status: res.statusCode ?? 0, headers: res.headers, bytes: Buffer.concat(pieces), torn })
        res.on('data', (piece: Buffer) => pieces.push(piece))
        res.on('end', done(false)).on('error', done(true)).on('aborted', done(true))
      },
    )
    req.on('error', reject)
    if (cutAfter === undefined) {
      req.end(body)
      return
    }
    req.write(body?.subarray(0, cutAfter), () => setTimeout(() => req.destroy(), 50))
  })
}

/** The `<Code>` of an error document. */
export function codeOf({ bytes }: SignedAnswer): string | undefined {
  return /<Code>(\w+)<\/Code>/.exec(bytes.toString())?.[1]
}
