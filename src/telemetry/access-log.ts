/**
 * The access log: one line for each request on the S3 listener, written in batches. It never costs a request anything: lines for which
 * there is no room are counted and dropped.
 */
import { formatOf, type AccessFormat } from './access-log/formats.ts'
import { alarm, linesLost, requestDone } from './channels.ts'
import { inOnePiece } from './line-text.ts'

/** Takes whole lines; fails if they were not written. */
export type WriteLines = (text: string) => Promise<void>

export interface AccessLogOptions {
  readonly format: AccessFormat
  /** The canonical user id of all buckets. */
  readonly owner: string
  /** What is named when lines are lost. */
  readonly sink: string
  readonly write: WriteLines
}

const FLUSH_MILLISECONDS = 200
const FLUSH_CHARACTERS = 64 * 1024
/** What may wait for a slow disk or reader; about 20,000 lines. */
const MOST_CHARACTERS = 8 * 1024 * 1024

/** Begins to write. Returns what ends it: all lines are written then. */
export function writeAccessLog(options: AccessLogOptions): () => Promise<void> {
  const lines = new Batches(options)
  const format = formatOf(options.format, options.owner)
  const stop = requestDone.subscribe((event) => lines.add(format(event)))
  return () => {
    stop()
    return lines.close()
  }
}

class Batches {
  readonly #options: AccessLogOptions
  #text = ''
  #lines = 0
  #lost = 0
  #failing = false
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined

  constructor(options: AccessLogOptions) {
    this.#options = options
  }

  add(line: string): void {
    if (this.#text.length + line.length > MOST_CHARACTERS) {
      this.#lost += 1
      return
    }
    this.#text += inOnePiece(`${line}\n`)
    this.#lines += 1
    if (this.#text.length >= FLUSH_CHARACTERS) this.#flush()
    else this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MILLISECONDS).unref()
  }

  async close(): Promise<void> {
    await this.#writing
    this.#flush()
    await this.#writing
  }

  /** One batch is written at a time; what comes meanwhile is the next. */
  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#writing !== undefined || this.#text === '') return
    const text = this.#text
    const lines = this.#lines
    this.#text = ''
    this.#lines = 0
    this.#writing = this.#options
      .write(text)
      .then(
        () => {
          this.#failing = false
        },
        (cause: unknown) => this.#lose(lines, cause),
      )
      .then(() => {
        this.#writing = undefined
        this.#count()
        if (this.#text !== '') this.#flush()
      })
  }

  #lose(lines: number, cause: unknown): void {
    this.#lost += lines
    // Said once, until a batch was written again.
    if (!this.#failing) {
      alarm.publish({ what: 'lines of the access log are lost', detail: { sink: this.#options.sink }, cause })
    }
    this.#failing = true
  }

  #count(): void {
    if (this.#lost === 0) return
    linesLost.publish({ log: 'access', sink: this.#options.sink, lines: this.#lost })
    this.#lost = 0
  }
}
