/**
 * Sealed objects for the vectors: a function of their seed alone. Writers of the product do the sealing; what is here
 * takes their objects apart so that a scenario can put one defect in.
 */
import { createCipheriv, createHash } from 'node:crypto'
import {
  expand,
  kidOf,
  LABELS,
  newGeneration,
  newObjectKey,
  openSmall,
  type RandomSource,
  sealSmall,
} from '../../src/format/derive.ts'
import { encodeFoot, type SealingKey, sealCustomerEnvelope, sealEnvelope } from '../../src/format/envelope.ts'
import { md5 } from '../../src/format/hash.ts'
import { NO_COMMITMENT, NO_SALT, type SealedMetadata, sealMetadata } from '../../src/format/metadata.ts'
import { DATA_OF_PART, DATA_OF_PUT, openSegment, sealSegment, TAIL } from '../../src/format/segment.ts'
import { MIN_SEGMENT_BYTES } from '../../src/format/sizes.ts'
import { finishObject, sealArea } from '../../src/format/tail.ts'
import type { ChecksumValue, TailEntry } from '../../src/format/tail-record.ts'
import { type Tlv, userMetadataTlv } from '../../src/format/tlv.ts'
import { takeSecret } from '../../src/secret-bytes.ts'
import { wrapLocal } from '../../src/keys/local-wrap.ts'
import type { MasterKey } from '../../src/keys/master-keys.ts'

/** The one plaintext: every object holds the first bytes of it. */
export const PLAINTEXT_RULE = 'aes-ctr sealgate'
export const NAMESPACE = 'backups'
export const KEY = 'photos/2026/cat.jpg'
export const DAY = 20_700
const WRITE_TIME = 1_788_480_000_123

/** Random bytes drawn from SHA-256(seed ‖ u32 i), i = 0, 1, …: the vectors' stand-in for the CSPRNG. */
export function seededRandom(seed: string): RandomSource {
  let pool = Buffer.alloc(0)
  let block = 0
  return (bytes) => {
    while (pool.length < bytes) {
      const counter = Buffer.alloc(4)
      counter.writeUInt32BE(block++)
      pool = Buffer.concat([pool, createHash('sha256').update(seed).update(counter).digest()])
    }
    const out = Buffer.from(pool.subarray(0, bytes))
    pool = pool.subarray(bytes)
    return out
  }
}

let keyStream = Buffer.alloc(0)

/** The first `bytes` bytes of the plaintext rule `aes-ctr sealgate`. */
export function plaintextOf(bytes: number): Buffer {
  if (keyStream.length < bytes) {
    const key = createHash('sha256').update('sealgate').digest()
    keyStream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(Math.max(bytes, 1 << 20)))
  }
  return keyStream.subarray(0, bytes)
}

/** A local master key made from a text. */
export function masterKey(text: string): MasterKey {
  const key = takeSecret(createHash('sha256').update(`master key ${text}`).digest())
  return { id: expand(key, 'sealgate/v1/local-id', Buffer.alloc(0), 8), key, created: '2026-01-01T00:00:00Z' }
}

/** A customer's key made from a text. */
export function customerKeyOf(text: string): Buffer {
  return createHash('sha256').update(`customer key ${text}`).digest()
}

export const MASTER = masterKey('one')
export const OTHER_MASTER = masterKey('two')

/** A bucket key with its wrapped form. */
export function bucketKeyOf(random: RandomSource, namespace = NAMESPACE, master = MASTER): SealingKey {
  const key = random(32)
  const wrapped = wrapLocal(master, { namespace, day: DAY }, key, random)
  return { tag: 'l', alias: 'main', day: DAY, kid: kidOf(key), wrapped, key }
}

export interface PartInput {
  readonly partNumber: number
  readonly bytes: number
}

export interface SealOptions {
  readonly seed: string
  readonly namespace?: string
  readonly key?: string
  readonly bucketKey?: SealingKey
  /** The object is one of SSE-C under this key. */
  readonly customerKey?: Buffer
  readonly objectKey?: Buffer
  readonly inline?: boolean
  readonly tlvs?: readonly Tlv[]
  readonly area?: readonly Tlv[]
  readonly checksum?: ChecksumValue
  /** Several segments without a client's parts: kind 1. */
  readonly gatewayParts?: boolean
  /** The layout only in the tail, although one PUT wrote it. */
  readonly tailFirst?: boolean
}

