import type { BucketInfo } from '../../backends/object-store.ts'
import { acceptReplication } from '../../s3/configuration/replication.ts'
import { S3Error } from '../../s3/errors.ts'
import { parseXml } from '../../s3/xml.ts'
import type { Gateway } from '../gateway.ts'
import {
  type ConfigurationKind,
  deleteConfiguration,
  getConfiguration,
  newRuleId,
  putConfiguration,
} from './configuration.ts'

const invalidRequest = (message: string): S3Error => new S3Error('InvalidRequest', { message })

const isVersioned = (bucket: BucketInfo): boolean => bucket.versioning === 'Enabled'

/** Both ends must keep versions, as in S3; nothing is replicated yet. */
const REPLICATION: ConfigurationKind = {
  name: 'replication',
  accept: async (body, gateway, bucket, requireWritable) => {
    const { document, destinations } = acceptReplication(parseXml(body, gateway.limits.xmlBytes), newRuleId(gateway))
    if (!isVersioned(bucket)) {
      throw invalidRequest("Versioning must be 'Enabled' on the bucket to apply a replication configuration")
    }
    for (const name of destinations) {
      if (name === bucket.name) throw invalidRequest('The destination bucket must not be the source bucket.')
      requireWritable(name)
      const found = await gateway.store.headBucket(name)
      if (found === undefined) throw invalidRequest('Destination bucket must exist.')
      if (!isVersioned(found)) throw invalidRequest('Destination bucket must have versioning enabled.')
    }
    return document
  },
  absent: { error: 'ReplicationConfigurationNotFoundError' },
  waits: (document) => /<Status>Enabled<\/Status><(?:Sou|Exi|Des)/.test(document),
}

/** Whether a bucket has such a configuration, whatever it says. */
export const isReplicated = async ({ documents }: Gateway, bucket: string): Promise<boolean> =>
  (await documents.read(bucket, REPLICATION.name)) !== undefined

export const getBucketReplication = getConfiguration(REPLICATION)
export const putBucketReplication = putConfiguration(REPLICATION)
export const deleteBucketReplication = deleteConfiguration(REPLICATION)
