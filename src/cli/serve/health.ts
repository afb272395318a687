/** Whether workers are well: asked by the primary over their channel, answered by each for its dependencies. */
import type { Worker } from 'node:cluster'
import type { Components } from '../../compose.ts'
import { Unavailable } from '../../errors.ts'
import { conditionOf, type Condition, type Found, type WaitingCount } from '../../http/admin-server.ts'

interface HealthQuestion {
  readonly health: number
}

export async function answerHealth(message: unknown, components: Components): Promise<void> {
  if (typeof message !== 'object' || message === null || !('health' in message)) return
  const { health } = message
  if (typeof health !== 'number') return
  const found = await Promise.all(
    components.dependencies.map(async (one) => ({
      name: one.name,
      status: await conditionOf(one, () => undefined, CHECK_MILLISECONDS),
    })),
  )
  const waiting = await components.waiting().catch(() => [])
  process.send?.({ health, found, waiting } satisfies HealthAnswer)
}

let questions = 0

/** Throws unless every worker is there and finds its dependencies well. */
export async function checkWorkers(workers: ReadonlySet<Worker>, expected: number): Promise<void> {
  if (workers.size < expected) throw new Unavailable(`${workers.size} of ${expected} workers run`)
  await Promise.all(
    [...workers].map(async (worker) => {
      const { found } = await askHealth(worker)
      const failing = found.filter(({ status }) => status === 'failing').length
      if (failing > 0) throw new Unavailable(`worker ${worker.id} finds ${failing} dependencies failing`)
    }),
  )
}

/** How the workers' dependencies fare: of each the worst that any of them finds. */
export async function foundByWorkers(workers: ReadonlySet<Worker>): Promise<readonly Found[]> {
  const answers = await Promise.allSettled([...workers].map((worker) => askHealth(worker)))
  const worst = new Map<string, Condition>()
  for (const answer of answers) {
    for (const { name, status } of answer.status === 'fulfilled' ? answer.value.found : []) {
      const known = worst.get(name) ?? 'ok'
      worst.set(name, SEVERITY[status] > SEVERITY[known] ? status : known)
    }
  }
  return [...worst].map(([name, status]) => ({ name, status }))
}

const SEVERITY: Readonly<Record<Condition, number>> = { ok: 0, degraded: 1, failing: 2 }

/** Less than the admin listener waits, so that its log names the worker. */
const ANSWER_MILLISECONDS = 4_000
/** Less again, so that a worker answers that has a dependency which hangs. */
const CHECK_MILLISECONDS = 3_000

interface HealthAnswer {
  readonly health: number
  readonly found: readonly Found[]
  readonly waiting: readonly WaitingCount[]
}

/** Any worker knows what waits in the store. */
export async function askOne(workers: ReadonlySet<Worker>): Promise<readonly WaitingCount[]> {
  const [worker] = workers
  return worker === undefined ? [] : (await askHealth(worker)).waiting
}

/** Questions under way: whoever asks meanwhile gets the same answer, so that listeners on a worker do not pile up. */
const asked = new WeakMap<Worker, Promise<HealthAnswer>>()

/** How its dependencies fare, and what waits in its store. Throws `Unavailable` if it does not answer. */
function askHealth(worker: Worker): Promise<HealthAnswer> {
  const underWay = asked.get(worker)
  if (underWay !== undefined) return underWay
  const answer = askAnew(worker).finally(() => asked.delete(worker))
  asked.set(worker, answer)
  return answer
}

function askAnew(worker: Worker): Promise<HealthAnswer> {
  questions += 1
  const health = questions
  return new Promise((resolveHealth, reject) => {
    const end = (): void => {
      clearTimeout(timer)
      worker.off('message', listener)
    }
    const fail = (why: string, cause?: Error): void => {
      end()
      reject(new Unavailable(`worker ${worker.id} ${why}`, { cause }))
    }
    const listener = (answer: Partial<HealthAnswer>): void => {
      const { found, waiting } = answer
      if (answer.health !== health || found === undefined || waiting === undefined) return
      end()
      resolveHealth({ health, found, waiting })
    }
    const timer = setTimeout(fail, ANSWER_MILLISECONDS, `does not answer within ${ANSWER_MILLISECONDS} ms`)
    worker.on('message', listener)
    // Without a callback the channel of a worker that has just died would fail as an event that nobody handles.
    worker.send({ health } satisfies HealthQuestion, (error) => error !== null && fail('cannot be asked', error))
  })
}
