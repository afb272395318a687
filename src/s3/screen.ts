/** Headers and parameters that are not built are refused, never ignored (architecture: "Refused"). */
import { S3Error } from './errors.ts'
import { Headers } from './headers.ts'
import { OPERATIONS } from './operation.ts'
import type { OperationName } from './operation-name.ts'
import type { Query } from './query.ts'

export function withQueryHeaders(headers: Headers, query: Query): Headers {
  if (!query.has('X-Amz-Algorithm')) return headers
  const raw = headers.entries.flat()
  for (const [name, value] of query.entries) {
    const lower = name.toLowerCase()
    if (lower.startsWith('x-amz-') && !headers.has(lower)) raw.push(lower, value)
  }
  return new Headers(raw)
}

export function screenRequest(name: OperationName, headers: Headers, _query: Query, _options: { ownerId: string }): void {
  const row = OPERATIONS[name]
  const common = ['x-amz-date', 'x-amz-content-sha256', 'x-amz-user-agent', 'x-amz-request-payer', 'x-amz-security-token', 'x-amz-algorithm', 'x-amz-credential', 'x-amz-signedheaders', 'x-amz-signature', 'x-amz-expires']
  for (const header of headers.names()) {
    if (!header.startsWith('x-amz-') || header.startsWith('x-amz-meta-') || common.includes(header)) continue
    if (row.headers.includes(header)) continue
    throw new S3Error('NotImplemented', { message: `The header ${header} is not implemented for ${name}.` })
  }
}
