/**
 * The record inside a tail: what fixes the number, order and sizes of an object's segments (docs/format.md, "Tail record").
 */
import { Integrity, Internal } from '../errors.ts'
import { CHECKSUM_BYTES } from './checksum-codes.ts'
import { SALT_BYTES, SEAL_OVERHEAD } from './derive.ts'
import { AREA_LIMIT, MAX_SEGMENTS, MIN_SEGMENT_BYTES, TAIL_ENTRY_BYTES, TAIL_FIXED_BYTES } from './sizes.ts'

/** A checksum of a whole object or a part: the raw bytes that S3 base64-encodes. */
export interface ChecksumValue {
  /** A code of `CHECKSUM_BYTES`. */
  readonly algorithm: number
  /** 0 full object, 1 composite. */
  readonly type: number
  readonly value: Buffer
}

/** One data segment of an object that has several. */
export interface TailEntry {
  /** 1 to 10,000, ascending. */
  readonly partNumber: number
  readonly plaintextBytes: number
  readonly salt: Buffer
  readonly md5?: Buffer
  /** Of the record's checksum algorithm. */
  readonly checksum?: Buffer
}

export interface TailRecord {
  /** 1 PUT, 2 multipart, as the client wrote it. */
  readonly kind: 1 | 2
  readonly md5Valid: boolean
  readonly checksumValid: boolean
  readonly areaUsed: boolean
  readonly footPresent: boolean
  /** N: data segments. */
  readonly segments: number
  /** P. */
  readonly plaintextBytes: number
  /** Where the tail begins in the stored object. */
  readonly tailOffset: number
  /** 16 bytes: of the plaintext; for kind 2 with several segments, of the concatenated MD5s of the parts. Zero unless `md5Valid`. */
  readonly md5: Buffer
  /** Present if there is an algorithm; its value is empty unless `checksumValid`: then only the entries have checksums. */
  readonly checksum?: ChecksumValue
  /** Of the one segment of kind 2; else 0. */
  readonly partNumber: number
  /** Of the one data segment; zero if there are several. */
  readonly salt: Buffer
  readonly generation: Buffer
  /** Milliseconds since 1970. */
  readonly writeTime: number
  /** Sealed, as it is stored. Only if P ≥ D. */
  readonly area?: Buffer
  /** One for each segment if there are several; else empty. */
  readonly entries: readonly TailEntry[]
}

/** What stands in the place of an MD5 that is not kept. Never write to it. */
export const NO_MD5 = Buffer.alloc(16)

const VERSION = 1
const FLAG = { md5: 1, checksum: 2, area: 4, foot: 8 } as const
const ENTRY_FLAG = { md5: 1, checksum: 2 } as const
const MD5_BYTES = 16
const VALUE_BYTES = 64
const LENGTH_BYTES = 2

/** Bytes of a record. */
export function tailRecordSize(record: Pick<TailRecord, 'plaintextBytes' | 'area' | 'segments'>): number {
  const area = record.plaintextBytes >= MIN_SEGMENT_BYTES ? LENGTH_BYTES + (record.area?.length ?? 0) : 0
  return TAIL_FIXED_BYTES + area + (record.segments >= 2 ? TAIL_ENTRY_BYTES * record.segments : 0)
}

/** The bytes of a record. Throws `Internal` for a record that `decodeTail` would refuse. */
export function encodeTail(record: TailRecord): Buffer {
  const problem = problemOf(record)
  if (problem !== undefined) throw new Internal(`a tail record ${problem}`)
  const out = Buffer.alloc(tailRecordSize(record))
  out.writeUInt8(VERSION, 0)
  out.writeUInt8(record.kind, 1)
  out.writeUInt16BE(flagsOf(record), 2)
  out.writeUInt32BE(record.segments, 4)
  writeU64(out, record.plaintextBytes, 8)
  writeU64(out, record.tailOffset, 16)
  record.md5.copy(out, 24)
  out.writeUInt8(record.checksum?.algorithm ?? 0, 40)
  out.writeUInt8(record.checksum?.type ?? 0, 41)
  out.writeUInt16BE(record.partNumber, 42)
  record.checksum?.value.copy(out, 44)
  record.salt.copy(out, 108)
  record.generation.copy(out, 132)
  writeU64(out, record.writeTime, 140)
  let at = TAIL_FIXED_BYTES
  if (record.plaintextBytes >= MIN_SEGMENT_BYTES) {
    out.writeUInt16BE(record.area?.length ?? 0, at)
    record.area?.copy(out, at + LENGTH_BYTES)
    at += LENGTH_BYTES + (record.area?.length ?? 0)
  }
  for (const [i, entry] of record.entries.entries()) encodeEntry(entry, out, at + i * TAIL_ENTRY_BYTES)
  return out
}

