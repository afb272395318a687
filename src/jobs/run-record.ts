/**
 * The record of one shard of a run: how far it has come, and that it is ours. Every write is conditional on the one before, so that a
 * process that lost its lease is told by its next write, whatever its clock says.
 */
import type { Timing } from '../attempts.ts'
import { StoreError } from '../backends/object-store.ts'
import { Integrity, Unavailable } from '../errors.ts'
import type { JobCounts, JobCursor, JobRecord, JobRecords } from '../state/job-records.ts'
import { NOTHING } from './tally.ts'

/** How long a process that gives no sign of life is believed to be at it. */
export const LEASE_MILLISECONDS = 15_000
/** It is renewed in time for a few attempts. */
export const RENEWAL_MILLISECONDS = LEASE_MILLISECONDS / 5
/** Others may write between our look and our write; each time there is one fewer. */
const LOOKS = 8

export interface RunRecordParts {
  readonly records: Pick<JobRecords, 'find' | 'open' | 'write'>
  readonly timing: Pick<Timing, 'now' | 'sleep'>
  /** Of this process, unlike that of any other. */
  readonly owner: string
}

export interface BeginOptions {
  readonly path: string
  /** Under whose bucket key the record is sealed. */
  readonly namespace: string
  /** Begins anew where an earlier run has not ended. */
  readonly restart: boolean
  readonly newSeed: () => string
  readonly signal: AbortSignal
  /** Is told once if it must be waited for another process, which may have been killed. */
  readonly onWait: () => void
}

/** Another process has the lease by now, or did away with the record. */
export class Superseded extends Unavailable {}

export class RunRecord {
  readonly #parts: RunRecordParts
  readonly #options: BeginOptions
  readonly #record: JobRecord
  #etag: string
  /** Whether it goes on with a run that was begun before. */
  readonly resumed: boolean

  /** Of a lease that was taken: see `begin`. */
  constructor(parts: RunRecordParts, options: BeginOptions, record: JobRecord, etag: string, resumed: boolean) {
    this.#parts = parts
    this.#options = options
    this.#record = record
    this.#etag = etag
    this.resumed = resumed
  }

  /**
   * Takes the lease, and finds where to go on. Throws `Unavailable` while another process is at it, and `Integrity` for a record that
   * does not open, unless told to begin anew.
   */
  static async begin(parts: RunRecordParts, options: BeginOptions): Promise<RunRecord> {
    const { records, timing } = parts
    const { path, signal } = options
    let waitedFor: { readonly etag: string; readonly until: number } | undefined
    for (let look = 1; look <= LOOKS; look += 1) {
      signal.throwIfAborted()
      const found = await records.find(path)
      const before = found === undefined ? undefined : await opened(parts, options, found.bytes)
      const left = (before?.lease?.until ?? 0) - timing.now()
      if (left > 0 && found !== undefined) {
        if (waitedFor !== undefined && waitedFor.etag !== found.etag) throw busy(path)
        if (waitedFor === undefined) options.onWait()
        // Whatever the record says and whose clock is wrong: without a sign of life for so long, nobody is there.
        waitedFor ??= { etag: found.etag, until: timing.now() + Math.min(left, LEASE_MILLISECONDS) }
        if (waitedFor.until > timing.now()) {
          await timing.sleep(Math.min(waitedFor.until - timing.now(), 1.5 * RENEWAL_MILLISECONDS), signal)
          continue
        }
      }
      const taken = await take(parts, options, before, found?.etag)
      if (taken !== undefined) return taken
      waitedFor = undefined
    }
    throw busy(path)
  }

  /** Where it was when the lease was taken. */
  get start(): Pick<JobRecord, 'begun' | 'seed' | 'cursor' | 'counts'> {
    return this.#record
  }

  /** Writes how far it is, and renews the lease or lets go of it. Throws `Superseded` if the lease is somebody else's by now. */
  async save(
    progress: { readonly cursor: JobCursor | undefined; readonly counts: JobCounts },
    state: 'running' | 'stopped' | 'ended',
  ): Promise<void> {
    const { records, timing, owner } = this.#parts
    const { path, namespace } = this.#options
    const lease = state === 'running' ? { owner, until: timing.now() + LEASE_MILLISECONDS } : undefined
    const record = { ...this.#record, ...progress, ended: state === 'ended', lease }
    const write = () => records.write(path, record, namespace, this.#etag)
    this.#etag = await write().catch(async (error: unknown) => {
      if (!isRefused(error)) throw error
      const ours = await this.#foundOurs()
      if (ours === undefined) throw new Superseded(`another process has taken over ${path}`, { cause: error })
      this.#etag = ours
      return write()
    })
  }

  /** The ETag of what is there, if we wrote it and the answer was lost. */
  async #foundOurs(): Promise<string | undefined> {
    const { records, owner } = this.#parts
    const found = await records.find(this.#options.path)
    if (found === undefined) return undefined
    const { lease } = await records.open(this.#options.path, found.bytes)
    return lease?.owner === owner ? found.etag : undefined
  }
}

async function opened({ records }: RunRecordParts, { path, restart }: BeginOptions, bytes: Buffer) {
  try {
    return await records.open(path, bytes)
  } catch (error) {
    if (!(error instanceof Integrity)) throw error
    if (restart) return undefined
    throw new Integrity(error.layer, `${path} is not what was written; begin anew with --restart`, { cause: error })
  }
}

/** `undefined` if somebody else was faster. */
async function take(
  parts: RunRecordParts,
  options: BeginOptions,
  before: JobRecord | undefined,
  etag: string | undefined,
): Promise<RunRecord | undefined> {
  const { records, timing, owner } = parts
  const { path, namespace, restart, newSeed } = options
  const resumed = before !== undefined && !before.ended && !restart
  const kept = resumed
    ? before
    : { begun: timing.now(), seed: newSeed(), cursor: undefined, counts: NOTHING, ended: false }
  const record = { ...kept, lease: { owner, until: timing.now() + LEASE_MILLISECONDS } }
  try {
    return new RunRecord(parts, options, record, await records.write(path, record, namespace, etag), resumed)
  } catch (error) {
    if (isRefused(error)) return undefined
    throw error
  }
}

const isRefused = (error: unknown): boolean => error instanceof StoreError && error.refusal === 'precondition-failed'

const busy = (path: string): Unavailable =>
  new Unavailable(`another process is at ${path}: the same shard of the same run`)
