/** The ACL that a request of PutBucketAcl or PutObjectAcl carries: in headers or in a document, never in both. */
import { type Grant, hasAclHeaders, parseAclDocument, parseAclHeaders } from '../s3/acl.ts'
import { S3Error } from '../s3/errors.ts'
import type { Gateway, OperationRequest } from './gateway.ts'
import { readDocument } from './request-document.ts'

/** Throws `UnexpectedContent` for both, `MissingSecurityHeader` for neither, and what a bad ACL throws. */
export async function requestedGrants(
  gateway: Gateway,
  request: OperationRequest,
  of: 'bucket' | 'object',
): Promise<readonly Grant[]> {
  const { owner, limits } = gateway
  const document = await readDocument(request, limits.xmlBytes)
  if (!hasAclHeaders(request.headers)) {
    if (document.length === 0) throw new S3Error('MissingSecurityHeader', { extra: { MissingHeaderName: 'x-amz-acl' } })
    return parseAclDocument(document, limits.xmlBytes, owner)
  }
  if (document.length > 0) throw new S3Error('UnexpectedContent')
  return parseAclHeaders(request.headers, owner, of) ?? []
}
