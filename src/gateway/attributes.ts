import type { Attributes } from '../backends/object-store.ts'
import { nativeHeaders } from '../s3/native-headers.ts'
import type { OperationName } from '../s3/operation-name.ts'
import type { Gateway, OperationRequest } from './gateway.ts'

/** What a request says about versions, locks, tags and the like, for a store that has them. */
export function attributesFor(
  gateway: Gateway,
  operation: OperationName,
  { headers }: OperationRequest,
): { readonly attributes?: Attributes } {
  if (!gateway.store.capabilities.versions) return {}
  return { attributes: nativeHeaders(operation, headers) }
}
