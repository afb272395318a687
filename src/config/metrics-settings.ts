/** Settings of what `/metrics` tells apart. */
import { z } from 'zod'
import { count } from './shapes.ts'

export const metrics = z.strictObject({
  buckets: count({ least: 0, most: 10_000 })
    .default(200)
    .describe(
      'Bucket names that become labels of metrics: those of entries of `buckets` whose `match` has no `*`, in their order. All other buckets are counted together as `other`.',
    ),
  series: count({ least: 100, most: 100_000 })
    .default(5_000)
    .describe(
      'Combinations of operation, bucket, status and error code that are told apart in each worker. Further ones are counted together as `other`.',
    ),
})
