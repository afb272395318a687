/** Uploads as the state store has them, found without their client: what is there, when it last changed, whose it was (docs/format.md, "State store"). */
import { Integrity } from '../errors.ts'
import { stateId } from '../format/journal.ts'
import { parseStateRecordPrefix } from '../format/state-record.ts'
import type { WrappedBucketKey } from '../keys/key-manager.ts'
import { openSealedRecord, type SealedRecordParts } from './sealed-record.ts'
import type { StateEntry, StateStore } from './state-store.ts'
import { type CreateRecord, decodeCreate } from './upload-records.ts'
import { clearUpload } from './uploads.ts'

/** Everything that names of records say about one upload. */
export interface UploadState {
  readonly id: string
  /** Whether there is a `create`: clients may go on with it. */
  readonly created: boolean
  /** Whether there is a `done`: it was completed, and only its answer is kept. */
  readonly completed: boolean
  /** Attempts in the journal. */
  readonly attempts: number
  /** The state store's time of its newest record, in milliseconds since 1970. */
  readonly changed: number
}

export interface AbandonedUploadsParts extends SealedRecordParts {
  readonly state: StateStore
}

const BASE = 'uploads/'

export class AbandonedUploads {
  readonly #parts: AbandonedUploadsParts

  constructor(parts: AbandonedUploadsParts) {
    this.#parts = parts
  }

  /**
   * Every upload, in the order of ids. One listing over all records needs fewer requests than one for each upload, and
   * holds one page. Records may come and go meanwhile: `look` says what holds now. `after` leaves out everything up to that id.
   */
  async *scan(after?: string): AsyncGenerator<UploadState> {
    let upload: Counted | undefined
    // Behind every record of that upload: no name in its folder is behind a `0` in the place of the slash.
    for await (const entry of this.#entries(BASE, after === undefined ? undefined : `${BASE}${after}0`)) {
      const { id, name } = partsOf(entry.path)
      if (id === undefined || name === undefined) continue
      if (upload !== undefined && upload.id !== id) {
        yield upload
        upload = undefined
      }
      upload = counted(upload, id, name, entry)
    }
    if (upload !== undefined) yield upload
  }

  /** What is there of one upload now; `undefined` if nothing is. */
  async look(id: string): Promise<UploadState | undefined> {
    let upload: Counted | undefined
    for await (const entry of this.#entries(folder(id))) {
      upload = counted(upload, id, entry.path.slice(folder(id).length), entry)
    }
    return upload
  }

  /** The bucket key that an upload needs, as its `create` names it; `undefined` if there is none any more. Throws `Integrity` for what is no record. */
  async needs(id: string): Promise<WrappedBucketKey | undefined> {
    const found = await this.#parts.state.get(`${folder(id)}create`)
    return found === undefined ? undefined : parseStateRecordPrefix(found.bytes).wrapped
  }

  /** `undefined` if there is no `create` any more. Throws `Integrity` if it cannot be opened, `Unavailable` or `Denied` if nobody can tell. */
  async open(id: string): Promise<CreateRecord | undefined> {
    const path = `${folder(id)}create`
    const found = await this.#parts.state.get(path)
    if (found === undefined) return undefined
    const record = decodeCreate(await openSealedRecord(this.#parts, path, found.bytes))
    if (stateId(record.bucket, record.key, record.uploadId) === id) return record
    throw new Integrity('metadata failure', `${path} is the record of another upload`)
  }

  /** Deletes everything about an upload but `done`. */
  async drop(id: string): Promise<void> {
    await clearUpload(this.#parts.state, folder(id))
  }

  async *#entries(base: string, start?: string): AsyncGenerator<StateEntry> {
    for await (const records of this.#parts.state.pages(base, start)) yield* records
  }
}

interface Counted extends UploadState {
  created: boolean
  completed: boolean
  attempts: number
  changed: number
}

function counted(upload: Counted | undefined, id: string, name: string, { lastModified }: StateEntry): Counted {
  const all = upload ?? { id, created: false, completed: false, attempts: 0, changed: 0 }
  if (name === 'create') all.created = true
  if (name === 'done') all.completed = true
  if (name.startsWith('p/')) all.attempts += 1
  all.changed = Math.max(all.changed, lastModified.getTime())
  return all
}

const folder = (id: string): string => `${BASE}${id}/`

/** Anything of another form is not ours to judge. */
function partsOf(path: string): { readonly id?: string; readonly name?: string } {
  const match = /^([0-9a-f]{32})\/(.+)$/s.exec(path.slice(BASE.length))
  return match?.[1] === undefined || match[2] === undefined ? {} : { id: match[1], name: match[2] }
}
