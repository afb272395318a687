/** What Transit calls a ciphertext: `vault:v`, the version of the key, `:`, base64 of nonce(12) ‖ K(32) ‖ tag(16). */
import { Integrity } from '../../errors.ts'

/** 60 bytes are 80 characters without padding: each text is the only one of its bytes. */
const CIPHERTEXT = /^vault:v([1-9]\d{0,8}):[A-Za-z0-9+/]{80}$/
const MAX_LENGTH = 98

export interface Ciphertext {
  readonly text: string
  /** Of the Transit key. */
  readonly version: number
}

/**
 * Throws `Integrity('unwrap failure')` for bytes that Transit would not have written: it reads more than it writes, such as `v0` for
 * `v1` and line ends within base64.
 */
export function parseCiphertext(wrapped: Buffer): Ciphertext {
  const text = wrapped.length > MAX_LENGTH ? '' : wrapped.toString('latin1')
  const version = CIPHERTEXT.exec(text)?.[1]
  if (version === undefined)
    throw new Integrity('unwrap failure', `${wrapped.length} bytes are no ciphertext of Transit`)
  return { text, version: Number(version) }
}
