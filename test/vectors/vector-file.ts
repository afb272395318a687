/** The text form of a test vector (docs/format.md, "Test vectors"): header lines, a blank line, the body. */
import { createHash } from 'node:crypto'
import type { IntegrityLayer } from '../../src/errors.ts'

/** What a vector promises, or the layer that must fail. */
export type Expectation = 'success' | IntegrityLayer

export interface Vector {
  /** The file's name without `.vector`. */
  readonly name: string
  /** Header fields, in the order in which they are written. */
  readonly header: ReadonlyMap<string, string>
  /** The whole body, also where the file does not store it. */
  readonly body: Buffer
}

/** Bodies above this many bytes are rebuilt from the seed instead of being stored. */
export const STORED_BODY_LIMIT = 131_072

/** The bytes of the file; with `expanded`, the body is in it however long it is. */
export function renderVector(vector: Vector, expanded: boolean): Buffer {
  const lines = [...vector.header].map(([name, value]) => `${name}: ${value}\n`)
  const stored = expanded || vector.body.length <= STORED_BODY_LIMIT
  return Buffer.concat([Buffer.from(`${lines.join('')}\n`), stored ? vector.body : Buffer.alloc(0)])
}

/** The header and the stored body of a file. Throws if a line is not `name: value` or a name comes twice. */
export function parseVector(bytes: Buffer): { header: Map<string, string>; body: Buffer } {
  const end = bytes.indexOf('\n\n')
  if (end < 0) throw new Error('no blank line')
  const header = new Map<string, string>()
  for (const line of bytes.toString('utf8', 0, end).split('\n')) {
    const colon = line.indexOf(': ')
    const name = line.slice(0, colon)
    if (colon < 1 || header.has(name)) throw new Error(`bad header line ${JSON.stringify(line)}`)
    header.set(name, line.slice(colon + 2))
  }
  return { header, body: bytes.subarray(end + 2) }
}

/** An object key as the header spells it: everything but unreserved characters and `/` percent-encoded. */
export function encodeKey(key: string): string {
  return key.split('/').map(encodeURIComponent).join('/')
}

/** The inverse of `encodeKey`. */
export function decodeKey(text: string): string {
  return decodeURIComponent(text)
}

/** SHA-256 in lower-case hex. */
export function sha256Hex(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}
