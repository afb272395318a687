/** Multipart uploads in the state store (docs/format.md, "State store"): what any replica needs to take any part, and nothing in the users' namespace. */
import type { Body } from '../backends/body.ts'
import { type GetResult, StoreError, type UploadRef } from '../backends/object-store.ts'
import { Integrity } from '../errors.ts'
import type { RandomSource } from '../format/derive.ts'
import { newAttempt, openJournalName, type PartAttempt, sealJournalName, stateId } from '../format/journal.ts'
import { openStateRecord, parseStateRecordPrefix, sealStateRecord } from '../format/state-record.ts'
import type { BucketKey, BucketKeys } from '../keys/key-manager.ts'
import type { StateStore } from './state-store.ts'
import {
  type CreateRecord,
  type DoneRecord,
  decodeCreate,
  decodeDone,
  decodePlan,
  encodeCreate,
  encodeDone,
  encodePlan,
  type PlanRecord,
} from './upload-records.ts'

/** One attempt of a part as the journal has it. */
export interface JournalEntry extends PartAttempt {
  readonly partNumber: number
  readonly attempt: string
  /** When the state store took it. */
  readonly at: Date
}

export interface UploadsParts {
  readonly state: StateStore
  readonly keys: BucketKeys
  /** Milliseconds since 1970. */
  readonly clock: () => number
  readonly random: RandomSource
  /** The alias of the key manager that seals what belongs to a bucket; absent, or `undefined`, for the default one. */
  readonly managerOf?: (bucket: string) => string | undefined
}

/** How long a repeated Complete gets the answer of the first (docs/format.md, "State store"). */
const DONE_MILLISECONDS = 24 * 3_600_000
const EXPIRED_PER_RUN = 1_000

export class Uploads {
  readonly #parts: UploadsParts

  constructor(parts: UploadsParts) {
    this.#parts = parts
  }

  /** Written after the store's CreateMultipartUpload and before the answer; sealed under the key of `manager`, the object's own. */
  async create(namespace: string, record: CreateRecord, manager?: string): Promise<void> {
    const { keys, state } = this.#parts
    const path = `${folder(record)}create`
    const sealed = this.#seal(path, await keys.active(namespace, manager), encodeCreate(record))
    await state.put(path, sealed, { ifNoneMatch: '*' })
  }

  /** `undefined` if the upload is unknown, completed or aborted. */
  async find(ref: UploadRef, namespace: string): Promise<CreateRecord | undefined> {
    const found = await this.#get(`${folder(ref)}create`, namespace)
    return found === undefined ? undefined : decodeCreate(found.json)
  }

