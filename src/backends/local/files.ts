/** The file system as `LocalStore` uses it; tests put a failing one in its place. */
import { mkdir, open, readdir, rmdir, stat, statfs, unlink, utimes } from 'node:fs/promises'
import { codeOf, failureAt } from './failures.ts'

export interface OpenFile {
  writev(buffers: readonly Buffer[]): Promise<{ bytesWritten: number }>
  read(target: Buffer, offset: number, length: number, position: number): Promise<{ bytesRead: number }>
  datasync(): Promise<void>
  sync(): Promise<void>
  close(): Promise<void>
}

export interface Files {
  /** `wx` makes a new file (0600), `r` opens a file or a folder. */
  open(path: string, flags: 'r' | 'wx'): Promise<OpenFile>
  unlink(path: string): Promise<void>
  /** With all folders above it, 0700. */
  mkdir(path: string): Promise<void>
  rmdir(path: string): Promise<void>
  readdir(path: string): Promise<string[]>
  /** Milliseconds since the file was last touched. */
  age(path: string): Promise<number>
  touch(path: string): Promise<void>
  /** Bytes that this process may still write there. */
  room(path: string): Promise<number>
}

export const DISK: Files = {
  open: (path, flags) => open(path, flags, 0o600),
  unlink,
  mkdir: async (path) => {
    await mkdir(path, { recursive: true, mode: 0o700 })
  },
  rmdir,
  readdir: (path) => readdir(path),
  age: async (path) => Date.now() - (await stat(path)).mtimeMs,
  touch: (path) => {
    const now = new Date()
    return utimes(path, now, now)
  },
  room: async (path) => {
    const { bavail, bsize } = await statfs(path)
    return bavail * bsize
  },
}

/** What callers decide on by themselves: the file or folder is not there, is there already, is not empty. */
const EXPECTED = new Set(['ENOENT', 'EEXIST', 'ENOTEMPTY'])

/** The same files, whose failures name the folder and the remedy. */
export function explained(files: Files, folder: string): Files {
  const call = async <T>(action: () => Promise<T>): Promise<T> => {
    try {
      return await action()
    } catch (error) {
      throw EXPECTED.has(codeOf(error) ?? '') ? error : failureAt(folder, error)
    }
  }
  return {
    open: async (path, flags) => {
      const file = await call(() => files.open(path, flags))
      return {
        writev: (buffers) => call(() => file.writev(buffers)),
        read: (target, offset, length, position) => call(() => file.read(target, offset, length, position)),
        datasync: () => call(() => file.datasync()),
        sync: () => call(() => file.sync()),
        close: () => call(() => file.close()),
      }
    },
    unlink: (path) => call(() => files.unlink(path)),
    mkdir: (path) => call(() => files.mkdir(path)),
    rmdir: (path) => call(() => files.rmdir(path)),
    readdir: (path) => call(() => files.readdir(path)),
    age: (path) => call(() => files.age(path)),
    touch: (path) => call(() => files.touch(path)),
    room: (path) => call(() => files.room(path)),
  }
}

/** Removes a file; none there is fine. */
export async function removeFile(files: Files, path: string): Promise<void> {
  try {
    await files.unlink(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}