/** An object as a provider holds it, and everything that made it. */
export interface Stored {
  readonly seed: string
  readonly namespace: string
  readonly key: string
  readonly bucketKey: SealingKey
  readonly customerKey?: Buffer
  readonly objectKey: Buffer
  /** Raw, before base64url. */
  readonly envelope: Buffer
  readonly content: SealedMetadata
  readonly metadata: Buffer
  readonly plaintextBytes: number
  readonly segments: readonly Buffer[]
  readonly pad: Buffer
  readonly tail: Buffer
  readonly foot: Buffer
  readonly trailer: Buffer
}

const BASIC_TLVS: readonly Tlv[] = [{ tag: 1, value: Buffer.from('image/jpeg') }, userMetadataTlv('album', 'summer')]

/** An object of one PUT. */
export function putObject(bytes: number, options: SealOptions): Stored {
  return seal([{ partNumber: 0, bytes }], options)
}

/** An object of a multipart upload, or of a PUT that the gateway cut. */
export function multipartObject(parts: readonly PartInput[], options: SealOptions): Stored {
  return seal(parts, options)
}

function seal(parts: readonly PartInput[], options: SealOptions): Stored {
  const { seed, namespace = NAMESPACE, key = KEY } = options
  const random = seededRandom(seed)
  const bucketKey = options.bucketKey ?? bucketKeyOf(random, namespace)
  const objectKey = options.objectKey ?? newObjectKey(random)
  const isPut = parts[0]?.partNumber === 0
  const tailFirst = !isPut || options.tailFirst === true
  const plaintextBytes = parts.reduce((sum, part) => sum + part.bytes, 0)
  const sealed = sealParts(parts, objectKey, random)
  const flags = { tailFirst, sizeInMetadata: !tailFirst, areaUsed: options.area !== undefined, md5NotKept: false }
  const named = { objectKey, namespace, key, flags, random }
  const { customerKey } = options
  const envelope =
    customerKey === undefined
      ? sealEnvelope({ ...named, bucketKey, inline: options.inline ?? true })
      : sealCustomerEnvelope({ ...named, customerKey })
  const content: SealedMetadata = {
    plaintextBytes: tailFirst ? 0 : plaintextBytes,
    salt: tailFirst ? NO_SALT : sealed[0]!.entry.salt,
    commitment: tailFirst ? NO_COMMITMENT : sealed[0]!.commitment,
    generation: newGeneration(random),
    writeTime: WRITE_TIME,
    tlvs: options.tlvs ?? BASIC_TLVS,
  }
  const metadata = sealMetadata({ objectKey, envelopeRaw: envelope, content, random })
  const foot = plaintextBytes >= MIN_SEGMENT_BYTES ? encodeFoot(envelope, namespace, key) : Buffer.alloc(0)
  const segments = sealed.map(({ stored }) => stored)
  const isMultipart = !isPut && options.gatewayParts !== true
  const pieces = finishObject({
    objectKey,
    content: {
      kind: isMultipart ? 2 : 1,
      md5Valid: true,
      checksumValid: options.checksum !== undefined,
      segments: segments.length,
      plaintextBytes,
      md5: objectMd5(sealed, plaintextBytes, isMultipart),
      ...(options.checksum && { checksum: options.checksum }),
      partNumber: isMultipart && segments.length === 1 ? sealed[0]!.entry.partNumber : 0,
      salt: segments.length === 1 ? sealed[0]!.entry.salt : NO_SALT,
      generation: content.generation,
      writeTime: WRITE_TIME,
      ...(options.area && { area: sealArea(objectKey, options.area, random) }),
      entries: segments.length === 1 ? [] : sealed.map(({ entry }) => (isMultipart ? entry : withoutMd5(entry))),
    },
    segmentsStoredBytes: totalOf(segments),
    foot,
    random,
  })
  const end = Buffer.concat(pieces)
  const made = {
    seed,
    namespace,
    key,
    bucketKey,
    ...(customerKey === undefined ? {} : { customerKey }),
    objectKey,
    envelope,
    content,
    metadata,
    plaintextBytes,
    segments,
  }
  return { ...made, ...takeEndApart(end, totalOf(segments)) }
}

function withoutMd5({ partNumber, plaintextBytes, salt }: TailEntry): TailEntry {
  return { partNumber, plaintextBytes, salt }
}

interface SealedPart {
  readonly stored: Buffer
  readonly commitment: Buffer
  readonly entry: TailEntry & { readonly md5: Buffer }
}

