/**
 * Keys from keys, and the small sealed boxes (docs/format.md, "Constants and conventions"): HKDF-Expand with SHA-512,
 * `Seal`, canonical base64url and length-prefixed strings.
 */
import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto'
import { Internal } from '../errors.ts'
import { ownMemory, type Secret, takeShortSecret } from '../secret-bytes.ts'
import { TAG_BYTES } from './sizes.ts'

/** Uniformly random bytes from the CSPRNG. Handed in, so that the format itself is a function of its arguments. */
export type RandomSource = (bytes: number) => Buffer

/** The labels of every derivation. No two uses share one. */
export const LABELS = {
  segment: 'sealgate/v1/segment',
  area: 'sealgate/v1/area',
  metadata: 'sealgate/v1/metadata',
  wrap: 'sealgate/v1/wrap',
  kid: 'sealgate/v1/kid',
  facts: 'sealgate/v1/facts',
  state: 'sealgate/v1/state',
  journal: 'sealgate/v1/journal',
} as const

/** The one suite of version 1: AES-256-GCM, HKDF-Expand with SHA-512. Suites 2 and 3 are reserved and refused. */
export const SUITE_AES_GCM = 1

/** Bytes of every key: R, K, and what is derived from them. */
export const KEY_BYTES = 32
export const NONCE_BYTES = 12
/** Bytes of the salt that starts a segment's secrets or a `Seal`. */
export const SALT_BYTES = 24
/** What `sealSmall` adds to its plaintext. */
export const SEAL_OVERHEAD = SALT_BYTES + TAG_BYTES

const HASH_BYTES = 64
const CIPHER = 'aes-256-gcm'
const EMPTY = Buffer.alloc(0)

/** Where the input of a derivation is put together: of one block it holds no secret, of several it is wiped. */
const SCRATCH = ownMemory(4_096)

function isWiped(key: Buffer): boolean {
  // By index: memory that was taken away has no iterator.
  for (let at = 0; at < key.length; at += 1) if (key[at] !== 0) return false
  return true
}

/**
 * X: `bytes` (at most 16,320) of HKDF-Expand(SHA-512, prk, label ‖ 0 ‖ data), in bytes that nobody else uses: whoever asked for a key
 * wipes it. Throws `Internal` for a key that has been disposed of or wiped: nothing is ever sealed under zeros, which everybody knows.
 */
export function expand(prk: Buffer, label: string, data: Buffer, bytes: number): Buffer {
  const blocks = Math.ceil(bytes / HASH_BYTES)
  if (bytes < 1 || blocks > 255) throw new Internal(`cannot expand a key to ${bytes} bytes`)
  if (isWiped(prk)) throw new Internal('a key was used after its end')
  // The last block, label ‖ 0 ‖ data, the counter: one buffer, since each call of a MAC costs more than its bytes.
  const infoBytes = label.length + 1
  const inputBytes = HASH_BYTES + infoBytes + data.length + 1
  const input = inputBytes > SCRATCH.length ? ownMemory(inputBytes) : SCRATCH.subarray(0, inputBytes)
  input.write(label, HASH_BYTES, 'latin1')
  input[HASH_BYTES + label.length] = 0
  data.copy(input, HASH_BYTES + infoBytes)
  input[inputBytes - 1] = 1
  const first = createHmac('sha512', prk).update(input.subarray(HASH_BYTES)).digest()
  if (blocks === 1) return first.subarray(0, bytes)
  // From the pool, since whoever asked wipes it.
  const out = Buffer.allocUnsafe(blocks * HASH_BYTES)
  let last = first
  for (let block = 2; ; block++) {
    last.copy(input)
    last.copy(out, (block - 2) * HASH_BYTES)
    last.fill(0)
    if (block > blocks) break
    input[inputBytes - 1] = block
    last = createHmac('sha512', prk).update(input).digest()
  }
  input.fill(0, 0, HASH_BYTES)
  return out.subarray(0, bytes)
}

/** The key that HKDF-Extract (RFC 5869) with SHA-512 makes of another one: its first 32 bytes. */
export function extract(salt: Buffer, key: Buffer): Secret {
  return takeShortSecret(createHmac('sha512', salt).update(key).digest().subarray(0, KEY_BYTES))
}

