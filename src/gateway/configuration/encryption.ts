import { aliasOfKeyId } from '../../s3/encryption-headers.ts'
import { type BucketEncryption, parseBucketEncryption, renderBucketEncryption } from '../../s3/encryption-xml.ts'
import { S3Error } from '../../s3/errors.ts'
import type { Gateway } from '../gateway.ts'
import { type ConfigurationKind, deleteConfiguration, getConfiguration, putConfiguration } from './configuration.ts'

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

/** Documents that were parsed, by their text: a write must not pay for XML. */
const parsed = new Map<string, BucketEncryption>()
const MAX_PARSED = 64

/** The default of a bucket; `undefined` if there is none. */
export async function bucketEncryption(gateway: Gateway, bucket: string): Promise<BucketEncryption | undefined> {
  const document = await gateway.documents.read(bucket, ENCRYPTION.name)
  if (document === undefined) return undefined
  const text = document.toString('latin1')
  const known = parsed.get(text)
  if (known !== undefined) return known
  const encryption = readBack(document)
  if (parsed.size >= MAX_PARSED) parsed.clear()
  parsed.set(text, encryption)
  return encryption
}

/** A document that is damaged stops writes: under another key than the bucket's owner chose nothing may be sealed. */
function readBack(document: Buffer): BucketEncryption {
  try {
    return parseBucketEncryption(document, document.length)
  } catch (cause) {
    throw new S3Error('InternalError', { cause })
  }
}