function sealParts(parts: readonly PartInput[], objectKey: Buffer, random: RandomSource): SealedPart[] {
  const whole = plaintextOf(parts.reduce((sum, part) => sum + part.bytes, 0))
  let at = 0
  return parts.map(({ partNumber, bytes }) => {
    const plaintext = whole.subarray(at, (at += bytes))
    const type = partNumber === 0 ? DATA_OF_PUT : DATA_OF_PART
    const { pieces, salt, commitment } = sealSegment({ objectKey, type, partNumber, random }, plaintext)
    const entry = { partNumber, plaintextBytes: bytes, salt, md5: md5(plaintext) }
    return { stored: Buffer.concat(pieces), commitment, entry }
  })
}

function objectMd5(sealed: readonly SealedPart[], plaintextBytes: number, isMultipart: boolean): Buffer {
  if (!isMultipart) return md5(plaintextOf(plaintextBytes))
  return sealed.length === 1 ? sealed[0]!.entry.md5 : md5(Buffer.concat(sealed.map(({ entry }) => entry.md5)))
}

/** The same body under a new name, with new metadata: what a copy at the provider leaves. */
export function copyOf(object: Stored, key: string, tlvs = object.content.tlvs, areaUsed?: boolean): Stored {
  const random = seededRandom(`${object.seed} copied to ${key}`)
  const { bucketKey, objectKey, namespace } = object
  const bits = object.envelope.readUInt8(2)
  const flags = {
    tailFirst: (bits & 1) > 0,
    sizeInMetadata: (bits & 2) > 0,
    areaUsed: areaUsed ?? (bits & 4) > 0,
    md5NotKept: false,
  }
  const envelope = sealEnvelope({ bucketKey, objectKey, namespace, key, flags, inline: true, random })
  const content = { ...object.content, generation: newGeneration(random), tlvs }
  const metadata = sealMetadata({ objectKey, envelopeRaw: envelope, content, random })
  return { ...object, key, envelope, content, metadata }
}

function takeEndApart(end: Buffer, start: number): Pick<Stored, 'pad' | 'tail' | 'foot' | 'trailer'> {
  const trailer = end.subarray(end.length - 16)
  const footStart = end.length - 16 - trailer.readUInt16BE(0)
  const tailStart = trailer.readUIntBE(2, 6) - start
  return {
    pad: end.subarray(0, tailStart),
    tail: end.subarray(tailStart, footStart),
    foot: end.subarray(footStart, end.length - 16),
    trailer,
  }
}

/** Bytes of several buffers together. */
export function totalOf(pieces: readonly Buffer[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0)
}

/** The stored body. */
export function bodyOf(object: Pick<Stored, 'segments' | 'pad' | 'tail' | 'foot' | 'trailer'>): Buffer {
  return Buffer.concat([...object.segments, object.pad, object.tail, object.foot, object.trailer])
}

/** Randomness of its own for each defect, so that a new scenario changes no other. */
function resealing(object: Stored, plaintext: Buffer): RandomSource {
  return seededRandom(`${object.seed} resealed ${createHash('sha256').update(plaintext).digest('hex')}`)
}

/** The same object with another tail record, properly sealed: `change` edits a copy of the record's bytes in place or returns others. */
export function withRecord(object: Stored, change: (record: Buffer) => Buffer | undefined | void): Stored {
  const facts = { suite: 1, type: TAIL, partNumber: 0, salt: object.tail.subarray(8, 32) } as const
  const record = Buffer.from(openSegment(object.objectKey, facts, object.tail))
  const changed = change(record) ?? record
  const sealer = { objectKey: object.objectKey, type: TAIL, partNumber: 0, random: resealing(object, changed) } as const
  return { ...object, tail: Buffer.concat(sealSegment(sealer, changed).pieces) }
}

/** The same object with other content in its sealed metadata, properly sealed. */
export function withContent(object: Stored, change: (content: Buffer) => Buffer | undefined | void): Stored {
  const bound = createHash('sha256').update(object.envelope).digest()
  const opened = openSmall(object.objectKey, LABELS.metadata, bound, object.metadata)
  if (opened === undefined) throw new Error('the metadata to change does not open')
  const content = Buffer.from(opened)
  const changed = change(content) ?? content
  return {
    ...object,
    metadata: sealSmall(object.objectKey, LABELS.metadata, bound, changed, resealing(object, changed)),
  }
}

/** A copy of `bytes` with `replacement` at `offset` (negative: from the end). */
export function patched(bytes: Buffer, offset: number, replacement: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  replacement.copy(copy, offset < 0 ? bytes.length + offset : offset)
  return copy
}

/** A copy of `bytes` with one bit of one byte flipped. */
export function flipped(bytes: Buffer, offset: number): Buffer {
  const at = offset < 0 ? bytes.length + offset : offset
  return patched(bytes, at, Buffer.of(bytes[at]! ^ 1))
}
