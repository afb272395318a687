// What the tests of the local store share: a folder, what is in it, and a file system that fails when told to.
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { DISK, type Files, type OpenFile } from '../../../src/backends/local/files.ts'
import { IndexDb } from '../../../src/backends/local/index-db.ts'

const folders: string[] = []

/** A folder that goes after the test. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sealgate-local-'))
  folders.push(folder)
  return folder
}

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** Paths of all files below, relative. */
export function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  // Files and folders vanish while the store removes them in the background.
  let names: string[]
  try {
    names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return filesIn(folder)
    throw error
  }
  return names.filter((name) => statSync(join(folder, name), { throwIfNoEntry: false })?.isFile() === true).sort()
}

/** Checks that body files and rows of the index are the same; returns how many there are and what is still to be cleaned. The store must be closed. */
export async function audit(folder: string): Promise<{
  files: number
  missing: string[]
  orphans: string[]
  garbage: number
  folders: number
  processes: number
}> {
  const index = await IndexDb.open(folder)
  try {
    const { files, garbage, folders: writing, processes } = index.tables
    const known = index.read(() =>
      [...files.getKeys({})].map(
        (id) => `${id.toString('hex', 0, 1)}/${id.toString('hex', 1, 8)}/${id.readUInt32BE(8)}`,
      ),
    )
    const found = filesIn(join(folder, 'bodies'))
    return {
      files: found.length,
      missing: known.filter((name) => !found.includes(name)),
      orphans: found.filter((name) => !known.includes(name)),
      garbage: garbage.getCount(),
      folders: writing.getCount(),
      processes: processes.getCount(),
    }
  } finally {
    await index.close()
  }
}

export const CLEAN = { missing: [], orphans: [], garbage: 0, folders: 0, processes: 0 }

/** An error as the system gives it. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made up`), { code, syscall: 'test' })
}

export type Fault = (operation: keyof Files | keyof OpenFile, path: string) => Error | undefined

/** The real file system, except where `fault` gives an error. */
export function faultyFiles(fault: Fault): Files {
  const guard = async <T>(
    operation: keyof Files | keyof OpenFile,
    path: string,
    action: () => Promise<T>,
  ): Promise<T> => {
    const error = fault(operation, path)
    if (error !== undefined) throw error
    return action()
  }
  return {
    open: (path, flags) =>
      guard('open', path, async () => {
        const file = await DISK.open(path, flags)
        return {
          writev: (buffers) => guard('writev', path, () => file.writev(buffers)),
          read: (target, offset, length, position) =>
            guard('read', path, () => file.read(target, offset, length, position)),
          datasync: () => guard('datasync', path, () => file.datasync()),
          sync: () => guard('sync', path, () => file.sync()),
          close: () => file.close(),
        }
      }),
    unlink: (path) => guard('unlink', path, () => DISK.unlink(path)),
    mkdir: (path) => guard('mkdir', path, () => DISK.mkdir(path)),
    rmdir: (path) => guard('rmdir', path, () => DISK.rmdir(path)),
    readdir: (path) => guard('readdir', path, () => DISK.readdir(path)),
    age: (path) => guard('age', path, () => DISK.age(path)),
    touch: (path) => guard('touch', path, () => DISK.touch(path)),
    room: (path) => guard('room', path, () => DISK.room(path)),
  }
}

/** Waits until something holds; background work has no other sign. */
export async function eventually(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (holds()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('waited in vain')
}