/** `Seal`: salt(24) ‖ ciphertext ‖ tag under a key of its own, bound to `label` and `data`. */
export function sealSmall(prk: Buffer, label: string, data: Buffer, plaintext: Buffer, random: RandomSource): Buffer {
  const salt = drawn(random, SALT_BYTES)
  const secrets = expand(prk, label, Buffer.concat([salt, data]), KEY_BYTES + NONCE_BYTES)
  const body = encrypt(secrets.subarray(0, KEY_BYTES), secrets.subarray(KEY_BYTES), plaintext)
  secrets.fill(0)
  return Buffer.concat([salt, body])
}

/** Opens what `sealSmall` made; `undefined` if key, label, data or bytes are not the ones it was made with. */
export function openSmall(prk: Buffer, label: string, data: Buffer, sealed: Buffer): Buffer | undefined {
  if (sealed.length < SEAL_OVERHEAD) return undefined
  const salt = sealed.subarray(0, SALT_BYTES)
  const secrets = expand(prk, label, Buffer.concat([salt, data]), KEY_BYTES + NONCE_BYTES)
  const opened = decrypt(secrets.subarray(0, KEY_BYTES), secrets.subarray(KEY_BYTES), sealed.subarray(SALT_BYTES))
  secrets.fill(0)
  return opened
}

/** AES-256-GCM of a small plaintext: ciphertext ‖ tag. The caller answers for the nonce. */
export function encrypt(key: Buffer, nonce: Buffer, plaintext: Buffer, aad: Buffer = EMPTY): Buffer {
  const cipher = createCipheriv(CIPHER, key, nonce)
  cipher.setAAD(aad)
  const body = cipher.update(plaintext)
  cipher.final()
  return Buffer.concat([body, cipher.getAuthTag()])
}

/** Opens what `encrypt` made; `undefined` if the tag does not verify. */
export function decrypt(key: Buffer, nonce: Buffer, sealed: Buffer, aad: Buffer = EMPTY): Buffer | undefined {
  if (sealed.length < TAG_BYTES) return undefined
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(aad)
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
  const plaintext = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES))
  try {
    decipher.final()
  } catch {
    return undefined
  }
  return plaintext
}

/** The key identifier of a bucket key: 16 bytes that name it and tell nothing about it. Never write to them. */
export const kidOf = derivedOnce((bucketKey) => expand(bucketKey, LABELS.kid, EMPTY, 16))

/** A derivation that each bucket key undergoes once, since thousands of objects ask for it. It ends with its key; a key is never altered while anybody can ask. */
export function derivedOnce(derive: (bucketKey: Buffer) => Buffer): (bucketKey: Buffer) => Buffer {
  const derived = new WeakMap<Buffer, Buffer>()
  return (bucketKey) => {
    const known = derived.get(bucketKey)
    if (known !== undefined) return known
    const fresh = derive(bucketKey)
    derived.set(bucketKey, fresh)
    return fresh
  }
}

/** A new object key R: for every PUT and every CreateMultipartUpload. */
export function newObjectKey(random: RandomSource): Secret {
  return takeShortSecret(drawn(random, KEY_BYTES))
}

/** A new generation: 8 random bytes that name one write of a body or of metadata. */
export function newGeneration(random: RandomSource): Buffer {
  return drawn(random, 8)
}

/** str(x): u32 length ‖ x; strings as UTF-8. Throws `Internal` for a string that UTF-8 cannot spell. */
export function lengthPrefixed(value: string | Buffer): Buffer {
  const bytes = typeof value === 'string' ? utf8(value) : value
  const out = Buffer.allocUnsafe(4 + bytes.length)
  out.writeUInt32BE(bytes.length)
  bytes.copy(out, 4)
  return out
}

const LONE_SURROGATE = /\p{Surrogate}/u

/** The UTF-8 bytes of a name. Throws `Internal` for lone surrogates, which would make two names one. */
export function utf8(text: string): Buffer {
  if (LONE_SURROGATE.test(text)) throw new Internal('a name holds a lone surrogate')
  return Buffer.from(text, 'utf8')
}

/** base64url without padding. */
export function toBase64url(bytes: Buffer): string {
  return bytes.toString('base64url')
}

/** The bytes of canonical base64url; `undefined` for anything else (padding, other alphabets, stray bits). */
export function fromBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}

/** Whether two byte strings are equal, in constant time for equal lengths. */
export function sameBytes(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Random bytes, checked: a source that returns too few would weaken everything silently. */
export function drawn(random: RandomSource, bytes: number): Buffer {
  const out = random(bytes)
  if (out.length !== bytes) throw new Internal(`the random source gave ${out.length} bytes for ${bytes}`)
  return out
}
