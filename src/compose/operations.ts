/** Which S3 operations clients may use in a bucket. */
import { bucketRule } from '../config/bucket-rules.ts'
import { globMatches } from '../config/glob.ts'
import type { Settings } from '../config/settings.ts'
import { Invalid } from '../errors.ts'
import { OPERATION_NAMES, type OperationName } from '../s3/operation-name.ts'

/** Whether clients may use an operation in a bucket. */
export function mayUse(settings: Settings, bucket: string, operation: OperationName): boolean {
  const { operations } = bucketRule(settings, bucket)
  return operations === undefined || operations.some((pattern) => globMatches(pattern, operation))
}

/** Throws `Invalid` for a pattern that is no operation's: whoever wrote it meant another. */
export function requireOperations({ buckets }: Settings): void {
  for (const [at, { operations = [], match }] of buckets.entries()) {
    const stray = operations.find((pattern) => !OPERATION_NAMES.some((name) => globMatches(pattern, name)))
    if (stray === undefined) continue
    throw new Invalid(`buckets[${at}].operations of ${match}: there is no S3 operation "${stray}"`)
  }
}
