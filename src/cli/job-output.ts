/** What a job tells while it runs: a bar on a terminal, JSON lines otherwise; each failure as a JSON line in both. */
import { Integrity, Unavailable } from '../errors.ts'
import type { JobBegin, JobOptions, JobProgress, JobReport } from '../jobs/engine.ts'
import { examined } from '../jobs/tally.ts'
import type { StepObject } from '../object-step.ts'
import { type CommandContext, print } from './context.ts'
import { startCountProgress } from './progress.ts'

interface OutputOptions {
  readonly job: string
  readonly flags: { readonly json?: boolean; readonly shard?: string; readonly dryRun?: boolean }
  /** Milliseconds since 1970. */
  readonly now: () => number
}

const LINE_MILLISECONDS = 10_000
const BAR_MILLISECONDS = 250

export class JobOutput {
  readonly #context: CommandContext
  readonly #options: OutputOptions
  readonly #lines: boolean
  readonly #bar: ReturnType<typeof startCountProgress>
  readonly #started: number
  #startedWith: Pick<JobProgress, 'examined' | 'bytes'> = { examined: 0, bytes: 0 }
  #told: number
  /** The first failure of each kind that this process met. */
  firstDamage: Integrity | undefined
  firstUnavailable: Unavailable | undefined

  constructor(context: CommandContext, options: OutputOptions) {
    this.#context = context
    this.#options = options
    this.#lines = inLines(context, options.flags)
    this.#bar = startCountProgress(context, this.#lines)
    this.#started = options.now()
    this.#told = this.#started
  }

  get listeners(): Required<Pick<JobOptions, 'onBegin' | 'onWait' | 'onProgress' | 'onFailure'>> {
    return {
      onBegin: (run) => this.#begin(run),
      onWait: () =>
        this.#say({ event: 'waiting' }, 'another process was at this shard a moment ago: waiting for it to end'),
      onProgress: (progress) => this.#progress(progress),
      onFailure: (object, cause) => this.#failure(object, cause),
    }
  }

  #begin({ begun, resumed, counts }: JobBegin): void {
    this.#startedWith = { examined: examined(counts), bytes: counts.bytes }
    const since = new Date(begun).toISOString()
    const before = examined(counts)
    const text = `goes on with the run of ${since}, which had seen ${before} objects`
    this.#say({ event: 'begin', ...this.#name, begun: since, resumed, examined: before }, resumed ? text : undefined)
  }

  #progress(progress: JobProgress): void {
    const now = this.#options.now()
    if (now - this.#told < (this.#lines ? LINE_MILLISECONDS : BAR_MILLISECONDS)) return
    this.#told = now
    const seconds = Math.max(0.001, (now - this.#started) / 1_000)
    const objectsPerSecond = (progress.examined - this.#startedWith.examined) / seconds
    const bytesPerSecond = (progress.bytes - this.#startedWith.bytes) / seconds
    const { examined: done, failed, bytes, total } = progress
    const left = total === undefined || objectsPerSecond === 0 ? undefined : (total - done) / objectsPerSecond
    const secondsLeft = left === undefined ? undefined : Math.max(0, Math.round(left))
    if (this.#lines) {
      const rates = { objectsPerSecond: rounded(objectsPerSecond), bytesPerSecond: Math.round(bytesPerSecond) }
      this.#say({ event: 'progress', examined: done, total, failed, bytes, ...rates, secondsLeft }, undefined)
      return
    }
    const ends = secondsLeft === undefined ? '' : `, ${secondsLeft} s left`
    const text = `${rounded(objectsPerSecond)}/s, ${rounded(bytesPerSecond / 1024 ** 2)} MiB/s${ends}`
    this.#bar.update({ done, total, text: failed === 0 ? text : `${text}, ${failed} failed` })
  }

  #failure({ bucket, key, versionId }: StepObject, cause: unknown): void {
    if (cause instanceof Integrity) this.firstDamage ??= cause
    if (cause instanceof Unavailable) this.firstUnavailable ??= cause
    const layer = cause instanceof Integrity ? cause.layer : undefined
    const why = cause instanceof Error ? cause.message : 'an unknown error'
    print(this.#context, jsonLine({ event: 'failed', bucket, key, versionId, layer, why }))
  }

  /** A bar that goes on would keep the process. */
  endBar(): void {
    this.#bar.end()
  }

  /** The report. */
  end({ begun, seed, resumed, counts, stopped }: JobReport, percent: number | undefined): void {
    const { reasons, ...numbers } = counts
    const sample = percent === undefined ? {} : { sample: { percent, seed } }
    const since = new Date(begun).toISOString()
    const run = { ...this.#name, begun: since, resumed, ended: stopped === undefined, ...sample }
    const text = `${examined(counts)} objects: ${Object.entries(numbers)
      .map(([what, number]) => `${number} ${what}`)
      .join(', ')}`
    const why = Object.entries(reasons).map(([reason, number]) => `\n  ${number} × ${reason}`)
    const rest = stopped === undefined ? '' : '\nnot at the end: the same command goes on from here'
    this.#say(
      { event: 'end', ...run, examined: examined(counts), ...numbers, reasons },
      `${text}${why.join('')}${rest}`,
    )
  }

  get #name() {
    const { job, flags } = this.#options
    return { job, shard: flags.shard ?? '0/1', dryRun: flags.dryRun === true }
  }

  #say(json: unknown, text: string | undefined): void {
    if (this.#lines) print(this.#context, jsonLine(json))
    else if (text !== undefined) print(this.#context, text)
  }
}

const rounded = (value: number): number => Math.round(value * 10) / 10

const inLines = ({ stdout }: CommandContext, { json }: OutputOptions['flags']): boolean =>
  json === true || stdout.isTTY !== true

/** One more thing to say behind the report. */
export function tell(context: CommandContext, flags: OutputOptions['flags'], json: unknown, text: string): void {
  print(context, inLines(context, flags) ? jsonLine(json) : text)
}

/** Keys are anybody's text: none may steer a terminal. */
function jsonLine(json: unknown): string {
  const escaped = (control: string): string => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`
  return JSON.stringify(json).replaceAll(/[\u007f-\u009f\u2028\u2029]/g, escaped)
}
