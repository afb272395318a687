/** Reading the JSON of a state record: what is not as it was written is refused. */
import { Integrity } from '../errors.ts'
import { fromBase64url } from '../format/derive.ts'

export const malformed = (): Integrity => new Integrity('metadata failure', 'a state record has an unknown shape')

export function fields(json: unknown): (name: string) => unknown {
  if (typeof json !== 'object' || json === null) throw malformed()
  const known = new Map<string, unknown>(Object.entries(json))
  return (name) => {
    if (!known.has(name)) throw malformed()
    return known.get(name)
  }
}

export function list(json: unknown): readonly unknown[] {
  if (!Array.isArray(json)) throw malformed()
  return json
}

export function text(json: unknown): string {
  if (typeof json !== 'string') throw malformed()
  return json
}

/** What records of older versions do not have. */
export function optional(json: unknown, name: string): unknown {
  const value: unknown = typeof json === 'object' && json !== null ? Reflect.get(json, name) : undefined
  return value === null ? undefined : value
}

export function optionalText(json: unknown, name: string): string | undefined {
  const value = optional(json, name)
  return value === undefined ? undefined : text(value)
}

export function number(json: unknown): number {
  if (typeof json !== 'number' || !Number.isSafeInteger(json)) throw malformed()
  return json
}

export function bytes(json: unknown): Buffer {
  const decoded = fromBase64url(text(json))
  if (decoded === undefined) throw malformed()
  return decoded
}
