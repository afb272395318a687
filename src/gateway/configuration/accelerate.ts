import { S3Error } from '../../s3/errors.ts'
import { admitRoot, group, oneOf, renderAdmitted, required } from '../../s3/configuration/schema.ts'
import { parseXml, xmlDocument } from '../../s3/xml.ts'
import { type ConfigurationKind, getConfiguration, putConfiguration } from './configuration.ts'

const ROOT = 'AccelerateConfiguration'
const SHAPE = group({ Status: required(oneOf('Enabled', 'Suspended')) })

/** There is no other way to the gateway than the one that a client takes already; the setting is kept and told. */
const ACCELERATE: ConfigurationKind = {
  name: 'accelerate',
  accept: (document, { limits }, { name }) => {
    const admitted = admitRoot(parseXml(document, limits.xmlBytes), ROOT, SHAPE)
    if (name.includes('.')) {
      throw new S3Error('InvalidRequest', {
        message: 'S3 Transfer Acceleration is not supported for buckets with periods (.) in their names',
      })
    }
    return renderAdmitted(admitted)
  },
  absent: { document: xmlDocument(ROOT) },
  waits: (document) => document.includes('<Status>Enabled</Status>'),
}

export const getBucketAccelerateConfiguration = getConfiguration(ACCELERATE)
export const putBucketAccelerateConfiguration = putConfiguration(ACCELERATE)
