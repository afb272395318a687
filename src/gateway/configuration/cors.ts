import { type CorsRule, parseCors, renderCors } from '../../s3/cors.ts'
import type { Gateway } from '../gateway.ts'
import { type ConfigurationKind, deleteConfiguration, getConfiguration, putConfiguration } from './configuration.ts'
import { parsedOnce } from './parsed-once.ts'

const CORS: ConfigurationKind = {
  name: 'cors',
  accept: (document) => renderCors(parseCors(document)),
  absent: { error: 'NoSuchCORSConfiguration' },
}

export const getBucketCors = getConfiguration(CORS)
export const putBucketCors = putConfiguration(CORS)
export const deleteBucketCors = deleteConfiguration(CORS)

/** Anybody may send preflights, and each would parse up to 64 KiB again. */
const rulesIn = parsedOnce(parseCors)

/** The rules that count for a bucket: its own, else those of the settings. '' asks for what is outside of buckets. */
export async function corsRulesOf({ documents, rules }: Gateway, bucket: string): Promise<readonly CorsRule[]> {
  const document = bucket === '' ? undefined : await documents.read(bucket, CORS.name)
  return document === undefined ? rules(bucket).cors : rulesIn(document)
}
