/** Writes one chain of the audit log: lines in batches, each line with the SHA-256 of the one before. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Unavailable } from '../../errors.ts'
import { isoTime } from '../access-log/line-times.ts'
import { inOnePiece } from '../line-text.ts'
import { type LineHandle, openLines, type OpenLines } from '../line-file.ts'
import { endOf, type FileEnd, fileNameOf, hashOf, NO_LINE, sequencesOf } from './chain-file.ts'

export interface ChainOptions {
  readonly folder: string
  readonly chain: string
  /** Bytes. */
  readonly rotateAt: number
  /** Every batch is on the disk before it counts as written, and what could not be written is given up: whoever waits for it is told. */
  readonly strict: boolean
  readonly clock: () => number
  /** Lines that are given up. */
  readonly onLost: (lines: number) => void
  /** What went wrong, once until it goes well again. */
  readonly onTrouble: (cause: unknown) => void
  /** More was written. */
  readonly onWritten: () => void
  readonly open?: OpenLines
}

/** Whole lines up to here are in the files. */
export interface Position {
  readonly sequence: number
  readonly bytes: number
  /** Bytes of all files that this process has written. */
  readonly total: number
}

const GATHER_MILLISECONDS = 100
const RETRY_MILLISECONDS = 1_000
/** What may wait for a slow disk. */
const MOST_CHARACTERS = 16 * 1024 * 1024

interface Batch {
  readonly records: string[]
  characters: number
  readonly written: Promise<void>
  readonly settle: (error?: Error) => void
}

function newBatch(): Batch {
  let settle: (error?: Error) => void = () => undefined
  const written = new Promise<void>((resolve, reject) => {
    settle = (error) => (error === undefined ? resolve() : reject(error))
  })
  // Who waits hears of it; often nobody does.
  written.catch(() => undefined)
  return { records: [], characters: 0, written, settle }
}

export class ChainWriter {
  readonly #options: ChainOptions
  #handle: LineHandle | undefined
  #sequence = 0
  #bytes = 0
  #total = 0
  #lines = 0
  #link = NO_LINE
  #batch = newBatch()
  #lost = 0
  #failing = false
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined

  constructor(options: ChainOptions) {
    this.#options = options
  }

