/** A request in parts that can be changed one by one, and signed again afterwards. */
import { ALGORITHM, canonicalRequest, stringToSign } from '../../../src/s3/auth/canonical-request.ts'
import { scopeOf } from '../../../src/s3/auth/scope.ts'
import { signatureOf, signingKey } from '../../../src/s3/auth/signing-key.ts'
import { Headers } from '../../../src/s3/headers.ts'
import { ACCESS_KEY, SECRET_KEY } from '../../helpers/gateway.ts'

export interface WireRequest {
  readonly method: string
  readonly url: string
  /** `Name: value`, in order. */
  readonly lines: readonly string[]
  readonly body: Buffer
}

export function parseWire(bytes: Buffer): WireRequest {
  const end = bytes.indexOf('\r\n\r\n')
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const [method = '', url = ''] = first.split(' ')
  return { method, url, lines, body: bytes.subarray(end + 4) }
}

export function formatWire({ method, url, lines, body }: WireRequest): Buffer {
  return Buffer.concat([Buffer.from(`${[`${method} ${url} HTTP/1.1`, ...lines].join('\r\n')}\r\n\r\n`, 'latin1'), body])
}

/** Signed over all that it is now; whatever signature it had is gone. The body counts as unsigned unless it is in chunks. */
export function resigned(request: WireRequest, amzDate: string): WireRequest {
  const kept = request.lines.filter((line) => !/^(?:authorization|x-amz-date|host)\s*:/i.test(line))
  const claimed = /^x-amz-content-sha256:\s*(.*?)\s*$/i
  const unsigned = (line: string): string =>
    /^[0-9a-f]{64}$/.test(claimed.exec(line)?.[1] ?? '') ? 'x-amz-content-sha256: UNSIGNED-PAYLOAD' : line
  const lines = [`host: gate.example`, `x-amz-date: ${amzDate}`, ...kept.map(unsigned)]
  if (!lines.some((line) => claimed.test(line))) lines.push('x-amz-content-sha256: UNSIGNED-PAYLOAD')
  const mark = `${request.url}?`.indexOf('?')
  const [path, query] = [request.url.slice(0, mark), request.url.slice(mark + 1)]
  const rawQuery = query
    .replaceAll(/(?:^|&)X-Amz-(?:Algorithm|Credential|Date|Expires|SignedHeaders|Signature)=[^&]*/g, '')
    .replace(/^&/, '')
  const headers = new Headers(
    lines.flatMap((line) => [line.slice(0, Math.max(0, line.indexOf(':'))), line.slice(line.indexOf(':') + 1).trim()]),
  )
  const signedHeaders = [...headers.names()].filter((name) => name === 'host' || name.startsWith('x-amz-')).sort()
  const payloadHash = headers.get('x-amz-content-sha256') ?? ''
  const scope = scopeOf(amzDate.slice(0, 8), 'us-east-1', 's3')
  const text = stringToSign(
    amzDate,
    scope.text,
    canonicalRequest({ method: request.method, rawPath: path, rawQuery, headers, signedHeaders, payloadHash }),
  )
  const signature = signatureOf(signingKey(SECRET_KEY, scope.date, scope.region, scope.service), text)
  const authorization = `${ALGORITHM} Credential=${ACCESS_KEY}/${scope.text}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`
  return {
    ...request,
    url: rawQuery === '' ? path : `${path}?${rawQuery}`,
    lines: [...lines, `authorization: ${authorization}`],
  }
}

/** Content-Length as long as the body is. */
export const withLength = (request: WireRequest): WireRequest => ({
  ...request,
  lines: request.lines.map((line) =>
    /^content-length:/i.test(line) ? `content-length: ${request.body.length}` : line,
  ),
})
