/**
 * The segment: a committing stream of 64 KiB chunks under a key of its own (docs/format.md, "Segment").
 *
 * Pieces go through as they come: one cipher for each chunk, no gathering on the way in, and on the way out only what is
 * held until the chunk's tag has verified.
 */
import { type CipherGCM, createCipheriv, createDecipheriv, type DecipherGCM } from 'node:crypto'
import { Integrity, type IntegrityLayer, Internal } from '../errors.ts'
import {
  drawn,
  expand,
  KEY_BYTES,
  LABELS,
  NONCE_BYTES,
  type RandomSource,
  SALT_BYTES,
  SUITE_AES_GCM,
  sameBytes,
} from './derive.ts'
import { CHUNK_BYTES, chunkedSize, HEADER_BYTES, plaintextOfChunked, SEALED_CHUNK_BYTES, TAG_BYTES } from './sizes.ts'

/** Segment types. */
export const DATA_OF_PUT = 1
export const DATA_OF_PART = 2
export const TAIL = 3
export type SegmentType = typeof DATA_OF_PUT | typeof DATA_OF_PART | typeof TAIL

const MAGIC = Buffer.from('SGT1', 'latin1')
const COMMITTED_BYTES = 32
const CIPHER = 'aes-256-gcm'
const TAG_LENGTH = { authTagLength: TAG_BYTES }

/** What a reader knows of a segment before it reads it. */
export interface SegmentFacts {
  readonly suite: number
  readonly type: SegmentType
  /** 1 to 10,000 for type 2, else 0. */
  readonly partNumber: number
  readonly salt: Buffer
  /** Present where it comes from a source that must be compared: sealed metadata, or the header of a tail. */
  readonly commitment?: Buffer
}

export interface SealerOptions {
  readonly objectKey: Buffer
  readonly type: SegmentType
  readonly partNumber: number
  readonly random: RandomSource
}

export interface OpenerOptions {
  readonly objectKey: Buffer
  readonly facts: SegmentFacts
  /** Plaintext bytes of the whole segment, from a source that is trusted. */
  readonly plaintextBytes: number
  /** The chunks that will be pushed; by default all. */
  readonly firstChunk?: number
  readonly lastChunk?: number
  /** The layer that a bad tag is charged to; by default the payload. */
  readonly layer?: IntegrityLayer
}

/**
 * Seals one segment. One instance is one attempt: the salt is drawn here and never comes from outside, so that no salt is
 * ever used for two different plaintexts.
 */
export class SegmentSealer {
  /** The 64 bytes that come before everything `update` and `final` give. */
  readonly header: Buffer
  readonly salt: Buffer
  readonly commitment: Buffer
  readonly #secrets: SegmentSecrets
  #plaintextBytes = 0
  #filled = 0
  #chunk = 0
  #cipher: CipherGCM | undefined
  #ended = false

  constructor(options: SealerOptions) {
    this.salt = drawn(options.random, SALT_BYTES)
    this.#secrets = new SegmentSecrets(options.objectKey, { ...options, suite: SUITE_AES_GCM, salt: this.salt })
    this.header = this.#secrets.header
    this.commitment = this.header.subarray(COMMITTED_BYTES)
  }

  /** Plaintext bytes taken so far. */
  get plaintextBytes(): number {
    return this.#plaintextBytes
  }

