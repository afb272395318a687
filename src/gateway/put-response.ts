import { checksumHeaders } from '../s3/checksum-headers.ts'
import { S3Error } from '../s3/errors.ts'
import { quoteEtag } from '../s3/etag.ts'
import { md5Etag } from './etag.ts'
import type { OperationResponse } from './gateway.ts'
import type { VerifiedPlaintext } from './plaintext-verifier.ts'

/** What PutObject and UploadPart say about the bytes they took. */
export function putResponse(verified: VerifiedPlaintext): OperationResponse {
  const { md5, checksum } = verified
  return {
    status: 200,
    headers: {
      etag: quoteEtag(md5Etag(md5, 0)),
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
