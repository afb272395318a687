/**
 * The canonical request of Signature Version 4 for S3 ("Task 1" and "Task 2" of the SigV4 pages of the S3 API reference),
 * used to verify what clients send and to sign what we send.
 *
 * Strings are the wire form: one code unit is one byte, as node's `rawHeaders` and `req.url` give them.
 */
import { hash } from 'node:crypto'
import { Internal } from '../../errors.ts'

/** The one algorithm we speak. */
export const ALGORITHM = 'AWS4-HMAC-SHA256'
/** Payload hash of a request whose body is not signed. */
export const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD'
/** SHA-256 of nothing, in hex. */
export const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
/** The query parameter that carries a signature and is therefore no part of what is signed. */
export const SIGNATURE_PARAMETER = 'X-Amz-Signature'

export interface CanonicalParts {
  readonly method: string
  /** Undecoded path, from the first `/` to the `?`. */
  readonly rawPath: string
  /** Undecoded query without the `?`. */
  readonly rawQuery: string
  /** Every value of a header by its lower-case name, in order. */
  readonly headers: { readonly all: (name: string) => readonly string[] }
  /** Lower-case names in the order of `SignedHeaders`. */
  readonly signedHeaders: readonly string[]
  /** Hex hash or one of the constants of `x-amz-content-sha256`. */
  readonly payloadHash: string
}

/** How runs of white space inside a header value are treated. */
export type SpaceRule = (value: string) => string

/** The canonical request as text. */
export function canonicalRequest(parts: CanonicalParts, spaces: SpaceRule = collapseSpaces): string {
  let headers = ''
  for (const name of parts.signedHeaders) {
    const values = parts.headers.all(name)
    const [value = ''] = values
    headers += `${name}:${values.length === 1 ? spaces(value) : values.map(spaces).join(',')}\n`
  }
  const path = canonicalPath(parts.rawPath)
  const query = canonicalQuery(parts.rawQuery)
  return `${parts.method}\n${path}\n${query}\n${headers}\n${parts.signedHeaders.join(';')}\n${parts.payloadHash}`
}

/** What the signature is computed over; `scope` is `date/region/service/aws4_request`. */
export function stringToSign(amzDate: string, scope: string, canonical: string): string {
  return `${ALGORITHM}\n${amzDate}\n${scope}\n${hash('sha256', Buffer.from(canonical, 'latin1'), 'hex')}`
}

/**
 * Trims a header value and makes one space of every run, inside quotes too: so do the AWS SDKs and the
 * AWS test suite for SigV4 (`get-header-value-trim`).
 */
export function collapseSpaces(value: string): string {
  return UNEVEN.test(value) ? trim(value.replace(RUN, ' ')) : value
}

/** Like `collapseSpaces`, but leaves quoted strings alone: so says the older text of the SigV4 pages, and some clients obey it. */
export function collapseSpacesOutsideQuotes(value: string): string {
  const parts = value.split('"').map((part, i) => (i % 2 === 0 ? part.replace(RUN, ' ') : part))
  return trim(parts.join('"'))
}

/**
 * Never String.trim(): in wire form U+00A0 is a byte of a longer UTF-8 sequence ("à" is C3 A0). Never /[ \t]+$/ either:
 * it takes quadratic time for a long run that is not at the end, and whoever knows an access key can send one.
 */
function trim(value: string): string {
  let start = 0
  let end = value.length
  while (start < end && isSpace(value[start])) start += 1
  while (end > start && isSpace(value[end - 1])) end -= 1
  return value.slice(start, end)
}

const isSpace = (character: string | undefined): boolean => character === ' ' || character === '\t'
const UNEVEN = /^ | $|\t| {2}/
const RUN = /[ \t]+/g

/** S3 encodes a path once and never normalises it: `//`, `/./` and `/../` are parts of the key. `%2F` is a slash. */
export function canonicalPath(rawPath: string): string {
  return PLAIN_PATH.test(rawPath) ? rawPath : recode(rawPath, true)
}

/** Pairs sorted by encoded name, then by encoded value; a name alone is `name=`; `+` is a space and becomes `%20`. */
export function canonicalQuery(rawQuery: string): string {
  if (rawQuery === '') return ''
  const pairs: [name: string, value: string][] = []
  for (const pair of rawQuery.split('&')) {
    if (pair === '') continue
    const at = pair.indexOf('=')
    const name = recodeText(at < 0 ? pair : pair.slice(0, at))
    if (name !== SIGNATURE_PARAMETER) pairs.push([name, at < 0 ? '' : recodeText(pair.slice(at + 1))])
  }
  // Sorting whole pairs as text would be wrong: "=" sorts after "-", "." and the digits.
  pairs.sort(([a, x], [b, y]) => (a === b ? order(x, y) : order(a, b)))
  return pairs.map(([name, value]) => `${name}=${value}`).join('&')
}

/** SigV4's UriEncode for a query name or value: everything but the unreserved characters of RFC 3986, as UTF-8. */
export function encodeComponent(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (character) => encoded(character.charCodeAt(0)))
}

/** SigV4's UriEncode for an object key in a path: as `encodeComponent`, but slashes stay. */
export function encodePath(key: string): string {
  return encodeComponent(key).replaceAll('%2F', '/')
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const PLAIN_PATH = /^[A-Za-z0-9\-._~/]*$/
const PLAIN_TEXT = /^[A-Za-z0-9\-._~]*$/
const PERCENT = 0x25
const PLUS = 0x2b
const SLASH = 0x2f
const SPACE = 0x20

const recodeText = (raw: string): string => (PLAIN_TEXT.test(raw) ? raw : recode(raw, false))

/** Decodes every escape and encodes every byte again in the canonical way. */
function recode(raw: string, isPath: boolean): string {
  let out = ''
  for (let i = 0; i < raw.length; i++) {
    let byte = raw.charCodeAt(i)
    if (byte === PERCENT) {
      const escaped = ESCAPE.exec(raw.slice(i + 1, i + 3))
      if (escaped !== null) {
        byte = Number.parseInt(escaped[0], 16)
        i += 2
      }
    } else if (byte === PLUS && !isPath) byte = SPACE
    out += isPath && byte === SLASH ? '/' : encoded(byte)
  }
  return out
}

const ESCAPE = /^[0-9A-Fa-f]{2}$/

const ENCODED: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte)
  return PLAIN_TEXT.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
})

function encoded(byte: number): string {
  const text = ENCODED[byte]
  if (text === undefined) throw new Internal('A path or query to be signed is not in its wire form')
  return text
}
