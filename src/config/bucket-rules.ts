/** Settings of single buckets. */
import { globMatches } from './glob.ts'
import type { Settings } from './settings.ts'

export interface BucketRule {
  /** What keys and envelopes of the bucket are bound to; the bucket's name unless configured. */
  readonly namespace: string
  readonly copy: 'rewrap' | 'rekey'
  readonly contents: 'sealed' | 'mixed'
  /** Milliseconds since 1970. */
  readonly sealedSince: number | undefined
}

/** The rule of a bucket: the first entry whose pattern matches, else the defaults. */
export function bucketRule(buckets: Settings['buckets'], bucket: string): BucketRule {
  const entry = buckets.find(({ match }) => globMatches(match, bucket))
  return {
    namespace: entry?.namespace ?? bucket,
    copy: entry?.copy ?? 'rewrap',
    contents: entry?.contents ?? 'sealed',
    sealedSince: entry?.sealedSince,
  }
}
