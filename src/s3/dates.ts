/** Dates on the wire: S3 knows whole seconds only (B53). */

/** `Sun, 06 Nov 1994 08:49:37 GMT`, for Last-Modified and the like. */
export const httpDate = (date: Date): string => date.toUTCString()

/** `1994-11-06T08:49:37.000Z`, for XML. Milliseconds are cut, so that headers and documents agree. */
export const isoDate = (date: Date): string => `${date.toISOString().slice(0, 19)}.000Z`

const MONTH = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)'
const TIME = '\\d{2}:\\d{2}:\\d{2}'
const IMF_FIXDATE = new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \\d{2} ${MONTH} \\d{4} ${TIME} GMT$`)
const RFC_850 = new RegExp(`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\\d{2})-(${MONTH})-(\\d{2}) (${TIME}) GMT$`)
const ASCTIME = new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (${MONTH}) ([ \\d]\\d) (${TIME}) (\\d{4})$`)

/**
 * Seconds since 1970 of an HTTP date in one of the three forms of RFC 9110 section 5.6.7, or `undefined`: an invalid
 * date makes the condition that carries it absent (B48).
 */
export const parseHttpDate = (text: string): number | undefined => {
  const trimmed = text.trim()
  if (IMF_FIXDATE.test(trimmed)) return seconds(trimmed)
  const rfc850 = RFC_850.exec(trimmed)
  if (rfc850 !== null) {
    const [, day = '', month = '', year = '', time = ''] = rfc850
    // Two digits: 70 to 99 are of the last century, as every HTTP library reads them.
    return seconds(`${day} ${month} ${Number(year) >= 70 ? '19' : '20'}${year} ${time} GMT`)
  }
  const asctime = ASCTIME.exec(trimmed)
  if (asctime !== null) {
    const [, month = '', day = '', time = '', year = ''] = asctime
    return seconds(`${day.trim().padStart(2, '0')} ${month} ${year} ${time} GMT`)
  }
  return undefined
}

const seconds = (text: string): number | undefined => {
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000)
}
