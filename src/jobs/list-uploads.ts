/** Multipart uploads as people are shown them. */
import { Unavailable } from '../errors.ts'
import type { AbandonedUploads, UploadState } from '../state/abandoned-uploads.ts'
import type { CreateRecord } from '../state/upload-records.ts'
import { dueKind } from './clean-uploads.ts'

/** Records opened at once. */
const PARALLEL = 8

export interface ListedUpload {
  readonly id: string
  /**
   * `open` may go on, `abandoned` and `leftover` are due for collection, of `completed` only the answer is kept, and the record of
   * an `unreadable` one does not open.
   */
  readonly state: 'open' | 'abandoned' | 'leftover' | 'completed' | 'unreadable'
  /** Parts that have arrived, with all their attempts. */
  readonly attempts: number
  /** The last change, in milliseconds since 1970. */
  readonly changed: number
  /** Of an upload that a client may go on with, if it opens. */
  readonly record?: CreateRecord
}

export interface ListUploadsOptions {
  /** Milliseconds since 1970. */
  readonly now: number
  /** See `cleanUploads`. */
  readonly abandonedAfter: number | false
  /** Only those behind this one, in the order of ids. */
  readonly after?: string
  readonly signal?: AbortSignal
}

/** Every upload that has state, some at a time. Throws `Unavailable` if a store or a key manager does not answer, and the signal's reason. */
export async function* listUploads(
  uploads: Pick<AbandonedUploads, 'scan' | 'open'>,
  { now, abandonedAfter, after, signal }: ListUploadsOptions,
): AsyncGenerator<readonly ListedUpload[]> {
  const describe = (upload: UploadState): Promise<ListedUpload> => describeUpload(uploads, upload, now, abandonedAfter)
  let batch: UploadState[] = []
  for await (const upload of uploads.scan(after)) {
    signal?.throwIfAborted()
    batch.push(upload)
    if (batch.length < PARALLEL) continue
    yield Promise.all(batch.map(describe))
    batch = []
  }
  yield Promise.all(batch.map(describe))
}

async function describeUpload(
  uploads: Pick<AbandonedUploads, 'open'>,
  upload: UploadState,
  now: number,
  abandonedAfter: number | false,
): Promise<ListedUpload> {
  const { id, attempts, changed, created, completed } = upload
  const due = dueKind(upload, now, abandonedAfter)
  const state = completed ? 'completed' : (due ?? (created ? 'open' : 'leftover'))
  const told = { id, state, attempts, changed } as const
  if (!created) return told
  try {
    const record = await uploads.open(id)
    return record === undefined ? told : { ...told, record }
  } catch (error) {
    if (error instanceof Unavailable) throw error
    return { ...told, state: 'unreadable' }
  }
}
