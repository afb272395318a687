/** What file system and index report, in words that say where and what to do. */
import { constants } from 'node:os'
import { Denied, Integrity, Internal, Invalid, Unavailable } from '../../errors.ts'
import { StoreError } from '../object-store.ts'

/** LMDB's own codes (lmdb.h); positive codes are the system's errno. */
const MAP_FULL = -30_792
const READERS_FULL = -30_790
const VERSION_MISMATCH = -30_794
const NOT_A_DATABASE = -30_793

const { errno } = constants
const CODES = new Map<unknown, string>([
  ...Object.entries(errno).map(([name, code]): [unknown, string] => [code, name]),
  [MAP_FULL, 'MDB_MAP_FULL'],
  [READERS_FULL, 'MDB_READERS_FULL'],
  [VERSION_MISMATCH, 'MDB_VERSION_MISMATCH'],
  [NOT_A_DATABASE, 'MDB_INVALID'],
])

const NO_ROOM = 'there is no room left: free disk space or quota, then repeat'
const NOT_ALLOWED = 'this process may not write there: check owner, mode and mount options'
const TOO_MANY_FILES = 'this process has too many open files: raise its limit (ulimit -n)'
const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: NO_ROOM,
  EDQUOT: NO_ROOM,
  EFBIG: NO_ROOM,
  MDB_MAP_FULL: NO_ROOM,
  EACCES: NOT_ALLOWED,
  EPERM: NOT_ALLOWED,
  EROFS: NOT_ALLOWED,
  EMFILE: TOO_MANY_FILES,
  ENFILE: TOO_MANY_FILES,
  ENOMEM: 'there is no memory for it',
  EIO: 'the disk is full or fails: free disk space, or check the system log',
  ENOTDIR: 'a part of the path is not a folder: choose another folder',
  EEXIST: 'something else is in the place of a folder: move it away, or choose another folder',
  EISDIR: 'a folder is in the place of a file: move it away, or choose another folder',
  MDB_READERS_FULL: 'too many processes read this folder',
  MDB_VERSION_MISMATCH: 'its index was written by another version: open it with the version that wrote it',
  MDB_INVALID: 'its index is not one of ours or is damaged: choose another folder or restore a backup',
}

/** These stay as they are while a folder is opened, whatever is repeated: settings are wrong. */
const SETTINGS = new Set([
  'EACCES',
  'EPERM',
  'EROFS',
  'ENOTDIR',
  'EEXIST',
  'EISDIR',
  'MDB_VERSION_MISMATCH',
  'MDB_INVALID',
])

/** The name of a failure (`ENOSPC`, `MDB_MAP_FULL`, …), or `undefined`. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : CODES.get(error.code)
}

/** Whether the program itself said what is wrong. */
function isOurs(error: unknown): boolean {
  return [StoreError, Unavailable, Invalid, Denied, Integrity, Internal].some((kind) => error instanceof kind)
}

/** A failure of a request: `Unavailable` with path and remedy; errors of our own stay. */
export function failureAt(folder: string, error: unknown): Error {
  if (isOurs(error) && error instanceof Error) return error
  const code = codeOf(error)
  return new Unavailable(`the store in ${folder} failed: ${describe(error, code)}`, { cause: error })
}

/** A failure while the folder is opened: `Invalid` where only other settings help. */
export function openingFailure(folder: string, error: unknown): Error {
  // The file operations have their failures explained already, as those of a request.
  const cause = error instanceof Unavailable && error.cause !== undefined ? error.cause : error
  if (isOurs(cause) && cause instanceof Error) return cause
  const code = codeOf(cause)
  const message = `cannot open the store in ${folder}: ${describe(cause, code)}`
  return SETTINGS.has(code ?? '') ? new Invalid(message, { cause }) : new Unavailable(message, { cause })
}

function describe(error: unknown, code: string | undefined): string {
  const said = code ?? (error instanceof Error ? error.message : String(error))
  const remedy = REMEDIES[code ?? '']
  return remedy === undefined ? said : `${remedy} (${said})`
}