  /** Begins a file. Throws if the folder or the file cannot be made. */
  async start(): Promise<void> {
    await mkdir(this.#options.folder, { recursive: true, mode: 0o700 })
    await this.#begin()
  }

  get position(): Position {
    return { sequence: this.#sequence, bytes: this.#bytes, total: this.#total }
  }

  /** Whether the last attempt to write has failed. */
  get failing(): boolean {
    return this.#failing
  }

  /** Adds a line, and resolves when it is in the file; fails with `Unavailable` if it is given up. */
  append(record: string): Promise<void> {
    if (this.#batch.characters > MOST_CHARACTERS || (this.#failing && this.#options.strict)) {
      this.#lose(1)
      const refused = Promise.reject(new Unavailable('the audit log cannot be written'))
      refused.catch(() => undefined)
      return refused
    }
    const batch = this.#batch
    batch.records.push(inOnePiece(record))
    batch.characters += record.length
    // Whoever waits does so for the disk and not for company; what is asked for in the same moment is written together.
    this.#timer ??= setTimeout(() => this.#flush(), this.#options.strict ? 0 : GATHER_MILLISECONDS)
    return batch.written
  }

  /** Writes what is there, and says that it is the end. */
  async close(): Promise<void> {
    await this.#running
    if (this.#batch.records.length > 0) await this.#write()
    if (this.#batch.records.length > 0) this.#giveUp(this.#take())
    clearTimeout(this.#timer)
    await this.#end('stopped').catch(this.#options.onTrouble)
    this.#options.onWritten()
  }

  #flush(): void {
    this.#timer = undefined
    if (this.#running !== undefined) return
    this.#running = this.#write().then(() => {
      this.#running = undefined
      if (this.#timer !== undefined) return
      if (this.#failing) this.#timer = setTimeout(() => this.#flush(), RETRY_MILLISECONDS).unref()
      else if (this.#batch.records.length > 0) this.#flush()
    })
  }

  #take(): Batch {
    const batch = this.#batch
    this.#batch = newBatch()
    return batch
  }

  /** Never throws. */
  async #write(): Promise<void> {
    const batch = this.#take()
    try {
      if (this.#handle === undefined) await this.#begin()
      const gap = this.#lost
      const records = gap === 0 ? batch.records : [this.#gapRecord(gap), ...batch.records]
      await this.#put(records)
      this.#lost -= gap
      this.#failing = false
      batch.settle()
      this.#options.onWritten()
      if (this.#bytes >= this.#options.rotateAt) await this.#rotate()
    } catch (cause) {
      if (!this.#failing) this.#options.onTrouble(cause)
      this.#failing = true
      if (this.#options.strict) this.#giveUp(batch)
      else this.#putBack(batch)
    }
  }

  /** To be written before what came meanwhile. */
  #putBack(batch: Batch): void {
    const { records, characters } = this.#take()
    this.#batch = batch
    for (const record of records) batch.records.push(record)
    batch.characters += characters
  }

  #giveUp({ records, settle }: Batch): void {
    this.#lose(records.length)
    settle(new Unavailable('the audit log cannot be written'))
  }

  #lose(lines: number): void {
    if (lines === 0) return
    this.#lost += lines
    this.#options.onLost(lines)
  }

  #gapRecord(lost: number): string {
    return `"at":"${isoTime(this.#options.clock())}","kind":"gap","lost":${lost}`
  }

  /** All or nothing: half a batch that a full disk has taken is taken back, or the file is left as it is and another begun. */
  async #put(records: readonly string[]): Promise<void> {
    const handle = this.#handle
    if (handle === undefined || records.length === 0) return
    let text = ''
    let link = this.#link
    let lines = this.#lines
    for (const record of records) {
      lines += 1
      const line = `{"n":${lines},"prev":"${link}",${record}}`
      link = hashOf(line)
      // The hash has it in one piece.
      text += `${line}\n`
    }
    try {
      await handle.appendFile(text)
      if (this.#options.strict) await handle.datasync()
    } catch (error) {
      await this.#takeBack(handle)
      throw error
    }
    this.#link = link
    this.#lines = lines
    // Lines are ASCII.
    this.#bytes += text.length
    this.#total += text.length
  }

  async #takeBack(handle: LineHandle): Promise<void> {
    try {
      await handle.truncate(this.#bytes)
    } catch {
      await this.#drop()
    }
  }

  async #drop(): Promise<void> {
    const handle = this.#handle
    this.#handle = undefined
    await handle?.close().catch(() => undefined)
  }

  async #rotate(): Promise<void> {
    await this.#end('rotated')
    await this.#begin()
  }

  async #end(why: 'rotated' | 'stopped'): Promise<void> {
    const handle = this.#handle
    if (handle === undefined) return
    const at = isoTime(this.#options.clock())
    const gap = this.#lost === 0 ? [] : [this.#gapRecord(this.#lost)]
    await this.#put([...gap, `"at":"${at}","kind":"end","why":"${why}"`])
    this.#lost = 0
    this.#handle = undefined
    await handle.datasync()
    await handle.close()
  }

  /** Begins the next file, which names the ones before it back to the last that has a line, and stands on that line. */
  async #begin(): Promise<void> {
    const { folder, chain, clock } = this.#options
    const sequences = await sequencesOf(folder, chain)
    const ends: [number, FileEnd][] = []
    for (const earlier of sequences.toReversed()) {
      const end = await endOf(folder, fileNameOf(chain, earlier))
      ends.push([earlier, end])
      if (end.lines > 0) break
    }
    const sequence = (sequences.at(-1) ?? 0) + 1
    const before = ends.map(
      ([number, { lines, torn }]) =>
        `{"file":"${fileNameOf(chain, number)}","lines":${lines}${torn === 0 ? '' : `,"torn":${torn}`}}`,
    )
    const file = fileNameOf(chain, sequence)
    this.#handle = await (this.#options.open ?? openLines)(join(folder, file))
    this.#sequence = sequence
    this.#lines = 0
    this.#bytes = 0
    this.#link = ends.at(-1)?.[1].sha256 ?? NO_LINE
    try {
      await this.#put([`"at":"${isoTime(clock())}","kind":"begin","file":"${file}","before":[${before.join(',')}]`])
    } catch (error) {
      // A file that does not say what it follows gets no lines.
      await this.#drop()
      throw error
    }
    this.#options.onWritten()
  }
}
