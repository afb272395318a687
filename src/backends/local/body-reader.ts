/** Bodies on their way out: a few hundred KiB at a time, one block ahead of the consumer, files closed whatever happens. */
import { Unavailable } from '../../errors.ts'
import type { Body } from '../object-store.ts'
import { bodyPath } from './body-folders.ts'
import { codeOf } from './failures.ts'
import type { Files, OpenFile } from './files.ts'
import { reasonOf } from './incoming.ts'
import type { Piece } from './rows.ts'

/** Bytes of one read. Every block is a buffer of its own, since consumers may keep what they are given. */
const BLOCK_BYTES = 512 * 1024

/** A run of bytes in one file. */
interface Extent {
  readonly id: Buffer
  readonly offset: number
  readonly length: number
}

export interface ReadPlan {
  readonly pieces: readonly Piece[]
  readonly first: number
  /** Inclusive; before `first` for nothing. */
  readonly last: number
  readonly signal: AbortSignal | undefined
  /** Called once when the reader is done with the files. */
  readonly done: () => void
}

/** `undefined` if the first file is gone: the object was replaced meanwhile, look it up again. The first file is open when this resolves, so that a later replacement does no harm. */
export async function openBody(root: string, files: Files, plan: ReadPlan): Promise<Body | undefined> {
  const extents = extentsOf(plan)
  const [head] = extents
  if (head === undefined) {
    plan.done()
    return nothing()
  }
  let first: OpenFile
  try {
    first = await files.open(bodyPath(root, head.id), 'r')
  } catch (error) {
    plan.done()
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  return new FileBody(root, files, plan, extents, first)
}

function extentsOf({ pieces, first, last }: ReadPlan): Extent[] {
  const extents: Extent[] = []
  let start = 0
  for (const { id, size } of pieces) {
    const from = Math.max(first, start)
    const to = Math.min(last, start + size - 1)
    if (from <= to) extents.push({ id, offset: from - start, length: to - from + 1 })
    start += size
  }
  return extents
}

async function* nothing(): Body {}

class FileBody implements AsyncIterable<readonly Buffer[]> {
  readonly #root: string
  readonly #files: Files
  readonly #plan: ReadPlan
  readonly #extents: readonly Extent[]
  #file: OpenFile | undefined
  #closed = false
  readonly #abort = (): void => void this.#close()

  constructor(root: string, files: Files, plan: ReadPlan, extents: readonly Extent[], first: OpenFile) {
    this.#root = root
    this.#files = files
    this.#plan = plan
    this.#extents = extents
    this.#file = first
    // A body that is never iterated is closed by its signal.
    plan.signal?.addEventListener('abort', this.#abort, { once: true })
    if (plan.signal?.aborted === true) void this.#close()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly Buffer[], void, void> {
    let ahead: Promise<Buffer> = Promise.resolve(Buffer.alloc(0))
    try {
      for (const extent of this.#extents) {
        const file = await this.#open(extent)
        const end = extent.offset + extent.length
        ahead = this.#read(file, extent.offset, end)
        for (let at = extent.offset; at < end; ) {
          const block = await ahead
          at += block.length
          if (at < end) ahead = this.#read(file, at, end)
          yield [block]
        }
        this.#file = undefined
        await file.close()
      }
    } finally {
      await ahead.catch(() => undefined)
      await this.#close()
    }
  }

  async #open({ id }: Extent): Promise<OpenFile> {
    this.#check()
    if (this.#file !== undefined) return this.#file
    try {
      this.#file = await this.#files.open(bodyPath(this.#root, id), 'r')
      return this.#file
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      throw new Unavailable('an object was replaced or deleted by another process while it was read', { cause: error })
    }
  }

  #read(file: OpenFile, at: number, end: number): Promise<Buffer> {
    const reading = this.#readBlock(file, at, Math.min(BLOCK_BYTES, end - at))
    // A failure is seen by whoever waits for the block next.
    reading.catch(() => undefined)
    return reading
  }

  async #readBlock(file: OpenFile, at: number, length: number): Promise<Buffer> {
    this.#check()
    const block = Buffer.allocUnsafeSlow(length)
    let filled = 0
    while (filled < length) {
      const { bytesRead } = await file.read(block, filled, length - filled, at + filled)
      if (bytesRead === 0) throw new Unavailable(`a body file ends at ${at + filled} bytes, before its recorded size`)
      filled += bytesRead
    }
    return block
  }

  #check(): void {
    const { signal } = this.#plan
    if (signal?.aborted === true) throw reasonOf(signal)
    if (this.#closed) throw new Unavailable('a body is read once')
  }

  async #close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#plan.signal?.removeEventListener('abort', this.#abort)
    const file = this.#file
    this.#file = undefined
    await file?.close().catch(() => undefined)
    this.#plan.done()
  }
}
