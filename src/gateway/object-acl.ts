/** GetObjectAcl and PutObjectAcl, where the store does not speak S3: kept and told; the gateway lets nobody in because of an ACL (B71). */
import { decodeGrants, encodeGrants, ownerOnly, renderAcl } from '../s3/acl.ts'
import { requestedGrants } from './acl-request.ts'
import { checkGrants } from './configuration/bucket-acl.ts'
import { requireBucket } from './configuration/configuration.ts'
import { ownershipOf } from './configuration/ownership-controls.ts'
import type { Operation } from './gateway.ts'
import { readBeside, setBeside } from './kept-beside.ts'
import { ACL, isOwnerOnly } from './object-acl-headers.ts'

/** Where the owner of the bucket owns everything, older ACLs count for nothing and are not told either. */
export const getObjectAcl: Operation = async (gateway, request) => {
  const { owner } = gateway
  const { attributes, headers } = await readBeside(gateway, request)
  const kept = attributes[ACL]
  const enforced = kept !== undefined && (await ownershipOf(gateway, request.bucket)) === 'BucketOwnerEnforced'
  const grants = kept === undefined || enforced ? ownerOnly(owner) : decodeGrants(kept, owner)
  return { status: 200, headers, body: renderAcl(grants, owner) }
}

export const putObjectAcl: Operation = async (gateway, request) => {
  await requireBucket(gateway, request.bucket)
  const grants = await requestedGrants(gateway, request, 'object')
  await checkGrants(gateway, request.bucket, grants)
  const kept = isOwnerOnly(gateway, grants) ? undefined : encodeGrants(grants)
  return { status: 200, headers: await setBeside(gateway, request, ACL, kept) }
}
