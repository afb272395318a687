/**
 * Collects multipart uploads that their clients abandoned, and state that crashes left behind. Any number of replicas may run
 * it at once, and a run that broke off is made good by the next: the backend is the arbiter, every step may be repeated.
 */
import { type ObjectStore, StoreError } from '../backends/object-store.ts'
import { Unavailable } from '../errors.ts'
import type { AbandonedUploads, UploadState } from '../state/abandoned-uploads.ts'
import type { CreateRecord } from '../state/upload-records.ts'
import { alarm } from '../telemetry/channels.ts'

/** Uploads that one run collects at most. */
export const UPLOADS_PER_RUN = 1_000
/** Uploads under way at once. */
const PARALLEL = 8
/** State without an upload that a client could go on with is kept this long after its last change. */
const LEFTOVER_MILLISECONDS = 7 * 24 * 3_600_000
/** A run goes on past uploads that cannot be collected now, but not for ever against something that does not answer. */
const UNAVAILABLE_PER_RUN = 32

export interface CleanUploadsParts {
  readonly uploads: AbandonedUploads
  readonly store: Pick<ObjectStore, 'abortUpload'>
  /** Milliseconds since 1970. */
  readonly clock: () => number
}

export interface CleanUploadsOptions {
  /** Milliseconds without a change after which an upload is taken for abandoned; `false`: never. */
  readonly abandonedAfter: number | false
  /** Default `UPLOADS_PER_RUN`. A dry run has no limit: it changes nothing that the next one could go on from. */
  readonly limit?: number
  /** Only looks. */
  readonly dryRun?: boolean
  /** Ends the run early, between two uploads. */
  readonly signal?: AbortSignal
  /** Hears of every upload that was due. */
  readonly onUpload?: (upload: DueUpload) => void
}

/** What is due: an upload whose client is gone, or what a crash left of one. */
export type DueKind = 'abandoned' | 'leftover'

export interface DueUpload {
  readonly id: string
  readonly kind: DueKind
  /**
   * `found`: a dry run would delete it. `deleted`. `changed`: its client, or another replica, was there meanwhile; it stays.
   * `unreadable`: its record does not open; it stays. `failed`: something did not answer; it stays.
   */
  readonly outcome: 'found' | 'deleted' | 'changed' | 'unreadable' | 'failed'
  /** The last change, in milliseconds since 1970. */
  readonly changed: number
  /** Of an abandoned upload that opens. */
  readonly record?: CreateRecord
  readonly cause?: Error
}

export interface CleanUploadsReport {
  /** Uploads looked at. */
  readonly examined: number
  /** Of them: those that clients may go on with. */
  readonly open: number
  /** Uploads deleted, or found by a dry run. */
  readonly abandoned: number
  readonly leftovers: number
  readonly unreadable: number
  readonly failed: number
  /** The first error behind each of the two, if there is one. */
  readonly whyUnreadable?: Error
  readonly whyFailed?: Error
  /** Whether the run ended before it had seen everything; starting again goes on. */
  readonly more: boolean
}

/** As what an upload is due for collection; `undefined` if it is not. What was completed is not: its answer has a time of its own. */
export function dueKind(upload: UploadState, now: number, abandonedAfter: number | false): DueKind | undefined {
  if (upload.completed) return undefined
  const age = now - upload.changed
  if (!upload.created) return age > LEFTOVER_MILLISECONDS ? 'leftover' : undefined
  return abandonedAfter !== false && age > abandonedAfter ? 'abandoned' : undefined
}

/** One run. Throws `Unavailable` if the state store cannot be listed. */
export async function cleanUploads(
  parts: CleanUploadsParts,
  options: CleanUploadsOptions,
): Promise<CleanUploadsReport> {
  const { abandonedAfter, dryRun = false, signal } = options
  const limit = dryRun ? Number.POSITIVE_INFINITY : (options.limit ?? UPLOADS_PER_RUN)
  const tally = new Tally()
  let batch: DueUpload[] = []
  const collectBatch = async (): Promise<void> => {
    const ended = await Promise.all(batch.map((due) => collect(parts, due, { abandonedAfter, dryRun })))
    batch = []
    for (const due of ended) {
      tally.add(due)
      options.onUpload?.(due)
    }
  }
  for await (const upload of parts.uploads.scan()) {
    if (signal?.aborted === true) return tally.end(true)
    tally.examined += 1
    const kind = dueKind(upload, parts.clock(), abandonedAfter)
    if (kind === undefined) {
      if (upload.created && !upload.completed) tally.open += 1
      continue
    }
    if (tally.collected >= limit || tally.unavailable >= UNAVAILABLE_PER_RUN) return tally.end(true)
    batch.push({ id: upload.id, kind, outcome: 'found', changed: upload.changed })
    if (batch.length >= Math.min(PARALLEL, limit - tally.collected)) await collectBatch()
  }
  await collectBatch()
  return tally.end(false)
}

