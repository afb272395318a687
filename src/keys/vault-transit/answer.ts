/** What stands in the JSON of an answer. */
import { decodeBase64 } from '../base64.ts'

export type Fields = Readonly<Record<string, unknown>>

/** The object in an answer; `undefined` for anything else. */
export function fieldsOf(body: Buffer): Fields | undefined {
  try {
    return objectOf(JSON.parse(body.toString()))
  } catch {
    return undefined
  }
}

/** The object under `name` in the object of an answer. */
export function objectIn(body: Buffer, name: 'data' | 'auth'): Fields | undefined {
  return objectOf(fieldsOf(body)?.[name])
}

function objectOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
}

const PLAINTEXT = Buffer.from('"plaintext":"')
const QUOTE = 0x22

/**
 * The key in the answer of `decrypt`, in a buffer of its own; `undefined` if there is none. It is not parsed as JSON, which would leave
 * the key's text in memory. Within a JSON string the quotes would be escaped: what is found is a name with its value.
 */
export function plaintextOf(body: Buffer): Buffer | undefined {
  const from = body.indexOf(PLAINTEXT)
  if (from < 0 || body.includes(PLAINTEXT, from + 1)) return undefined
  const end = body.indexOf(QUOTE, from + PLAINTEXT.length)
  return end < 0 ? undefined : decodeBase64(body.subarray(from + PLAINTEXT.length, end))
}
