/** How much of the gateway a credential or a bucket may use. */
import { z } from 'zod'
import { count, quantity } from './shapes.ts'
import { parseSize, SIZE_PATTERN } from './units.ts'

const bytes = (most: string) => quantity(SIZE_PATTERN, parseSize, { least: '1KiB', most, example: '64MiB or 5GiB' })

/** All optional: what is not named is not limited. */
export const usageLimits = z.strictObject({
  requestsPerSecond: count({ least: 1, most: 1_000_000 })
    .optional()
    .describe('Requests in a second; those of two seconds may come at once.'),
  bytesPerSecond: bytes('1TiB')
    .optional()
    .describe('Bytes of bodies in a second, both ways. A transfer runs at its own speed; the next ones wait for it.'),
  requestsAtOnce: count({ least: 1, most: 1_000_000 }).optional().describe('Requests under way at the same time.'),
  requestsPerDay: count({ least: 1, most: 1_000_000_000 })
    .optional()
    .describe('Requests from midnight to midnight, UTC.'),
  bytesPerDay: bytes('1024TiB').optional().describe('Bytes of bodies from midnight to midnight, UTC, both ways.'),
})
