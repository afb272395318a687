/** The wrapped forms (docs/keys.md, "PKCS#11"): a byte that names the mechanism, and what the token gave. They name no key. */
import { KEY_BYTES } from '../../format/derive.ts'
import { CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_PAD } from './cryptoki.ts'
import { TokenFault } from './messages.ts'

export const IV_BYTES = 12
export const TAG_BYTES = 16

/** `u8 1 ‖ iv(12) ‖ ciphertext(32) ‖ tag(16)` */
export const GCM_FORM = 1
/** `u8 2 ‖ RFC 3394(40)`, and `u8 3 ‖ what CKM_AES_KEY_WRAP_PAD makes of it`: RFC 5649 or, by older tokens, RFC 3394 of a padded key. */
export const WRAP_FORMS: ReadonlyMap<number, { readonly mechanism: number; readonly lengths: readonly number[] }> =
  new Map([
    [2, { mechanism: CKM_AES_KEY_WRAP, lengths: [KEY_BYTES + 8] }],
    [3, { mechanism: CKM_AES_KEY_WRAP_PAD, lengths: [KEY_BYTES + 8, KEY_BYTES + 16] }],
  ])

export interface Form {
  readonly form: number
  /** Behind the first byte. */
  readonly body: Buffer
}

/** Throws the fault `broken` if no token can have given this to us. */
export function parseForm(wrapped: Buffer): Form {
  const form = wrapped[0] ?? 0
  const body = wrapped.subarray(1)
  const lengths = form === GCM_FORM ? [IV_BYTES + KEY_BYTES + TAG_BYTES] : (WRAP_FORMS.get(form)?.lengths ?? [])
  if (!lengths.includes(body.length)) throw new TokenFault({ reason: 'broken' })
  return { form, body }
}

/** In memory of its own, to be handed over. */
export function renderForm(form: number, ...pieces: readonly Buffer[]): Buffer<ArrayBuffer> {
  const out = Buffer.alloc(1 + pieces.reduce((sum, { length }) => sum + length, 0))
  out[0] = form
  let at = 1
  for (const piece of pieces) at += piece.copy(out, at)
  return out
}
