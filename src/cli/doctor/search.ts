/** Searching files for texts that must not be there. */
import { closeSync, type Dirent, openSync, readdirSync, readSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'

const BLOCK_BYTES = 4 * 1024 * 1024

export interface SearchResult {
  readonly files: number
  readonly bytes: number
  /** For each text, the files that hold it. */
  readonly found: ReadonlyMap<Buffer, readonly string[]>
}

/** Looks through every file below `root`, links not followed. What vanishes meanwhile is passed over; what cannot be read is an error. */
export function searchFolder(root: string, texts: readonly Buffer[]): SearchResult {
  const found = new Map<Buffer, string[]>(texts.map((text) => [text, []]))
  let files = 0
  let bytes = 0
  for (const path of filesBelow(root)) {
    const size = searchFile(path, texts, (text) => found.get(text)?.push(path))
    if (size === undefined) continue
    files += 1
    bytes += size
  }
  return { files, bytes, found }
}

/** The folders that are not inside another of them, each once. */
export function outermost(folders: readonly string[]): string[] {
  const all = [...new Set(folders.map((folder) => resolve(folder)))]
  const inside = (inner: string, outer: string): boolean =>
    inner !== outer && !/^(\.\.(\/|$)|\/)/.test(relative(outer, inner))
  return all.filter((folder) => !all.some((other) => inside(folder, other)))
}

function* filesBelow(folder: string): Generator<string> {
  const entries: Dirent[] = unlessGone(() => readdirSync(folder, { withFileTypes: true })) ?? []
  for (const entry of entries) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesBelow(path)
    else if (entry.isFile()) yield path
  }
}

/** Bytes read; `undefined` if the file is gone. */
function searchFile(path: string, texts: readonly Buffer[], onFound: (text: Buffer) => void): number | undefined {
  const file = unlessGone(() => openSync(path, 'r'))
  if (file === undefined) return undefined
  const overlap = Math.max(1, ...texts.map((text) => text.length)) - 1
  const block = Buffer.alloc(BLOCK_BYTES)
  const open = new Set(texts)
  try {
    for (let at = 0; ; at += BLOCK_BYTES - overlap) {
      const read = readSync(file, block, 0, BLOCK_BYTES, at)
      const part = block.subarray(0, read)
      for (const text of open) {
        if (!part.includes(text)) continue
        onFound(text)
        open.delete(text)
      }
      if (read < BLOCK_BYTES) return at + read
    }
  } finally {
    closeSync(file)
  }
}

function unlessGone<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
