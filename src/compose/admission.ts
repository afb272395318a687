import { type LimitedUser, Usage } from '../access/usage.ts'
import { bucketRule } from '../config/bucket-rules.ts'
import type { Admission } from '../http/pipeline.ts'
import type { InEffect } from './live.ts'

/** The limits in effect, of credentials and of buckets. Several workers share them evenly: each takes its part. */
export function admissionOf(inEffect: InEffect, workers: number, clock: () => number): Admission {
  const usage = new Usage(clock, 1 / workers)
  return (accessKey, bucket) => {
    const own = accessKey === undefined ? undefined : inEffect.credentials.lookup(accessKey)?.usage
    const shared = bucketRule(inEffect.settings, bucket).usage
    if (own === undefined && shared === undefined) return undefined
    return usage.admit([own, shared].filter((one): one is LimitedUser => one !== undefined))
  }
}
