/**
 * The envelope: R wrapped under the bucket key K, and K's wrapped form beside it (docs/format.md, "Envelope"). Also its
 * prefix, which state records carry, and the foot, which keeps the envelope of an object's creation in its body.
 */
import { Integrity, Internal } from '../errors.ts'
import { type Secret, takeShortSecret } from '../secret-bytes.ts'
import {
  decrypt,
  drawn,
  encrypt,
  expand,
  extract,
  fromBase64url,
  KEY_BYTES,
  kidOf,
  LABELS,
  lengthPrefixed,
  NONCE_BYTES,
  type RandomSource,
  SALT_BYTES,
  SUITE_AES_GCM,
  sameBytes,
  utf8,
} from './derive.ts'
import { sha256 } from './hash.ts'
import { FOOT_LIMIT, TAG_BYTES } from './sizes.ts'

/** Who wrapped a bucket key. `c`: nobody, it is made from the customer's key (SSE-C). */
export type ProviderTag = 'l' | 'm' | 'a' | 'v' | 'p' | 'k' | 'z' | 'g' | 'c'

/** A bucket key's name and its wrapped form. */
export interface WrappedKeyFields {
  readonly tag: ProviderTag
  /** `[a-z0-9-]{1,15}`; empty for SSE-C. */
  readonly alias: string
  /** Days since 1970 on which K was made; 0 for SSE-C. */
  readonly day: number
  /** 16 bytes. */
  readonly kid: Buffer
  /** The provider's bytes. In an envelope empty unless they are inline. */
  readonly wrapped: Buffer
}

/** A bucket key to seal under. */
export interface SealingKey extends WrappedKeyFields {
  readonly key: Buffer
}

export interface EnvelopeFlags {
  /** Several data segments are possible: the tail is read before ranges are mapped. */
  readonly tailFirst: boolean
  /** The sealed metadata holds length, salt and commitment. Exactly one of these two is set. */
  readonly sizeInMetadata: boolean
  /** Metadata entries may be in the tail's area. */
  readonly areaUsed: boolean
  /** The ETag is the backend's by the opaque mapping. */
  readonly md5NotKept: boolean
  /** The wrapped K travels in the envelope. */
  readonly inlineKey: boolean
}

export interface Envelope extends WrappedKeyFields {
  readonly suite: number
  readonly flags: EnvelopeFlags
  readonly wrapSalt: Buffer
  /** R under the key-encryption key, 48 bytes. */
  readonly sealedKey: Buffer
  /** The bytes as they are stored, before base64url. */
  readonly raw: Buffer
}

interface EnvelopeContent {
  readonly objectKey: Buffer
  readonly namespace: string
  readonly key: string
  readonly flags: Omit<EnvelopeFlags, 'inlineKey'>
  readonly random: RandomSource
}

export interface EnvelopeInput extends EnvelopeContent {
  readonly bucketKey: SealingKey
  readonly inline: boolean
}

export interface CustomerEnvelopeInput extends EnvelopeContent {
  /** The customer's key, 32 bytes. */
  readonly customerKey: Buffer
}

const VERSION = 1
const FLAG = { tailFirst: 1, sizeInMetadata: 2, areaUsed: 4, md5NotKept: 8, inlineKey: 16 } as const
const REFERENCE = /^(?:c|[lmavpkzg][a-z0-9-]{1,15})$/
const CUSTOMER: ProviderTag = 'c'
const REFERENCE_LIMIT = 16
const KID_BYTES = 16
const SEALED_KEY_BYTES = KEY_BYTES + TAG_BYTES
const LENGTH_BYTES = 2
const EMPTY = Buffer.alloc(0)

/** The raw bytes of a new envelope. Throws `Internal` for fields that no reader would accept. */
export function sealEnvelope(input: EnvelopeInput): Buffer {
  const { bucketKey, inline } = input
  const head = encodeHead(bucketKey, checkedBits(input.flags, inline), inline ? bucketKey.wrapped : EMPTY)
  return sealed(head, bucketKey.key, drawn(input.random, SALT_BYTES), input)
}

/** The raw bytes of a new envelope under a customer's key, of which nothing is kept (docs/format.md, "Envelope": SSE-C). */
export function sealCustomerEnvelope(input: CustomerEnvelopeInput): Buffer {
  const wrapSalt = drawn(input.random, SALT_BYTES)
  const key = customerBucketKey(input.customerKey, wrapSalt)
  const fields = { tag: CUSTOMER, alias: '', day: 0, kid: kidOf(key), wrapped: EMPTY }
  return sealed(encodeHead(fields, checkedBits(input.flags, false), EMPTY), key, wrapSalt, input)
}

/** K of an SSE-C object; `undefined` if the customer's key is another than the one that it was sealed under. */
export function openCustomerKey(
  { kid, wrapSalt }: Pick<Envelope, 'kid' | 'wrapSalt'>,
  customerKey: Buffer,
): Secret | undefined {
  const key = customerBucketKey(customerKey, wrapSalt)
  return sameBytes(kidOf(key), kid) ? key : undefined
}

