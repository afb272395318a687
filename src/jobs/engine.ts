/**
 * The engine of all jobs over objects: walks buckets, does one step with each object of its shard, and keeps how far it is in the state
 * store, so that a later run goes on where one was killed. Shards share nothing. A step may happen twice, never not at all.
 */
import type { Timing } from '../attempts.ts'
import { Unavailable } from '../errors.ts'
import type { RandomSource } from '../format/derive.ts'
import type { ObjectStep, StepOutcome } from '../object-step.ts'
import { type JobCounts, type JobRecord, type JobRecords, jobRecordPath } from '../state/job-records.ts'
import { Pace, type Rate } from './pace.ts'
import { RENEWAL_MILLISECONDS, RunRecord, Superseded } from './run-record.ts'
import { isOfSample, isOfShard, type Shard } from './shard.ts'
import { examined, NOTHING } from './tally.ts'
import { type JobObject, type Walk, type WalkedStore, walkPages } from './walk.ts'
import { type Entry, Window } from './window.ts'

/** Objects between the first that is not done and the last that is begun. */
const WINDOW = 10_000
/** Something is away, not one object: the run ends, and a later one tries these again. */
export const UNAVAILABLE_IN_A_ROW = 32
/** How long steps under way may take once the run is asked to end. */
const GRACE_MILLISECONDS = 20_000
/** Without a record written for so long, nobody could tell that we are alive. */
const UNSAVED_MILLISECONDS = 120_000

export interface JobParts {
  readonly store: WalkedStore
  readonly records: Pick<JobRecords, 'find' | 'open' | 'write'>
  readonly timing: Pick<Timing, 'now' | 'sleep'>
  readonly random: RandomSource
}

export interface JobOptions extends Walk {
  /** `[a-z-]+`. */
  readonly job: string
  /** Under whose bucket key the record is sealed. */
  readonly namespace: string
  /** Options that make it another run, with a record of its own. */
  readonly identity?: unknown
  readonly shard: Shard
  /** Per cent of the objects, by a hash: the same seed chooses the same ones. */
  readonly sample?: { readonly percent: number; readonly seed?: string | undefined } | undefined
  /** Steps under way at once. */
  readonly concurrency: number
  readonly rate?: Rate
  /** Changes nothing, keeps no record, and begins at the beginning. */
  readonly dryRun: boolean
  readonly restart: boolean
  /** Ends the run between two objects; a later one goes on. */
  readonly signal: AbortSignal
  /** Each object that failed, once nobody will try it again in this run. */
  readonly onFailure?: (object: JobObject, cause: unknown) => void
  readonly onProgress?: (progress: JobProgress) => void
  readonly onBegin?: (run: JobBegin) => void
  /** Is told once if another process, which may have been killed, has to be waited for. */
  readonly onWait?: () => void
  /** Counts the objects ahead, so that `onProgress` knows how many there are. */
  readonly count?: boolean
}

export interface JobBegin {
  /** Milliseconds since 1970. */
  readonly begun: number
  readonly resumed: boolean
  /** Before this process. */
  readonly counts: JobCounts
}

export interface JobProgress {
  /** Of the whole run, with what earlier processes did. */
  readonly examined: number
  readonly failed: number
  readonly bytes: number
  /** Of objects; `undefined` while they are not counted. */
  readonly total: number | undefined
}

export interface JobReport extends JobBegin {
  readonly seed: string
  /** Why it ended before it had seen everything. */
  readonly stopped?: Error
}

/**
 * One run, to its end or until something stops it. Throws `Unavailable` while another process is at the same shard of the same run, and
 * `Integrity` for a record that was tampered with.
 */
export async function runJob(parts: JobParts, step: ObjectStep, options: JobOptions): Promise<JobReport> {
  const kept = !options.dryRun && options.buckets.length > 0
  const record = kept ? await beginRecord(parts, options) : undefined
  const start: Start = record?.start ?? {
    begun: parts.timing.now(),
    seed: seedOf(parts, options),
    cursor: undefined,
    counts: NOTHING,
  }
  const resumed = record?.resumed ?? false
  options.onBegin?.({ begun: start.begun, resumed, counts: start.counts })
  const run = new Run(parts, step, { options, start, record })
  const stopped = await run.run()
  const { counts } = run.progress
  return { begun: start.begun, seed: start.seed, resumed, counts, ...(stopped === undefined ? {} : { stopped }) }
}

type Start = Pick<JobRecord, 'begun' | 'seed' | 'cursor' | 'counts'>

function beginRecord({ records, timing, random }: JobParts, options: JobOptions): Promise<RunRecord> {
  const { job, identity, prefix, allVersions, sample, shard, namespace, restart, signal, onWait } = options
  const run = { identity: identity ?? null, prefix, allVersions, sample: sample ?? null }
  return RunRecord.begin(
    { records, timing, owner: random(16).toString('hex') },
    {
      path: jobRecordPath(job, run, `${shard.index}-of-${shard.count}`),
      namespace,
      restart,
      newSeed: () => seedOf({ random }, options),
      signal,
      onWait: onWait ?? (() => undefined),
    },
  )
}

