/** How far the jobs are whose runs the state store knows: those of the command line are processes elsewhere, and their records are all that is seen of them. */
import { Denied, Integrity } from '../errors.ts'
import type { JobCounts, JobEntry, JobRecord, JobRecords } from '../state/job-records.ts'
import { jobSeen } from '../telemetry/channels.ts'

/** Records that are followed, those that changed last. */
const MOST_RECORDS = 200

interface Followed {
  readonly entry: JobEntry
  /** `undefined` if it does not open. */
  readonly record: JobRecord | undefined
}

export class JobWatch {
  readonly #records: Pick<JobRecords, 'all' | 'find' | 'open'>
  readonly #clock: () => number
  #followed = new Map<string, Followed>()

  constructor(records: Pick<JobRecords, 'all' | 'find' | 'open'>, clock: () => number) {
    this.#records = records
    this.#clock = clock
  }

  /** Reads what has changed since the last look, and tells of the last run of each job. Throws `Unavailable` if something does not answer. */
  async look(): Promise<void> {
    const entries: JobEntry[] = []
    for await (const entry of this.#records.all()) entries.push(entry)
    entries.sort((a, b) => b.lastModified.getTime() - a.lastModified.getTime())
    const followed = new Map<string, Followed>()
    for (const entry of entries.slice(0, MOST_RECORDS)) {
      const known = this.#followed.get(entry.path)
      followed.set(entry.path, known?.entry.etag === entry.etag ? known : { entry, record: await this.#open(entry) })
    }
    this.#followed = followed
    for (const job of new Set(entries.map((entry) => entry.job))) this.#tell(job)
  }

  async #open({ path }: JobEntry): Promise<JobRecord | undefined> {
    const found = await this.#records.find(path)
    if (found === undefined) return undefined
    return this.#records.open(path, found.bytes).catch((error: unknown) => {
      // Whoever goes on with the job is told, and can do something about it.
      if (error instanceof Integrity || error instanceof Denied) return undefined
      throw error
    })
  }

  /** Shards of one run are one. */
  #tell(job: string): void {
    const readable = [...this.#followed.values()].flatMap(({ entry, record }) =>
      entry.job === job && record !== undefined ? [{ run: entry.run, record }] : [],
    )
    const newest = readable.toSorted((a, b) => b.record.begun - a.record.begun)[0]
    if (newest === undefined) return
    const shards = readable.filter(({ run }) => run === newest.run).map(({ record }) => record)
    const sum = (of: (counts: JobCounts) => number): number => shards.reduce((all, { counts }) => all + of(counts), 0)
    const now = this.#clock()
    jobSeen.publish({
      job,
      running: shards.filter(({ ended, lease }) => !ended && (lease?.until ?? 0) > now).length,
      begun: newest.record.begun,
      bytes: sum(({ bytes }) => bytes),
      counts: Object.fromEntries(COUNTED.map((name) => [name, sum((counts) => counts[name])])),
    })
  }
}

const COUNTED = ['done', 'unchanged', 'untouchable', 'overtaken', 'failed', 'damaged', 'unavailable'] as const
