/** Calls of the admin API: the primary, which opens no store, hands each to one worker over their channel, once it knows who calls. */
import type { Worker } from 'node:cluster'
import type { AdminApi } from '../../admin/api.ts'
import { type AdminAnswer, type AdminCall, type AnswerAdmin, refuse } from '../../admin/call.ts'
import { AdminRefusal } from '../../admin/refusal.ts'
import { alarm } from '../../telemetry/channels.ts'
import { type ContentHead, contentOf, leave, Offered } from './admin-content.ts'

interface Question {
  readonly admin: number
  readonly call: AdminCall
}

interface Answer {
  readonly admin: number
  /** Absent if the worker does not serve yet: nothing was done. */
  readonly answer?: Omit<AdminAnswer, 'content'>
  /** Of an answer that is no JSON. */
  readonly content?: ContentHead
}

/** How long a call may take. What it has begun goes on. */
const ANSWER_MILLISECONDS = 120_000
/** Calls under way at once. */
const MOST = 64

/** In a worker: does what the primary hands on. `api` is absent until it serves. */
export async function answerAdmin(message: unknown, api: AdminApi | undefined): Promise<void> {
  if (offered.hear(message) || !isQuestion(message)) return
  const { admin, call } = message
  const given = await api?.answer(call)
  if (given === undefined) return void process.send?.({ admin } satisfies Answer)
  const { content, ...answer } = given
  const head = content === undefined ? {} : { content: offered.add(admin, content) }
  process.send?.({ admin, answer, ...head } satisfies Answer)
}

const offered = new Offered()

/** In a gateway of one process. */
export function answerAlone({ answer }: AdminApi): AnswerAdmin {
  return async (call) => ((call.worker ?? 1) === 1 ? answer(call) : NO_WORKER)
}

const NO_WORKER = refuse(new AdminRefusal('NotFound', 'There are not so many worker processes.'))

const isQuestion = (message: unknown): message is Question =>
  typeof message === 'object' && message !== null && 'admin' in message && 'call' in message

/** In the primary. The worker that has run longest is asked, so that a run that one call has begun is found by the next. */
export function relayTo(workers: ReadonlySet<Worker>): AnswerAdmin {
  const relay = new Relay()
  return async (call) => {
    const asked = call.worker === undefined ? [...workers] : [...workers].slice(call.worker - 1, call.worker)
    if (call.worker !== undefined && asked.length === 0) return NO_WORKER
    for (const worker of asked) {
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
    worker.on('message', ({ admin, answer, content }: Partial<Answer>) => {
      if (admin === undefined) return
      const asked = this.#asked.get(admin)
      if (asked === undefined && content !== undefined) leave(worker, admin)
      const own = answer === undefined || content === undefined ? {} : { content: contentOf(worker, admin, content) }
      asked?.end(answer === undefined ? undefined : { ...answer, ...own })
    })
    worker.on('exit', () => {
      // Whether it was done nobody can tell: it is not done again by another.
      for (const one of this.#asked.values()) if (one.worker === worker) one.end(refuse('Unavailable'), 'it ended')
    })
  }
}
