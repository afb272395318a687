/** Rows of the index and their bytes. All integers are big-endian; sizes and times (ms since 1970) have 6 bytes. */
import { Internal } from '../../errors.ts'

/** Where a body is: nowhere (it is empty), in the index, in one file, or in a list of files. */
export type BodyKind = 'none' | 'inline' | 'file' | 'pieces'

const KINDS: readonly BodyKind[] = ['none', 'inline', 'file', 'pieces']

/** Length of body ids: 8 random bytes (the folder of a file) and a number of 4 bytes in it. */
export const BODY_ID_BYTES = 12

export interface BodyRef {
  readonly kind: BodyKind
  /** Zero if `kind` is none. */
  readonly id: Buffer
}

export const NO_BODY: BodyRef = { kind: 'none', id: Buffer.alloc(BODY_ID_BYTES) }

/** What objects and parts have in common. */
export interface StoredRow {
  /** Hexadecimal, 32 characters. */
  readonly etag: string
  readonly size: number
  readonly modified: number
  readonly body: BodyRef
}

/** Which version of its key a row is. Rows of buckets in which versions were never switched on have none. */
export interface RowVersion {
  /** Orders the versions of one key, the newest last. */
  readonly sequence: bigint
  /** 8 bytes: ids of versions cannot be guessed. */
  readonly random: Buffer
  /** Its id is `null`. */
  readonly isNull: boolean
}

type Strings = Readonly<Record<string, string>>

export interface ObjectRow extends StoredRow {
  readonly facts: Buffer | undefined
  readonly metadata: Strings
  /** As the port's: what S3 keeps beside contents. */
  readonly attributes: Strings
  readonly version: RowVersion | undefined
  /** Says that the key was deleted, and has no body. */
  readonly marker: boolean
}

/** What a listing needs of an object's row. */
export type ListedRow = Omit<ObjectRow, 'metadata' | 'body'>

export interface UploadRow {
  readonly bucket: string
  readonly key: string
  readonly initiated: number
  readonly metadata: Strings
  readonly attributes: Strings
}

export interface Piece {
  readonly id: Buffer
  readonly size: number
}

/** kind and flags (1) ‖ body id (12) ‖ size (6) ‖ modified (6) ‖ etag (16). */
const SIZE_AT = 13
const MODIFIED_AT = 19
const ETAG_AT = 25
const STORED_BYTES = 41
/** Flags beside the kind. Format 1 had none, and its programs take a row with flags for damaged rather than for another. */
const KIND_BITS = 0x0f
const MARKER = 0x10
const NULL_VERSION = 0x20
const VERSION = 0x40
const ATTRIBUTES = 0x80
/** sequence (8) ‖ random (8). */
const VERSION_BYTES = 16
const LENGTH_BYTES = 4
/** What rows without attributes have. */
export const NOTHING: Strings = {}
const NO_FACTS = 0xffff
const PIECE_BYTES = BODY_ID_BYTES + 6
const REFS_BYTES = 4

/** The row of a part. */
export function encodeStored(row: StoredRow, extra = 0): Buffer {
  const bytes = Buffer.alloc(STORED_BYTES + extra)
  bytes.writeUInt8(KINDS.indexOf(row.body.kind), 0)
  row.body.id.copy(bytes, 1)
  bytes.writeUIntBE(row.size, SIZE_AT, 6)
  bytes.writeUIntBE(row.modified, MODIFIED_AT, 6)
  bytes.write(row.etag, ETAG_AT, 'hex')
  return bytes
}

export function decodeStored(bytes: Buffer): StoredRow {
  const kind = KINDS[bytes.readUInt8(0) & KIND_BITS]
  if (kind === undefined) throw new Internal('a row of the index with an unknown kind of body')
  return {
    body: { kind, id: bytes.subarray(1, SIZE_AT) },
    size: bytes.readUIntBE(SIZE_AT, 6),
    modified: bytes.readUIntBE(MODIFIED_AT, 6),
    etag: bytes.toString('hex', ETAG_AT, STORED_BYTES),
  }
}

/**
 * The row of an object: stored fields ‖ version (16, if flagged) ‖ length of facts (2, 0xFFFF if none) ‖ facts ‖ length of attributes
 * and attributes (4, JSON; if flagged) ‖ metadata (JSON, nothing if empty).
 */
export function encodeObject(row: ObjectRow): Buffer {
  const { version } = row
  const metadata = textOf(row.metadata)
  const attributes = textOf(row.attributes)
  const facts = row.facts?.length ?? 0
  if (facts >= NO_FACTS) throw new Internal(`facts of ${facts} bytes`)
  const attributesBytes = attributes === '' ? 0 : LENGTH_BYTES + Buffer.byteLength(attributes)
  const versionBytes = version === undefined ? 0 : VERSION_BYTES
  const bytes = encodeStored(row, versionBytes + 2 + facts + attributesBytes + Buffer.byteLength(metadata))
  bytes.writeUInt8(bytes.readUInt8(0) | flagsOf(row, attributes !== ''), 0)
  let at = STORED_BYTES
  if (version !== undefined) {
    bytes.writeBigUInt64BE(version.sequence, at)
    version.random.copy(bytes, at + 8)
    at += VERSION_BYTES
  }
  at = bytes.writeUInt16BE(row.facts === undefined ? NO_FACTS : facts, at)
  at += row.facts?.copy(bytes, at) ?? 0
  if (attributesBytes > 0) {
    at = bytes.writeUInt32BE(attributesBytes - LENGTH_BYTES, at)
    at += bytes.write(attributes, at)
  }
  bytes.write(metadata, at)
  return bytes
}

