/** GetObjectLockConfiguration and PutObjectLockConfiguration: whether versions may be locked, and how new ones are (B100). */
import { acceptObjectLock, type DefaultRetention, renderObjectLock } from '../../s3/configuration/object-lock.ts'
import { S3Error } from '../../s3/errors.ts'
import { parseXml } from '../../s3/xml.ts'
import type { Gateway, Operation } from '../gateway.ts'
import { readDocument } from '../request-document.ts'
import { requireBucket } from './configuration.ts'
import { parsedOnce } from './parsed-once.ts'

/** Names it among the documents of a bucket; never change it. */
const OBJECT_LOCK = 'object-lock'

const retentionIn = parsedOnce((document) => acceptObjectLock(parseXml(document, document.length)))

/** What new versions of a bucket are locked with; `undefined` if nothing is asked for. */
export async function defaultRetention({ documents }: Gateway, bucket: string): Promise<DefaultRetention | undefined> {
  const document = await documents.read(bucket, OBJECT_LOCK)
  return document === undefined ? undefined : retentionIn(document)
}

export const getObjectLockConfiguration: Operation = async (gateway, { bucket }) => {
  const found = await requireBucket(gateway, bucket)
  if (found.objectLock === undefined) {
    throw new S3Error('ObjectLockConfigurationNotFoundError', { extra: { BucketName: bucket } })
  }
  const document = await gateway.documents.read(bucket, OBJECT_LOCK)
  return { status: 200, body: document?.toString('utf8') ?? renderObjectLock(undefined) }
}

/** A bucket that keeps versions can be given Object Lock; it never loses it again. */
export const putObjectLockConfiguration: Operation = async (gateway, request) => {
  const { store, documents, limits } = gateway
  const { bucket } = request
  const found = await requireBucket(gateway, bucket)
  const root = parseXml(await readDocument(request, limits.xmlBytes), limits.xmlBytes)
  const retention = acceptObjectLock(root)
  if (found.versioning !== 'Enabled') {
    throw new S3Error('InvalidBucketState', {
      message: "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
    })
  }
  if (store.updateBucket === undefined) throw new S3Error('NotImplemented')
  if (found.objectLock === undefined) await store.updateBucket(bucket, { objectLock: true })
  await documents.write(bucket, OBJECT_LOCK, Buffer.from(renderObjectLock(retention)))
  return { status: 200 }
}
