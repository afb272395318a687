/** Requests that bring a customer's key (SSE-C): over a connection that nobody reads, and never on to a store. */
import { isCustomerKeyHeader } from '../s3/encryption-headers.ts'
import { S3Error, unbuiltHeader } from '../s3/errors.ts'
import type { Headers } from '../s3/headers.ts'

export interface CustomerKeyRules {
  /** Nobody on the way can read the request: the connection speaks TLS, or something in front of the listener does. */
  readonly hidden: boolean
  /** The request goes on to a store as it is. */
  readonly forwarded: boolean
}

/** Throws `InvalidRequest` over plain HTTP, `NotImplemented` for a request that a store would see. */
export function screenCustomerKeys(headers: Headers, { hidden, forwarded }: CustomerKeyRules): void {
  if (hidden && !forwarded) return
  for (const name of headers.names()) {
    if (!isCustomerKeyHeader(name)) continue
    if (!hidden) {
      throw new S3Error('InvalidRequest', {
        message:
          'Requests specifying Server Side Encryption with Customer provided keys must be made over a secure connection.',
      })
    }
    throw unbuiltHeader(name)
  }
}
