/** Times as logs write them. Requests come many a second: the second before is remembered. */

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const two = (value: number): string => String(value).padStart(2, '0')

let second = Number.NaN
let written = ''

/** `[06/Feb/2019:00:00:38 +0000]`. */
export function bracketedTime(at: number): string {
  const whole = Math.floor(at / 1_000)
  if (whole !== second) {
    const date = new Date(at)
    const day = `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}`
    written = `[${day}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000]`
    second = whole
  }
  return written
}

let isoSecond = Number.NaN
let isoWritten = ''

/** `2019-02-06T00:00:38.123Z`. */
export function isoTime(at: number): string {
  const whole = Math.floor(at / 1_000)
  if (whole !== isoSecond) {
    isoWritten = new Date(whole * 1_000).toISOString().slice(0, 20)
    isoSecond = whole
  }
  return `${isoWritten}${String(Math.floor(at) - whole * 1_000).padStart(3, '0')}Z`
}
