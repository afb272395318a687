/** The gateway's side of one thread. */
import { Worker } from 'node:worker_threads'
import {
  type Answer,
  type Ask,
  type Bytes,
  type Fault,
  type ThreadSettings,
  TokenFault,
  type Value,
} from './messages.ts'

interface Question {
  readonly resolve: (value: Value) => void
  readonly reject: (fault: TokenFault) => void
}

export class TokenThread {
  /** Whether its session was good when it was last used. Whoever sees it end, or ends it for all threads of the library, says so here. */
  connected = false
  readonly #worker: Worker
  readonly #ended: Promise<void>
  #over = false
  #question: Question | undefined

  constructor(file: URL, settings: ThreadSettings) {
    this.#worker = new Worker(file, { workerData: settings })
    this.#worker.on('message', (answer: Answer) => this.#hear(answer))
    // What the thread died of may quote anything; the fault says where.
    this.#worker.on('error', () => this.#fail({ reason: 'silent' }))
    this.#ended = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#over = true
        this.#fail({ reason: 'silent' })
        resolve()
      })
    })
    // Only what is asked of it keeps the process.
    this.#worker.unref()
  }

  /** Whether it is, or may be, inside the library. */
  get asked(): boolean {
    return this.#question !== undefined
  }

  get over(): boolean {
    return this.#over
  }

  /** The bytes of the question are gone afterwards. Throws `TokenFault`. */
  ask(question: Ask): Promise<Value> {
    const bytes = Object.values(question).filter((value): value is Bytes => value instanceof Uint8Array)
    if (this.#over) {
      for (const one of bytes) one.fill(0)
      return Promise.reject(new TokenFault({ reason: 'silent' }))
    }
    return new Promise((resolve, reject) => {
      this.#question = { resolve, reject }
      this.#worker.ref()
      this.#worker.postMessage(
        question,
        bytes.map(({ buffer }) => buffer),
      )
    })
  }

  /** Ends it, as soon as the library lets go of it, and resolves then. The question that it has is over at once. */
  end(): Promise<void> {
    this.#over = true
    this.#fail({ reason: 'silent' })
    void this.#worker.terminate()
    // `terminate` would hold the process until the library lets go.
    this.#worker.unref()
    return this.#ended
  }

  #hear(answer: Answer): void {
    const question = this.#question
    if (question === undefined) {
      // Nobody waits for it any more.
      if ('value' in answer && answer.value instanceof Uint8Array) answer.value.fill(0)
      return
    }
    this.#settle()
    if ('fault' in answer) question.reject(new TokenFault(answer.fault))
    else question.resolve(answer.value)
  }

  #fail(fault: Fault): void {
    const question = this.#question
    this.#settle()
    question?.reject(new TokenFault(fault))
  }

  #settle(): void {
    this.#question = undefined
    this.#worker.unref()
  }
}