  /** Whether a client made this upload. Those that the gateway makes for bodies without a length have no record. */
  async isClients(ref: UploadRef): Promise<boolean> {
    return (await this.#parts.state.get(`${folder(ref)}create`)) !== undefined
  }

  /** A name for one attempt of a part; times order attempts of the same moment only by chance. */
  newAttempt(): string {
    return newAttempt(this.#parts.clock(), this.#parts.random)
  }

  /** Records an attempt whose bytes are safe: the record is in the name, so that one LIST reads a thousand. */
  async journal(
    ref: UploadRef,
    objectKey: Buffer,
    partNumber: number,
    attempt: string,
    content: PartAttempt,
  ): Promise<void> {
    const name = sealJournalName({
      objectKey,
      id: idOf(ref),
      part: partNumber,
      attempt,
      content,
      random: this.#parts.random,
    })
    await this.#parts.state.put(`${folder(ref)}p/${digits(partNumber)}/${attempt}~${name}`, Buffer.alloc(0))
  }

  /** Every attempt of every part, by part number. Throws `Integrity` for a name that nobody who knows R has written. */
  async attempts(ref: UploadRef, objectKey: Buffer): Promise<JournalEntry[]> {
    const entries: JournalEntry[] = []
    const base = `${folder(ref)}p/`
    for await (const records of this.#parts.state.pages(base)) {
      for (const { path, lastModified } of records) {
        const match = /^(\d{5})\/([0-9a-z-]{18})~(.+)$/s.exec(path.slice(base.length))
        const [, part, attempt, name] = match ?? []
        if (part === undefined || attempt === undefined || name === undefined) {
          throw new Integrity('tail failure', 'the journal of an upload has a name of an unknown form')
        }
        const content = openJournalName({ objectKey, id: idOf(ref), part: Number(part), attempt, name })
        entries.push({ ...content, partNumber: Number(part), attempt, at: lastModified })
      }
    }
    return entries
  }

  /** Keeps a finished segment until Complete knows whether it is the last (docs/format.md, "The 5 MiB rule"). */
  async hold(
    ref: UploadRef,
    partNumber: number,
    attempt: string,
    body: Body,
    options: { readonly length: number; readonly signal: AbortSignal },
  ): Promise<void> {
    await this.#parts.state.putStream(heldPath(ref, partNumber, attempt), body, options.length, options.signal)
  }

  async openHeld(ref: UploadRef, partNumber: number, attempt: string, signal: AbortSignal): Promise<GetResult> {
    const found = await this.#parts.state.getStream(heldPath(ref, partNumber, attempt), signal)
    if (found === undefined) throw new StoreError('no-such-upload', `the held-back part ${partNumber} is gone`)
    return found
  }

  /** Deletes a held-back attempt and its record: of an upload that ended meanwhile nothing may stay. */
  async dropAttempt(ref: UploadRef, partNumber: number, attempt: string): Promise<void> {
    const { state } = this.#parts
    await state.delete(heldPath(ref, partNumber, attempt))
    const { records } = await state.list(`${folder(ref)}p/${digits(partNumber)}/${attempt}~`)
    await Promise.all(records.map(({ path }) => state.delete(path)))
  }

  async plan(
    ref: UploadRef,
    namespace: string,
  ): Promise<{ readonly record: PlanRecord; readonly etag: string; readonly at: Date } | undefined> {
    const found = await this.#get(`${folder(ref)}plan`, namespace)
    return found === undefined
      ? undefined
      : { record: decodePlan(found.json), etag: found.etag, at: found.lastModified }
  }

  /** Publishes a plan: the first one, or in place of the refused one with `replaces`. Returns its ETag; `undefined` if another replica was first. */
  async publishPlan(
    ref: UploadRef,
    namespace: string,
    record: PlanRecord,
    replaces?: string,
  ): Promise<string | undefined> {
    const path = `${folder(ref)}plan`
    const sealed = this.#seal(path, await this.#activeKey(ref, namespace), encodePlan(record))
    return this.#parts.state.exchange(path, sealed, replaces)
  }

  async done(ref: UploadRef, namespace: string): Promise<DoneRecord | undefined> {
    const found = await this.#get(`${folder(ref)}done`, namespace)
    return found === undefined ? undefined : decodeDone(found.json)
  }

  async finish(ref: UploadRef, namespace: string, record: DoneRecord): Promise<void> {
    const path = `${folder(ref)}done`
    const sealed = this.#seal(path, await this.#activeKey(ref, namespace), encodeDone(record))
    await this.#parts.state.put(path, sealed)
  }

  /** Deletes everything about an upload but `done`: `create` first, so that no new part is taken. */
  async drop(ref: UploadRef): Promise<void> {
    await clearUpload(this.#parts.state, folder(ref))
  }

  /**
   * Forgets uploads that were completed more than a day ago, with what a crash left of them: a thousand at most, so that what is
   * left over is the next run's. Uploads in progress are not touched. One listing over all records needs fewer requests than one for
   * each upload. Throws the signal's reason.
   */
  async expireDone(signal: AbortSignal): Promise<void> {
    const { state, clock } = this.#parts
    const oldest = clock() - DONE_MILLISECONDS
    let left = EXPIRED_PER_RUN
    for (let after: string | undefined; ; ) {
      signal.throwIfAborted()
      const page = await state.list('uploads/', after === undefined ? {} : { after })
      const due = page.records.filter(({ path, lastModified }) => isDone(path) && lastModified.getTime() < oldest)
      for (const { path } of due.slice(0, left)) {
        signal.throwIfAborted()
        await clearUpload(state, path.slice(0, -DONE.length))
        await state.delete(path)
      }
      left -= due.length
      after = page.records.at(-1)?.path
      if (!page.truncated || after === undefined || left <= 0) return
    }
  }

  #activeKey({ bucket }: UploadRef, namespace: string): Promise<BucketKey> {
    const { keys, managerOf } = this.#parts
    return keys.active(namespace, managerOf?.(bucket))
  }

  #seal(path: string, key: BucketKey, json: unknown): Buffer {
    return sealStateRecord(key, path, json, this.#parts.random)
  }

  async #get(
    path: string,
    namespace: string,
  ): Promise<{ json: unknown; etag: string; lastModified: Date } | undefined> {
    const { keys, state } = this.#parts
    const found = await state.get(path)
    if (found === undefined) return undefined
    const { key } = await keys.open(parseStateRecordPrefix(found.bytes).wrapped, namespace)
    const { etag, lastModified } = found
    return { json: openStateRecord(key, path, found.bytes), etag, lastModified }
  }
}

/** What `drop` does, for an upload of which only the folder is known. */
export async function clearUpload(state: StateStore, base: string): Promise<void> {
  await state.delete(`${base}create`)
  for (;;) {
    const page = await state.list(base)
    const rest = page.records.filter(({ path }) => path !== `${base}done`)
    await Promise.all(rest.map(({ path }) => state.delete(path)))
    if (!page.truncated) return
  }
}

const DONE = 'done'
const isDone = (path: string): boolean => /^uploads\/[0-9a-f]{32}\/done$/.test(path)
const idOf = ({ bucket, key, uploadId }: UploadRef): string => stateId(bucket, key, uploadId)
const folder = (ref: UploadRef): string => `uploads/${idOf(ref)}/`
const digits = (partNumber: number): string => String(partNumber).padStart(5, '0')
const heldPath = (ref: UploadRef, partNumber: number, attempt: string): string =>
  `${folder(ref)}h/${digits(partNumber)}/${attempt}`
