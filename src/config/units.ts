/** Durations and sizes as people write them: a whole number and a unit. A number alone is refused: nobody remembers what it counts. */

const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const SIZE_UNITS: Readonly<Record<string, number>> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 }

export const DURATION_PATTERN = /^(0|[1-9]\d{0,8})(ms|s|m|h|d)$/
export const SIZE_PATTERN = /^(0|[1-9]\d{0,8})(B|KiB|MiB|GiB|TiB)$/

/** `500ms`, `30s`, `15m`, `24h`, `7d` → milliseconds; `undefined` for anything else. */
export function parseDuration(text: string): number | undefined {
  return parse(text, DURATION_PATTERN, DURATION_UNITS)
}

/** `100B`, `512KiB`, `64MiB`, `5GiB`, `1TiB` → bytes; `undefined` for anything else, and beyond what a number counts exactly. */
export function parseSize(text: string): number | undefined {
  return parse(text, SIZE_PATTERN, SIZE_UNITS)
}

function parse(text: string, pattern: RegExp, units: Readonly<Record<string, number>>): number | undefined {
  const [, count, unit] = pattern.exec(text) ?? []
  const factor = units[unit ?? '']
  if (factor === undefined) return undefined
  const value = Number(count) * factor
  return Number.isSafeInteger(value) ? value : undefined
}
