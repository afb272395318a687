/** Versioning of a bucket, where its store keeps versions without speaking S3. */
import type { VersioningStatus } from '../../backends/object-store.ts'
import { admitRoot, group, oneOf, optional } from '../../s3/configuration/schema.ts'
import { S3Error } from '../../s3/errors.ts'
import { childText, el, parseXml, xmlDocument } from '../../s3/xml.ts'
import type { Gateway, Operation } from '../gateway.ts'
import { readDocument } from '../request-document.ts'
import { isReplicated } from './replication.ts'

const ROOT = 'VersioningConfiguration'
const STATUSES = ['Enabled', 'Suspended'] as const
const SHAPE = group({
  Status: optional(oneOf(...STATUSES)),
  MfaDelete: optional(oneOf('Enabled', 'Disabled')),
})

const withoutVersions = (): S3Error =>
  new S3Error('NotImplemented', { message: 'The store behind this endpoint has no object versions.' })

/** GetBucketVersioning: an empty document where versions were never switched on (B99). */
export const getBucketVersioning: Operation = async ({ store }, { bucket }) => {
  const found = await store.headBucket(bucket)
  if (found === undefined) throw new S3Error('NoSuchBucket')
  return { status: 200, body: xmlDocument(ROOT, el('Status', found.versioning)) }
}

/** PutBucketVersioning: Enabled or Suspended; MFA delete is not offered. Throws `InvalidBucketState` where Object Lock is on (B100), or where a suspension would end what replication needs. */
export const putBucketVersioning: Operation = async (gateway, request) => {
  const { store } = gateway
  if ((await store.headBucket(request.bucket)) === undefined) throw new S3Error('NoSuchBucket')
  const versioning = statusOf(await readDocument(request, gateway.limits.xmlBytes), gateway)
  if (store.updateBucket === undefined) throw withoutVersions()
  if (versioning === 'Suspended' && (await isReplicated(gateway, request.bucket))) {
    throw new S3Error('InvalidBucketState', {
      message: 'A replication configuration is present on this bucket, so the versioning state cannot be changed.',
    })
  }
  await store.updateBucket(request.bucket, { versioning })
  return { status: 200 }
}

function statusOf(document: Buffer, { limits }: Gateway): VersioningStatus {
  const root = admitRoot(parseXml(document, limits.xmlBytes), ROOT, SHAPE)
  if (childText(root, 'MfaDelete') === 'Enabled') {
    throw new S3Error('NotImplemented', {
      message: 'Deletions that need a second factor (MFA delete) are not offered.',
    })
  }
  const status = STATUSES.find((known) => known === childText(root, 'Status'))
  if (status === undefined) throw new S3Error('IllegalVersioningConfigurationException')
  return status
}
