import { checkBucketTags, parseTagging, renderTagging } from '../../s3/tags.ts'
import { type ConfigurationKind, deleteConfiguration, getConfiguration, putConfiguration } from './configuration.ts'

/** Tags of a bucket (B69). */
export const BUCKET_TAGGING: ConfigurationKind = {
  name: 'tagging',
  accept: (document, { limits }) => renderTagging(checkBucketTags(parseTagging(document, limits.xmlBytes))),
  absent: { error: 'NoSuchTagSet' },
}

export const getBucketTagging = getConfiguration(BUCKET_TAGGING)
export const putBucketTagging = putConfiguration(BUCKET_TAGGING, 204)
export const deleteBucketTagging = deleteConfiguration(BUCKET_TAGGING)
