import cluster, { type Worker } from 'node:cluster'
import { EventEmitter, once } from 'node:events'
import type { Live } from '../../compose/live.ts'
import type { createLogger } from '../../telemetry/logger.ts'
import { HELLO, STOP, type Told, type WorkerMessage } from './messages.ts'

/** How long after its end a worker is replaced. */
const REPLACED_AFTER_MILLISECONDS = 1_000
/** How long a worker may take to put settings into effect. */
const ANSWER_MILLISECONDS = 10_000
/** How much longer than their grace workers may take to end; more than they give themselves. */
const MARGIN_MILLISECONDS = 10_000

/** The processes that serve. One that dies is replaced, until they are stopped. */
export class Workers {
  readonly #logger: ReturnType<typeof createLogger>
  readonly #all = new Set<Worker>()
  /** Those that hear what they are told. */
  readonly #listening = new Set<Worker>()
  readonly #answers = new EventEmitter()
  /** The place of each; see `Told`. */
  readonly #slots = new Map<Worker, number>()
  #live: Live
  #round = 0
  #gone: (worker: Worker) => void = () => undefined
  #stopping = false

  /** `live` is what they begin with. */
  constructor(logger: ReturnType<typeof createLogger>, live: Live) {
    this.#logger = logger
    this.#live = live
  }

  get all(): ReadonlySet<Worker> {
    return this.#all
  }

  /** Those that can be told something; the one that has run longest first. */
  get listening(): ReadonlySet<Worker> {
    return this.#listening
  }

  /** Calls `listener` with each that has ended. */
  onGone(listener: (worker: Worker) => void): void {
    this.#gone = listener
  }

  /** The address that it serves at; `undefined` if it ended before it did. */
  fork(): Promise<string | undefined> {
    const worker = cluster.fork()
    this.#all.add(worker)
    this.#slots.set(worker, this.#freeSlot())
    worker.on('exit', (code) => {
      this.#all.delete(worker)
      this.#slots.delete(worker)
      this.#listening.delete(worker)
      this.#gone(worker)
      if (this.#stopping) return
      this.#logger.error({ code }, 'a worker ended; starting another')
      setTimeout(() => this.#stopping || void this.fork(), REPLACED_AFTER_MILLISECONDS)
    })
    return new Promise((resolve) => {
      worker.on('message', (message: WorkerMessage | typeof HELLO) => {
        if (message === HELLO) this.#greet(worker)
        else if (message.address !== undefined) resolve(message.address)
        else if (message.round !== undefined) this.#answers.emit(`${worker.id} ${message.round}`, message.failed)
      })
      worker.on('exit', () => resolve(undefined))
    })
  }

  #greet(worker: Worker): void {
    this.#listening.add(worker)
    tell(worker, { live: this.#live, round: this.#round, slot: this.#slotOf(worker) })
  }

  #slotOf = (worker: Worker): number => this.#slots.get(worker) ?? 0

  #freeSlot(): number {
    const taken = new Set(this.#slots.values())
    let slot = 1
    while (taken.has(slot)) slot += 1
    return slot
  }

  /** Puts it into effect in all of them, and in those to come. What a worker does not take is logged. */
  async reload(live: Live): Promise<void> {
    this.#live = live
    this.#round += 1
    const told = { live, round: this.#round }
    await Promise.all(
      [...this.#listening].map((worker) => this.#reloadOne(worker, { ...told, slot: this.#slotOf(worker) })),
    )
  }

  async #reloadOne(worker: Worker, told: Told): Promise<void> {
    const late = AbortSignal.timeout(ANSWER_MILLISECONDS)
    const answer = once(this.#answers, `${worker.id} ${told.round}`, { signal: late })
    tell(worker, told)
    const [failed]: unknown[] = await answer.catch(() => ['it did not answer'])
    if (failed === undefined || !this.#listening.has(worker)) return
    this.#logger.error({ worker: worker.id, why: failed }, 'a worker did not take the new settings')
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

/** Whoever cannot be told has ended already. */
function tell(worker: Worker, told: Told): void {
  worker.send(told, () => undefined)
}