/** The record that bytes hold. Throws `Integrity('tail failure')` unless they are exactly what a writer would have made. */
export function decodeTail(bytes: Buffer): TailRecord {
  if (bytes.length < TAIL_FIXED_BYTES) throw refusal('is cut short')
  if (bytes.readUInt8(0) !== VERSION) throw refusal(`has the unknown version ${bytes.readUInt8(0)}`)
  const flags = bytes.readUInt16BE(2)
  if (flags > 15) throw refusal(`has unknown flags ${flags}`)
  if (!isZero(bytes.subarray(148, TAIL_FIXED_BYTES))) throw refusal('has reserved bytes that are not zero')
  const plaintextBytes = readU64(bytes, 8)
  const segments = bytes.readUInt32BE(4)
  const area = decodeArea(bytes, plaintextBytes)
  const areaBytes = area === undefined ? 0 : LENGTH_BYTES + area.length
  const checksum = decodeChecksum(bytes, (flags & FLAG.checksum) !== 0)
  const record: TailRecord = {
    kind: kindOf(bytes.readUInt8(1)),
    md5Valid: (flags & FLAG.md5) !== 0,
    checksumValid: (flags & FLAG.checksum) !== 0,
    areaUsed: (flags & FLAG.area) !== 0,
    footPresent: (flags & FLAG.foot) !== 0,
    segments,
    plaintextBytes,
    tailOffset: readU64(bytes, 16),
    md5: bytes.subarray(24, 40),
    ...(checksum === undefined ? {} : { checksum }),
    partNumber: bytes.readUInt16BE(42),
    salt: bytes.subarray(108, 132),
    generation: bytes.subarray(132, 140),
    writeTime: readU64(bytes, 140),
    ...(area === undefined || area.length === 0 ? {} : { area }),
    entries: decodeEntries(bytes, TAIL_FIXED_BYTES + areaBytes, segments, checksum?.algorithm ?? 0),
  }
  const problem = problemOf(record)
  if (problem !== undefined) throw refusal(problem)
  return record
}

function encodeEntry(entry: TailEntry, out: Buffer, at: number): void {
  const md5Flag = entry.md5 === undefined ? 0 : ENTRY_FLAG.md5
  out.writeUInt16BE(entry.partNumber, at)
  out.writeUInt16BE(md5Flag | (entry.checksum === undefined ? 0 : ENTRY_FLAG.checksum), at + 2)
  writeU64(out, entry.plaintextBytes, at + 8)
  entry.salt.copy(out, at + 16)
  entry.md5?.copy(out, at + 40)
  entry.checksum?.copy(out, at + 56)
}

function decodeEntries(bytes: Buffer, start: number, segments: number, algorithm: number): TailEntry[] {
  const count = segments >= 2 ? segments : 0
  if (bytes.length !== start + count * TAIL_ENTRY_BYTES)
    throw refusal(`of ${segments} segments has ${bytes.length} bytes`)
  return Array.from({ length: count }, (_, i) => {
    const at = start + i * TAIL_ENTRY_BYTES
    return decodeEntry(bytes.subarray(at, at + TAIL_ENTRY_BYTES), algorithm)
  })
}

function decodeEntry(bytes: Buffer, algorithm: number): TailEntry {
  const flags = bytes.readUInt16BE(2)
  if (flags > 3) throw refusal(`has an entry with unknown flags ${flags}`)
  if (bytes.readUInt32BE(4) !== 0) throw refusal('has an entry with reserved bytes that are not zero')
  const md5 = optional(bytes.subarray(40, 56), MD5_BYTES, (flags & ENTRY_FLAG.md5) !== 0)
  const checksumBytes = CHECKSUM_BYTES.get(algorithm) ?? 0
  const checksum = optional(bytes.subarray(56), checksumBytes, (flags & ENTRY_FLAG.checksum) !== 0)
  return {
    partNumber: bytes.readUInt16BE(0),
    plaintextBytes: readU64(bytes, 8),
    salt: bytes.subarray(16, 40),
    ...(md5 === undefined ? {} : { md5 }),
    ...(checksum === undefined ? {} : { checksum }),
  }
}

/** A field of which `used` bytes count if it is valid; everything else of it must be zero. */
function optional(field: Buffer, used: number, valid: boolean): Buffer | undefined {
  if (!isZero(field.subarray(valid ? used : 0))) throw refusal('has bytes in a field that it does not use')
  return valid ? field.subarray(0, used) : undefined
}

function decodeChecksum(bytes: Buffer, valid: boolean): ChecksumValue | undefined {
  const algorithm = bytes.readUInt8(40)
  const type = bytes.readUInt8(41)
  const used = CHECKSUM_BYTES.get(algorithm) ?? 0
  const value = optional(bytes.subarray(44, 108), used, valid) ?? Buffer.alloc(0)
  if (algorithm === 0 && type !== 0) throw refusal('has a checksum type without an algorithm')
  return algorithm === 0 ? undefined : { algorithm, type, value }
}

/** `undefined` if the record has no place for an area, empty if the place is not used. */
function decodeArea(bytes: Buffer, plaintextBytes: number): Buffer | undefined {
  if (plaintextBytes < MIN_SEGMENT_BYTES) return undefined
  if (bytes.length < TAIL_FIXED_BYTES + LENGTH_BYTES) throw refusal('is cut short')
  const start = TAIL_FIXED_BYTES + LENGTH_BYTES
  const end = start + bytes.readUInt16BE(TAIL_FIXED_BYTES)
  if (end > bytes.length) throw refusal('is cut short')
  return bytes.subarray(start, end)
}

