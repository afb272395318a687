import { checksumHeaders } from '../s3/checksum-headers.ts'
import { S3Error } from '../s3/errors.ts'
import { quoteEtag } from '../s3/etag.ts'
import type { Attributes } from '../backends/object-store.ts'
import type { OperationResponse } from './gateway.ts'
import type { VerifiedPlaintext } from './plaintext-verifier.ts'

/** What PutObject says about the bytes it took, and of how they are encrypted. `etag` is the client's. */
export function putResponse(
  encryption: Readonly<Record<string, string>>,
  etag: string,
  { checksum }: VerifiedPlaintext,
  attributes: Attributes = {},
): OperationResponse {
  return {
    status: 200,
    headers: {
      ...encryption,
      ...attributes,
      etag: quoteEtag(etag),
      ...(checksum === undefined
        ? {}
        : checksumHeaders({ name: checksum.name, type: 'FULL_OBJECT', value: checksum.value })),
    },
  }
}

/** `EntityTooLarge` with both sizes. */
export function tooLarge(proposed: number, limit: number): S3Error {
  return new S3Error('EntityTooLarge', {
    message: `Your proposed upload exceeds the maximum allowed object size of ${limit} bytes.`,
    extra: { ProposedSize: String(proposed), MaxSizeAllowed: String(limit) },
  })
}
