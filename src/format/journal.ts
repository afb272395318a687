/** The journal of an upload: what each attempt of a part was, sealed into the name of an empty object (docs/format.md, "State store"). */
import { Integrity, Internal } from '../errors.ts'
import { CHECKSUM_BYTES } from './checksum-codes.ts'
import {
  drawn,
  fromBase64url,
  LABELS,
  lengthPrefixed,
  openSmall,
  type RandomSource,
  SALT_BYTES,
  sealSmall,
  toBase64url,
} from './derive.ts'
import { sha256Hex } from './hash.ts'
import { MAX_SEGMENTS } from './sizes.ts'

/** One attempt of a part. */
export interface PartAttempt {
  /** Plaintext bytes. */
  readonly bytes: number
  /** The salt of the part's segment, 24 bytes. */
  readonly segmentSalt: Buffer
  readonly md5?: Buffer
  /** The segment lies in the state store, not in the backend's upload. */
  readonly heldBack: boolean
  /** `algorithm` is a code of docs/format.md, "Tail record". */
  readonly checksum?: { readonly algorithm: number; readonly value: Buffer }
  /** At most 255 ASCII characters each, without quotes. */
  readonly clientEtag: string
  readonly backendEtag: string
}

/** Which attempt of which part of which upload: what a record is bound to. */
export interface AttemptName {
  /** R of the upload. */
  readonly objectKey: Buffer
  /** `stateId` of the upload. */
  readonly id: string
  readonly part: number
  /** `newAttempt` of the attempt. */
  readonly attempt: string
}

const VERSION = 1
const FLAG = { md5: 1, checksum: 2, heldBack: 4 } as const
const MD5_BYTES = 16
/** Version, flags, length, salt, MD5, algorithm and the checksum's length. */
const FIXED_BYTES = 2 + 8 + SALT_BYTES + MD5_BYTES + 2
const SEGMENT_CHARACTERS = 180
const ATTEMPT = /^[0-9a-z]{9}-[0-9a-z]{8}$/
const ID = /^[0-9a-f]{32}$/
const ASCII = /^[\x20-\x7e]{0,255}$/

/** The record for a journal name: base64url cut with `/` into path segments of at most 180 characters. */
export function sealJournalName(
  input: AttemptName & { readonly content: PartAttempt; readonly random: RandomSource },
): string {
  const sealed = sealSmall(input.objectKey, LABELS.journal, boundTo(input), encodeAttempt(input.content), input.random)
  return cut(toBase64url(sealed))
}

/** What a journal name says. Throws `Integrity('tail failure')`: from these records the tail is made. */
export function openJournalName(input: AttemptName & { readonly name: string }): PartAttempt {
  const text = input.name.replaceAll('/', '')
  const sealed = fromBase64url(text)
  if (sealed === undefined || cut(text) !== input.name) throw refusal('is not spelled as it is written')
  const content = openSmall(input.objectKey, LABELS.journal, boundTo(input), sealed)
  if (content === undefined) throw refusal('does not open')
  return decodeAttempt(content)
}

/** The name of a new attempt, 18 characters: 9 digits base36 of the time, `-`, 8 random ones. Names sort by time. */
export function newAttempt(nowMs: number, random: RandomSource): string {
  const time = Math.floor(nowMs).toString(36).padStart(9, '0')
  const chance = (drawn(random, 16).readBigUInt64BE(0) % 36n ** 8n).toString(36).padStart(8, '0')
  const attempt = `${time}-${chance}`
  if (!ATTEMPT.test(attempt)) throw new Internal(`no attempt at the time ${nowMs}`)
  return attempt
}

/** The folder of an upload in the state store, 32 hex digits: from the client's bucket, the key and the backend's upload id. */
export function stateId(bucket: string, key: string, uploadId: string): string {
  const named = Buffer.concat([lengthPrefixed(bucket), lengthPrefixed(key), lengthPrefixed(uploadId)])
  return sha256Hex(named).slice(0, 32)
}

function boundTo({ id, part, attempt }: AttemptName): Buffer {
  if (!ID.test(id) || !ATTEMPT.test(attempt) || !Number.isInteger(part) || part < 1 || part > MAX_SEGMENTS) {
    throw new Internal(`no attempt ${attempt} of part ${part} of upload ${id}`)
  }
  return Buffer.concat([Buffer.from(id, 'latin1'), Buffer.of(part >>> 8, part & 0xff), Buffer.from(attempt, 'latin1')])
}

