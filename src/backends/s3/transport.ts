/**
 * One HTTP request to a store and its answer, both bodies as streams with back-pressure. Behind this small port the client
 * library can be exchanged: what it costs for large bodies is most of what a gateway costs.
 */
import type { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import { Internal } from '../../errors.ts'
import type { Body } from '../body.ts'
import { openAgent, type TransportOptions } from './agent.ts'

export interface TransportRequest {
  readonly method: string
  readonly origin: string
  /** Path and query in wire form. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Bytes at hand, or as they come; their number is in `content-length`. */
  readonly body?: Buffer | Body
  /** Names the task that the request is part of, and ends it. */
  readonly signal?: AbortSignal | undefined
  /** The answer is handed on: it stays open for as long as its reader likes. */
  readonly handedOn?: boolean
}

export interface TransportResponse {
  readonly status: number
  /** Lower-case names; repeated headers joined by commas. */
  readonly headers: Readonly<Record<string, string>>
  /** Read at most once. Leaving the iteration early, or `cancel`, closes the connection. */
  readonly body: Body
  /** For whoever does not want the body. */
  readonly cancel: () => void
}

/** The request got no answer, or not all of it. The cause is the library's error; `begun`: the request left, and its body was begun. */
export class TransportError extends Error {
  override readonly name = 'TransportError'
  readonly begun: boolean

  constructor(cause: unknown, begun: boolean) {
    super(cause instanceof Error ? cause.message : 'the connection failed', { cause })
    this.begun = begun
  }
}

/** Bytes taken from the socket ahead of the consumer. */
const READ_AHEAD_BYTES = 256 * 1024
/**
 * Two pools: whoever has an answer open may need another request before it reads on (the tail of an object, the PUT of a copy), and
 * of connections that all carry such answers none would ever come free. So the first answer of a task that is handed on takes its
 * connection from one pool, and whatever else is asked from the other, in which no request waits for a further one.
 */
export class Transport {
  readonly #handedOn: Dispatcher
  readonly #others: Dispatcher
  /** Requests that have a connection, and those that wait for one. */
  readonly load = { open: 0, queued: 0 }
  /** Tasks that have a connection of `#handedOn`, or wait for one. */
  readonly #reading = new WeakSet<AbortSignal>()

  constructor(options: TransportOptions) {
    this.#handedOn = openAgent(options)
    this.#others = openAgent(options)
  }

  /** Resolves with the head of the answer. Throws `TransportError`, what the request's body throws, or the signal's reason. */
  send(request: TransportRequest): Promise<TransportResponse> {
    return new Promise((resolve, reject) => {
      const { signal: task } = request
      const first = request.handedOn === true && (task === undefined || !this.#reading.has(task))
      const { load } = this
      load.queued += 1
      const exchange = new Exchange(request, resolve, reject, {
        begun: () => {
          load.queued -= 1
          load.open += 1
        },
        settled: (begun) => {
          load[begun ? 'open' : 'queued'] -= 1
          if (first && task !== undefined) this.#reading.delete(task)
        },
      })
      if (task?.aborted === true) return exchange.onResponseError(undefined, reasonOf(task))
      if (first && task !== undefined) this.#reading.add(task)
      const agent = first ? this.#handedOn : this.#others
      agent.dispatch(
        {
          origin: request.origin,
          path: request.path,
          method: request.method,
          headers: request.headers,
          body: exchange.body,
          // Else each HEAD would cost a connection.
          ...(request.method === 'HEAD' ? { reset: false } : {}),
        },
        exchange,
      )
    })
  }

  async close(): Promise<void> {
    await Promise.all([this.#handedOn.destroy(), this.#others.destroy()])
  }
}

/** Made once: each exchange ends, and few have anybody who waits. */
const ENDED = new Error('the exchange has ended')

interface ExchangeEvents {
  /** It has a connection. */
  readonly begun: () => void
  /** Once. */
  readonly settled: (begun: boolean) => void
}

/** One request on its way: undici's handler. */
class Exchange implements Dispatcher.DispatchHandler {
  /** undici takes any iterable, which its types do not say. */
  readonly body: Buffer | Readable | null
  readonly #resolve: (response: TransportResponse) => void
  readonly #reject: (error: unknown) => void
  readonly #signal: AbortSignal | undefined
  readonly #on: ExchangeEvents
  readonly #onAbort: () => void
  #controller: Dispatcher.DispatchController | undefined
  #received: Incoming | undefined
  #bodyError: unknown
  #begun = false
  #ended = false
  #interrupt: (reason: Error) => void = () => undefined

  constructor(
    { body, signal }: TransportRequest,
    resolve: (response: TransportResponse) => void,
    reject: (error: unknown) => void,
    on: ExchangeEvents,
  ) {
    const sent = (): Readable =>
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see `body`
      new Outgoing(body as Body, (source) => this.#nextBatch(source)) as unknown as Readable
    this.body = body === undefined ? null : Buffer.isBuffer(body) ? body : sent()
    this.#resolve = resolve
    this.#reject = reject
    this.#signal = signal
    this.#on = on
    this.#onAbort = () => {
      if (signal === undefined) return
      // One that still waits for a connection has no controller; it is dropped when its turn comes.
      if (this.#controller === undefined) this.onResponseError(undefined, reasonOf(signal))
      else this.#controller.abort(reasonOf(signal))
    }
    signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Thrown, it spares the connection, on which nothing was sent yet.
    if (this.#signal?.aborted === true) throw reasonOf(this.#signal)
    if (this.#controller === undefined) this.#on.begun()
    this.#controller = controller
    // Whatever becomes of the request now, its body cannot be begun again.
    if (this.body !== null && !Buffer.isBuffer(this.body)) this.#begun = true
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return
    const plain: Record<string, string> = {}
    for (const [name, value] of Object.entries(headers)) {
      if (value !== undefined) plain[name] = Array.isArray(value) ? value.join(',') : value
    }
    const length = plain['content-length'] ?? ''
    const received = new Incoming(controller, /^\d{1,15}$/.test(length) ? Number(length) : undefined)
    this.#received = received
    this.#resolve({
      status,
      headers: plain,
      body: received,
      cancel: () => received.cancel(),
    })
  }

  onResponseData(_controller: Dispatcher.DispatchController, piece: Buffer): void {
    this.#received?.push(piece)
  }

  onResponseEnd(): void {
    this.#settle()
    this.#received?.end(undefined)
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    this.#settle()
    const cause = this.#bodyError ?? (this.#signal?.aborted === true ? reasonOf(this.#signal) : undefined)
    const failure = cause ?? new TransportError(error, this.#begun)
    if (this.#received === undefined) this.#reject(failure)
    else this.#received.end(failure)
  }

  #settle(): void {
    if (!this.#ended) this.#on.settled(this.#controller !== undefined)
    this.#ended = true
    this.#interrupt(ENDED)
    this.#signal?.removeEventListener('abort', this.#onAbort)
  }

  /** The next batch of the request's body. Its own failure is kept, to be told from one of the connection; a silent source holds nobody up when the exchange has ended. */
  async #nextBatch(source: AsyncIterator<readonly Buffer[]>): Promise<readonly Buffer[] | undefined> {
    try {
      const step = await new Promise<IteratorResult<readonly Buffer[]>>((resolve, reject) => {
        this.#interrupt = reject
        if (this.#ended) reject(ENDED)
        else source.next().then(resolve, reject)
      })
      return step.done === true ? undefined : step.value
    } catch (error) {
      if (!this.#ended) this.#bodyError = error
      throw error
    }
  }
}

/** Below this, neighbouring pieces (tags, framing) are joined: a copy costs less than a step of the loop that sends them. */
const SMALL_BYTES = 512

/** A body's pieces one by one, as undici takes them. Written by hand: a generator would cost several turns of the event loop's queue for each. */
class Outgoing implements AsyncIterableIterator<Buffer> {
  readonly #source: AsyncIterator<readonly Buffer[]>
  readonly #nextBatch: (source: AsyncIterator<readonly Buffer[]>) => Promise<readonly Buffer[] | undefined>
  #pieces: readonly Buffer[] = []
  #at = 0

  constructor(
    body: Body,
    nextBatch: (source: AsyncIterator<readonly Buffer[]>) => Promise<readonly Buffer[] | undefined>,
  ) {
    this.#source = body[Symbol.asyncIterator]()
    this.#nextBatch = nextBatch
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<Buffer>> {
    const piece = this.#pieces[this.#at]
    if (piece === undefined) return this.#more()
    this.#at += 1
    return Promise.resolve({ done: false, value: piece })
  }

  return(): Promise<IteratorResult<Buffer>> {
    // Not awaited: a source that hangs would keep us here for ever.
    void this.#source.return?.().then(undefined, () => undefined)
    return Promise.resolve({ done: true, value: undefined })
  }

  async #more(): Promise<IteratorResult<Buffer>> {
    try {
      for (;;) {
        const batch = await this.#nextBatch(this.#source)
        if (batch === undefined) return { done: true, value: undefined }
        this.#pieces = joinSmall(batch)
        this.#at = 1
        const [first] = this.#pieces
        if (first !== undefined) return { done: false, value: first }
      }
    } catch (error) {
      void this.return()
      throw error
    }
  }
}

function joinSmall(batch: readonly Buffer[]): Buffer[] {
  const joined: Buffer[] = []
  let small: Buffer[] = []
  const flush = (): void => {
    if (small.length > 0) joined.push(small.length === 1 && small[0] !== undefined ? small[0] : Buffer.concat(small))
    small = []
  }
  for (const piece of batch) {
    if (piece.length < SMALL_BYTES) {
      small.push(piece)
      continue
    }
    flush()
    joined.push(piece)
  }
  flush()
  return joined
}

const DONE: IteratorResult<readonly Buffer[]> = { done: true, value: undefined }

/**
 * The body of an answer: a bounded queue of what arrived, in the batches in which the consumer finds it. Its own iterator,
 * written by hand as `Outgoing` is.
 */
class Incoming implements Body, AsyncIterator<readonly Buffer[]> {
  readonly #controller: Dispatcher.DispatchController
  readonly #length: number | undefined
  #arrived = 0
  #batch: Buffer[] = []
  #held = 0
  #ended = false
  #error: unknown
  #wake: () => void = () => undefined

  /** `length` is what the answer announced. */
  constructor(controller: Dispatcher.DispatchController, length: number | undefined) {
    this.#controller = controller
    this.#length = length
  }

  push(piece: Buffer): void {
    this.#arrived += piece.length
    this.#batch.push(piece)
    this.#held += piece.length
    if (this.#held >= READ_AHEAD_BYTES) this.#controller.pause()
    this.#wake()
  }

  end(error: unknown): void {
    this.#ended = true
    // However the connection ended: what was announced is there.
    this.#error = this.#arrived === this.#length ? undefined : error
    this.#wake()
  }

  cancel(): void {
    if (!this.#ended) this.#controller.abort(new Error('the rest of the answer is not wanted'))
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<readonly Buffer[]>> {
    if (this.#held > 0) {
      const value = this.#batch
      this.#batch = []
      this.#held = 0
      if (this.#controller.paused) this.#controller.resume()
      return Promise.resolve({ done: false, value })
    }
    if (this.#error !== undefined) {
      const error = this.#error
      return Promise.reject(error instanceof Error ? error : new Internal('an answer failed without an error'))
    }
    if (this.#ended) return Promise.resolve(DONE)
    const arrival = new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    // Not in `push` itself: what one read of the socket brings comes in several pieces, and makes one batch.
    return arrival.then(() => this.next())
  }

  return(): Promise<IteratorResult<readonly Buffer[]>> {
    this.cancel()
    return Promise.resolve(DONE)
  }
}

function reasonOf(signal: AbortSignal): Error {
  const reason: unknown = signal.reason
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason })
}
