import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import type { createLogger } from '../../telemetry/logger.ts'
import { HELLO, STOP, type WorkerMessage } from './messages.ts'

/** How long after its end a worker is replaced. */
const REPLACED_AFTER_MILLISECONDS = 1_000
/** How much longer than their grace workers may take to end; more than they give themselves. */
const MARGIN_MILLISECONDS = 10_000

/** The processes that serve. One that dies is replaced, until they are stopped. */
export class Workers {
  readonly #logger: ReturnType<typeof createLogger>
  readonly #all = new Set<Worker>()
  /** Those that hear what they are told. */
  readonly #listening = new Set<Worker>()
  #stopping = false

  constructor(logger: ReturnType<typeof createLogger>) {
    this.#logger = logger
  }

  get all(): ReadonlySet<Worker> {
    return this.#all
  }

  /** The address that it serves at; `undefined` if it ended before it did. */
  fork(): Promise<string | undefined> {
    const worker = cluster.fork()
    this.#all.add(worker)
    worker.on('exit', (code) => {
      this.#all.delete(worker)
      this.#listening.delete(worker)
      if (this.#stopping) return
      this.#logger.error({ code }, 'a worker ended; starting another')
      setTimeout(() => this.#stopping || void this.fork(), REPLACED_AFTER_MILLISECONDS)
    })
    return new Promise((resolve) => {
      worker.on('message', (message: WorkerMessage | typeof HELLO) => {
        if (message === HELLO) this.#listening.add(worker)
        else if ('address' in message) resolve(message.address)
      })
      worker.on('exit', () => resolve(undefined))
    })
  }

  /** Tells all to finish what is under way, and ends those that do not within the grace. One that does not listen yet has nothing under way. */
  async stop(graceMilliseconds: number): Promise<void> {
    this.#stopping = true
    const gone = [...this.#all].map((worker) => once(worker, 'exit'))
    for (const worker of this.#all) {
      // Whoever cannot be told has ended already.
      if (this.#listening.has(worker)) worker.send(STOP, () => undefined)
      else worker.process.kill('SIGKILL')
    }
    const late = setTimeout(() => {
      for (const worker of this.#all) worker.process.kill('SIGKILL')
    }, graceMilliseconds + MARGIN_MILLISECONDS)
    await Promise.all(gone)
    clearTimeout(late)
  }
}
