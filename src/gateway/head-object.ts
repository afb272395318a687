import { parseRange, requestedPart } from '../s3/range.ts'
import type { Operation } from './gateway.ts'
import { viewOf } from './read-view.ts'
import { headSealed } from './sealed-object.ts'

/** HeadObject: status, lengths and headers as GetObject would send them, without the body. */
export const headObject: Operation = async (gateway, request) => {
  const sealed = await headSealed(gateway, { bucket: request.bucket, key: request.key })
  const view = await viewOf(gateway, sealed, request, {
    part: requestedPart(request.headers, request.query),
    range: parseRange(request.headers.get('range')),
  })
  if (view.status === 304) return { status: 304, headers: view.headers }
  return { status: view.status, headers: { ...view.headers, 'content-length': String(view.length) } }
}
