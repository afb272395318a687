/** Calls of the admin API: the primary, which opens no store, hands each to one worker over their channel, once it knows who calls. */
import type { Worker } from 'node:cluster'
import type { AdminApi } from '../../admin/api.ts'
import { type AdminAnswer, type AdminCall, type AnswerAdmin, refuse } from '../../admin/call.ts'
import { alarm } from '../../telemetry/channels.ts'

interface Question {
  readonly admin: number
  readonly call: AdminCall
}

interface Answer {
  readonly admin: number
  /** Absent if the worker does not serve yet: nothing was done. */
  readonly answer?: AdminAnswer
}

/** How long a call may take. What it has begun goes on. */
const ANSWER_MILLISECONDS = 120_000
/** Calls under way at once. */
const MOST = 64

/** In a worker: does what the primary hands on. `api` is absent until it serves. */
export async function answerAdmin(message: unknown, api: AdminApi | undefined): Promise<void> {
  if (!isQuestion(message)) return
  const { admin, call } = message
  const answer = await api?.answer(call)
  process.send?.({ admin, ...(answer === undefined ? {} : { answer }) } satisfies Answer)
}

const isQuestion = (message: unknown): message is Question =>
  typeof message === 'object' && message !== null && 'admin' in message && 'call' in message

/** In the primary. The worker that has run longest is asked, so that a run that one call has begun is found by the next. */
export function relayTo(workers: ReadonlySet<Worker>): AnswerAdmin {
  const relay = new Relay()
  return async (call) => {
    for (const worker of workers) {
      const answer = await relay.ask(worker, call)
      if (answer !== undefined) return answer
    }
    return refuse('Unavailable', 1)
  }
}

interface Asked {
  readonly worker: Worker
  readonly end: (answer: AdminAnswer | undefined, why?: string) => void
}

class Relay {
  readonly #asked = new Map<number, Asked>()
  readonly #heard = new WeakSet<Worker>()
  #number = 0

  /** `undefined` if that worker does not serve: another may be asked. */
  ask(worker: Worker, call: AdminCall): Promise<AdminAnswer | undefined> {
    if (this.#asked.size >= MOST) return Promise.resolve(refuse('Unavailable', 1))
    this.#hear(worker)
    this.#number += 1
    const admin = this.#number
    return new Promise((resolve) => {
      const end: Asked['end'] = (answer, why) => {
        clearTimeout(timer)
        if (!this.#asked.delete(admin)) return
        if (why !== undefined) {
          const detail = { worker: worker.id, operation: call.operation, why }
          alarm.publish({ what: 'a worker did not answer a call of the admin API', detail })
        }
        resolve(answer)
      }
      const timer = setTimeout(() => end(refuse('Unavailable'), 'it takes too long'), ANSWER_MILLISECONDS)
      this.#asked.set(admin, { worker, end })
      worker.send({ admin, call } satisfies Question, (error) => error !== null && end(undefined))
    })
  }

  /** Once for each worker: listeners must not pile up. */
  #hear(worker: Worker): void {
    if (this.#heard.has(worker)) return
    this.#heard.add(worker)
    worker.on('message', ({ admin, answer }: Partial<Answer>) => {
      if (admin !== undefined) this.#asked.get(admin)?.end(answer)
    })
    worker.on('exit', () => {
      // Whether it was done nobody can tell: it is not done again by another.
      for (const one of this.#asked.values()) if (one.worker === worker) one.end(refuse('Unavailable'), 'it ended')
    })
  }
}