/** The first rule that a record breaks. One list for writers and readers. */
function problemOf(record: TailRecord): string | undefined {
  return problemOfCounts(record) ?? problemOfFields(record) ?? problemOfChecksum(record) ?? problemOfEntries(record)
}

function problemOfCounts(record: TailRecord): string | undefined {
  const { segments, plaintextBytes, partNumber } = record
  if (segments < 1 || segments > MAX_SEGMENTS) return `names ${segments} segments`
  if (record.entries.length !== (segments >= 2 ? segments : 0)) return `of ${segments} segments has other entries`
  if (![plaintextBytes, record.tailOffset, record.writeTime].every(isSize)) return 'has a number out of range'
  const isOnePart = segments === 1 && record.kind === 2
  if (isOnePart ? !isPartNumber(partNumber) : partNumber !== 0) return `has the part number ${partNumber}`
  return undefined
}

function problemOfFields(record: TailRecord): string | undefined {
  const { area, salt, md5 } = record
  if (salt.length !== SALT_BYTES || record.generation.length !== 8 || md5.length !== MD5_BYTES) return 'is malformed'
  if (record.segments >= 2 && !isZero(salt)) return 'has both a salt and entries'
  if (!record.md5Valid && !isZero(md5)) return 'has an MD5 that is not valid'
  if (record.areaUsed !== (area !== undefined)) return 'contradicts itself about its area'
  if (area !== undefined && (area.length < SEAL_OVERHEAD || area.length > AREA_LIMIT)) {
    return `has an area of ${area.length} bytes`
  }
  if (record.plaintextBytes < MIN_SEGMENT_BYTES && (record.areaUsed || record.footPresent)) {
    return 'of a small object has an area or a foot'
  }
  return undefined
}

function problemOfChecksum(record: TailRecord): string | undefined {
  const { checksum } = record
  if (checksum === undefined) return record.checksumValid ? 'has a checksum without an algorithm' : undefined
  const bytes = CHECKSUM_BYTES.get(checksum.algorithm)
  if (bytes === undefined || bytes > VALUE_BYTES) return `has the unknown checksum algorithm ${checksum.algorithm}`
  if (checksum.type !== 0 && checksum.type !== 1) return `has the unknown checksum type ${checksum.type}`
  if (checksum.value.length !== (record.checksumValid ? bytes : 0)) return 'has a checksum of a wrong length'
  return undefined
}

function problemOfEntries(record: TailRecord): string | undefined {
  const { entries } = record
  if (entries.length === 0) return undefined
  const bytes = CHECKSUM_BYTES.get(record.checksum?.algorithm ?? 0)
  let total = 0
  let before = 0
  for (const [i, entry] of entries.entries()) {
    const problem = problemOfEntry(entry, bytes)
    if (problem !== undefined) return problem
    if (entry.partNumber <= before) return 'has entries out of order'
    if (i < entries.length - 1 && entry.plaintextBytes < MIN_SEGMENT_BYTES) return 'has a segment that is too small'
    if (record.kind === 1 && (entry.partNumber !== i + 1 || entry.md5 !== undefined || entry.checksum !== undefined)) {
      return 'of a PUT has entries of an upload'
    }
    before = entry.partNumber
    total += entry.plaintextBytes
  }
  return total === record.plaintextBytes ? undefined : 'has segments that do not add up'
}

function problemOfEntry(entry: TailEntry, checksumBytes: number | undefined): string | undefined {
  if (!isPartNumber(entry.partNumber)) return `has the part number ${entry.partNumber}`
  if (!isSize(entry.plaintextBytes)) return 'has a number out of range'
  if (entry.salt.length !== SALT_BYTES) return 'is malformed'
  if (entry.md5 !== undefined && entry.md5.length !== MD5_BYTES) return 'has an MD5 of a wrong length'
  if (entry.checksum !== undefined && entry.checksum.length !== checksumBytes) return 'has a checksum of a wrong length'
  return undefined
}

function flagsOf(record: TailRecord): number {
  const used = (set: boolean, flag: number): number => (set ? flag : 0)
  return (
    used(record.md5Valid, FLAG.md5) |
    used(record.checksumValid, FLAG.checksum) |
    used(record.areaUsed, FLAG.area) |
    used(record.footPresent, FLAG.foot)
  )
}

function kindOf(kind: number): 1 | 2 {
  if (kind !== 1 && kind !== 2) throw refusal(`has the unknown kind ${kind}`)
  return kind
}

function isPartNumber(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= MAX_SEGMENTS
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0)
}

function writeU64(out: Buffer, value: number, at: number): void {
  out.writeBigUInt64BE(BigInt(value), at)
}

/** Numbers of 2^53 and more come back too large to be a size and are refused with the rest. */
function readU64(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64BE(at))
}

function refusal(problem: string): Integrity {
  return new Integrity('tail failure', `the record ${problem}`)
}
