/** Bytes that a worker answers with, on their way to the primary: piece by piece, as they are asked for, so that nothing piles up in between. */
import type { Worker } from 'node:cluster'
import { Content } from '../../admin/content.ts'
import { Unavailable } from '../../errors.ts'

/** What of it goes at once. */
export interface ContentHead {
  readonly type: string
  readonly name: string
}

/** To the worker: the next piece, or no further one. */
interface Wish {
  readonly adminContent: number
  readonly wish: 'next' | 'leave'
}

/** From the worker. Neither is set at the end. */
interface Piece {
  readonly adminContent: number
  /** In base64. */
  readonly piece?: string
  readonly failed?: string
}

/** How long a piece may take: a heap is written down before its first one. */
const PIECE_MILLISECONDS = 120_000

/** In a worker: what it has answered with and the primary reads. */
export class Offered {
  readonly #open = new Map<number, AsyncIterator<Uint8Array>>()

  /** `number` is that of the call. */
  add(number: number, { type, name, pieces }: Content): ContentHead {
    this.#open.set(number, pieces[Symbol.asyncIterator]())
    return { type, name }
  }

  /** Whether the message was for it. */
  hear(message: unknown): boolean {
    if (!isWish(message)) return false
    const { adminContent, wish } = message
    const found = this.#open.get(adminContent)
    if (wish === 'leave') {
      this.#open.delete(adminContent)
      void found?.return?.().catch(() => undefined)
    } else void this.#next(adminContent, found)
    return true
  }

  async #next(adminContent: number, found: AsyncIterator<Uint8Array> | undefined): Promise<void> {
    const piece = await this.#read(found)
    if (piece.piece === undefined) this.#open.delete(adminContent)
    process.send?.({ adminContent, ...piece } satisfies Piece)
  }

  async #read(found: AsyncIterator<Uint8Array> | undefined): Promise<Omit<Piece, 'adminContent'>> {
    try {
      const step = await found?.next()
      if (step === undefined) return { failed: 'it is not there' }
      return step.done === true ? {} : { piece: Buffer.from(step.value).toString('base64') }
    } catch (error) {
      return { failed: error instanceof Error ? error.message : 'it failed' }
    }
  }
}

const isWish = (message: unknown): message is Wish =>
  typeof message === 'object' && message !== null && 'adminContent' in message && 'wish' in message

/** In the primary: what a worker offers, to be read. */
export function contentOf(worker: Worker, adminContent: number, { type, name }: ContentHead): Content {
  return new Content(type, name, { [Symbol.asyncIterator]: () => new Pieces(worker, adminContent) })
}

/** In the primary: nobody waits for it any more. */
export function leave(worker: Worker, adminContent: number): void {
  worker.send({ adminContent, wish: 'leave' } satisfies Wish, () => undefined)
}

/** No generator: one that is left before it has begun would not tell the worker. */
class Pieces implements AsyncIterator<Uint8Array> {
  readonly #worker: Worker
  readonly #number: number
  #ended = false

  constructor(worker: Worker, number: number) {
    this.#worker = worker
    this.#number = number
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#ended) return END
    const { piece, failed } = await ask(this.#worker, this.#number)
    if (piece !== undefined) return { done: false, value: Buffer.from(piece, 'base64') }
    this.#ended = true
    if (failed === undefined) return END
    throw new Unavailable(`a worker could not go on with its answer: ${failed}`)
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    if (!this.#ended) leave(this.#worker, this.#number)
    this.#ended = true
    return END
  }
}

const END = { done: true, value: undefined } as const

function ask(worker: Worker, adminContent: number): Promise<Piece> {
  return new Promise((resolve) => {
    const end = (piece: Piece): void => {
      clearTimeout(timer)
      worker.off('message', hear)
      worker.off('exit', exit)
      resolve(piece)
    }
    const hear = (message: Partial<Piece>): void => {
      if (message.adminContent === adminContent) end({ ...message, adminContent })
    }
    const exit = (): void => end({ adminContent, failed: 'it ended' })
    const timer = setTimeout(() => end({ adminContent, failed: 'it takes too long' }), PIECE_MILLISECONDS)
    worker.on('message', hear).on('exit', exit)
    worker.send({ adminContent, wish: 'next' } satisfies Wish, (error) => error !== null && exit())
  })
}