function customerBucketKey(customerKey: Buffer, wrapSalt: Buffer): Secret {
  if (customerKey.length !== KEY_BYTES) throw new Internal(`a customer's key of ${customerKey.length} bytes`)
  return extract(wrapSalt, customerKey)
}

function checkedBits(flags: EnvelopeContent['flags'], inlineKey: boolean): number {
  if (flags.tailFirst === flags.sizeInMetadata) throw new Internal('an envelope says in exactly one way where P is')
  return bitsOf({ ...flags, inlineKey })
}

function sealed(head: Buffer, key: Buffer, wrapSalt: Buffer, content: EnvelopeContent): Buffer {
  const { kek, nonce } = wrappingKey(key, { head, wrapSalt, namespace: content.namespace, key: content.key })
  const sealedKey = encrypt(kek, nonce, content.objectKey)
  kek.fill(0)
  return Buffer.concat([head, wrapSalt, sealedKey])
}

/** An envelope from its base64url or its raw bytes. Throws `Integrity('envelope failure')`; nothing is opened yet. */
export function parseEnvelope(source: string | Buffer): Envelope {
  const raw = typeof source === 'string' ? fromBase64url(source) : source
  if (raw === undefined) throw refusal('is not canonical base64url')
  const { envelope, end } = readEnvelope(raw)
  if (end !== raw.length) throw refusal('has bytes behind its end')
  return envelope
}

/**
 * R. `bucketKey` is K, opened by its manager. Throws `Integrity('unwrap failure')` if K is another key than the envelope
 * names, or if the envelope was not sealed for this namespace and key.
 */
export function openEnvelope(envelope: Envelope, bucketKey: Buffer, namespace: string, key: string): Secret {
  if (!sameBytes(kidOf(bucketKey), envelope.kid)) throw new Integrity('unwrap failure', 'another bucket key')
  const { raw, wrapSalt } = envelope
  const head = raw.subarray(0, raw.length - SALT_BYTES - SEALED_KEY_BYTES)
  const wrapping = wrappingKey(bucketKey, { head, wrapSalt, namespace, key })
  const objectKey = decrypt(wrapping.kek, wrapping.nonce, envelope.sealedKey)
  wrapping.kek.fill(0)
  if (objectKey === undefined) {
    throw new Integrity('unwrap failure', 'the envelope was sealed for another name or was changed')
  }
  return takeShortSecret(objectKey)
}

/** The start of an envelope up to the wrapped K, which names a bucket key inside a state record. Its only flag is `inlineKey`. */
export function envelopePrefix(fields: WrappedKeyFields): Buffer {
  return encodeHead(fields, FLAG.inlineKey, fields.wrapped)
}

/** The bucket key that a prefix names. Throws `Integrity('envelope failure')`. */
export function parseEnvelopePrefix(bytes: Buffer): WrappedKeyFields {
  const { fields, bits, end } = readHead(bytes)
  if (end !== bytes.length) throw refusal('prefix has bytes behind its end')
  if (bits !== FLAG.inlineKey) throw refusal(`prefix has the flags ${bits}`)
  return fields
}

/** The foot of an object: its envelope and the names it was sealed for. Empty for SSE-C, and if it would exceed 2,048 bytes. */
export function encodeFoot(envelopeRaw: Buffer, namespace: string, key: string): Buffer {
  // No other key reference is of one byte.
  if (envelopeRaw[3] === CUSTOMER.length) return EMPTY
  const names = [utf8(namespace), utf8(key)]
  if (names.some((name) => name.length > FOOT_LIMIT)) return EMPTY
  const foot = Buffer.concat([envelopeRaw, ...names.flatMap((name) => [u16(name.length), name])])
  return foot.length > FOOT_LIMIT ? EMPTY : foot
}

/** What a foot holds; only `openEnvelope` authenticates it. Throws `Integrity('envelope failure')`. */
export function decodeFoot(foot: Buffer): { envelope: Envelope; namespace: string; key: string } {
  const { envelope, end } = readEnvelope(foot)
  const cursor = new Cursor(foot, end)
  const namespace = nameFrom(cursor.take(cursor.u16()))
  const key = nameFrom(cursor.take(cursor.u16()))
  if (cursor.at !== foot.length) throw refusal('in the foot has bytes behind its end')
  return { envelope, namespace, key }
}

function bitsOf(flags: EnvelopeFlags): number {
  const used = (set: boolean, bit: number): number => (set ? bit : 0)
  return (
    used(flags.tailFirst, FLAG.tailFirst) |
    used(flags.sizeInMetadata, FLAG.sizeInMetadata) |
    used(flags.areaUsed, FLAG.areaUsed) |
    used(flags.md5NotKept, FLAG.md5NotKept) |
    used(flags.inlineKey, FLAG.inlineKey)
  )
}