const seedOf = ({ random }: Pick<JobParts, 'random'>, { sample }: JobOptions): string =>
  sample?.seed ?? random(8).toString('hex')

class Run {
  readonly #parts: JobParts
  readonly #step: ObjectStep
  readonly #options: JobOptions
  readonly #start: Start
  readonly #record: RunRecord | undefined
  readonly #pace: Pace
  readonly #window: Window
  /** Aborted when no further object is to begin; its reason is why the run stops. */
  readonly #stop = new AbortController()
  /** Of the steps under way. */
  readonly #steps = new Set<AbortController>()
  /** Aborted when nothing of the run is under way any more. */
  readonly #over = new AbortController()
  /** Failed because something does not answer, one after the other and since anything else came of an object: not yet believed. */
  #doubtful: { readonly entry: Entry; readonly cause: Unavailable }[] = []
  #room: { readonly wait: Promise<void>; readonly open: () => void } | undefined
  #saving: Promise<void> | undefined
  #saveAgain = false
  #saved: number
  #examined: number
  #failed: number
  #bytes: number
  #total: number | undefined

  constructor(
    parts: JobParts,
    step: ObjectStep,
    { options, start, record }: { options: JobOptions; start: Start; record: RunRecord | undefined },
  ) {
    this.#parts = parts
    this.#step = step
    this.#options = options
    this.#start = start
    this.#record = record
    this.#pace = new Pace(options.rate ?? {}, parts.timing)
    this.#window = new Window(start)
    this.#saved = parts.timing.now()
    this.#examined = examined(start.counts)
    this.#failed = start.counts.failed
    this.#bytes = start.counts.bytes
    this.#stop.signal.addEventListener('abort', () => this.#room?.open())
  }

  get progress() {
    return this.#window.progress
  }

