/**
 * The entries of sealed metadata and of a tail's area: content headers, user metadata, checksums (docs/format.md, "Sealed
 * metadata"). Header values are the bytes received; as strings they are what Node gives: one character for each byte.
 */
import { Integrity, type IntegrityLayer, Internal } from '../errors.ts'
import { CHECKSUM_BYTES } from './checksum-codes.ts'
import type { ChecksumValue } from './tail-record.ts'

export interface Tlv {
  /** 0 to 127; tags from 128 on are critical and refused until a version knows them. */
  readonly tag: number
  readonly value: Buffer
}

/** The tags in use. */
export const TLV = {
  contentType: 1,
  cacheControl: 2,
  contentDisposition: 3,
  contentEncoding: 4,
  contentLanguage: 5,
  expires: 6,
  websiteRedirect: 7,
  userMetadata: 8,
  checksum: 9,
  md5: 10,
  serverSideEncryption: 11,
  program: 12,
  kmsDetails: 13,
} as const

const FRAME_BYTES = 3
const FIRST_CRITICAL = 128
const MD5_BYTES = 16

/** Server-side encryption as a client asked for it: 1 AES256, 2 aws:kms, 3 aws:kms:dsse, 4 SSE-C. */
export interface RequestedEncryption {
  readonly mode: number
  readonly keyId: string
}

/** The bytes of entries in their one order. Throws `Internal` for duplicates and values that do not fit. */
export function encodeTlvs(tlvs: readonly Tlv[]): Buffer {
  const sorted = [...tlvs].sort(compareTlvs)
  const pieces: Buffer[] = []
  for (const [i, tlv] of sorted.entries()) {
    const before = sorted[i - 1]
    if (before !== undefined && compareTlvs(before, tlv) === 0) throw new Internal(`metadata entry ${tlv.tag} twice`)
    if (tlv.value.length > 0xffff) throw new Internal(`metadata entry ${tlv.tag} has ${tlv.value.length} bytes`)
    const problem = problemOf(tlv)
    if (problem !== undefined) throw new Internal(problem)
    const frame = Buffer.allocUnsafe(FRAME_BYTES)
    frame.writeUInt8(tlv.tag, 0)
    frame.writeUInt16BE(tlv.value.length, 1)
    pieces.push(frame, tlv.value)
  }
  return Buffer.concat(pieces)
}

/** Entries from bytes that were opened. Throws `Integrity(layer)` unless they are exactly what `encodeTlvs` would write. */
export function decodeTlvs(bytes: Buffer, layer: IntegrityLayer): Tlv[] {
  const tlvs: Tlv[] = []
  let at = 0
  while (at < bytes.length) {
    if (bytes.length - at < FRAME_BYTES) throw new Integrity(layer, 'a metadata entry is cut short')
    const end = at + FRAME_BYTES + bytes.readUInt16BE(at + 1)
    if (end > bytes.length) throw new Integrity(layer, 'a metadata entry is cut short')
    const tlv = { tag: bytes.readUInt8(at), value: bytes.subarray(at + FRAME_BYTES, end) }
    const problem = problemOf(tlv)
    if (problem !== undefined) throw new Integrity(layer, problem)
    const before = tlvs.at(-1)
    if (before !== undefined && compareTlvs(before, tlv) >= 0) {
      throw new Integrity(layer, `metadata entry ${tlv.tag} is out of order or there twice`)
    }
    tlvs.push(tlv)
    at = end
  }
  return tlvs
}

/** Bytes that entries take. */
export function tlvBytes(tlvs: readonly Tlv[]): number {
  return tlvs.reduce((sum, tlv) => sum + FRAME_BYTES + tlv.value.length, 0)
}

/** Whole entries go to the headers in order while `capacityBytes` lasts; what does not fit goes to the tail's area. */
export function splitTlvs(tlvs: readonly Tlv[], capacityBytes: number): { headers: Tlv[]; area: Tlv[] } {
  const headers: Tlv[] = []
  const area: Tlv[] = []
  let room = capacityBytes
  for (const tlv of [...tlvs].sort(compareTlvs)) {
    const bytes = tlvBytes([tlv])
    if (bytes <= room) headers.push(tlv)
    else area.push(tlv)
    if (bytes <= room) room -= bytes
  }
  return { headers, area }
}

/** The entries of headers and area together, in order. An entry that both have counts as the headers have it. */
export function mergeTlvs(headers: readonly Tlv[], area: readonly Tlv[]): Tlv[] {
  const rest = area.filter((tlv) => !headers.some((other) => compareTlvs(tlv, other) === 0))
  return [...headers, ...rest].sort(compareTlvs)
}

/** One content header. Throws `Internal` for characters beyond one byte. */
export function textTlv(tag: number, text: string): Tlv {
  return { tag, value: headerBytes(text) }
}

/** The value of one content header; `undefined` if it was not set. */
export function textOf(tlvs: readonly Tlv[], tag: number): string | undefined {
  return tlvs.find((tlv) => tlv.tag === tag)?.value.toString('latin1')
}

