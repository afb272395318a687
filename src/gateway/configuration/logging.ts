import { acceptLogging } from '../../s3/configuration/logging.ts'
import { S3Error } from '../../s3/errors.ts'
import { parseXml, xmlDocument } from '../../s3/xml.ts'
import type { Gateway } from '../gateway.ts'
import { type ConfigurationKind, getConfiguration, putConfiguration } from './configuration.ts'
import { ownershipOf } from './ownership-controls.ts'

/** Where access logs shall go. The target must be there; nothing is delivered yet. */
const LOGGING: ConfigurationKind = {
  name: 'logging',
  accept: async (document, gateway, _bucket, requireWritable) => {
    const accepted = acceptLogging(parseXml(document, gateway.limits.xmlBytes))
    if (accepted.target !== undefined) {
      requireWritable(accepted.target)
      await checkTarget(gateway, accepted.target, accepted.grants)
    }
    return accepted.document
  },
  absent: { document: xmlDocument('BucketLoggingStatus') },
  waits: (document) => document.includes('<LoggingEnabled>'),
}

async function checkTarget(gateway: Gateway, target: string, grants: boolean): Promise<void> {
  if (target === '' || (await gateway.store.headBucket(target)) === undefined) {
    throw new S3Error('InvalidTargetBucketForLogging', { extra: { TargetBucket: target } })
  }
  if (grants && (await ownershipOf(gateway, target)) === 'BucketOwnerEnforced') {
    throw new S3Error('AccessControlListNotSupported')
  }
}

export const getBucketLogging = getConfiguration(LOGGING)
export const putBucketLogging = putConfiguration(LOGGING)
