/**
 * Where the runs of jobs are: `jobs/<job>/<run>/<shard>` (docs/format.md, "State store"). Sealed and bound to their path, since whoever
 * could write one would choose what a job passes over.
 */
import type { RandomSource } from '../format/derive.ts'
import { sha256Hex } from '../format/hash.ts'
import { sealStateRecord } from '../format/state-record.ts'
import type { BucketKeys } from '../keys/key-manager.ts'
import { fields, malformed, number, optional, text } from './record-fields.ts'
import { openSealedRecord, type SealedRecordParts } from './sealed-record.ts'
import type { StateStore } from './state-store.ts'

/** Everything before it, and the key itself with all its versions, is done. */
export interface JobCursor {
  readonly bucket: string
  readonly key: string
}

/** What came of the objects before a cursor. */
export interface JobCounts {
  readonly done: number
  readonly unchanged: number
  readonly untouchable: number
  readonly overtaken: number
  readonly failed: number
  /** Of the failed: those that are not what was written, and those for which something did not answer. */
  readonly damaged: number
  readonly unavailable: number
  /** Bytes moved. */
  readonly bytes: number
  /** How often each reason was given, by its text. */
  readonly reasons: Readonly<Record<string, number>>
}

export interface JobRecord {
  /** Milliseconds since 1970. */
  readonly begun: number
  /** Chooses the sample, where the run takes one. */
  readonly seed: string
  /** It has seen everything: who comes next begins anew. */
  readonly ended: boolean
  readonly cursor: JobCursor | undefined
  readonly counts: JobCounts
  /** Who runs it now, and until when that is believed without a sign of life. */
  readonly lease: { readonly owner: string; readonly until: number } | undefined
}

/** A record by its path, unopened. */
export interface JobEntry {
  readonly path: string
  readonly job: string
  /** Shards of one run have it in common. */
  readonly run: string
  readonly etag: string
  readonly lastModified: Date
}

export interface JobRecordsParts extends SealedRecordParts {
  readonly state: StateStore
  readonly keys: BucketKeys
  readonly random: RandomSource
}

/** The record of one shard of a job. `options` are those that make it another run. */
export function jobRecordPath(job: string, options: unknown, shard: string): string {
  return `jobs/${job}/${sha256Hex(JSON.stringify(options)).slice(0, 16)}/${shard}`
}

export class JobRecords {
  readonly #parts: JobRecordsParts

  constructor(parts: JobRecordsParts) {
    this.#parts = parts
  }

  /** All of them. */
  async *all(): AsyncGenerator<JobEntry> {
    for await (const page of this.#parts.state.pages('jobs/')) {
      for (const { path, etag, lastModified } of page) {
        const [, job, run] = /^jobs\/([a-z-]{1,64})\/([0-9a-f]{16})\/[^/]+$/.exec(path) ?? []
        if (job !== undefined && run !== undefined) yield { path, job, run, etag, lastModified }
      }
    }
  }

  /** What lies at a path, and its ETag; `undefined` if nothing does. */
  async find(path: string): Promise<{ readonly etag: string; readonly bytes: Buffer } | undefined> {
    return this.#parts.state.get(path)
  }

  /** Throws `Integrity` if the record was not written by us for this path, `Unavailable` or `Denied` if nobody can tell. */
  async open(path: string, bytes: Buffer): Promise<JobRecord> {
    return decode(await openSealedRecord(this.#parts, path, bytes))
  }

  /** In the place of what had that ETag, or of nothing. Returns the new one. Throws `StoreError('precondition-failed')`. */
  async write(path: string, record: JobRecord, namespace: string, etag: string | undefined): Promise<string> {
    const { state, keys, random } = this.#parts
    const sealed = sealStateRecord(await keys.active(namespace), path, encode(record), random)
    return state.put(path, sealed, etag === undefined ? { ifNoneMatch: '*' } : { ifMatch: etag })
  }
}

const encode = ({ cursor, lease, ...record }: JobRecord): unknown => ({
  ...record,
  cursor: cursor ?? null,
  lease: lease ?? null,
})

function decode(json: unknown): JobRecord {
  const at = fields(json)
  const cursor = optional(json, 'cursor')
  const lease = optional(json, 'lease')
  return {
    begun: number(at('begun')),
    seed: text(at('seed')),
    ended: at('ended') === true,
    cursor: cursor === undefined ? undefined : decodeCursor(cursor),
    counts: decodeCounts(at('counts')),
    lease: lease === undefined ? undefined : decodeLease(lease),
  }
}

function decodeCursor(json: unknown): JobCursor {
  const at = fields(json)
  return { bucket: text(at('bucket')), key: text(at('key')) }
}

function decodeLease(json: unknown): { owner: string; until: number } {
  const at = fields(json)
  return { owner: text(at('owner')), until: number(at('until')) }
}

function decodeCounts(json: unknown): JobCounts {
  const at = fields(json)
  const reasons = at('reasons')
  if (typeof reasons !== 'object' || reasons === null) throw malformed()
  return {
    done: number(at('done')),
    unchanged: number(at('unchanged')),
    untouchable: number(at('untouchable')),
    overtaken: number(at('overtaken')),
    failed: number(at('failed')),
    damaged: number(at('damaged')),
    unavailable: number(at('unavailable')),
    bytes: number(at('bytes')),
    reasons: Object.fromEntries(Object.entries(reasons).map(([why, count]) => [why, number(count)])),
  }
}
