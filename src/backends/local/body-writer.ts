/** Bodies on their way in: small ones into the index, others into files, with few large writes. */
import type { Body } from '../body.ts'
import type { BodyFolders, Slot } from './body-folders.ts'
import type { OpenFile } from './files.ts'
import { type BodyPromise, checkedBatches } from './incoming.ts'
import type { Tables } from './index-db.ts'
import type { Registration } from './processes.ts'
import { type BodyRef, encodeCounted, NO_BODY } from './rows.ts'

/** Bytes of one write, about. While one is written the next is gathered. */
const WRITE_BYTES = 262_144
const WRITE_BUFFERS = 512

/** A body that is on disk, or small enough to go there with its row, and that no object has yet. Exactly one of `keep` and `discard` must follow. */
export interface ArrivedBody {
  readonly ref: BodyRef
  readonly size: number
  /** Inside a change: makes the body known, with one reference. */
  record(tables: Tables): void
  /** After the change was committed. */
  keep(): void
  /** After the change failed. */
  discard(): Promise<void>
}

export class BodyWriter {
  readonly #folders: BodyFolders
  readonly #registration: Registration
  readonly #inlineBytes: number

  constructor(folders: BodyFolders, registration: Registration, inlineBytes: number) {
    this.#folders = folders
    this.#registration = registration
    this.#inlineBytes = inlineBytes
  }

  /** Reads the body to its end. `asFile`: never into the index. Buffers are kept until they are written. */
  async receive(body: Body, promise: BodyPromise, asFile = false): Promise<ArrivedBody> {
    const inlineBytes = asFile ? 0 : this.#inlineBytes
    const gathered: Buffer[] = []
    let size = 0
    let sink: FileSink | undefined
    try {
      for await (const batch of checkedBatches(body, promise)) {
        for (const piece of batch) {
          if (piece.length > 0) gathered.push(piece)
          size += piece.length
        }
        if (sink === undefined && size > inlineBytes) sink = new FileSink(await this.#folders.create())
        await sink?.add(gathered.splice(0))
      }
      if (sink === undefined) return this.#small(gathered, size)
      await sink.finish()
      await this.#folders.sync(sink.slot)
      return this.#large(sink.slot, size)
    } catch (error) {
      if (sink !== undefined) {
        await sink.abandon()
        await this.#folders.discard(sink.slot)
      }
      throw error
    }
  }

  #small(gathered: readonly Buffer[], size: number): ArrivedBody {
    const nothing = { keep: () => undefined, discard: () => Promise.resolve() }
    if (size === 0) return { ref: NO_BODY, size, record: () => undefined, ...nothing }
    const id = this.#folders.freshId()
    const row = encodeCounted(1, gathered)
    const record = (tables: Tables): void => {
      tables.inline.putSync(id, row)
    }
    return { ref: { kind: 'inline', id }, size, record, ...nothing }
  }

  #large(slot: Slot, size: number): ArrivedBody {
    return {
      ref: { kind: 'file', id: slot.id },
      size,
      record: (tables) => {
        this.#registration.require(tables)
        tables.files.putSync(slot.id, encodeCounted(1))
      },
      keep: () => {
        this.#folders.keep(slot)
      },
      discard: () => this.#folders.discard(slot),
    }
  }
}

class FileSink {
  readonly slot: Slot
  readonly #file: OpenFile
  #gathered: Buffer[] = []
  #bytes = 0
  #writing: Promise<void> = Promise.resolve()

  constructor({ slot, file }: { slot: Slot; file: OpenFile }) {
    this.slot = slot
    this.#file = file
  }

  /** Waits only while the write before the last is not done: at most two writes' worth of bytes is held. */
  async add(pieces: readonly Buffer[]): Promise<void> {
    for (const piece of pieces) {
      this.#gathered.push(piece)
      this.#bytes += piece.length
    }
    if (this.#bytes >= WRITE_BYTES || this.#gathered.length >= WRITE_BUFFERS) await this.#write()
  }

  async finish(): Promise<void> {
    await this.#write()
    await this.#writing
    await this.#file.datasync()
    await this.#file.close()
  }

  /** Closes the file whatever has happened. */
  async abandon(): Promise<void> {
    await this.#writing.catch(() => undefined)
    await this.#file.close().catch(() => undefined)
  }

  async #write(): Promise<void> {
    await this.#writing
    this.#writing = writeAll(this.#file, this.#gathered)
    // A failure is seen by whoever waits for it next.
    this.#writing.catch(() => undefined)
    this.#gathered = []
    this.#bytes = 0
  }
}

/** A write may take less than it is given, above all when the disk fills up. */
async function writeAll(file: OpenFile, pieces: readonly Buffer[]): Promise<void> {
  let left = pieces
  while (left.length > 0) {
    const { bytesWritten } = await file.writev(left)
    left = behindBytes(left, bytesWritten)
  }
}

function behindBytes(pieces: readonly Buffer[], bytes: number): readonly Buffer[] {
  let skip = bytes
  for (const [index, piece] of pieces.entries()) {
    if (skip < piece.length) return [piece.subarray(skip), ...pieces.slice(index + 1)]
    skip -= piece.length
  }
  return []
}
