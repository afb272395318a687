/** The ACL that a new object is given in headers. */
import type { Attributes } from '../backends/object-store.ts'
import { encodeGrants, type Grant, ownerOnly, parseAclHeaders } from '../s3/acl.ts'
import { checkGrants } from './configuration/bucket-acl.ts'
import type { Gateway, OperationRequest } from './gateway.ts'

/** The name under which a version's ACL is kept, as `encodeGrants` writes it. Without it the owner has all rights and nobody else any. */
export const ACL = 'x-amz-acl'

/**
 * The attribute to keep, if the headers grant anything that is not the case anyway. What gives all to the owner alone is accepted
 * everywhere, `private` too: S3 refuses that without ACLs to other accounts only, and there is but one. Throws
 * `AccessControlListNotSupported`, `AccessDenied` and what bad headers throw (B71).
 */
export async function aclAttribute(
  gateway: Gateway,
  { bucket, headers }: Pick<OperationRequest, 'bucket' | 'headers'>,
): Promise<Attributes> {
  const grants = parseAclHeaders(headers, gateway.owner, 'object')
  if (grants === undefined || isOwnerOnly(gateway, grants)) return {}
  await checkGrants(gateway, bucket, grants)
  return { [ACL]: encodeGrants(grants) }
}

export const isOwnerOnly = ({ owner }: Gateway, grants: readonly Grant[]): boolean =>
  encodeGrants(grants) === encodeGrants(ownerOnly(owner))
