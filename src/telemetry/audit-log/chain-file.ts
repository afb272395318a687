/**
 * Files of the audit log. Each process writes a chain of its own: files that nobody else ever writes to, each made when the one before is full or when
 * the process starts, and never opened again. So no two writers can break a chain, and what a crash has torn stays as it was found.
 */
import { hash } from 'node:crypto'
import { open, readdir, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'

/** What the first line of a chain stands on. */
export const NO_LINE = '0'.repeat(64)

const DIGITS = 6

export const fileNameOf = (chain: string, sequence: number): string =>
  `audit-${chain}-${String(sequence).padStart(DIGITS, '0')}.jsonl`

/** Chain and place in it of a file of that name. */
export function parseFileName(name: string): { readonly chain: string; readonly sequence: number } | undefined {
  const [, chain, digits] = /^audit-(.+)-(\d{6,})\.jsonl$/.exec(name) ?? []
  return chain === undefined ? undefined : { chain, sequence: Number(digits) }
}

/** The places of a chain's files in a folder, in order. */
export async function sequencesOf(folder: string, chain: string): Promise<number[]> {
  const found = (await readdir(folder)).map(parseFileName).filter((file) => file?.chain === chain)
  return found.map((file) => file?.sequence ?? 0).toSorted((a, b) => a - b)
}

export const hashOf = (line: string | Buffer): string => hash('sha256', line, 'hex')

/** How a file ends. */
export interface FileEnd {
  /** Its number; 0 if it has no whole line. */
  readonly lines: number
  /** The SHA-256 of the last whole line. */
  readonly sha256: string
  /** Bytes of a line that was not finished. */
  readonly torn: number
}

const WINDOW = 64 * 1024

/** Reads no more of the file than its last lines. */
export async function endOf(folder: string, name: string): Promise<FileEnd> {
  const handle = await open(join(folder, name), 'r')
  try {
    const { size } = await handle.stat()
    return await endWithin(handle, size)
  } finally {
    await handle.close()
  }
}

async function endWithin(handle: FileHandle, size: number): Promise<FileEnd> {
  for (let window = WINDOW; ; window *= 2) {
    const from = Math.max(0, size - window)
    const bytes = Buffer.alloc(size - from)
    await handle.read(bytes, 0, bytes.length, from)
    const last = bytes.lastIndexOf(0x0a)
    const before = last <= 0 ? -1 : bytes.lastIndexOf(0x0a, last - 1)
    if (last >= 0 && (before >= 0 || from === 0)) {
      const line = bytes.subarray(before + 1, last)
      return { lines: numberOf(line.toString()), sha256: hashOf(line), torn: bytes.length - last - 1 }
    }
    if (from === 0) return { lines: 0, sha256: NO_LINE, torn: size }
  }
}

/** The number that a line gives itself; 0 if it is not one of ours. */
export function numberOf(line: string): number {
  return Number(/^\{"n":(\d{1,15}),/.exec(line)?.[1] ?? 0)
}
