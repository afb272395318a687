/**
 * Feeds one sink from the files of a chain, which are its buffer: what it has taken is noted beside them, so that a sink that was away,
 * or a process that was, loses nothing. A sink may get a line twice, never in another order.
 */
import { open, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { alarm, linesLost } from '../channels.ts'
import type { Position } from './chain-writer.ts'
import { fileNameOf, sequencesOf } from './chain-file.ts'

export interface Sink {
  /** Tells it from the other sinks of a gateway. */
  readonly name: string
  /** Whole lines without their ends. Resolves to how many of them were refused for good; fails if they may be taken later. */
  readonly deliver: (lines: readonly string[]) => Promise<number>
  readonly close: () => Promise<void>
}

/** Up to where it has taken lines. */
type Place = Omit<Position, 'total'>

export interface SinkFeedOptions {
  readonly folder: string
  readonly chain: string
  readonly sink: Sink
  /** Bytes that it may be behind. */
  readonly buffer: number
  /** How far whole lines are in the files. */
  readonly position: () => Position
  /** Whether the oldest lines are given up when it is further behind. */
  readonly skips: boolean
}

const BATCH_BYTES = 256 * 1024
/** More than any line. */
const LEAST_BATCH_BYTES = 64 * 1024
/** Lines that come one by one are sent together. */
const GATHER_MILLISECONDS = 200
const FIRST_PAUSE_MILLISECONDS = 250
const LONGEST_PAUSE_MILLISECONDS = 30_000
/** How long a sink may take at the end of the process. */
const LAST_MILLISECONDS = 3_000

export class SinkFeed {
  readonly #options: SinkFeedOptions
  #at: Place = { sequence: 0, bytes: 0 }
  /** What of `Position.total` it has taken; below 0 for what earlier processes wrote. */
  #taken = 0
  #running: Promise<void> | undefined
  #again = false
  #pause = 0
  #soon: NodeJS.Timeout | undefined
  #retry: NodeJS.Timeout | undefined
  #closing = false

  constructor(options: SinkFeedOptions) {
    this.#options = options
  }

  get name(): string {
    return this.#options.sink.name
  }

  /** Whether it is further behind than it may be. */
  get isFull(): boolean {
    return this.#behind() > this.#options.buffer
  }

  /** Goes on where the last process has ended; a sink that is new begins with the file of this one. */
  async start(): Promise<void> {
    const { sequence } = this.#options.position()
    const noted = await this.#noted()
    this.#at = noted === undefined || noted.sequence > sequence ? { sequence, bytes: 0 } : noted
    await this.#measure()
    await this.#note()
    this.wake()
  }

  /** There is more. */
  wake(): void {
    if (this.#closing) return
    if (this.#running !== undefined) this.#again = true
    else if (this.#retry === undefined) this.#soon ??= setTimeout(() => this.#run(true), GATHER_MILLISECONDS).unref()
    else if (this.#options.skips && this.isFull) this.#run(false)
  }

  async close(): Promise<void> {
    this.#closing = true
    clearTimeout(this.#soon)
    clearTimeout(this.#retry)
    const late = new Promise<void>((resolve) => void setTimeout(resolve, LAST_MILLISECONDS).unref())
    const last = async (): Promise<void> => {
      await this.#running
      this.#run(true)
      await this.#running
    }
    await Promise.race([last(), late])
    await this.#options.sink.close()
  }

  /** `trying`: also to deliver. */
  #run(trying: boolean): void {
    if (trying) this.#soon = undefined
    this.#again = false
    this.#running = this.#drain(trying)
      .catch((cause: unknown) => this.#wait(cause))
      .then(() => {
        this.#running = undefined
        if (this.#again) this.wake()
      })
  }

  async #drain(trying: boolean): Promise<void> {
    for (;;) {
      if (this.#options.skips && this.isFull) await this.#skip()
      if (!trying) return
      const batch = await this.#read()
      if (batch === undefined) return
      const { lines, next } = batch
      if (lines.length > 0) {
        const refused = await this.#options.sink.deliver(lines)
        this.#lose(refused)
        this.#pause = 0
      }
      await this.#advance(next)
    }
  }

  #wait(cause: unknown): void {
    const { sink, chain } = this.#options
    if (this.#pause === 0)
      alarm.publish({
        what: 'a sink of the audit log does not take lines',
        detail: { sink: sink.name, from: chain },
        cause,
      })
    this.#pause = Math.min(LONGEST_PAUSE_MILLISECONDS, Math.max(FIRST_PAUSE_MILLISECONDS, this.#pause * 2))
    if (this.#closing) return
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.wake()
    }, this.#pause).unref()
  }

  #lose(lines: number): void {
    if (lines > 0) linesLost.publish({ log: 'audit', sink: this.#options.sink.name, lines })
  }

  #behind = (): number => this.#options.position().total - this.#taken

  /** Gives up the oldest until half of the room is free. */
  async #skip(): Promise<void> {
    const { buffer } = this.#options
    while (this.#behind() > buffer / 2) {
      const batch = await this.#read(Math.max(LEAST_BATCH_BYTES, buffer / 16))
      if (batch === undefined) return
      this.#lose(batch.lines.length)
      await this.#advance(batch.next)
    }
  }

  /** The next lines, and where they end; `undefined` if there are none yet. */
  async #read(most = BATCH_BYTES): Promise<{ readonly lines: readonly string[]; readonly next: Place } | undefined> {
    const { folder, chain, position } = this.#options
    const now = position()
    const { sequence, bytes } = this.#at
    const path = join(folder, fileNameOf(chain, sequence))
    const size = sequence === now.sequence ? now.bytes : await sizeOf(path)
    const piece = await pieceOf(path, bytes, Math.min(size, bytes + Math.min(most, BATCH_BYTES)))
    const last = piece.lastIndexOf(0x0a)
    if (last >= 0) {
      const lines = piece.toString('latin1', 0, last).split('\n')
      return { lines, next: { sequence, bytes: bytes + last + 1 } }
    }
    // A file that nobody writes to any more may end in half a line.
    return sequence < now.sequence ? { lines: [], next: { sequence: sequence + 1, bytes: 0 } } : undefined
  }

  async #advance(next: Place): Promise<void> {
    const turned = next.sequence !== this.#at.sequence
    this.#taken += turned ? 0 : next.bytes - this.#at.bytes
    this.#at = next
    if (turned) await this.#measure()
    await this.#note()
  }

  /** Counts what is there, since files may have been removed, or end in half a line. */
  async #measure(): Promise<void> {
    const { folder, chain, position } = this.#options
    const { sequence, bytes, total } = position()
    const files = (await sequencesOf(folder, chain)).filter((one) => one >= this.#at.sequence && one < sequence)
    const sizes = await Promise.all(files.map((one) => sizeOf(join(folder, fileNameOf(chain, one)))))
    this.#taken = total - bytes - sizes.reduce((sum, size) => sum + size, 0) + this.#at.bytes
  }

  get #notePath(): string {
    const { folder, chain, sink } = this.#options
    return join(folder, `${chain}.${sink.name}.taken`)
  }

  async #noted(): Promise<Place | undefined> {
    const text = await readFile(this.#notePath, 'utf8').catch(() => '')
    const [, sequence, bytes] = /^(\d+) (\d+)\n$/.exec(text) ?? []
    return sequence === undefined ? undefined : { sequence: Number(sequence), bytes: Number(bytes) }
  }

  /** A disk without room costs no more than lines that are sent twice. */
  async #note(): Promise<void> {
    const path = this.#notePath
    const { sequence, bytes } = this.#at
    try {
      await writeFile(`${path}.new`, `${sequence} ${bytes}\n`, { mode: 0o600 })
      await rename(`${path}.new`, path)
    } catch {
      // See above.
    }
  }
}

const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => undefined))?.size ?? 0

async function pieceOf(path: string, from: number, to: number): Promise<Buffer> {
  if (to <= from) return Buffer.alloc(0)
  const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    // Somebody has removed it: it is as if it were empty.
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (handle === undefined) return Buffer.alloc(0)
  try {
    const bytes = Buffer.alloc(to - from)
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, from)
    return bytes.subarray(0, bytesRead)
  } finally {
    await handle.close()
  }
}
