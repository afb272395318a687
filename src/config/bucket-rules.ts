/** Settings of single buckets. */
import { globMatches } from './glob.ts'
import type { Settings } from './settings.ts'

type UsageSettings = NonNullable<Settings['buckets'][number]['limits']>

export interface BucketRule {
  /** What keys and envelopes of the bucket are bound to; the bucket's name unless configured. */
  readonly namespace: string
  /** The alias of the key manager that seals new objects; `undefined` for `keys.active`. */
  readonly manager: string | undefined
  readonly copy: 'rewrap' | 'rekey'
  readonly contents: 'sealed' | 'mixed'
  /** Milliseconds since 1970. */
  readonly sealedSince: number | undefined
  /** Cross-origin rules of buckets that have none of their own. */
  readonly cors: Settings['server']['cors']
  /** What requests without a signature may do. */
  readonly public: 'none' | 'read' | 'list' | 'upload'
  /** Patterns of the operations that clients may use; `undefined` for all. */
  readonly operations: readonly string[] | undefined
  /** How much they may use, and of what: all buckets of the same entry count together. */
  readonly usage: { readonly name: string; readonly limits: UsageSettings } | undefined
}

/** The rule of a bucket: the first entry whose pattern matches, else the defaults. '' asks for what is outside of buckets. */
export function bucketRule({ buckets, server }: Pick<Settings, 'buckets' | 'server'>, bucket: string): BucketRule {
  const entry = bucket === '' ? undefined : buckets.find(({ match }) => globMatches(match, bucket))
  return {
    namespace: entry?.namespace ?? bucket,
    manager: entry?.keys,
    copy: entry?.copy ?? 'rewrap',
    contents: entry?.contents ?? 'sealed',
    sealedSince: entry?.sealedSince,
    cors: entry?.cors ?? server.cors,
    public: entry?.public ?? 'none',
    operations: entry?.operations,
    usage: usageOf(entry),
  }
}

const usageOf = (entry: Settings['buckets'][number] | undefined): BucketRule['usage'] =>
  entry?.limits === undefined ? undefined : { name: `bucket ${entry.match}`, limits: entry.limits }
