/** Runs cases of a target in batches, and says of the first that fails how to find it again. */
import { inspect } from 'node:util'
import fc from 'fast-check'
import type { Target } from './target.ts'

export interface Failure {
  readonly target: string
  readonly seed: number
  readonly report: string
}

/** Which batch of a target runs, and when it began: what a watcher needs to tell of one that never ends. */
export type Progress = (target: string, seed: number, casesDone: number) => void

/** Runs `cases` cases, the batches with the seeds `seed`, `seed + 1` and so on. Gives the first failure. */
export async function fuzz(
  target: Target,
  cases: number,
  seed: number,
  progress: Progress = () => {},
): Promise<Failure | undefined> {
  for (let done = 0, at = seed; done < cases; done += target.batch, at += 1) {
    progress(target.name, at, done)
    const report = await runBatch(target, Math.min(target.batch, cases - done), at)
    if (report !== undefined) return { target: target.name, seed: at, report }
  }
  return undefined
}

async function runBatch(target: Target, numRuns: number, seed: number): Promise<string | undefined> {
  const stray: unknown[] = []
  const onStray = (error: unknown): void => void stray.push(error)
  process.on('unhandledRejection', onStray).on('uncaughtException', onStray)
  const batch = await target.prepare()
  try {
    const result = await fc.check(batch.property, { seed, numRuns })
    await new Promise((resolve) => setImmediate(resolve))
    if (result.failed) return `${describe(result.errorInstance)}\nwith ${inspected(result.counterexample)}`
    return stray.length > 0 ? `nobody caught: ${describe(stray[0])}` : undefined
  } finally {
    await batch.close()
    process.off('unhandledRejection', onStray).off('uncaughtException', onStray)
  }
}

const describe = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))

/** Bytes as text: most of a request can be read. */
const inspected = (value: unknown): string =>
  inspect(value, { depth: 8, maxStringLength: 20_000, breakLength: 120 }).replaceAll(/<Buffer [^>]*>/g, 'bytes') +
  bytesIn(value)

const bytesIn = (value: unknown): string => {
  if (Buffer.isBuffer(value)) return `\n${JSON.stringify(value.toString('latin1'))}`
  return typeof value === 'object' && value !== null ? Object.values(value).map(bytesIn).join('') : ''
}