function encodeAttempt(content: PartAttempt): Buffer {
  const { md5, segmentSalt } = content
  const checksum = content.checksum ?? { algorithm: 0, value: Buffer.alloc(0) }
  if (segmentSalt.length !== SALT_BYTES || (md5 !== undefined && md5.length !== MD5_BYTES)) {
    throw new Internal('a salt or MD5 of a wrong length')
  }
  if (checksum.value.length !== (CHECKSUM_BYTES.get(checksum.algorithm) ?? 0)) {
    throw new Internal(`a checksum of ${checksum.value.length} bytes by algorithm ${checksum.algorithm}`)
  }
  const checksumFlag = checksum.value.length > 0 ? FLAG.checksum : 0
  const fixed = Buffer.alloc(FIXED_BYTES)
  fixed.writeUInt8(VERSION, 0)
  fixed.writeUInt8((md5 ? FLAG.md5 : 0) | checksumFlag | (content.heldBack ? FLAG.heldBack : 0), 1)
  fixed.writeBigUInt64BE(BigInt(content.bytes), 2)
  segmentSalt.copy(fixed, 10)
  md5?.copy(fixed, 34)
  fixed.writeUInt8(checksum.algorithm, 50)
  fixed.writeUInt8(checksum.value.length, 51)
  return Buffer.concat([fixed, checksum.value, etagBytes(content.clientEtag), etagBytes(content.backendEtag)])
}

function decodeAttempt(content: Buffer): PartAttempt {
  if (content.length < FIXED_BYTES || content.readUInt8(0) !== VERSION) throw refusal('has an unknown form')
  const flags = content.readUInt8(1)
  if (flags > 7) throw refusal(`has unknown flags ${flags}`)
  const bytes = Number(content.readBigUInt64BE(2))
  if (!Number.isSafeInteger(bytes)) throw refusal('has a number out of range')
  const md5 = content.subarray(34, FIXED_BYTES - 2)
  const hasMd5 = (flags & FLAG.md5) !== 0
  if (!hasMd5 && !md5.equals(Buffer.alloc(MD5_BYTES))) throw refusal('has an MD5 that is not valid')
  const algorithm = content.readUInt8(50)
  const hasChecksum = (flags & FLAG.checksum) !== 0
  const checksumBytes = content.readUInt8(51)
  if (
    (algorithm !== 0 && !CHECKSUM_BYTES.has(algorithm)) ||
    checksumBytes !== (CHECKSUM_BYTES.get(algorithm) ?? 0) ||
    hasChecksum !== checksumBytes > 0
  ) {
    throw refusal('has a malformed checksum')
  }
  const value = content.subarray(FIXED_BYTES, FIXED_BYTES + checksumBytes)
  const [clientEtag, next] = etagFrom(content, FIXED_BYTES + checksumBytes)
  const [backendEtag, end] = etagFrom(content, next)
  if (end !== content.length) throw refusal('has bytes behind its end')
  return {
    bytes,
    segmentSalt: content.subarray(10, 34),
    ...(hasMd5 ? { md5 } : {}),
    heldBack: (flags & FLAG.heldBack) !== 0,
    ...(hasChecksum ? { checksum: { algorithm, value } } : {}),
    clientEtag,
    backendEtag,
  }
}

function etagBytes(etag: string): Buffer {
  if (!ASCII.test(etag)) throw new Internal('an ETag that is not short ASCII')
  return Buffer.concat([Buffer.of(etag.length), Buffer.from(etag, 'latin1')])
}

function etagFrom(content: Buffer, at: number): [etag: string, next: number] {
  const next = at + 1 + (content[at] ?? Infinity)
  if (next > content.length) throw refusal('is cut short')
  const etag = content.subarray(at + 1, next).toString('latin1')
  if (!ASCII.test(etag)) throw refusal('has an ETag that is not ASCII')
  return [etag, next]
}

function cut(text: string): string {
  return text.match(new RegExp(`.{1,${SEGMENT_CHARACTERS}}`, 'g'))?.join('/') ?? ''
}

function refusal(problem: string): Integrity {
  return new Integrity('tail failure', `a journal record ${problem}`)
}