function encodeHead(fields: WrappedKeyFields, bits: number, wrapped: Buffer): Buffer {
  const reference = Buffer.from(fields.tag + fields.alias, 'latin1')
  if (!REFERENCE.test(fields.tag + fields.alias)) throw new Internal(`no key reference: ${fields.tag}${fields.alias}`)
  if (fields.kid.length !== KID_BYTES) throw new Internal('a kid has 16 bytes')
  if (wrapped.length > 0xffff || wrapped.length > 0 !== ((bits & FLAG.inlineKey) !== 0)) {
    throw new Internal(`a wrapped bucket key of ${wrapped.length} bytes`)
  }
  const day = Buffer.alloc(4)
  day.writeUInt32BE(fields.day)
  const start = Buffer.of(VERSION, SUITE_AES_GCM, bits, reference.length)
  return Buffer.concat([start, reference, day, fields.kid, u16(wrapped.length), wrapped])
}

function readEnvelope(bytes: Buffer): { envelope: Envelope; end: number } {
  const { fields, bits, end } = readHead(bytes)
  const has = (flag: number): boolean => (bits & flag) !== 0
  if (has(FLAG.tailFirst) === has(FLAG.sizeInMetadata)) throw refusal(`has the flags ${bits}`)
  const cursor = new Cursor(bytes, end)
  const wrapSalt = cursor.take(SALT_BYTES)
  const sealedKey = cursor.take(SEALED_KEY_BYTES)
  const flags = {
    tailFirst: has(FLAG.tailFirst),
    sizeInMetadata: has(FLAG.sizeInMetadata),
    areaUsed: has(FLAG.areaUsed),
    md5NotKept: has(FLAG.md5NotKept),
    inlineKey: has(FLAG.inlineKey),
  }
  const raw = bytes.subarray(0, cursor.at)
  return { envelope: { suite: SUITE_AES_GCM, flags, ...fields, wrapSalt, sealedKey, raw }, end: cursor.at }
}

function readHead(bytes: Buffer): { fields: WrappedKeyFields; bits: number; end: number } {
  const cursor = new Cursor(bytes, 0)
  const version = cursor.u8()
  if (version !== VERSION) throw refusal(`has the unknown version ${version}`)
  const suite = cursor.u8()
  if (suite !== SUITE_AES_GCM) throw refusal(`has the unknown suite ${suite}`)
  const bits = cursor.u8()
  if (bits > 31) throw refusal(`has the unknown flags ${bits}`)
  const referenceBytes = cursor.u8()
  if (referenceBytes > REFERENCE_LIMIT) throw refusal(`has a key reference of ${referenceBytes} bytes`)
  const reference = cursor.take(referenceBytes).toString('latin1')
  const tag = reference.slice(0, 1)
  if (!REFERENCE.test(reference) || !isProviderTag(tag)) throw refusal('has a malformed or unknown key reference')
  const day = cursor.u32()
  const kid = cursor.take(KID_BYTES)
  const wrapped = cursor.take(cursor.u16())
  if (wrapped.length > 0 !== ((bits & FLAG.inlineKey) !== 0)) throw refusal('contradicts itself about an inline key')
  if (tag === CUSTOMER && (day !== 0 || wrapped.length > 0))
    throw refusal("is of a customer's key and names a day or another key")
  return { fields: { tag, alias: reference.slice(1), day, kid, wrapped }, bits, end: cursor.at }
}

/** Reads fields in order; every read beyond the end is an envelope failure. */
class Cursor {
  readonly #bytes: Buffer
  #at: number

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes
    this.#at = at
  }

  get at(): number {
    return this.#at
  }

  take(length: number): Buffer {
    const start = this.#step(length)
    return this.#bytes.subarray(start, start + length)
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#step(1))
  }

  u16(): number {
    return this.#bytes.readUInt16BE(this.#step(LENGTH_BYTES))
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#step(4))
  }

  /** Where the next `length` bytes begin. */
  #step(length: number): number {
    const start = this.#at
    if (start + length > this.#bytes.length) throw refusal('is cut short')
    this.#at = start + length
    return start
  }
}

function wrappingKey(
  bucketKey: Buffer,
  bound: { head: Buffer; wrapSalt: Buffer; namespace: string; key: string },
): { kek: Buffer; nonce: Buffer } {
  const { head, wrapSalt, namespace, key } = bound
  const data = Buffer.concat([wrapSalt, sha256(head), lengthPrefixed(namespace), lengthPrefixed(key)])
  const secrets = expand(bucketKey, LABELS.wrap, data, KEY_BYTES + NONCE_BYTES)
  return { kek: secrets.subarray(0, KEY_BYTES), nonce: secrets.subarray(KEY_BYTES) }
}

function isProviderTag(tag: string): tag is ProviderTag {
  return tag.length === 1 && 'lmavpkzgc'.includes(tag)
}

/** A name from its UTF-8, which must be well formed; a byte order mark is part of the name. */
function nameFrom(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (error) {
    throw new Integrity('envelope failure', 'a name in the foot is not UTF-8', { cause: error })
  }
}

function u16(value: number): Buffer {
  return Buffer.of(value >>> 8, value & 0xff)
}

function refusal(problem: string): Integrity {
  return new Integrity('envelope failure', `the envelope ${problem}`)
}
