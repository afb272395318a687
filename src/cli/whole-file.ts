/** Files that appear whole or not at all. */
import { createWriteStream, realpathSync, statSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { Invalid, Unavailable } from '../errors.ts'

/**
 * Writes `source` to a file beside `path` and gives it that name once all of it is on the disk. Whatever goes wrong, or an
 * abort, leaves `path` as it was. A device or a pipe is written to directly. Throws `Invalid` for a path that cannot be
 * written, `Unavailable` for a disk that refuses, and what the source throws.
 */
export async function writeWhole(path: string, source: AsyncIterable<Buffer>, signal?: AbortSignal): Promise<void> {
  const options = signal === undefined ? {} : { signal }
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory() === true) throw new Invalid(`${path} is a folder; name a file`)
  try {
    if (found !== undefined && !found.isFile()) {
      await pipeline(source, createWriteStream(path), options)
      return
    }
    // A link stays a link.
    const target = found === undefined ? path : realpathSync(path)
    const partial = `${target}.partial-${process.pid}`
    try {
      await pipeline(source, createWriteStream(partial, { flags: 'wx', flush: true }), options)
      await rename(partial, target)
    } catch (error) {
      await rm(partial, { force: true })
      throw error
    }
  } catch (error) {
    throw explainWrite(error, path)
  }
}

const DISK_REFUSES: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'ENFILE'])

/** An error of the file system that names what failed; everything else is the source's and stays as it is. */
export function explainWrite(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return error
  const message = `${path} cannot be written: ${String(error.code)}`
  return DISK_REFUSES.has(String(error.code))
    ? new Unavailable(message, { cause: error })
    : new Invalid(message, { cause: error })
}
