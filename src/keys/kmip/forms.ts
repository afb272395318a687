/** The wrapped forms (docs/keys.md, "KMIP"): a byte that names the mechanism, and what it made. They name no key. */
import { KEY_BYTES, NONCE_BYTES, SEAL_OVERHEAD } from '../../format/derive.ts'
import { type Sealed, TAG_BYTES } from './client.ts'
import { KmipFault } from './fault.ts'

/** `encrypt`: the server seals. `get`: the server gives its key away, wrapped, and we seal. */
export type MechanismName = 'encrypt' | 'get'

/** `encrypt`: `u8 1 ‖ iv(12) ‖ ciphertext(32) ‖ tag(16)`. `get`: `u8 2 ‖ Seal(M, "sealgate/v1/kmip", ctx, K)`. */
const FORMS: Readonly<Record<MechanismName, { readonly code: number; readonly length: number }>> = {
  encrypt: { code: 1, length: NONCE_BYTES + KEY_BYTES + TAG_BYTES },
  get: { code: 2, length: SEAL_OVERHEAD + KEY_BYTES },
}

export interface Form {
  readonly mechanism: MechanismName
  /** Behind the first byte. */
  readonly body: Buffer
}

/** Throws the fault `broken` for what no key manager of this kind has written. */
export function parseForm(wrapped: Buffer): Form {
  const body = wrapped.subarray(1)
  for (const mechanism of ['encrypt', 'get'] as const) {
    const { code, length } = FORMS[mechanism]
    if (wrapped[0] === code && body.length === length) return { mechanism, body }
  }
  throw new KmipFault({ reason: 'broken' })
}

export function renderForm(mechanism: MechanismName, body: Buffer): Buffer {
  return Buffer.concat([Buffer.of(FORMS[mechanism].code), body])
}

export const joinSealed = ({ iv, ciphertext, tag }: Sealed): Buffer => Buffer.concat([iv, ciphertext, tag])

export function splitSealed(body: Buffer): Sealed {
  const end = NONCE_BYTES + KEY_BYTES
  return { iv: body.subarray(0, NONCE_BYTES), ciphertext: body.subarray(NONCE_BYTES, end), tag: body.subarray(end) }
}
