/** Whether workers are well: asked by the primary over their channel, answered by each for its dependencies. */
import type { Worker } from 'node:cluster'
import type { Components } from '../../compose.ts'
import { Unavailable } from '../../errors.ts'
import { conditionOf, type WaitingCount } from '../../http/admin-server.ts'

interface HealthQuestion {
  readonly health: number
}

export async function answerHealth(message: unknown, components: Components): Promise<void> {
  if (typeof message !== 'object' || message === null || !('health' in message)) return
  const { health } = message
  const found = await Promise.all(components.dependencies.map((one) => conditionOf(one, () => undefined)))
  const failed = found.filter((condition) => condition === 'failing')
  const waiting = await components.waiting().catch(() => [])
  process.send?.({ health, failed: failed.length, waiting })
}

let questions = 0

/** Throws unless every worker is there and finds its dependencies well. */
export async function checkWorkers(workers: ReadonlySet<Worker>, expected: number): Promise<void> {
  if (workers.size < expected) throw new Unavailable(`${workers.size} of ${expected} workers run`)
  await Promise.all([...workers].map((worker) => askHealth(worker)))
}

/** Less than the admin listener waits, so that its log names the worker. */
const ANSWER_MILLISECONDS = 4_000

interface HealthAnswer {
  readonly health?: number
  readonly failed?: number
  readonly waiting?: readonly WaitingCount[]
}

/** Any worker knows what waits in the store; a worker that is not well says nothing. */
export async function askOne(workers: ReadonlySet<Worker>): Promise<readonly WaitingCount[]> {
  const [worker] = workers
  return worker === undefined ? [] : askHealth(worker)
}

/** Questions under way: whoever asks meanwhile gets the same answer, so that listeners on a worker do not pile up. */
const asked = new WeakMap<Worker, Promise<readonly WaitingCount[]>>()

/** What waits in its store, if all is well with it. Throws `Unavailable`. */
function askHealth(worker: Worker): Promise<readonly WaitingCount[]> {
  const underWay = asked.get(worker)
  if (underWay !== undefined) return underWay
  const answer = askAnew(worker).finally(() => asked.delete(worker))
  asked.set(worker, answer)
  return answer
}

function askAnew(worker: Worker): Promise<readonly WaitingCount[]> {
  questions += 1
  const health = questions
  return new Promise((resolveHealth, reject) => {
    const end = (why?: string, cause?: Error, waiting: readonly WaitingCount[] = []): void => {
      clearTimeout(timer)
      worker.off('message', listener)
      if (why === undefined) resolveHealth(waiting)
      else reject(new Unavailable(`worker ${worker.id} ${why}`, { cause }))
    }
    const listener = ({ health: answered, failed, waiting }: HealthAnswer): void => {
      if (answered !== health) return
      if (failed === 0) end(undefined, undefined, waiting)
      else end(`finds ${failed} dependencies failing`)
    }
    const timer = setTimeout(end, ANSWER_MILLISECONDS, `does not answer within ${ANSWER_MILLISECONDS} ms`)
    worker.on('message', listener)
    // Without a callback the channel of a worker that has just died would fail as an event that nobody handles.
    worker.send({ health } satisfies HealthQuestion, (error) => error !== null && end('cannot be asked', error))
  })
}