function flagsOf({ marker, version }: ObjectRow, attributes: boolean): number {
  const versionFlags = version === undefined ? 0 : VERSION | (version.isNull ? NULL_VERSION : 0)
  return (marker ? MARKER : 0) | versionFlags | (attributes ? ATTRIBUTES : 0)
}

export function decodeObject(bytes: Buffer): ObjectRow {
  const at = partsOf(bytes)
  const { etag, size, modified, body } = decodeStored(bytes)
  return {
    etag,
    size,
    modified,
    body,
    facts: at.facts,
    metadata: at.end === bytes.length ? NOTHING : parseStrings(bytes.toString('utf8', at.end)),
    attributes: at.attributes,
    version: at.version,
    marker: at.marker,
  }
}

export function decodeListed(bytes: Buffer): ListedRow {
  const at = partsOf(bytes)
  return {
    etag: bytes.toString('hex', ETAG_AT, STORED_BYTES),
    size: bytes.readUIntBE(SIZE_AT, 6),
    modified: bytes.readUIntBE(MODIFIED_AT, 6),
    facts: at.facts,
    attributes: at.attributes,
    version: at.version,
    marker: at.marker,
  }
}

/** What follows the stored fields, but for the metadata, which begin at `end`. */
function partsOf(bytes: Buffer) {
  const flags = bytes.readUInt8(0)
  const version = (flags & VERSION) === 0 ? undefined : decodeVersion(bytes, flags)
  const factsAt = STORED_BYTES + (version === undefined ? 2 : VERSION_BYTES + 2)
  const length = bytes.readUInt16BE(factsAt - 2)
  const factsEnd = length === NO_FACTS ? factsAt : factsAt + length
  const facts = length === NO_FACTS ? undefined : bytes.subarray(factsAt, factsEnd)
  if ((flags & ATTRIBUTES) === 0) {
    return { version, facts, attributes: NOTHING, marker: (flags & MARKER) !== 0, end: factsEnd }
  }
  const start = factsEnd + LENGTH_BYTES
  const end = start + bytes.readUInt32BE(factsEnd)
  const attributes = parseStrings(bytes.toString('utf8', start, end))
  return { version, facts, attributes, marker: (flags & MARKER) !== 0, end }
}

function decodeVersion(bytes: Buffer, flags: number): RowVersion {
  return {
    sequence: bytes.readBigUInt64BE(STORED_BYTES),
    random: bytes.subarray(STORED_BYTES + 8, STORED_BYTES + VERSION_BYTES),
    isNull: (flags & NULL_VERSION) !== 0,
  }
}

const textOf = (strings: Strings): string => {
  for (const _ in strings) return JSON.stringify(strings)
  return ''
}

/** initiated (6) ‖ length of the bucket's name (2) ‖ bucket ‖ length of the key (2) ‖ key ‖ metadata (JSON) ‖ attributes (0x00 and JSON, nothing if empty). */
export function encodeUpload(row: UploadRow): Buffer {
  const bucket = Buffer.from(row.bucket)
  const key = Buffer.from(row.key)
  const head = Buffer.alloc(10)
  head.writeUIntBE(row.initiated, 0, 6)
  head.writeUInt16BE(bucket.length, 6)
  head.writeUInt16BE(key.length, 8)
  const attributes = textOf(row.attributes)
  const text = JSON.stringify(row.metadata) + (attributes === '' ? '' : `\0${attributes}`)
  return Buffer.concat([head, bucket, key, Buffer.from(text)])
}

export function decodeUpload(bytes: Buffer): UploadRow {
  const keyAt = 10 + bytes.readUInt16BE(6)
  const metadataAt = keyAt + bytes.readUInt16BE(8)
  // JSON holds no NUL.
  const [metadata = '', attributes = ''] = bytes.toString('utf8', metadataAt).split('\0')
  return {
    initiated: bytes.readUIntBE(0, 6),
    bucket: bytes.toString('utf8', 10, keyAt),
    key: bytes.toString('utf8', keyAt, metadataAt),
    metadata: parseStrings(metadata),
    attributes: parseStrings(attributes),
  }
}

function parseStrings(text: string): Strings {
  if (text === '') return NOTHING
  const parsed: unknown = JSON.parse(text)
  return Object.fromEntries(Object.entries(parsed ?? {}).map(([name, value]) => [name, String(value)]))
}

/** references (4) ‖ whatever the row counts references of. */
export function encodeCounted(references: number, content: readonly Buffer[] = []): Buffer {
  const bytes = Buffer.allocUnsafe(REFS_BYTES + content.reduce((sum, piece) => sum + piece.length, 0))
  let at = bytes.writeUInt32BE(references, 0)
  for (const piece of content) at += piece.copy(bytes, at)
  return bytes
}

export function referencesOf(counted: Buffer): number {
  return counted.readUInt32BE(0)
}

export function contentOf(counted: Buffer): Buffer {
  return counted.subarray(REFS_BYTES)
}

/** Content of the row of a body in pieces: id (12) ‖ size (6), for each. */
export function encodePieces(pieces: readonly Piece[]): Buffer {
  const bytes = Buffer.alloc(pieces.length * PIECE_BYTES)
  for (const [index, { id, size }] of pieces.entries()) {
    id.copy(bytes, index * PIECE_BYTES)
    bytes.writeUIntBE(size, index * PIECE_BYTES + BODY_ID_BYTES, 6)
  }
  return bytes
}

export function decodePieces(content: Buffer): Piece[] {
  const pieces: Piece[] = []
  for (let at = 0; at < content.length; at += PIECE_BYTES) {
    pieces.push({ id: content.subarray(at, at + BODY_ID_BYTES), size: content.readUIntBE(at + BODY_ID_BYTES, 6) })
  }
  return pieces
}