  /** The ciphertext of a piece of any length, with the tag of each chunk that it fills. */
  update(piece: Buffer): Buffer[] {
    if (this.#ended) throw new Internal('a sealed segment takes no more plaintext')
    const out: Buffer[] = []
    let at = 0
    while (at < piece.length) {
      const take = Math.min(CHUNK_BYTES - this.#filled, piece.length - at)
      this.#cipher ??= this.#secrets.cipher(this.#chunk)
      out.push(this.#cipher.update(take === piece.length ? piece : piece.subarray(at, at + take)))
      at += take
      this.#filled += take
      if (this.#filled === CHUNK_BYTES) out.push(this.#endChunk(this.#cipher))
    }
    this.#plaintextBytes += piece.length
    return out
  }

  /** The end of the short last chunk, which may be empty. */
  final(): Buffer[] {
    if (this.#ended) throw new Internal('a segment is sealed once')
    const tag = this.#endChunk(this.#cipher ?? this.#secrets.cipher(this.#chunk))
    this.dispose()
    return [tag]
  }

  /** Nothing more is sealed: wipes what was derived. */
  dispose(): void {
    this.#ended = true
    this.#secrets.wipe()
  }

  #endChunk(cipher: CipherGCM): Buffer {
    cipher.final()
    this.#cipher = undefined
    this.#filled = 0
    this.#chunk += 1
    return cipher.getAuthTag()
  }
}

/**
 * Opens the chunks of one segment, or a run of them. Throws `Integrity('commitment failure')` from the constructor if the
 * key does not fit the commitment, and `layer` from `push` for a chunk whose tag does not verify.
 */
export class SegmentOpener {
  /** The header that the segment must have. */
  readonly header: Buffer
  readonly #secrets: SegmentSecrets
  readonly #plaintextBytes: number
  readonly #layer: IntegrityLayer
  readonly #tag = Buffer.allocUnsafe(TAG_BYTES)
  #remaining: number
  #chunk: number
  /** Plaintext bytes of the current chunk, how many of them came, and how many bytes of its tag. */
  #size: number
  #filled = 0
  #tagFilled = 0
  #decipher: DecipherGCM | undefined
  #held: Buffer[] = []

  constructor(options: OpenerOptions) {
    const { objectKey, facts, plaintextBytes } = options
    this.#secrets = new SegmentSecrets(objectKey, facts)
    this.header = this.#secrets.header
    if (facts.commitment !== undefined && !sameBytes(facts.commitment, this.header.subarray(COMMITTED_BYTES))) {
      throw new Integrity('commitment failure', 'the object key is not the one this segment was sealed under')
    }
    const finalChunk = Math.floor(plaintextBytes / CHUNK_BYTES)
    const { firstChunk = 0, lastChunk = finalChunk } = options
    if (firstChunk < 0 || firstChunk > lastChunk || lastChunk > finalChunk) {
      throw new Internal(`no chunks ${firstChunk} to ${lastChunk} in a segment of ${plaintextBytes} bytes`)
    }
    this.#plaintextBytes = plaintextBytes
    this.#layer = options.layer ?? 'payload failure'
    this.#remaining = storedEnd(plaintextBytes, lastChunk) - firstChunk * SEALED_CHUNK_BYTES
    this.#chunk = firstChunk
    this.#size = this.#sizeOf(firstChunk)
  }

  /** Stored bytes that are still wanted, without the header. */
  get remaining(): number {
    return this.#remaining
  }

  /** Takes at most `remaining` bytes of chunks; gives verified plaintext, never a buffer across two chunks. */
  push(piece: Buffer): Buffer[] {
    if (piece.length > this.#remaining) throw new Internal('more bytes than the segment has')
    this.#remaining -= piece.length
    const out: Buffer[] = []
    let at = 0
    while (at < piece.length) {
      at += this.#filled < this.#size ? this.#takeBody(piece, at) : this.#takeTag(piece, at, out)
    }
    if (this.#remaining === 0) this.#secrets.wipe()
    return out
  }

  /** Nothing more is opened: wipes what was derived. */
  dispose(): void {
    this.#remaining = 0
    this.#secrets.wipe()
  }

  #takeBody(piece: Buffer, at: number): number {
    const take = Math.min(this.#size - this.#filled, piece.length - at)
    this.#decipher ??= this.#secrets.decipher(this.#chunk)
    this.#held.push(this.#decipher.update(take === piece.length ? piece : piece.subarray(at, at + take)))
    this.#filled += take
    return take
  }

  #takeTag(piece: Buffer, at: number, out: Buffer[]): number {
    const take = Math.min(TAG_BYTES - this.#tagFilled, piece.length - at)
    piece.copy(this.#tag, this.#tagFilled, at, at + take)
    this.#tagFilled += take
    if (this.#tagFilled === TAG_BYTES) this.#endChunk(out)
    return take
  }

  #endChunk(out: Buffer[]): void {
    const decipher = this.#decipher ?? this.#secrets.decipher(this.#chunk)
    decipher.setAuthTag(this.#tag)
    try {
      decipher.final()
    } catch (error) {
      throw new Integrity(this.#layer, `chunk ${this.#chunk} does not verify`, { cause: error })
    }
    for (const piece of this.#held) out.push(piece)
    this.#held = []
    this.#decipher = undefined
    this.#filled = 0
    this.#tagFilled = 0
    this.#chunk += 1
    this.#size = this.#sizeOf(this.#chunk)
  }

  #sizeOf(chunk: number): number {
    return Math.min(CHUNK_BYTES, this.#plaintextBytes - chunk * CHUNK_BYTES)
  }
}

/** Seals a small plaintext that is at hand. `pieces` is the whole segment, its header first. */
export function sealSegment(
  options: SealerOptions,
  plaintext: Buffer | readonly Buffer[],
): { readonly pieces: Buffer[]; readonly salt: Buffer; readonly commitment: Buffer } {
  const sealer = new SegmentSealer(options)
  const pieces = [sealer.header]
  for (const piece of Buffer.isBuffer(plaintext) ? [plaintext] : plaintext) pieces.push(...sealer.update(piece))
  pieces.push(...sealer.final())
  return { pieces, salt: sealer.salt, commitment: sealer.commitment }
}

/** Opens a small whole segment, header included. Throws `commitment failure` for its header, `layer` for everything else. */
export function openSegment(
  objectKey: Buffer,
  facts: SegmentFacts,
  stored: Buffer,
  layer: IntegrityLayer = 'payload failure',
): Buffer {
  const plaintextBytes = plaintextOfChunked(stored.length - HEADER_BYTES)
  if (plaintextBytes === undefined) throw new Integrity(layer, `no segment has ${stored.length} bytes`)
  const opener = new SegmentOpener({ objectKey, facts, plaintextBytes, layer })
  checkHeader(stored.subarray(0, HEADER_BYTES), opener.header)
  return Buffer.concat(opener.push(stored.subarray(HEADER_BYTES)))
}

/** Throws `commitment failure` unless a stored header is the expected one to the last bit. */
export function checkHeader(stored: Buffer, expected: Buffer): void {
  if (!sameBytes(stored, expected)) {
    throw new Integrity('commitment failure', 'a segment header is not the one that was committed to')
  }
}

/** What a stored header says of itself; `undefined` if it is none. Nothing of it is verified yet. */
export function parseHeader(header: Buffer): SegmentFacts | undefined {
  if (header.length !== HEADER_BYTES || !header.subarray(0, 4).equals(MAGIC)) return undefined
  const type = header.readUInt8(5)
  if (type !== DATA_OF_PUT && type !== DATA_OF_PART && type !== TAIL) return undefined
  return {
    suite: header.readUInt8(4),
    type,
    partNumber: header.readUInt16BE(6),
    salt: header.subarray(8, COMMITTED_BYTES),
    commitment: header.subarray(COMMITTED_BYTES),
  }
}

/** Where a chunk of a segment ends, from the end of the segment's header. */
function storedEnd(plaintextBytes: number, chunk: number): number {
  return Math.min((chunk + 1) * SEALED_CHUNK_BYTES, chunkedSize(plaintextBytes))
}

/** What R and the first 32 bytes of a header give: the chunk key, the base nonce and the commitment. */
class SegmentSecrets {
  readonly header: Buffer
  readonly #secrets: Buffer
  readonly #key: Buffer
  readonly #baseNonce: Buffer
  readonly #nonce: Buffer

  constructor(objectKey: Buffer, facts: Omit<SegmentFacts, 'commitment'>) {
    if (facts.suite !== SUITE_AES_GCM) throw new Integrity('payload failure', `unknown suite ${facts.suite}`)
    this.header = Buffer.alloc(HEADER_BYTES)
    MAGIC.copy(this.header)
    this.header.writeUInt8(facts.suite, 4)
    this.header.writeUInt8(facts.type, 5)
    this.header.writeUInt16BE(facts.partNumber, 6)
    facts.salt.copy(this.header, 8, 0, SALT_BYTES)
    const committed = this.header.subarray(0, COMMITTED_BYTES)
    const secrets = expand(objectKey, LABELS.segment, committed, KEY_BYTES + NONCE_BYTES + COMMITTED_BYTES)
    this.#secrets = secrets
    this.#key = secrets.subarray(0, KEY_BYTES)
    this.#baseNonce = secrets.subarray(KEY_BYTES, KEY_BYTES + NONCE_BYTES)
    this.#nonce = Buffer.from(this.#baseNonce)
    secrets.copy(this.header, COMMITTED_BYTES, KEY_BYTES + NONCE_BYTES)
  }

  cipher(chunk: number): CipherGCM {
    return createCipheriv(CIPHER, this.#key, this.#nonceOf(chunk))
  }

  decipher(chunk: number): DecipherGCM {
    return createDecipheriv(CIPHER, this.#key, this.#nonceOf(chunk), TAG_LENGTH)
  }

  /** Its owner makes no cipher any more. */
  wipe(): void {
    this.#secrets.fill(0)
  }

  /** base nonce XOR u96(chunk). No object has 2^32 chunks, so the counter touches the last four bytes alone. */
  #nonceOf(chunk: number): Buffer {
    const at = NONCE_BYTES - 4
    this.#nonce.writeUInt32BE((this.#baseNonce.readUInt32BE(at) ^ chunk) >>> 0, at)
    return this.#nonce
  }
}
