/**
 * Facts: what a listing shows of an object, sealed under its bucket key for stores that return an opaque value with each
 * listed key (docs/format.md, "Facts"). One key for each K keeps a page of 1,000 cheap.
 */
import { Internal } from '../errors.ts'
import { takeSecret } from '../secret-bytes.ts'
import {
  decrypt,
  derivedOnce,
  drawn,
  encrypt,
  expand,
  KEY_BYTES,
  LABELS,
  lengthPrefixed,
  NONCE_BYTES,
  type RandomSource,
} from './derive.ts'
import { TAG_BYTES } from './sizes.ts'

export interface Facts {
  /** P. */
  readonly plaintextBytes: number
  /** 8 bytes. */
  readonly generation: Buffer
  /** The ETag's MD5, if it is known. */
  readonly md5?: Buffer
  /** 0 if the object is not multipart. */
  readonly partCount: number
  /** Codes of docs/format.md, "Tail record"; 0 none. */
  readonly checksumAlgorithm: number
  readonly checksumType: number
}

const VERSION = 1
const KID_BYTES = 16
const CONTENT_BYTES = 37
const NO_MD5 = Buffer.alloc(16)
const EMPTY = Buffer.alloc(0)

/** The key that all facts under one bucket key share. Never write to it. */
export const factsKey = derivedOnce((bucketKey) => takeSecret(expand(bucketKey, LABELS.facts, EMPTY, KEY_BYTES)))

/** Seals facts for one name. `factsKey` and `kid` are of the same bucket key. */
export function sealFacts(input: {
  readonly factsKey: Buffer
  readonly kid: Buffer
  readonly facts: Facts
  readonly namespace: string
  readonly key: string
  readonly random: RandomSource
}): Buffer {
  const { facts, kid } = input
  if (kid.length !== KID_BYTES || facts.generation.length !== 8)
    throw new Internal('kid or generation of a wrong length')
  if (facts.md5 !== undefined && facts.md5.length !== NO_MD5.length) throw new Internal('an MD5 has 16 bytes')
  const content = Buffer.alloc(CONTENT_BYTES)
  content.writeUInt8(VERSION, 0)
  content.writeBigUInt64BE(BigInt(facts.plaintextBytes), 1)
  facts.generation.copy(content, 9)
  facts.md5?.copy(content, 17)
  content.writeUInt16BE(facts.partCount, 33)
  content.writeUInt8(facts.checksumAlgorithm, 35)
  content.writeUInt8(facts.checksumType, 36)
  const nonce = drawn(input.random, NONCE_BYTES)
  const sealed = encrypt(input.factsKey, nonce, content, boundName(input.namespace, input.key))
  return Buffer.concat([kid, nonce, sealed])
}

/** The facts of one name; `undefined` if they do not open or are of a version that this one does not know. */
export function openFacts(factsKey: Buffer, raw: Buffer, namespace: string, key: string): Facts | undefined {
  if (raw.length !== KID_BYTES + NONCE_BYTES + CONTENT_BYTES + TAG_BYTES) return undefined
  const nonce = raw.subarray(KID_BYTES, KID_BYTES + NONCE_BYTES)
  const content = decrypt(factsKey, nonce, raw.subarray(KID_BYTES + NONCE_BYTES), boundName(namespace, key))
  if (content?.readUInt8(0) !== VERSION) return undefined
  const md5 = content.subarray(17, 33)
  const plaintextBytes = Number(content.readBigUInt64BE(1))
  if (!Number.isSafeInteger(plaintextBytes)) return undefined
  return {
    plaintextBytes,
    generation: content.subarray(9, 17),
    ...(md5.equals(NO_MD5) ? {} : { md5 }),
    partCount: content.readUInt16BE(33),
    checksumAlgorithm: content.readUInt8(35),
    checksumType: content.readUInt8(36),
  }
}

/** The kid of the bucket key that facts were sealed under; `undefined` if they are too short to be facts. */
export function factsKid(raw: Buffer): Buffer | undefined {
  return raw.length < KID_BYTES + NONCE_BYTES + TAG_BYTES ? undefined : raw.subarray(0, KID_BYTES)
}

function boundName(namespace: string, key: string): Buffer {
  return Buffer.concat([lengthPrefixed(namespace), lengthPrefixed(key)])
}
