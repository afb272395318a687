/** What workers count: asked of each by the primary over their channel, which serves it for all of them. */
import type { Worker } from 'node:cluster'
import { Unavailable } from '../../errors.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import type { Snapshot } from '../../telemetry/metrics/snapshot.ts'

interface Question {
  readonly metrics: number
}

interface Answer extends Question {
  readonly snapshot: Snapshot
}

/** A scraper waits for 10 seconds, as a rule. */
const ANSWER_MILLISECONDS = 2_000

/** In a worker. */
export async function answerMetrics(message: unknown, { snapshot }: Pick<Metrics, 'snapshot'>): Promise<void> {
  if (typeof message !== 'object' || message === null || !('metrics' in message)) return
  const { metrics } = message
  if (typeof metrics !== 'number') return
  process.send?.({ metrics, snapshot: await snapshot() } satisfies Answer)
}

let questions = 0
/** By the number of the question. */
const waiting = new Map<number, (snapshot: Snapshot) => void>()
const heard = new WeakSet<Worker>()

/** In the primary. Throws `Unavailable` if it does not answer in time. */
export function askMetrics(worker: Worker): Promise<Snapshot> {
  if (!heard.has(worker)) {
    heard.add(worker)
    worker.on('message', ({ metrics, snapshot }: Partial<Answer>) => {
      if (metrics !== undefined && snapshot !== undefined) waiting.get(metrics)?.(snapshot)
    })
  }
  questions += 1
  const metrics = questions
  return new Promise<Snapshot>((resolve, reject) => {
    const fail = (why: string): void => {
      end()
      reject(new Unavailable(`worker ${worker.id} ${why}`))
    }
    const timer = setTimeout(fail, ANSWER_MILLISECONDS, 'does not tell what it has counted')
    const end = (): void => {
      clearTimeout(timer)
      waiting.delete(metrics)
    }
    waiting.set(metrics, (snapshot) => {
      end()
      resolve(snapshot)
    })
    worker.send({ metrics } satisfies Question, (error) => error !== null && fail('cannot be asked'))
  })
}
