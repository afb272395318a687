import { aliasOfKeyId } from '../../s3/encryption-headers.ts'
import { type BucketEncryption, parseBucketEncryption, renderBucketEncryption } from '../../s3/encryption-xml.ts'
import { S3Error } from '../../s3/errors.ts'
import type { Gateway } from '../gateway.ts'
import { type ConfigurationKind, deleteConfiguration, getConfiguration, putConfiguration } from './configuration.ts'
import { parsedOnce } from './parsed-once.ts'

/** What new objects of a bucket are encrypted with unless they say it themselves. Ours alone: a store never sees it. */
const ENCRYPTION: ConfigurationKind = {
  name: 'encryption',
  accept: (document, gateway) => {
    const encryption = parseBucketEncryption(document, gateway.limits.xmlBytes)
    if (encryption.keyId !== '') managerOf(gateway, encryption.keyId)
    return renderBucketEncryption(encryption)
  },
  absent: { error: 'ServerSideEncryptionConfigurationNotFoundError' },
}

export const getBucketEncryption = getConfiguration(ENCRYPTION)
export const putBucketEncryption = putConfiguration(ENCRYPTION)
export const deleteBucketEncryption = deleteConfiguration(ENCRYPTION)

/** The alias of the configured key manager that a key id names. Throws `KMS.NotFoundException`. */
export function managerOf({ keys }: Gateway, keyId: string): string {
  const alias = aliasOfKeyId(keyId)
  if (alias !== undefined && keys.knows(alias)) return alias
  throw new S3Error('KMS.NotFoundException', { message: `Invalid keyId '${keyId}'` })
}

/** The default of a bucket; `undefined` if there is none. */
export async function bucketEncryption(gateway: Gateway, bucket: string): Promise<BucketEncryption | undefined> {
  const document = await gateway.documents.read(bucket, ENCRYPTION.name)
  return document === undefined ? undefined : encryptionIn(document)
}

/** A document that is damaged stops writes: under another key than the bucket's owner chose nothing may be sealed. */
const encryptionIn = parsedOnce((document): BucketEncryption => parseBucketEncryption(document, document.length))
