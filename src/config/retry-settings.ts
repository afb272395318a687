/** How what failed is tried again: the same settings for every dependency. */
import { z } from 'zod'
import { count, duration } from './shapes.ts'

export const retryPolicy = ({
  attempts,
  defaults,
}: {
  readonly attempts: string
  readonly defaults: Readonly<Record<'budget' | 'baseDelay' | 'maxDelay', string>> & { readonly attempts: number }
}) =>
  z.strictObject({
    attempts: count({ least: 1, most: 20 }).default(defaults.attempts).describe(attempts),
    budget: duration(defaults.budget, { least: '0s', most: '10m' }).describe(
      'After this long no further attempt of a request begins.',
    ),
    baseDelay: duration(defaults.baseDelay, { least: '1ms', most: '1m' }).describe(
      'Longest wait before the second attempt; it doubles with each further one, and each wait is drawn at random below it.',
    ),
    maxDelay: duration(defaults.maxDelay, { least: '1ms', most: '5m' }).describe('Longest wait before any attempt.'),
  })
