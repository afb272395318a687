/** The wrapped forms (docs/keys.md, "Azure Key Vault"): a byte that names the kind of key, the version of the key, and what it made. */
import { createHash } from 'node:crypto'
import { Integrity } from '../../errors.ts'
import { KEY_BYTES, lengthPrefixed } from '../../format/derive.ts'

/** `rsa`: RSA-OAEP-256 and a signature by PS256; `aes`: AES-256-GCM in a Managed HSM. */
export type Kind = 'rsa' | 'aes'

export const IV_BYTES = 12
export const TAG_BYTES = 16
const VERSION_BYTES = 16
const HEAD_BYTES = 1 + VERSION_BYTES
const BYTE: Readonly<Record<Kind, number>> = { rsa: 1, aes: 2 }
/** Of 2,048, 3,072 and 4,096 bits: ciphertext and signature have the length of the key each. */
const RSA_BYTES: ReadonlySet<number> = new Set([256, 384, 512])
const AES_BYTES = IV_BYTES + KEY_BYTES + TAG_BYTES
const LABEL = 'sealgate/v1/azure'

export interface Form {
  readonly kind: Kind
  /** As Azure writes it: 32 hex digits. */
  readonly version: string
  /** What is behind the version. */
  readonly body: Buffer
}

/** Throws `Integrity('unwrap failure')` if this was not written by `renderForm`. */
export function parseForm(wrapped: Buffer): Form {
  const body = wrapped.subarray(HEAD_BYTES)
  const version = wrapped.toString('hex', 1, HEAD_BYTES)
  if (wrapped[0] === BYTE.rsa && RSA_BYTES.has(body.length / 2)) return { kind: 'rsa', version, body }
  if (wrapped[0] === BYTE.aes && body.length === AES_BYTES) return { kind: 'aes', version, body }
  throw new Integrity('unwrap failure', `${wrapped.length} bytes are no key wrapped by Azure Key Vault`)
}

export function renderForm(kind: Kind, version: string, ...pieces: readonly Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.of(BYTE[kind]), Buffer.from(version, 'hex'), ...pieces])
}

export const isVersion = (text: string | undefined): text is string => /^[0-9a-f]{32}$/.test(text ?? '')

/**
 * What is signed of a key wrapped by RSA. Whoever has the public key can wrap keys of their own, for any bucket and day: the signature says
 * that this one was wrapped by someone whom the vault lets sign.
 */
export function signedText(version: string, context: Buffer, ciphertext: Uint8Array): Buffer {
  return Buffer.concat([lengthPrefixed(LABEL), Buffer.from(version, 'hex'), context, ciphertext])
}

export const digestOf = (text: Buffer): Buffer => createHash('sha256').update(text).digest()
