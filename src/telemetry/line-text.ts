/**
 * What clients wrote, made fit for lines of a log: no line is split, no terminal is told anything, and nothing is longer than a
 * bound. Plain text takes the short way through each of these.
 */

/** Marks what was cut off. */
const CUT = '...'

/** At most `most` characters of it. */
export function bounded(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}${CUT}`
}

const ANYTHING = /^/

/** The same text in one piece. What was put together by additions is held as a tree of its parts otherwise, as long as it waits to be written. */
export function inOnePiece(text: string): string {
  // A pattern is looked for in one piece of memory alone.
  ANYTHING.test(text)
  return text
}

const hex = (code: number): string => code.toString(16).padStart(2, '0')

const NO_TOKEN = /[^\x21\x23-\x7e]/
const NO_TOKENS = /[^\x21\x23-\x7e]+/g

/** One word between spaces: whatever ends a word or a quotation, and all that is not printable ASCII, is percent-encoded as UTF-8. */
export function wordText(text: string): string {
  return NO_TOKEN.test(text) ? text.replace(NO_TOKENS, percentEncoded) : text
}

const NOT_QUOTED = /[^\x20\x21\x23-\x7e]/
const ALL_NOT_QUOTED = /[^\x20\x21\x23-\x7e]+/g

/** Between quotation marks, where a backslash means nothing: as `wordText`, with spaces. */
export function phraseText(text: string): string {
  return NOT_QUOTED.test(text) ? text.replace(ALL_NOT_QUOTED, percentEncoded) : text
}

const NOT_PATH = /[^\w./~-]/
const ALL_NOT_PATH = /[^\w./~-]+/g

/** Percent-encoded as in the path of a URL, with its slashes. */
export function pathText(text: string): string {
  return NOT_PATH.test(text) ? text.replace(ALL_NOT_PATH, percentEncoded) : text
}

function percentEncoded(text: string): string {
  let encoded = ''
  for (const byte of Buffer.from(text)) encoded += `%${hex(byte).toUpperCase()}`
  return encoded
}

const NOT_APACHE = /[^\x20\x21\x23-\x5b\x5d-\x7e]/
const ALL_NOT_APACHE = /[^\x20\x21\x23-\x5b\x5d-\x7e]/gu

/** Between quotation marks as Apache writes it: `\"`, `\\`, and `\xhh` for each byte that is not printable ASCII. */
export function apacheText(text: string): string {
  return NOT_APACHE.test(text) ? text.replace(ALL_NOT_APACHE, apacheEscaped) : text
}

function apacheEscaped(character: string): string {
  if (character === '"' || character === '\\') return `\\${character}`
  let escaped = ''
  for (const byte of Buffer.from(character)) escaped += `\\x${hex(byte)}`
  return escaped
}

const NOT_PLAIN_JSON = /[^\x20\x21\x23-\x5b\x5d-\x7e]/
const BEYOND_ASCII = /[\x7f-\uffff]/g

/** A JSON string in ASCII alone. */
export function jsonText(text: string): string {
  return NOT_PLAIN_JSON.test(text) ? asciiJson(JSON.stringify(text)) : `"${text}"`
}

/** The same JSON in ASCII alone: what is beyond it can stand only in strings. */
export function asciiJson(json: string): string {
  return json.replace(BEYOND_ASCII, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
