/**
 * Looks at the index's files before LMDB opens them: lmdb-js 3.5 ends the process (it uses memory it has freed) when opening fails,
 * where we want an error that says what to do.
 */
import { closeSync, fstatSync, openSync, readSync, statfsSync } from 'node:fs'
import { endianness } from 'node:os'
import { join } from 'node:path'
import { Invalid, Unavailable } from '../../errors.ts'

/** Of `struct MDB_meta`, in the machine's byte order, behind a page header of 24 bytes. */
const MAGIC = 0xbeefc0de
const MAGIC_AT = 24
const VERSION_AT = 28
const DATA_VERSION = 2

/** Two meta pages. */
const LEAST_BYTES = 8_192
/** What a new index needs at first. */
const ROOM_BYTES = 1_048_576

/** Throws the system's error if the files cannot be written, `Invalid` if they hold something else, `Unavailable` if a new index has no room. */
export function checkIndexFiles(path: string): void {
  closeSync(openSync(join(path, 'lock.mdb'), 'a+', 0o600))
  const data = openSync(join(path, 'data.mdb'), 'a+', 0o600)
  try {
    const { size } = fstatSync(data)
    if (size > 0) checkHeader(data, size, path)
    else checkRoom(path)
  } finally {
    closeSync(data)
  }
}

function checkHeader(data: number, size: number, path: string): void {
  const head = Buffer.alloc(32)
  readSync(data, head, 0, head.length, 0)
  const little = endianness() === 'LE'
  const magic = little ? head.readUInt32LE(MAGIC_AT) : head.readUInt32BE(MAGIC_AT)
  const version = (little ? head.readUInt32LE(VERSION_AT) : head.readUInt32BE(VERSION_AT)) & 0xffff
  if (size < LEAST_BYTES || magic !== MAGIC) {
    throw new Invalid(
      `${join(path, 'data.mdb')} is damaged or not the index of a store: restore a backup, or choose another folder`,
    )
  }
  if (version !== DATA_VERSION) {
    throw new Invalid(
      `${join(path, 'data.mdb')} was written by another version of LMDB (format ${version}): open it with the version that wrote it`,
    )
  }
}

function checkRoom(path: string): void {
  const { bavail, bsize } = statfsSync(path)
  if (bavail * bsize < ROOM_BYTES)
    throw new Unavailable(`there is no room for a new store in ${path}: free disk space, then repeat`)
}
