/** `npm run fuzz`: all targets in threads of their own, and a watcher that ends what hangs. */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { type Failure, fuzz } from './engine.ts'
import { TARGETS } from './targets/table.ts'

const USAGE = `npm run fuzz -- [--cases N] [--seed N] [--target NAME] [--threads N]

  --cases N      how many inputs in all; 10,000,000 unless given
  --seed N       where to begin; drawn unless given, and printed
  --target NAME  one target only: ${TARGETS.map(({ name }) => name).join(', ')}
  --threads N    at the same time; one for each processor unless given

Ends with 1 if anything is wrong, and prints target, seed and the smallest case.`

/** A thread that says nothing for so long hangs in one case. A batch takes a few seconds. */
const SILENCE_MILLISECONDS = 300_000

interface Job {
  readonly target: string
  readonly cases: number
  readonly seed: number
}

/** What a thread says: a batch begins, or its job is done. */
type Word = { readonly seed: number; readonly done: number } | { readonly failure: Failure | undefined }

async function work({ target: name, cases, seed }: Job): Promise<void> {
  const target = TARGETS.find((one) => one.name === name)
  if (target === undefined) throw new Error(`there is no target ${name}`)
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  const say = (word: Word): void => parentPort?.postMessage(word)
  say({ failure: await fuzz(target, cases, seed, (_, at, done) => say({ seed: at, done })) })
}

/** One job in a thread, to its end or its silence. */
function run(job: Job): Promise<string | undefined> {
  return new Promise((resolve) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: job })
    let seed = job.seed
    let timer: NodeJS.Timeout | undefined
    const end = (trouble: string | undefined): void => {
      clearTimeout(timer)
      void worker.terminate()
      resolve(trouble)
    }
    const watch = (): void => {
      clearTimeout(timer)
      timer = setTimeout(() => end(`${job.target}, seed ${seed}: one case hangs`), SILENCE_MILLISECONDS)
    }
    watch()
    worker.on('message', (word: Word) => {
      watch()
      if ('seed' in word) seed = word.seed
      else end(word.failure && `${word.failure.target}, seed ${word.failure.seed}\n${word.failure.report}`)
    })
    worker.on('error', (error) =>
      end(`${job.target}, seed ${seed}: the thread died of ${error.stack ?? error.message}`),
    )
  })
}

/** The jobs: each target's share, cut so that all threads have work to the end. */
function jobs(cases: number, seed: number, only: string | undefined): Job[] {
  const chosen = TARGETS.filter(({ name }) => only === undefined || name === only)
  const shares = chosen.reduce((sum, { share }) => sum + share, 0)
  return chosen.flatMap(({ name, share, batch }) => {
    const mine = Math.ceil((cases * share) / shares)
    const piece = batch * Math.max(1, Math.ceil(mine / batch / 16))
    const count = Math.ceil(mine / piece)
    return Array.from({ length: count }, (_, i) => ({
      target: name,
      cases: Math.min(piece, mine - i * piece),
      seed: seed + (i * piece) / batch,
    }))
  })
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: '10000000' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
      target: { type: 'string' },
      threads: { type: 'string', default: String(availableParallelism()) },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(USAGE)
    return
  }
  const queue = jobs(Number(values.cases), Number(values.seed), values.target)
  if (queue.length === 0) throw new Error(`there is no target ${values.target}\n\n${USAGE}`)
  console.log(`seed ${values.seed}`)
  const troubles: string[] = []
  const started = Date.now()
  let done = 0
  const thread = async (): Promise<void> => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
      const trouble = await run(job)
      if (trouble !== undefined) troubles.push(trouble)
      done += job.cases
      console.log(
        `${trouble === undefined ? 'ok  ' : 'FAIL'} ${job.target} ${job.cases} cases from seed ${job.seed} (${done} in all, ${Math.round((Date.now() - started) / 1000)} s)${trouble === undefined ? '' : `\n${trouble}`}`,
      )
    }
  }
  await Promise.all(Array.from({ length: Number(values.threads) }, thread))
  console.log(
    `\n${done} cases, ${troubles.length} failures${troubles.length === 0 ? '' : `, the first: ${troubles[0]?.split('\n')[0]}`}`,
  )
  process.exitCode = troubles.length === 0 ? 0 : 1
}

await (isMainThread ? main() : work(workerData as Job))
