/** GetBucketAcl and PutBucketAcl: kept and told; the gateway lets nobody in because of an ACL. */
import { decodeGrants, encodeGrants, type Grant, grantsOthers, isPublic, ownerOnly, renderAcl } from '../../s3/acl.ts'
import { S3Error } from '../../s3/errors.ts'
import { requestedGrants } from '../acl-request.ts'
import type { Gateway, Operation } from '../gateway.ts'
import { type ConfigurationKind, keepConfiguration, requireBucket } from './configuration.ts'
import { ACL_DOCUMENT, type Ownership, ownershipOf } from './ownership-controls.ts'
import { blocksPublicAcls } from './public-access-block.ts'

/** Kept as the few characters that `encodeGrants` makes. */
const BUCKET_ACL: Pick<ConfigurationKind, 'name' | 'waits'> = {
  name: ACL_DOCUMENT,
  // A group is written with its name.
  waits: (grants) => grants.includes('='),
}

export const getBucketAcl: Operation = async (gateway, { bucket }) => {
  await requireBucket(gateway, bucket)
  const kept = (await gateway.documents.read(bucket, ACL_DOCUMENT))?.toString()
  const grants = kept === undefined ? ownerOnly(gateway.owner) : decodeGrants(kept, gateway.owner)
  return { status: 200, body: renderAcl(grants, gateway.owner) }
}

export const putBucketAcl: Operation = async (gateway, request) => {
  const { bucket } = request
  await requireBucket(gateway, bucket)
  const grants = await requestedGrants(gateway, request, 'bucket')
  await checkGrants(gateway, bucket, grants)
  await keepBucketAcl(gateway, bucket, grants)
  return { status: 200 }
}

/** Throws `AccessControlListNotSupported` where the owner of the bucket owns everything, `AccessDenied` for a public ACL that the bucket blocks (B71). */
export async function checkGrants(gateway: Gateway, bucket: string, grants: readonly Grant[]): Promise<void> {
  if ((await ownershipOf(gateway, bucket)) === 'BucketOwnerEnforced') throw new S3Error('AccessControlListNotSupported')
  if (isPublic(grants) && (await blocksPublicAcls(gateway, bucket))) throw new S3Error('AccessDenied')
}

export const keepBucketAcl = (gateway: Gateway, bucket: string, grants: readonly Grant[]): Promise<void> =>
  keepConfiguration(gateway, bucket, BUCKET_ACL, encodeGrants(grants))

/** What a new bucket may be given: without ownership controls of its own it has no ACLs, and it blocks public ones. */
export function checkNewBucketAcl(grants: readonly Grant[] | undefined, ownership: Ownership | undefined): void {
  if (grants === undefined || !grantsOthers(grants)) return
  if (ownership === undefined || ownership === 'BucketOwnerEnforced') {
    throw new S3Error('InvalidBucketAclWithObjectOwnership')
  }
  if (isPublic(grants)) throw new S3Error('InvalidBucketAclWithBlockPublicAccessError')
}
