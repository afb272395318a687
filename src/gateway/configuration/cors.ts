import { type CorsRule, parseCors, renderCors } from '../../s3/cors.ts'
import type { Gateway } from '../gateway.ts'
import { type ConfigurationKind, deleteConfiguration, getConfiguration, putConfiguration } from './configuration.ts'

const CORS: ConfigurationKind = {
  name: 'cors',
  accept: (document) => renderCors(parseCors(document)),
  absent: { error: 'NoSuchCORSConfiguration' },
}

export const getBucketCors = getConfiguration(CORS)
export const putBucketCors = putConfiguration(CORS)
export const deleteBucketCors = deleteConfiguration(CORS)

/** Parsed documents by their text: anybody may send preflights, and each would parse up to 64 KiB again. */
const PARSED = new Map<string, readonly CorsRule[]>()
const MAX_PARSED = 64

/** The rules that count for a bucket: its own, else those of the settings. '' asks for what is outside of buckets. */
export async function corsRulesOf({ documents, rules }: Gateway, bucket: string): Promise<readonly CorsRule[]> {
  const document = bucket === '' ? undefined : await documents.read(bucket, CORS.name)
  if (document === undefined) return rules(bucket).cors
  const text = document.toString('utf8')
  const known = PARSED.get(text)
  if (known !== undefined) return known
  const parsed = parseCors(document)
  const [oldest] = PARSED.keys()
  if (PARSED.size >= MAX_PARSED && oldest !== undefined) PARSED.delete(oldest)
  PARSED.set(text, parsed)
  return parsed
}
