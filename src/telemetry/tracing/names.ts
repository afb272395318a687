/** What a span may say of names that clients gave: object keys may be secrets of their own, and all of them are hostile. */
import { createHmac } from 'node:crypto'

/** `hash`: an HMAC tells equal names from others, and no more. */
export type ObjectNames =
  | { readonly names: 'keep' }
  | { readonly names: 'redact' }
  | { readonly names: 'hash'; readonly hashKey: string }

/** Text of a client, cut to `most` characters; what could act on a terminal, or is no Unicode, is replaced. */
export function bounded(text: string, most: number): string {
  const cut = text.length > most ? `${text.slice(0, most)}…` : text
  return cut.replaceAll(/\p{Cc}|\p{Cs}|[\u2028\u2029]/gu, '\u{FFFD}')
}

const LONGEST_KEY = 1_024

/** The key as the setting lets it be told; `undefined`: not at all. */
export function objectName(key: string, setting: ObjectNames): string | undefined {
  if (setting.names === 'keep') return bounded(key, LONGEST_KEY)
  if (setting.names === 'redact') return undefined
  return `hmac:${createHmac('sha256', setting.hashKey).update(key).digest('hex').slice(0, 32)}`
}
