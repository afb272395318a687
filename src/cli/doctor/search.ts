/** Searching files for texts that must not be there. */
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'

const BLOCK_BYTES = 4 * 1024 * 1024

export interface SearchResult {
  readonly files: number
  readonly bytes: number
  /** Paths of files that hold one of the texts. */
  readonly found: readonly string[]
}

/** Looks through every file below `root`. Files that vanish meanwhile are passed over. */
export function searchFolder(root: string, texts: readonly Buffer[]): SearchResult {
  const found: string[] = []
  let files = 0
  let bytes = 0
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const size = statSync(path, { throwIfNoEntry: false })?.size
    if (size === undefined) continue
    files += 1
    bytes += size
    if (fileHolds(path, texts)) found.push(path)
  }
  return { files, bytes, found }
}

function fileHolds(path: string, texts: readonly Buffer[]): boolean {
  const overlap = Math.max(...texts.map((text) => text.length)) - 1
  const block = Buffer.alloc(BLOCK_BYTES)
  const file = openSync(path, 'r')
  try {
    for (let at = 0; ; at += BLOCK_BYTES - overlap) {
      const read = readSync(file, block, 0, BLOCK_BYTES, at)
      const part = block.subarray(0, read)
      if (texts.some((text) => part.includes(text))) return true
      if (read < BLOCK_BYTES) return false
    }
  } finally {
    closeSync(file)
  }
}
