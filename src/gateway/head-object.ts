import { parseCustomerKey } from '../s3/encryption-headers.ts'
import { parseRange, requestedPart } from '../s3/range.ts'
import type { Gateway, Operation, OperationRequest, OperationResponse } from './gateway.ts'
import { placeOf } from './get-object.ts'
import { viewOf } from './read-view.ts'
import { headStored, rereading } from './sealed-object.ts'

/** HeadObject: status, lengths and headers as GetObject would send them, without the body. */
export const headObject: Operation = (gateway, request) => rereading(() => describe(gateway, request))

async function describe(gateway: Gateway, request: OperationRequest): Promise<OperationResponse> {
  const sealed = await headStored(gateway, placeOf(gateway, request), parseCustomerKey(request.headers))
  const view = await viewOf(gateway, sealed, request, {
    part: requestedPart(request.headers, request.query),
    range: parseRange(request.headers.get('range')),
  })
  if (view.status === 304) return { status: 304, headers: view.headers }
  return { status: view.status, headers: { ...view.headers, 'content-length': String(view.length) } }
}
