/** The default encryption of a bucket (S3 API reference, "ServerSideEncryptionConfiguration"). */
import { ENCRYPTION_MODES, type EncryptionMode, isKms } from './encryption-headers.ts'
import { S3Error } from './errors.ts'
import { childrenNamed, el, group, parseXml, type XmlElement, xmlDocument } from './xml.ts'

export interface BucketEncryption {
  readonly mode: EncryptionMode
  /** Empty if none was named. */
  readonly keyId: string
  readonly bucketKey: boolean
  /** New objects under a customer's key are refused. `undefined`: nothing was said. */
  readonly blocksCustomerKeys: boolean | undefined
}

/** Throws `MalformedXML`, and `InvalidArgument` for a key beside AES256. */
export const parseBucketEncryption = (document: Buffer, maxBytes: number): BucketEncryption => {
  const root = parseXml(document, maxBytes)
  if (root.name !== 'ServerSideEncryptionConfiguration') throw malformed()
  const rule = only(root, 'Rule')
  if (rule === undefined) throw malformed()
  const blocked = only(rule, 'BlockedEncryptionTypes')
  const byDefault = only(rule, 'ApplyServerSideEncryptionByDefault')
  if (blocked === undefined && byDefault === undefined) throw malformed()
  const { mode, keyId } = byDefault === undefined ? { mode: 'AES256' as const, keyId: '' } : parseDefault(byDefault)
  return {
    mode,
    keyId,
    bucketKey: parseBoolean(only(rule, 'BucketKeyEnabled')?.text),
    blocksCustomerKeys: blocked === undefined ? undefined : parseBlocked(blocked),
  }
}

const parseDefault = (element: XmlElement): Pick<BucketEncryption, 'mode' | 'keyId'> => {
  const algorithm = only(element, 'SSEAlgorithm')?.text
  const mode = ENCRYPTION_MODES.find((known) => known === algorithm)
  if (mode === undefined) throw malformed()
  const keyId = only(element, 'KMSMasterKeyID')?.text ?? ''
  if (keyId !== '' && !isKms(mode)) {
    throw new S3Error('InvalidArgument', {
      message: 'a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse',
      extra: { ArgumentName: 'ApplyServerSideEncryptionByDefault' },
    })
  }
  return { mode, keyId }
}

const parseBlocked = (element: XmlElement): boolean => {
  const types = childrenNamed(element, 'EncryptionType').map(({ text }) => text)
  if (types.length === 0 || types.some((type) => type !== 'NONE' && type !== 'SSE-C')) throw malformed()
  if (types.includes('NONE') && types.includes('SSE-C')) throw malformed()
  return types.includes('SSE-C')
}

const parseBoolean = (text: string | undefined): boolean => {
  if (text === undefined || text === 'false') return false
  if (text === 'true') return true
  throw malformed()
}

/** The one child of that name, if there is one. Throws `MalformedXML` for several. */
const only = (element: XmlElement, name: string): XmlElement | undefined => {
  const found = childrenNamed(element, name)
  if (found.length > 1) throw malformed()
  return found[0]
}

const malformed = (): S3Error => new S3Error('MalformedXML')

export const renderBucketEncryption = (encryption: BucketEncryption): string => {
  const { mode, keyId, bucketKey, blocksCustomerKeys } = encryption
  const key = keyId === '' ? '' : el('KMSMasterKeyID', keyId)
  const blocked =
    blocksCustomerKeys === undefined
      ? ''
      : group('BlockedEncryptionTypes', el('EncryptionType', blocksCustomerKeys ? 'SSE-C' : 'NONE'))
  return xmlDocument(
    'ServerSideEncryptionConfiguration',
    group(
      'Rule',
      group('ApplyServerSideEncryptionByDefault', el('SSEAlgorithm', mode), key),
      el('BucketKeyEnabled', bucketKey),
      blocked,
    ),
  )
}