  /** Why it stopped early, if it did. */
  async run(): Promise<Error | undefined> {
    const { signal, concurrency, count = false } = this.#options
    const onSignal = (): void => void this.#stopGently(signal)
    signal.addEventListener('abort', onSignal, { once: true })
    if (signal.aborted) onSignal()
    const beside = [this.#keepLease(), ...(count ? [this.#count()] : [])]
    const source = this.#source()
    await Promise.all(Array.from({ length: concurrency }, () => this.#work(source)))
    signal.removeEventListener('abort', onSignal)
    this.#over.abort()
    await Promise.all([...beside, this.#saving])
    await this.#finish()
    return this.#stopped
  }

  get #stopped(): Error | undefined {
    const { aborted, reason } = this.#stop.signal
    if (!aborted) return undefined
    return reason instanceof Error ? reason : new Error('stopped')
  }

  async #finish(): Promise<void> {
    const complete = this.#stopped === undefined
    if (complete) {
      this.#believeDoubtful()
      this.#window.end()
    }
    if (this.#stopped instanceof Superseded) return
    try {
      await this.#record?.save(this.progress, complete ? 'ended' : 'stopped')
    } catch (error) {
      this.#stop.abort(error)
    }
  }

  /** One of those who take objects and do the step with them. Never throws: what keeps it from going on stops the run. */
  async #work(source: AsyncGenerator<Entry>): Promise<void> {
    try {
      for (;;) {
        const { value: entry, done } = await source.next()
        if (done === true || this.#stopped !== undefined) return
        await this.#pace.begin(entry.object.size, this.#stop.signal)
        if (this.#stopped !== undefined) return
        const result = await this.#do(entry.object)
        if (result === undefined) return
        this.#pace.refund(entry.object.size - (result.outcome === 'done' ? result.bytes : 0))
        this.#settle(entry, result)
      }
    } catch (error) {
      this.#stop.abort(error)
    }
  }

  /** `undefined` for a step that was told to give up, whatever came of it: a later run does it again. */
  async #do(object: JobObject): Promise<StepOutcome | undefined> {
    const { dryRun } = this.#options
    const { begun } = this.#start
    const abort = new AbortController()
    this.#steps.add(abort)
    try {
      const result = await this.#step(object, { dryRun, begun, signal: abort.signal })
      return abort.signal.aborted ? undefined : result
    } catch (cause) {
      return abort.signal.aborted ? undefined : { outcome: 'failed', cause }
    } finally {
      this.#steps.delete(abort)
    }
  }

  /** No further object begins, and steps under way give up. */
  #halt(reason: unknown): void {
    this.#stop.abort(reason)
    for (const step of this.#steps) step.abort(reason)
  }

  /** The objects of this shard. Pages are asked for only as fast as there are hands for what is on them. */
  async *#source(): AsyncGenerator<Entry> {
    for await (const page of walkPages(this.#parts.store, this.#options, this.#start.cursor)) {
      for (const { object, cursor } of page) {
        if (this.#stopped !== undefined) return
        if (this.#isOurs(object)) {
          if (this.#isFull) this.#makeRoom()
          while (this.#isFull && this.#stopped === undefined) await this.#waitForRoom()
          yield this.#window.add(object, cursor)
        } else if (cursor !== undefined) this.#window.pass(cursor)
      }
      this.#save()
    }
  }

  #isOurs({ bucket, key, versionId = '' }: JobObject): boolean {
    const { shard, sample } = this.#options
    if (!isOfShard(shard, bucket, key)) return false
    return sample === undefined || isOfSample(sample.percent, this.#start.seed, bucket, key, versionId)
  }

  get #isFull(): boolean {
    return this.#window.size >= WINDOW
  }

  /** Nothing may come any more that would tell what to make of the doubtful, if all else waits behind them. */
  #makeRoom(): void {
    this.#believeDoubtful()
    this.#advance()
  }

  #waitForRoom(): Promise<void> {
    if (this.#room === undefined) {
      let open = (): void => undefined
      const wait = new Promise<void>((resolve) => {
        open = resolve
      })
      this.#room = { wait, open }
    }
    return this.#room.wait
  }

  #settle(entry: Entry, result: StepOutcome): void {
    if (result.outcome === 'failed' && result.cause instanceof Unavailable) {
      this.#doubt(entry, result.cause)
      return
    }
    this.#believeDoubtful()
    this.#believe(entry, result)
    this.#advance()
  }

  #advance(): void {
    this.#window.advance()
    this.#room?.open()
    this.#room = undefined
  }

  #doubt(entry: Entry, cause: Unavailable): void {
    this.#doubtful.push({ entry, cause })
    if (this.#isFull) return this.#makeRoom()
    if (this.#doubtful.length < UNAVAILABLE_IN_A_ROW) return
    const message = `${this.#doubtful.length} objects in a row failed because something does not answer; start it again to go on`
    this.#halt(new Unavailable(message, { cause }))
  }

  #believeDoubtful(): void {
    for (const { entry, cause } of this.#doubtful) this.#believe(entry, { outcome: 'failed', cause })
    this.#doubtful = []
  }

  #believe(entry: Entry, result: StepOutcome): void {
    entry.result = result
    this.#examined += 1
    if (result.outcome === 'done') this.#bytes += result.bytes
    if (result.outcome === 'failed') {
      this.#failed += 1
      this.#options.onFailure?.(entry.object, result.cause)
    }
    this.#tell()
  }

  #tell(): void {
    const [done, failed, bytes] = [this.#examined, this.#failed, this.#bytes]
    this.#options.onProgress?.({ examined: done, failed, bytes, total: this.#total })
  }

  /** Lets steps under way end, for a while. */
  async #stopGently(signal: AbortSignal): Promise<void> {
    this.#stop.abort(signal.reason)
    await this.#sleep(GRACE_MILLISECONDS)
    if (!this.#over.signal.aborted) this.#halt(signal.reason)
  }

  async #keepLease(): Promise<void> {
    while (this.#record !== undefined && !this.#over.signal.aborted) {
      await this.#sleep(RENEWAL_MILLISECONDS)
      if (!this.#over.signal.aborted) this.#save()
    }
  }

  /** Sleeps no longer than the run lasts. */
  async #sleep(milliseconds: number): Promise<void> {
    try {
      await this.#parts.timing.sleep(milliseconds, this.#over.signal)
    } catch (error) {
      if (!this.#over.signal.aborted) throw error
    }
  }

  /** Writes how far it is, one write at a time; whoever asks meanwhile is served by the next. */
  #save(): void {
    if (this.#record === undefined) return
    this.#saveAgain = true
    this.#saving ??= this.#saveWhileAsked(this.#record).finally(() => {
      this.#saving = undefined
    })
  }

  async #saveWhileAsked(record: RunRecord): Promise<void> {
    while (this.#saveAgain) {
      this.#saveAgain = false
      try {
        await record.save(this.progress, 'running')
        this.#saved = this.#parts.timing.now()
      } catch (error) {
        const mayPass = error instanceof Unavailable && !(error instanceof Superseded)
        if (mayPass && this.#parts.timing.now() - this.#saved < UNSAVED_MILLISECONDS) return
        this.#halt(error)
      }
    }
  }

  /** How many objects there are, told when it is known. An estimate is not worth an error. */
  async #count(): Promise<void> {
    let count = examined(this.#start.counts)
    try {
      for await (const page of walkPages(this.#parts.store, this.#options, this.#start.cursor)) {
        if (this.#over.signal.aborted) return
        count += page.filter(({ object }) => this.#isOurs(object)).length
      }
    } catch {
      return
    }
    this.#total = count
    this.#tell()
  }
}
