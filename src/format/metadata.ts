/**
 * Sealed metadata: an object's length, its headers and what a HEAD needs, bound to its envelope (docs/format.md, "Sealed
 * metadata"), and the metadata keys that carry both in a store.
 */
import { Integrity, Internal } from '../errors.ts'
import {
  fromBase64url,
  LABELS,
  openSmall,
  type RandomSource,
  SALT_BYTES,
  SEAL_OVERHEAD,
  sealSmall,
  toBase64url,
} from './derive.ts'
import { sha256 } from './hash.ts'
import { decodeTlvs, encodeTlvs, type Tlv } from './tlv.ts'

export interface SealedMetadata {
  /** P, and salt (24) and commitment (32) of the data segment; with the envelope's `tailFirst` 0, `NO_SALT`, `NO_COMMITMENT`. */
  readonly plaintextBytes: number
  readonly salt: Buffer
  readonly commitment: Buffer
  /** 8 bytes, new with every write of this metadata. */
  readonly generation: Buffer
  /** Milliseconds since 1970. */
  readonly writeTime: number
  readonly tlvs: readonly Tlv[]
}

/** What stands in place of salt and commitment where the tail has to be read first. Never write to them. */
export const NO_SALT = Buffer.alloc(SALT_BYTES)
export const NO_COMMITMENT = Buffer.alloc(32)

const VERSION = 1
const FIXED_BYTES = 82
const TAIL_FIRST = 1
/** What S3 counts for the two names. */
const NAME_BYTES = 'x-amz-meta-sg-e'.length + 'x-amz-meta-sg-m'.length
const CONTINUATION = /^sg-m[0-9]+$/

/** The raw bytes of new sealed metadata. Throws `Internal` for content that does not suit the envelope. */
export function sealMetadata(input: {
  readonly objectKey: Buffer
  readonly envelopeRaw: Buffer
  readonly content: SealedMetadata
  readonly random: RandomSource
}): Buffer {
  const { content, envelopeRaw } = input
  const { salt, commitment, generation } = content
  if (salt.length !== SALT_BYTES || commitment.length !== NO_COMMITMENT.length || generation.length !== 8) {
    throw new Internal('salt, commitment or generation of a wrong length')
  }
  if (!suitsEnvelope(content, envelopeRaw)) throw new Internal('length, salt and commitment are in the tail alone')
  const fixed = Buffer.alloc(FIXED_BYTES)
  fixed.writeUInt8(VERSION, 0)
  fixed.writeBigUInt64BE(BigInt(content.plaintextBytes), 2)
  salt.copy(fixed, 10)
  commitment.copy(fixed, 34)
  generation.copy(fixed, 66)
  fixed.writeBigUInt64BE(BigInt(content.writeTime), 74)
  const plaintext = Buffer.concat([fixed, encodeTlvs(content.tlvs)])
  return sealSmall(input.objectKey, LABELS.metadata, sha256(envelopeRaw), plaintext, input.random)
}

/** Opens sealed metadata. Throws `Integrity('metadata failure')`, also if it was sealed for another envelope. */
export function openMetadata(objectKey: Buffer, envelopeRaw: Buffer, raw: Buffer): SealedMetadata {
  const bytes = openSmall(objectKey, LABELS.metadata, sha256(envelopeRaw), raw)
  if (bytes === undefined) throw refusal('does not open')
  if (bytes.length < FIXED_BYTES) throw refusal('is cut short')
  if (bytes.readUInt8(0) !== VERSION || bytes.readUInt8(1) !== 0) throw refusal('has an unknown version')
  const content = {
    plaintextBytes: Number(bytes.readBigUInt64BE(2)),
    salt: bytes.subarray(10, 34),
    commitment: bytes.subarray(34, 66),
    generation: bytes.subarray(66, 74),
    writeTime: Number(bytes.readBigUInt64BE(74)),
    tlvs: decodeTlvs(bytes.subarray(FIXED_BYTES), 'metadata failure'),
  }
  if (!Number.isSafeInteger(content.plaintextBytes) || !Number.isSafeInteger(content.writeTime)) {
    throw refusal('has a number out of range')
  }
  if (!suitsEnvelope(content, envelopeRaw)) throw refusal('has a length that is the tail’s to say')
  return content
}

/**
 * Bytes of entries that `sg-m` can carry beside an envelope, where a store allows `limit` bytes of names with
 * `x-amz-meta-` and values. Negative if not even the fixed part fits.
 */
export function metadataCapacity(limit: number, envelopeRawBytes: number): number {
  const characters = limit - NAME_BYTES - Math.ceil((envelopeRawBytes * 4) / 3)
  return Math.floor((characters * 3) / 4) - SEAL_OVERHEAD - FIXED_BYTES
}

/** The metadata entries of a store. With `valueLimit`, sealed metadata longer than that goes on in `sg-m2`, `sg-m3`, … */
export function toStoredMetadata(
  envelopeRaw: Buffer,
  metadataRaw: Buffer,
  valueLimit: number = Infinity,
): Record<string, string> {
  if (valueLimit < 1) throw new Internal(`metadata values of ${valueLimit} characters`)
  const stored: Record<string, string> = { 'sg-e': toBase64url(envelopeRaw) }
  let rest = toBase64url(metadataRaw)
  for (let part = 1; rest.length > 0; part++) {
    stored[metadataKey(part)] = rest.slice(0, valueLimit)
    rest = rest.slice(stored[metadataKey(part)]?.length)
  }
  return stored
}

/**
 * The raw envelope and sealed metadata of an object, or `foreign` if it has neither: it was not written by Sealgate.
 * Throws `Integrity('envelope failure')` or `Integrity('metadata failure')` for half of it and for what is not canonical.
 */
export function fromStoredMetadata(
  stored: Readonly<Record<string, string>>,
): { readonly envelope: Buffer; readonly metadata: Buffer } | 'foreign' {
  const envelopeText = stored['sg-e']
  const metadataText = stored['sg-m']
  if (envelopeText === undefined && metadataText === undefined) return 'foreign'
  const envelope = envelopeText === undefined ? undefined : fromBase64url(envelopeText)
  if (envelope === undefined) throw new Integrity('envelope failure', 'no canonical sg-e')
  const metadata = fromBase64url(joinedMetadata(stored))
  if (metadata === undefined) throw refusal('is not canonical base64url')
  return { envelope, metadata }
}

/** The text of `sg-m`, `sg-m2`, …: consecutive, none empty, none besides. */
function joinedMetadata(stored: Readonly<Record<string, string>>): string {
  let text = ''
  let part = 1
  for (let value = stored['sg-m']; value !== undefined; value = stored[metadataKey(part)]) {
    if (value === '') throw refusal('has an empty part')
    text += value
    part += 1
  }
  const parts = Object.keys(stored).filter((name) => name === 'sg-m' || CONTINUATION.test(name))
  if (parts.length === 0 || parts.length !== part - 1) throw refusal('misses a part')
  return text
}

function metadataKey(part: number): string {
  return part === 1 ? 'sg-m' : `sg-m${part}`
}

/** With `tailFirst` in the envelope, length, salt and commitment are zero. */
function suitsEnvelope(content: Omit<SealedMetadata, 'tlvs'>, envelopeRaw: Buffer): boolean {
  if (((envelopeRaw[2] ?? 0) & TAIL_FIRST) === 0) return true
  return content.plaintextBytes === 0 && content.salt.equals(NO_SALT) && content.commitment.equals(NO_COMMITMENT)
}

function refusal(problem: string): Integrity {
  return new Integrity('metadata failure', `the sealed metadata ${problem}`)
}
