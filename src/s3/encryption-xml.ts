/** The default encryption of a bucket (S3 API reference, "ServerSideEncryptionConfiguration"). */
import { ENCRYPTION_MODES, type EncryptionMode, isKms } from './encryption-headers.ts'
import {
  admitRoot,
  anyText,
  boolean,
  group as shape,
  malformed,
  many,
  oneOf,
  optional,
  required,
} from './configuration/schema.ts'
import { S3Error } from './errors.ts'
import { child, childText, el, group, parseXml, type XmlElement, xmlDocument } from './xml.ts'

export interface BucketEncryption {
  readonly mode: EncryptionMode
  /** Empty if none was named. */
  readonly keyId: string
  readonly bucketKey: boolean
  /** New objects under a customer's key are refused. `undefined`: nothing was said. */
  readonly blocksCustomerKeys: boolean | undefined
}

const RULE = shape({
  ApplyServerSideEncryptionByDefault: optional(
    shape({ SSEAlgorithm: required(oneOf(...ENCRYPTION_MODES)), KMSMasterKeyID: optional(anyText) }),
  ),
  BucketKeyEnabled: optional(boolean),
  BlockedEncryptionTypes: optional(shape({ EncryptionType: many(oneOf('NONE', 'SSE-C'), 1) })),
})
const CONFIGURATION = shape({ Rule: required(RULE) })

/** Throws `MalformedXML`, also for what S3 does not know: a key id that was skipped would be another key. `InvalidArgument` for a key beside AES256. */
export const parseBucketEncryption = (document: Buffer, maxBytes: number): BucketEncryption => {
  const root = admitRoot(parseXml(document, maxBytes), 'ServerSideEncryptionConfiguration', CONFIGURATION)
  const [rule = root] = root.children
  const byDefault = child(rule, 'ApplyServerSideEncryptionByDefault')
  const blocked = child(rule, 'BlockedEncryptionTypes')
  if (blocked === undefined && byDefault === undefined) throw malformed()
  return {
    ...(byDefault === undefined ? { mode: 'AES256', keyId: '' } : parseDefault(byDefault)),
    bucketKey: childText(rule, 'BucketKeyEnabled') === 'true',
    blocksCustomerKeys: blocked === undefined ? undefined : parseBlocked(blocked),
  }
}

const parseDefault = (element: XmlElement): Pick<BucketEncryption, 'mode' | 'keyId'> => {
  const algorithm = childText(element, 'SSEAlgorithm')
  const mode = ENCRYPTION_MODES.find((known) => known === algorithm) ?? 'AES256'
  const keyId = childText(element, 'KMSMasterKeyID') ?? ''
  if (keyId !== '' && !isKms(mode)) {
    throw new S3Error('InvalidArgument', {
      message: 'a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse',
      extra: { ArgumentName: 'ApplyServerSideEncryptionByDefault' },
    })
  }
  return { mode, keyId }
}

const parseBlocked = ({ children }: XmlElement): boolean => {
  const types = new Set(children.map(({ text }) => text))
  if (types.size > 1) throw malformed()
  return types.has('SSE-C')
}

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
