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

export interface ObjectRow extends StoredRow {
  readonly facts: Buffer | undefined
  readonly metadata: Readonly<Record<string, string>>
}

export interface UploadRow {
  readonly bucket: string
  readonly key: string
  readonly initiated: number
  readonly metadata: Readonly<Record<string, string>>
}

export interface Piece {
  readonly id: Buffer
  readonly size: number
}

/** kind (1) ‖ body id (12) ‖ size (6) ‖ modified (6) ‖ etag (16). */
const STORED_BYTES = 41
const NO_FACTS = 0xffff
const PIECE_BYTES = BODY_ID_BYTES + 6
const REFS_BYTES = 4

/** The row of a part. */
export function encodeStored(row: StoredRow, extra = 0): Buffer {
  const bytes = Buffer.alloc(STORED_BYTES + extra)
  bytes.writeUInt8(KINDS.indexOf(row.body.kind), 0)
  row.body.id.copy(bytes, 1)
  bytes.writeUIntBE(row.size, 13, 6)
  bytes.writeUIntBE(row.modified, 19, 6)
  bytes.write(row.etag, 25, 'hex')
  return bytes
}

export function decodeStored(bytes: Buffer): StoredRow {
  const kind = KINDS[bytes.readUInt8(0)]
  if (kind === undefined) throw new Internal('a row of the index with an unknown kind of body')
  return {
    body: { kind, id: bytes.subarray(1, 13) },
    size: bytes.readUIntBE(13, 6),
    modified: bytes.readUIntBE(19, 6),
    etag: bytes.toString('hex', 25, STORED_BYTES),
  }
}

/** The row of an object: stored fields ‖ length of facts (2, 0xFFFF if none) ‖ facts ‖ metadata (JSON, nothing if empty). */
export function encodeObject(row: ObjectRow): Buffer {
  const metadata = Object.keys(row.metadata).length === 0 ? '' : JSON.stringify(row.metadata)
  const facts = row.facts?.length ?? 0
  if (facts >= NO_FACTS) throw new Internal(`facts of ${facts} bytes`)
  const bytes = encodeStored(row, 2 + facts + Buffer.byteLength(metadata))
  bytes.writeUInt16BE(row.facts === undefined ? NO_FACTS : facts, STORED_BYTES)
  row.facts?.copy(bytes, STORED_BYTES + 2)
  bytes.write(metadata, STORED_BYTES + 2 + facts)
  return bytes
}

export function decodeObject(bytes: Buffer): ObjectRow {
  const text = bytes.toString('utf8', STORED_BYTES + 2 + (factsOf(bytes)?.length ?? 0))
  return { ...decodeStored(bytes), facts: factsOf(bytes), metadata: text === '' ? {} : parseStrings(text) }
}

/** What a listing needs of an object's row: everything but the metadata. */
export function decodeListed(bytes: Buffer): StoredRow & { readonly facts: Buffer | undefined } {
  return { ...decodeStored(bytes), facts: factsOf(bytes) }
}

function factsOf(bytes: Buffer): Buffer | undefined {
  const length = bytes.readUInt16BE(STORED_BYTES)
  return length === NO_FACTS ? undefined : bytes.subarray(STORED_BYTES + 2, STORED_BYTES + 2 + length)
}

/** initiated (6) ‖ length of the bucket's name (2) ‖ bucket ‖ length of the key (2) ‖ key ‖ metadata (JSON). */
export function encodeUpload(row: UploadRow): Buffer {
  const bucket = Buffer.from(row.bucket)
  const key = Buffer.from(row.key)
  const head = Buffer.alloc(10)
  head.writeUIntBE(row.initiated, 0, 6)
  head.writeUInt16BE(bucket.length, 6)
  head.writeUInt16BE(key.length, 8)
  return Buffer.concat([head, bucket, key, Buffer.from(JSON.stringify(row.metadata))])
}

export function decodeUpload(bytes: Buffer): UploadRow {
  const keyAt = 10 + bytes.readUInt16BE(6)
  const metadataAt = keyAt + bytes.readUInt16BE(8)
  return {
    initiated: bytes.readUIntBE(0, 6),
    bucket: bytes.toString('utf8', 10, keyAt),
    key: bytes.toString('utf8', keyAt, metadataAt),
    metadata: parseStrings(bytes.toString('utf8', metadataAt)),
  }
}

function parseStrings(text: string): Record<string, string> {
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
