/** Bodies on their way out: large blocks, one ahead, every file closed whichever way the reading ends. */
import { Integrity } from '../../errors.ts'
import type { Body } from '../body.ts'
import type { Files, OpenFile } from './files.ts'
import { reasonOf } from './incoming.ts'

/** Bytes `first` to `last` of one file. */
export interface Span {
  readonly path: string
  readonly first: number
  readonly last: number
}

/** Each block is a buffer of its own, which the consumer may keep. Two are held at most: the one handed out and the one ahead. */
const BLOCK_BYTES = 524_288
/** Ranges up to this size are read at once, so that nothing is left open. */
const EAGER_BYTES = 131_072

export interface ReadOptions {
  readonly signal: AbortSignal | undefined
  /** Called once when the reading has ended, however. */
  readonly release?: () => Promise<void>
}

/** Opens all spans now. Throws ENOENT if one of the files is gone. */
export async function openSpans(files: Files, spans: readonly Span[], options: ReadOptions): Promise<Body> {
  const opened: OpenFile[] = []
  try {
    for (const { path } of spans) opened.push(await files.open(path, 'r'))
  } catch (error) {
    await Promise.all(opened.map((file) => file.close()))
    throw error
  }
  const reading = new SpanReader(files, spans, opened, options)
  const [only] = spans
  if (only === undefined || spans.length > 1 || only.last - only.first >= EAGER_BYTES) return reading
  const { value = [] } = await reading.next()
  await reading.return()
  return once(value)
}

/** Opens each span when it comes to it; the caller has made sure that the files stay. */
export function openSpansLater(files: Files, spans: readonly Span[], options: ReadOptions): Body {
  return new SpanReader(files, spans, [], options)
}

/** A body that is in memory. */
export async function* once(batch: readonly Buffer[]): AsyncGenerator<readonly Buffer[], void, void> {
  if (batch.length > 0) yield batch
}

class SpanReader implements AsyncIterableIterator<readonly Buffer[]> {
  readonly #files: Files
  readonly #spans: readonly Span[]
  /** The first of the spans' files, as far as they are open. */
  readonly #opened: (OpenFile | undefined)[]
  readonly #signal: AbortSignal | undefined
  readonly #abort = (): void => void this.#close()
  #release: (() => Promise<void>) | undefined
  #span = 0
  #position: number
  #ahead: Promise<Buffer | undefined> | undefined
  #closing: Promise<void> | undefined

  constructor(files: Files, spans: readonly Span[], opened: readonly OpenFile[], { signal, release }: ReadOptions) {
    this.#files = files
    this.#spans = spans
    this.#opened = [...opened]
    this.#signal = signal
    this.#release = release
    this.#position = spans[0]?.first ?? 0
    if (signal?.aborted === true) this.#abort()
    else signal?.addEventListener('abort', this.#abort, { once: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<readonly Buffer[], undefined>> {
    if (this.#signal?.aborted === true) {
      await this.#close()
      throw reasonOf(this.#signal)
    }
    if (this.#closing !== undefined) return { done: true, value: undefined }
    try {
      const block = await (this.#ahead ?? this.#block())
      this.#checkAbort()
      if (block === undefined) return await this.return()
      this.#ahead = this.#block()
      // A failure of the block ahead is seen when that block is asked for.
      this.#ahead.catch(() => undefined)
      return { done: false, value: [block] }
    } catch (error) {
      await this.#close()
      throw error
    }
  }

  #checkAbort(): void {
    if (this.#signal?.aborted === true) throw reasonOf(this.#signal)
  }

  async return(): Promise<IteratorResult<readonly Buffer[], undefined>> {
    await this.#close()
    return { done: true, value: undefined }
  }

  /** The next block, `undefined` behind the last one. Never called before the one before it is there. */
  async #block(): Promise<Buffer | undefined> {
    const span = this.#spans[this.#span]
    if (span === undefined || this.#closing !== undefined) return undefined
    const file = (this.#opened[this.#span] ??= await this.#files.open(span.path, 'r'))
    const position = this.#position
    const block = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, span.last + 1 - position))
    this.#position += block.length
    await fill(file, block, position, span.path)
    if (this.#position > span.last) {
      this.#opened[this.#span] = undefined
      this.#span++
      this.#position = this.#spans[this.#span]?.first ?? 0
      await file.close()
    }
    return block
  }

  #close(): Promise<void> {
    this.#closing ??= this.#closeAll()
    return this.#closing
  }

  async #closeAll(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#abort)
    const release = this.#release
    this.#release = undefined
    await this.#ahead?.catch(() => undefined)
    // Reading has ended with all its bytes or with an error of its own; failing to close adds nothing.
    await Promise.allSettled(this.#opened.map((file) => file?.close() ?? Promise.resolve()))
    await release?.().catch(() => undefined)
  }
}

async function fill(file: OpenFile, block: Buffer, position: number, path: string): Promise<void> {
  let filled = 0
  while (filled < block.length) {
    const { bytesRead } = await file.read(block, filled, block.length - filled, position + filled)
    if (bytesRead === 0)
      throw new Integrity('size mismatch', `the file ${path} ends ${block.length - filled} bytes too early`)
    filled += bytesRead
  }
}
