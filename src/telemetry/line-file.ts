/** A file of lines with one writer, which is exchanged when it is full. */
import { type FileHandle, open, rename, stat, unlink } from 'node:fs/promises'
import { alarm } from './channels.ts'

/** What of a file is used. */
export type LineHandle = Pick<FileHandle, 'appendFile' | 'truncate' | 'stat' | 'datasync' | 'close'>
export type OpenLines = (path: string) => Promise<LineHandle>

const PRIVATE = 0o600

/** Opens or makes a file to add to. */
export const openLines: OpenLines = (path) => open(path, 'a', PRIVATE)

export interface LineFileOptions {
  readonly path: string
  /** Bytes. A batch is never split: a file may be larger by one. */
  readonly rotateAt: number
  /** Full files that are kept: `path.1` is the newest. */
  readonly keep: number
  readonly open?: OpenLines
}

/** How often it is looked whether somebody else has exchanged the file. */
const LOOK_MILLISECONDS = 1_000

export class LineFile {
  readonly #options: LineFileOptions
  #handle: LineHandle | undefined
  #inode = 0
  #size = 0
  #looked = 0
  /** Half a line is at its end. */
  #torn = false
  #stuck = false

  constructor(options: LineFileOptions) {
    this.#options = options
  }

  /** Adds whole lines. If it throws, none of them is in the file. */
  async write(text: string): Promise<void> {
    const handle = await this.#current()
    const whole = this.#torn ? `\n${text}` : text
    try {
      await handle.appendFile(whole)
    } catch (error) {
      await this.#takeBack(handle)
      throw error
    }
    this.#torn = false
    this.#size += Buffer.byteLength(whole)
    if (this.#size >= this.#options.rotateAt) await this.#rotate().catch((cause: unknown) => this.#tell(cause))
  }

  async close(): Promise<void> {
    const handle = this.#handle
    this.#handle = undefined
    await handle?.close()
  }

  /** A full disk may have taken half a line. */
  async #takeBack(handle: LineHandle): Promise<void> {
    try {
      await handle.truncate(this.#size)
    } catch {
      this.#torn = true
      await this.close().catch(() => undefined)
    }
  }

  /** The lines are written all the same; said once. */
  #tell(cause: unknown): void {
    if (!this.#stuck) alarm.publish({ what: 'a full log file could not be exchanged', detail: {}, cause })
    this.#stuck = true
  }

  async #current(): Promise<LineHandle> {
    const now = performance.now()
    if (this.#handle !== undefined && now - this.#looked >= LOOK_MILLISECONDS) {
      this.#looked = now
      const there = await stat(this.#options.path).catch(() => undefined)
      if (there?.ino !== this.#inode) await this.close()
    }
    return this.#handle ?? (await this.#open())
  }

  async #open(): Promise<LineHandle> {
    const handle = await (this.#options.open ?? openLines)(this.#options.path)
    const { ino, size } = await handle.stat()
    this.#handle = handle
    this.#inode = ino
    this.#size = size
    this.#looked = performance.now()
    return handle
  }

  async #rotate(): Promise<void> {
    const { path, keep } = this.#options
    await this.close()
    if (keep === 0) await unlink(path)
    for (let number = keep; number > 0; number -= 1) {
      const from = number === 1 ? path : `${path}.${number - 1}`
      await rename(from, `${path}.${number}`).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error
      })
    }
  }
}
