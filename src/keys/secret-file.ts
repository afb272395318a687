/** Files that hold secrets: readable by their owner alone, never half written, never overwritten by accident. */
import { randomUUID } from 'node:crypto'
import { link, open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Invalid, Unavailable } from '../errors.ts'
import { ownMemory, type SecretBytes, takeSecret } from '../secret-bytes.ts'

/**
 * Creates `path` with mode 0600, durable when it resolves. The name appears with its whole content or not at all, so two
 * starting processes cannot read each other's half-written keys. Throws `Invalid` if the file exists, `Unavailable` if the
 * disk refuses.
 */
export async function writeSecretFile(path: string, text: string | Buffer): Promise<void> {
  const draft = `${path}.${randomUUID()}.new`
  try {
    await writeExclusive(draft, text)
    await publish(draft, path, text)
    await syncFolder(path)
  } catch (error) {
    throw explain(error, path)
  } finally {
    await unlink(draft).catch(() => undefined)
  }
}

/**
 * Replaces an existing secret file as a whole; durable when it resolves. `change` makes the new content while
 * this call holds the draft `path.new`, so a second writer at the same time is refused with `Invalid` instead of losing one change.
 */
export async function replaceSecretFile(path: string, change: () => Promise<Buffer>): Promise<void> {
  const draft = `${path}.new`
  await writeExclusive(draft, '').catch((error: unknown) => {
    throw explain(error, draft, 'another command is changing the file; if none is running, delete this draft')
  })
  try {
    const content = await change()
    const file = await open(draft, 'r+', 0o600)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      content.fill(0)
      await file.close()
    }
    await rename(draft, path)
    await syncFolder(path)
  } catch (error) {
    await unlink(draft).catch(() => undefined)
    throw explain(error, path)
  }
}

/** The bytes of a small file, or of a pipe, of which nothing else keeps a copy. Throws as `open` and `read` do. */
export async function readSecretFile(path: string): Promise<SecretBytes> {
  const file = await open(path)
  let room = ownMemory(FIRST_READ)
  try {
    for (let filled = 0; ; ) {
      const { bytesRead } = await file.read(room, filled, room.length - filled)
      if (bytesRead === 0) return takeSecret(room.subarray(0, filled))
      filled += bytesRead
      if (filled > MOST_READ) throw new Invalid(`${path} is no file of a secret: it has more than ${MOST_READ} bytes`)
      if (filled < room.length) continue
      const more = ownMemory(room.length * 2)
      room.copy(more)
      room.fill(0)
      room = more
    }
  } finally {
    room.fill(0)
    await file.close()
  }
}

const FIRST_READ = 4_096
const MOST_READ = 1 << 20

/** `link` refuses an existing name, as O_EXCL does. File systems without hard links get the plain exclusive write. */
async function publish(draft: string, path: string, text: string | Buffer): Promise<void> {
  try {
    await link(draft, path)
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP', 'EMLINK'].includes(codeOf(error))) throw error
    await writeExclusive(path, text)
  }
}

async function writeExclusive(path: string, text: string | Buffer): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Without it a crash may forget the new name although the file's bytes are on disk. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

function explain(error: unknown, path: string, whenItExists = 'it already exists and is never overwritten'): unknown {
  const code = codeOf(error)
  if (code === '') return error
  if (code === 'EEXIST') return new Invalid(`cannot write ${path}: ${whenItExists}`, { cause: error })
  return new Unavailable(`cannot write ${path}: ${code}`, { cause: error })
}
