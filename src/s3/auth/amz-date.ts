/** Dates of Signature Version 4: `YYYYMMDDTHHMMSSZ`. */

/** Milliseconds since 1970 of a basic ISO 8601 date, or `undefined` if it is none or no such day exists. */
export function parseAmzDate(text: string): number | undefined {
  const parts = AMZ_DATE.exec(text)
  if (parts === null) return undefined
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.slice(1).map(Number)
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second))
  // Date.UTC lets the 31st of February be the 3rd of March, and the year 26 be 1926.
  const exists =
    date.getUTCFullYear() === year &&
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second
  return exists ? date.getTime() : undefined
}

/** The date of a signature for a time in milliseconds since 1970. */
export function formatAmzDate(time: number): string {
  const second = Math.floor(time / 1_000)
  // Thousands of signatures are of the same second.
  if (second !== last.second) last = { second, text: amzDate(time) }
  return last.text
}

let last = { second: Number.NaN, text: '' }

const amzDate = (time: number): string => `${new Date(time).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`

/** An HTTP date (RFC 9110, IMF-fixdate) in milliseconds since 1970, or `undefined`. */
export function parseHttpDate(text: string): number | undefined {
  if (!HTTP_DATE.test(text)) return undefined
  const time = Date.parse(text)
  return Number.isNaN(time) ? undefined : time
}

/** ISO 8601 without milliseconds, as the elements of S3's errors have it. */
export function isoSeconds(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`
}

const AMZ_DATE = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/
const HTTP_DATE = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (?:GMT|UTC|[+-]0000)$/
