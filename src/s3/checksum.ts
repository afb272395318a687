/**
 * The checksums of S3: the table, hashers, and what a multipart upload makes of its parts' values.
 * Headers and their rules are in `checksum-headers.ts`.
 */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { createCRC32, createCRC64, createXXHash3, createXXHash64, createXXHash128, type IHasher } from 'hash-wasm'
import { Internal } from '../errors.ts'
import { combineCrc, CRC32_SHAPE, CRC32C_SHAPE, CRC64NVME_SHAPE, type CrcShape } from './crc-combine.ts'
import { newMd5Hash } from './md5.ts'

export type ChecksumName =
  | 'CRC32'
  | 'CRC32C'
  | 'CRC64NVME'
  | 'SHA1'
  | 'SHA256'
  | 'SHA512'
  | 'MD5'
  | 'XXHASH64'
  | 'XXHASH3'
  | 'XXHASH128'

export type ChecksumType = 'FULL_OBJECT' | 'COMPOSITE'

export interface ChecksumRow {
  readonly name: ChecksumName
  /** The number in stored records (docs/format.md section 4). */
  readonly code: number
  readonly header: string
  /** The element in XML documents. */
  readonly element: string
  /** Length of the raw value. */
  readonly bytes: number
  /** What a multipart upload may ask for; the first is its default (B38). Only a CRC of the whole can be had from those of its parts. */
  readonly types: readonly [ChecksumType, ...ChecksumType[]]
  readonly crc?: CrcShape
}

const row = (
  name: ChecksumName,
  code: number,
  bytes: number,
  types: ChecksumRow['types'],
  crc?: CrcShape,
): ChecksumRow => ({
  name,
  code,
  header: `x-amz-checksum-${name.toLowerCase()}`,
  element: `Checksum${name}`,
  bytes,
  types,
  ...(crc === undefined ? {} : { crc }),
})

export const CHECKSUMS: Readonly<Record<ChecksumName, ChecksumRow>> = {
  CRC32: row('CRC32', 1, 4, ['COMPOSITE', 'FULL_OBJECT'], CRC32_SHAPE),
  CRC32C: row('CRC32C', 2, 4, ['COMPOSITE', 'FULL_OBJECT'], CRC32C_SHAPE),
  CRC64NVME: row('CRC64NVME', 5, 8, ['FULL_OBJECT'], CRC64NVME_SHAPE),
  SHA1: row('SHA1', 3, 20, ['COMPOSITE']),
  SHA256: row('SHA256', 4, 32, ['COMPOSITE']),
  SHA512: row('SHA512', 7, 64, ['COMPOSITE']),
  MD5: row('MD5', 6, 16, ['COMPOSITE']),
  XXHASH64: row('XXHASH64', 8, 8, ['COMPOSITE']),
  XXHASH3: row('XXHASH3', 9, 8, ['COMPOSITE']),
  XXHASH128: row('XXHASH128', 10, 16, ['COMPOSITE']),
}

/** The row of a stored code, or `undefined` for 0 (none). */
export const checksumOfCode = (code: number): ChecksumRow | undefined =>
  Object.values(CHECKSUMS).find((known) => known.code === code)

/** The numbers of the types in stored records (docs/format.md section 4). */
export const TYPE_CODES: Readonly<Record<ChecksumType, number>> = { FULL_OBJECT: 0, COMPOSITE: 1 }

export const typeOfCode = (code: number): ChecksumType => (code === TYPE_CODES.COMPOSITE ? 'COMPOSITE' : 'FULL_OBJECT')

/** One running checksum. `digest` ends it and is called once. */
export interface ChecksumHasher {
  update(piece: Uint8Array): void
  digest(): Buffer
}

/** Those that Node does not have, and how their machines are made. The three xxHashes have seed 0, as S3 wants them. */
const MACHINES: ReadonlyMap<ChecksumName, () => Promise<IHasher>> = new Map([
  ['CRC32C', () => createCRC32(Number(CRC32C_SHAPE.polynomial))],
  ['CRC64NVME', () => createCRC64(CRC64NVME_SHAPE.polynomial.toString(16))],
  ['XXHASH64', () => createXXHash64()],
  ['XXHASH3', () => createXXHash3()],
  ['XXHASH128', () => createXXHash128()],
])

const machines = new Map<ChecksumName, IHasher>()

/** Makes ready what runs in WebAssembly, which can only be loaded asynchronously. Called once at start. */
export const loadChecksums = async (): Promise<void> => {
  for (const [name, make] of MACHINES) {
    if (!machines.has(name)) machines.set(name, await make())
  }
}

/** A hasher for one body. Throws `Internal` for those in WebAssembly before `loadChecksums` has resolved. */
export const newHasher = (name: ChecksumName): ChecksumHasher => HASHERS[name]()

const HASHERS: Readonly<Record<ChecksumName, () => ChecksumHasher>> = {
  CRC32: () => zlibHasher(),
  CRC32C: () => wasmHasher('CRC32C'),
  CRC64NVME: () => wasmHasher('CRC64NVME'),
  SHA1: () => createHash('sha1'),
  SHA256: () => createHash('sha256'),
  SHA512: () => createHash('sha512'),
  MD5: () => newMd5Hash(),
  XXHASH64: () => wasmHasher('XXHASH64'),
  XXHASH3: () => wasmHasher('XXHASH3'),
  XXHASH128: () => wasmHasher('XXHASH128'),
}

const zlibHasher = (): ChecksumHasher => {
  let value = 0
  return {
    update: (piece) => {
      value = crc32(piece, value)
    },
    digest: () => {
      const digest = Buffer.alloc(4)
      digest.writeUInt32BE(value)
      return digest
    },
  }
}

/**
 * All streams share one WebAssembly machine for each algorithm: its state is a dozen bytes, or 580 of XXH3, so it is swapped
 * in and out around each piece, which costs nothing measurable and needs no pool that could run dry.
 */
const wasmHasher = (name: ChecksumName): ChecksumHasher => {
  const machine = machines.get(name)
  if (machine === undefined) throw new Internal('loadChecksums() has not been awaited')
  let state = machine.init().save()
  return {
    update: (piece) => {
      state = machine.load(state).update(piece).save()
    },
    digest: () => Buffer.from(machine.load(state).digest('binary')),
  }
}

/** The checksum of bytes that are all there. */
export const checksumOf = (name: ChecksumName, bytes: Uint8Array): Buffer => {
  const hasher = newHasher(name)
  hasher.update(bytes)
  return hasher.digest()
}

/** What one part contributes: its raw value and its plaintext bytes. */
export interface PartChecksum {
  readonly value: Buffer
  readonly bytes: number
}

/**
 * The raw checksum of an object uploaded in parts (B39): COMPOSITE is the checksum of the concatenated raw values,
 * FULL_OBJECT that of the whole content, combined from the parts' CRCs. Throws `Internal` for FULL_OBJECT of a hash, which
 * `checksum-headers.ts` never lets through.
 */
export const multipartChecksum = (name: ChecksumName, type: ChecksumType, parts: readonly PartChecksum[]): Buffer => {
  if (type === 'COMPOSITE') {
    const hasher = newHasher(name)
    for (const part of parts) hasher.update(part.value)
    return hasher.digest()
  }
  const { crc, bytes } = CHECKSUMS[name]
  if (crc === undefined) throw new Internal(`${name} of a whole object cannot be computed from its parts`)
  // The CRC of nothing is zero in all three.
  let whole: Buffer = Buffer.alloc(bytes)
  for (const part of parts) whole = combineCrc(crc, whole, part.value, part.bytes)
  return whole
}
