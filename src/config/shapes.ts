/** The shapes that settings are made of: numbers with units, addresses, paths, secrets. */
import { z } from 'zod'
import { parseDuration, parseSize, DURATION_PATTERN, SIZE_PATTERN } from './units.ts'

interface Bounds {
  readonly least: string
  readonly most: string
}

export function duration(defaultText: string, { least, most }: Bounds) {
  return quantity(DURATION_PATTERN, parseDuration, { least, most, example: '30s, 15m, 24h or 7d' }).prefault(
    defaultText,
  )
}

export function size(defaultText: string, { least, most }: Bounds) {
  return quantity(SIZE_PATTERN, parseSize, { least, most, example: '64MiB or 5GiB' }).prefault(defaultText)
}

/** A number with a unit between two bounds, which are written in units themselves. */
export function quantity(
  pattern: RegExp,
  parse: (text: string) => number | undefined,
  rule: Bounds & { readonly example: string },
) {
  const least = parse(rule.least) ?? 0
  const most = parse(rule.most) ?? Number.MAX_SAFE_INTEGER
  const hint = `write a number and a unit from ${rule.least} to ${rule.most}, for example ${rule.example}`
  return z
    .string(hint)
    .regex(pattern, { error: hint, abort: true })
    .transform((text) => parse(text) ?? Number.NaN)
    .refine((value) => value >= least && value <= most, hint)
}

export function count({ least, most }: { readonly least: number; readonly most: number }) {
  const hint = `write a whole number from ${least} to ${most}`
  return z.int(hint).min(least, hint).max(most, hint)
}

export function listenAddress(defaultText: string) {
  return hostAndPort.prefault(defaultText)
}

export const hostAndPort = z
  .string('write host:port')
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+):(\d{1,5})$/, {
    error: 'write host:port, for example 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080',
    abort: true,
  })
  .transform((text) => {
    const colon = text.lastIndexOf(':')
    return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) }
  })
  .refine(({ port }) => port <= 65_535, 'a port is at most 65535')

/** YAML 1.2 reads `off` as a word and `false` as a boolean; both mean the same here. */
export const switchedOff = z.union([z.literal('off'), z.literal(false)]).transform(() => false as const)

export const region = z.string().regex(/^[a-z0-9-]{1,63}$/, 'write a region, for example eu-central-1')
export const path = (description: string) => z.string().min(1, 'name a path').describe(description)
export const secret = (description: string, schema: z.ZodString = z.string().min(1, 'it is empty')) =>
  schema.meta({ description, secret: true })

/** A secret whose `xFile` is a setting of its own: whoever needs it reads the file as bytes, and no string ever holds it. */
export const secretBesideFile = (description: string, schema: z.ZodString = z.string().min(1, 'it is empty')) =>
  schema.meta({ description, secret: true, besideFile: true })