/** One upload, if it is due; `undefined` if it is not. Never throws. */
export async function cleanUpload(
  parts: CleanUploadsParts,
  upload: UploadState,
  abandonedAfter: number | false,
): Promise<DueUpload | undefined> {
  const { id, changed } = upload
  const kind = dueKind(upload, parts.clock(), abandonedAfter)
  if (kind === undefined) return undefined
  return collect(parts, { id, kind, outcome: 'found', changed }, { abandonedAfter, dryRun: false })
}

/** What became of one upload; never throws, so that one does not keep the others. */
async function collect(
  parts: CleanUploadsParts,
  due: DueUpload,
  { abandonedAfter, dryRun }: { readonly abandonedAfter: number | false; readonly dryRun: boolean },
): Promise<DueUpload> {
  const { uploads, store, clock } = parts
  let record: CreateRecord | undefined
  try {
    if (due.kind === 'abandoned') record = await uploads.open(due.id)
  } catch (error) {
    return { ...due, outcome: error instanceof Unavailable ? 'failed' : 'unreadable', cause: asError(error) }
  }
  if (due.kind === 'abandoned' && record === undefined) return { ...due, outcome: 'changed' }
  const seen = record === undefined ? due : { ...due, record }
  if (dryRun) return seen
  try {
    // The last look before the step that cannot be undone: the client may have come back.
    const now = await uploads.look(due.id)
    if (now === undefined || dueKind(now, clock(), abandonedAfter) !== due.kind) return { ...seen, outcome: 'changed' }
    if (record !== undefined) await abort(store, record)
    await uploads.drop(due.id)
    return { ...seen, outcome: 'deleted' }
  } catch (error) {
    return { ...seen, outcome: 'failed', cause: asError(error) }
  }
}

/** The backend first: from here on it takes no part, and a Complete at the same moment has either won or finds nothing. */
async function abort(store: CleanUploadsParts['store'], { bucket, key, uploadId }: CreateRecord): Promise<void> {
  try {
    await store.abortUpload({ bucket, key, uploadId })
  } catch (error) {
    // Completed or aborted by a process that died before it could say so, or gone with its bucket.
    if (error instanceof StoreError && ['no-such-upload', 'no-such-bucket'].includes(error.refusal)) return
    throw error
  }
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error('no error', { cause: error }))

class Tally {
  examined = 0
  open = 0
  /** How many failed because something did not answer. */
  unavailable = 0
  readonly #counts = { abandoned: 0, leftovers: 0, unreadable: 0, failed: 0 }
  #firstUnreadable: DueUpload | undefined
  #whyFailed: Error | undefined

  get collected(): number {
    return this.#counts.abandoned + this.#counts.leftovers
  }

  add(due: DueUpload): void {
    const { kind, outcome, cause } = due
    if (outcome === 'found' || outcome === 'deleted') {
      this.#counts[kind === 'abandoned' ? 'abandoned' : 'leftovers'] += 1
    } else if (outcome === 'unreadable') {
      this.#counts.unreadable += 1
      this.#firstUnreadable ??= due
    } else if (outcome === 'failed') {
      this.#counts.failed += 1
      this.#whyFailed ??= cause
      if (cause instanceof Unavailable) this.unavailable += 1
    }
  }

  /** One alarm for a run, however many uploads it is about: the next run meets them again. */
  end(more: boolean): CleanUploadsReport {
    const { id, cause: whyUnreadable } = this.#firstUnreadable ?? {}
    const whyFailed = this.#whyFailed
    if (id !== undefined) {
      const detail = { uploads: this.#counts.unreadable, first: id }
      alarm.publish({ what: 'abandoned uploads do not open and stay', detail, cause: whyUnreadable })
    }
    return {
      examined: this.examined,
      open: this.open,
      ...this.#counts,
      ...(whyUnreadable === undefined ? {} : { whyUnreadable }),
      ...(whyFailed === undefined ? {} : { whyFailed }),
      more,
    }
  }
}