/** One `x-amz-meta-` header; `name` comes without that prefix and has 1 to 255 bytes. */
export function userMetadataTlv(name: string, value: string): Tlv {
  const nameBytes = headerBytes(name)
  if (nameBytes.length < 1 || nameBytes.length > 255) throw new Internal('a metadata name must have 1 to 255 bytes')
  return { tag: TLV.userMetadata, value: Buffer.concat([Buffer.of(nameBytes.length), nameBytes, headerBytes(value)]) }
}

/** User metadata as pairs of name and value, by name. */
export function userMetadataOf(tlvs: readonly Tlv[]): [name: string, value: string][] {
  return tlvs
    .filter((tlv) => tlv.tag === TLV.userMetadata)
    .map((tlv) => [nameOf(tlv).toString('latin1'), tlv.value.subarray(1 + nameOf(tlv).length).toString('latin1')])
}

/** The checksum of the plaintext. */
export function checksumTlv(checksum: ChecksumValue): Tlv {
  const head = Buffer.of(checksum.algorithm, checksum.type)
  return { tag: TLV.checksum, value: Buffer.concat([head, checksum.value]) }
}

/** The checksum of the plaintext, if it was known when the metadata was sealed. */
export function checksumOf(tlvs: readonly Tlv[]): ChecksumValue | undefined {
  const value = tlvs.find((tlv) => tlv.tag === TLV.checksum)?.value
  if (value === undefined) return undefined
  return { algorithm: value.readUInt8(0), type: value.readUInt8(1), value: value.subarray(2) }
}

/** The MD5 of the plaintext (multipart: of the concatenated part MD5s) and the number of parts, 0 if not multipart. */
export function md5Tlv(md5: Buffer, partCount: number): Tlv {
  return { tag: TLV.md5, value: Buffer.concat([md5, Buffer.of(partCount >>> 8, partCount & 0xff)]) }
}

/** The plaintext's MD5, if it was known when the metadata was sealed. */
export function md5Of(tlvs: readonly Tlv[]): { md5: Buffer; partCount: number } | undefined {
  const value = tlvs.find((tlv) => tlv.tag === TLV.md5)?.value
  if (value === undefined) return undefined
  return { md5: value.subarray(0, MD5_BYTES), partCount: value.readUInt16BE(MD5_BYTES) }
}

/** Server-side encryption as the client asked for it, to be told back. */
export function sseTlv(requested: RequestedEncryption): Tlv {
  return {
    tag: TLV.serverSideEncryption,
    value: Buffer.concat([Buffer.of(requested.mode), headerBytes(requested.keyId)]),
  }
}

/** Server-side encryption as the client asked for it. */
export function sseOf(tlvs: readonly Tlv[]): RequestedEncryption | undefined {
  const value = tlvs.find((tlv) => tlv.tag === TLV.serverSideEncryption)?.value
  if (value === undefined) return undefined
  return { mode: value.readUInt8(0), keyId: value.subarray(1).toString('latin1') }
}

/** What a client asked of SSE-KMS beside the key. */
export interface KmsDetails {
  readonly bucketKey: boolean
  /** The encryption context as received (base64); empty if there was none. */
  readonly context: string
}

export function kmsDetailsTlv({ bucketKey, context }: KmsDetails): Tlv {
  return { tag: TLV.kmsDetails, value: Buffer.concat([Buffer.of(bucketKey ? 1 : 0), headerBytes(context)]) }
}

export function kmsDetailsOf(tlvs: readonly Tlv[]): KmsDetails | undefined {
  const value = tlvs.find((tlv) => tlv.tag === TLV.kmsDetails)?.value
  if (value === undefined) return undefined
  return { bucketKey: value.readUInt8(0) === 1, context: value.subarray(1).toString('latin1') }
}

function headerBytes(text: string): Buffer {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0xff) throw new Internal('a header value holds a character beyond one byte')
  }
  return Buffer.from(text, 'latin1')
}

/** By tag, user metadata by name; 0 means that the two may not stand side by side. */
function compareTlvs(a: Tlv, b: Tlv): number {
  if (a.tag !== b.tag || a.tag !== TLV.userMetadata) return a.tag - b.tag
  return Buffer.compare(nameOf(a), nameOf(b))
}

function nameOf(tlv: Tlv): Buffer {
  return tlv.value.subarray(1, 1 + (tlv.value[0] ?? 0))
}

/** What is wrong with one entry, by its tag. */
function problemOf({ tag, value }: Tlv): string | undefined {
  if (tag >= FIRST_CRITICAL) return `metadata entry ${tag} is critical and unknown`
  const known = FORM[tag]
  return known === undefined || known(value) ? undefined : `metadata entry ${tag} is malformed`
}

const FORM: Readonly<Record<number, (value: Buffer) => boolean>> = {
  [TLV.userMetadata]: (value) => (value[0] ?? 0) > 0 && value.length > (value[0] ?? 0),
  [TLV.checksum]: (value) =>
    value.length > 2 && CHECKSUM_BYTES.get(value[0] ?? 0) === value.length - 2 && (value[1] ?? 2) < 2,
  [TLV.md5]: (value) => value.length === MD5_BYTES + 2,
  [TLV.serverSideEncryption]: (value) => (value[0] ?? 0) >= 1 && (value[0] ?? 5) <= 4,
  [TLV.kmsDetails]: (value) => (value[0] ?? 2) < 2,
}
