/**
 * The embedded store: bodies as files, everything else in an ordered key-value store whose transactions give listing order,
 * conditional writes and safety for several processes on one folder. An object exists when its transaction is on disk and
 * not before. The first process of a cluster must not open it: each worker does, after it was started.
 */
import { Unavailable } from '../errors.ts'
import { requireLockable } from './local/attributes.ts'
import { type DroppedFile, share } from './local/bodies.ts'
import type { ArrivedBody } from './local/body-writer.ts'
import { requireBucket } from './local/bucket-state.ts'
import { allBuckets, changeBucket, findBucket, makeBucket, removeBucket } from './local/buckets.ts'
import { bucketsWaiting, readDocument, removeDocument, writeDocument } from './local/documents.ts'
import { openingFailure } from './local/failures.ts'
import { DISK, explained } from './local/files.ts'
import { inTime } from './local/in-time.ts'
import { IndexDb, type Tables } from './local/index-db.ts'
import {
  attributesOfObject,
  checkCondition,
  findObject,
  infoOf,
  preconditionFailed,
  replaceAttributes,
  requireObject,
  shown,
} from './local/objects.ts'
import { listPage, listUploadsPage } from './local/pages.ts'
import { type LocalStoreOptions, openParts, type Parts, systemRandom } from './local/parts.ts'
import { deleteObject, makeRoom } from './local/replacing.ts'
import { objectKey } from './local/row-keys.ts'
import {
  type BodyRef,
  encodeCounted,
  encodeObject,
  encodePieces,
  NO_BODY,
  NOTHING,
  type ObjectRow,
  type Piece,
} from './local/rows.ts'
import { listVersionsPage } from './local/version-pages.ts'
import { joinParts, makeUpload, partsPage, removeUpload, replacePart, requireUpload } from './local/uploads.ts'
import type { Body } from './body.ts'
import type { Capabilities } from './capabilities.ts'
import type { StoreDocuments } from './bucket-documents.ts'
import type {
  Attributes,
  BucketChange,
  BucketInfo,
  CompleteOptions,
  CopyOptions,
  CopySource,
  DeleteOptions,
  DeleteResult,
  GetOptions,
  GetResult,
  ListOptions,
  ListPage,
  ListUploadsOptions,
  ListVersionsOptions,
  ListVersionsPage,
  ObjectInfo,
  ObjectStore,
  PartInfo,
  PutOptions,
  UploadInfo,
  UploadRef,
  WriteCondition,
  WriteResult,
} from './object-store.ts'

const LEAST_ROOM_BYTES = 16 * 1024 * 1024

const CAPABILITIES: Capabilities = {
  near: true,
  conditionalWrites: true,
  conditionalComplete: true,
  conditionalCopy: true,
  conditionalDelete: true,
  facts: true,
  copySourceIfMatch: true,
  metadataLimit: Number.MAX_SAFE_INTEGER,
  requestLimit: Number.MAX_SAFE_INTEGER,
  copyLimit: Number.MAX_SAFE_INTEGER,
  checksumsStreams: false,
  versions: true,
  native: false,
}

export class LocalStore implements ObjectStore {
  readonly name = 'local'
  readonly capabilities = CAPABILITIES
  readonly #parts: Parts

  private constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Makes the folder if there is none, and sweeps what crashed processes left. Throws `Invalid` where only other settings help, else `Unavailable`. */
  static async open(options: LocalStoreOptions): Promise<LocalStore> {
    const { folder, now = () => Date.now(), random = systemRandom } = options
    const files = explained(options.files ?? DISK, folder)
    try {
      await files.mkdir(folder)
    } catch (error) {
      throw openingFailure(folder, error)
    }
    const index = await IndexDb.open(folder)
    try {
      return new LocalStore(await openParts(options, { folder, files, index, now, random }))
    } catch (error) {
      await index.close()
      throw openingFailure(folder, error)
    }
  }

  readonly documents: StoreDocuments = {
    read: async (bucket, name) => this.#read((tables) => readDocument(tables, bucket, name)),
    write: (bucket, name, document, { waits = false } = {}) =>
      this.#change((tables) => writeDocument(tables, bucket, name, { document, waits })),
    remove: (bucket, name) => this.#change((tables) => removeDocument(tables, bucket, name)),
    bucketsWaiting: async (name, limit) => this.#read((tables) => bucketsWaiting(tables, name, limit)),
  }

  async listBuckets(): Promise<readonly BucketInfo[]> {
    return this.#read(allBuckets)
  }

  async createBucket(bucket: string, { attributes = {} }: { readonly attributes?: Attributes } = {}): Promise<void> {
    const objectLock = attributes['x-amz-bucket-object-lock-enabled'] === 'true'
    await this.#change((tables) => makeBucket(tables, bucket, this.#parts.now(), objectLock))
  }

  async headBucket(bucket: string): Promise<BucketInfo | undefined> {
    return this.#read((tables) => findBucket(tables, bucket))
  }

  async updateBucket(bucket: string, change: BucketChange): Promise<void> {
    await this.#change((tables) => changeBucket(tables, bucket, change))
  }

  async deleteBucket(bucket: string): Promise<void> {
    await this.#change((tables, dropped) => removeBucket(tables, bucket, dropped))
  }

  async put(bucket: string, key: string, body: Body, options: PutOptions): Promise<WriteResult> {
    const { condition, metadata, attributes = NOTHING } = options
    this.#read((tables) => checkCondition(tables, bucket, key, condition))
    const arrived = await this.#parts.writer.receive(body, options)
    return this.#settle(arrived, async () => {
      const { facts } = await options.commit()
      return this.#replace({ bucket, key, condition }, (tables) => {
        arrived.record(tables)
        return { size: arrived.size, body: arrived.ref, metadata, facts, attributes }
      })
    })
  }

  async get(bucket: string, key: string, options: GetOptions = {}): Promise<GetResult> {
    return this.#parts.reader.get(bucket, key, options)
  }

  async head(
    bucket: string,
    key: string,
    { versionId }: { readonly versionId?: string } = {},
  ): Promise<ObjectInfo | undefined> {
    return this.#read((tables) => {
      const found = findObject(tables, bucket, key, versionId)
      return found === undefined ? undefined : infoOf(found)
    })
  }

  async delete(bucket: string, key: string, options: DeleteOptions = {}): Promise<DeleteResult> {
    const { now, random } = this.#parts
    return this.#change((tables, dropped) =>
      deleteObject({ tables, dropped, bucket, key, now: now(), random }, options),
    )
  }

  async attributesOf(
    bucket: string,
    key: string,
    { versionId }: { readonly versionId?: string },
  ): Promise<{ readonly versionId?: string; readonly attributes: Attributes }> {
    return this.#read((tables) => attributesOfObject(tables, bucket, key, versionId))
  }

  async changeAttributes(
    bucket: string,
    key: string,
    { versionId }: { readonly versionId?: string },
    change: (current: Attributes) => Attributes,
  ): Promise<{ readonly versionId?: string }> {
    let refused: { readonly error: unknown } | undefined
    const asked = (current: Attributes): Attributes => {
      try {
        return change(current)
      } catch (error) {
        refused = { error }
        throw error
      }
    }
    try {
      return await this.#change((tables) => replaceAttributes(tables, bucket, key, versionId, asked))
    } catch (error) {
      // What the caller threw is the caller's, whatever kind of error it is.
      throw refused === undefined ? error : refused.error
    }
  }

  async copy(source: CopySource, target: CopySource, options: CopyOptions): Promise<WriteResult> {
    const { sourceIfMatch, condition, metadata, facts, attributes = NOTHING } = options
    return this.#replace({ bucket: target.bucket, key: target.key, condition }, (tables) => {
      const { row } = requireObject(tables, source.bucket, source.key, source.versionId)
      if (row.etag !== sourceIfMatch) throw preconditionFailed(source.bucket, source.key)
      share(tables, row.body)
      return { size: row.size, body: row.body, metadata, facts, attributes }
    })
  }

  async list(bucket: string, options: ListOptions): Promise<ListPage> {
    return this.#read((tables) => listPage(tables, bucket, options))
  }

  async listVersions(bucket: string, options: ListVersionsOptions): Promise<ListVersionsPage> {
    return this.#read((tables) => listVersionsPage(tables, bucket, options))
  }

  async createUpload(
    bucket: string,
    key: string,
    { metadata, attributes = NOTHING }: Pick<PutOptions, 'metadata' | 'attributes'>,
  ): Promise<string> {
    const id = this.#parts.random(16)
    await this.#change((tables) => {
      requireLockable(attributes, requireBucket(tables, bucket).objectLock)
      makeUpload(tables, id, { bucket, key, initiated: this.#parts.now(), metadata, attributes })
    })
    return id.toString('hex')
  }

  async putPart(
    upload: UploadRef,
    partNumber: number,
    body: Body,
    options: { readonly length?: number; readonly signal?: AbortSignal },
  ): Promise<{ etag: string }> {
    this.#read((tables) => requireUpload(tables, upload))
    const arrived = await this.#parts.writer.receive(body, options, true)
    const etag = this.#parts.random(16).toString('hex')
    return this.#settle(arrived, async () => {
      await this.#change((tables, dropped) => {
        const row = { etag, size: arrived.size, modified: this.#parts.now(), body: arrived.ref }
        replacePart(tables, requireUpload(tables, upload).id, partNumber, row, dropped)
        arrived.record(tables)
      })
      return { etag }
    })
  }

  async listParts(
    upload: UploadRef,
    options: { readonly after: number; readonly limit: number },
  ): Promise<{ parts: readonly PartInfo[]; truncated: boolean }> {
    return this.#read((tables) => partsPage(tables, requireUpload(tables, upload).id, options))
  }

  async completeUpload(upload: UploadRef, options: CompleteOptions): Promise<WriteResult> {
    const { bucket, key } = upload
    const { condition, facts } = options
    return this.#replace({ bucket, key, condition }, (tables, dropped) => {
      const { id, row } = requireUpload(tables, upload)
      const { pieces, size } = joinParts(tables, id, options.parts)
      removeUpload(tables, id, row, dropped, new Set(options.parts.map((part) => part.partNumber)))
      const { metadata, attributes } = row
      return { size, body: this.#join(tables, pieces), metadata, facts, attributes }
    })
  }

  async abortUpload(upload: UploadRef): Promise<void> {
    await this.#change((tables, dropped) => {
      const { id, row } = requireUpload(tables, upload)
      removeUpload(tables, id, row, dropped)
    })
  }

  async listUploads(
    bucket: string,
    options: ListUploadsOptions,
  ): Promise<{ uploads: readonly UploadInfo[]; truncated: boolean }> {
    return this.#read((tables) => {
      requireBucket(tables, bucket)
      return listUploadsPage(tables, bucket, options)
    })
  }

  async health(): Promise<void> {
    const { registration, files, folder } = this.#parts
    this.#read(({ buckets }) => buckets.getCount())
    await inTime(
      this.#change(() => undefined),
      folder,
    )
    await registration.touch()
    const room = await files.room(folder)
    if (room < LEAST_ROOM_BYTES) throw new Unavailable(`only ${room} bytes are free for the store in ${folder}`)
  }

  async close(): Promise<void> {
    const { garbage, folders, registration, index } = this.#parts
    await garbage.close()
    await folders.close()
    await registration.end()
    await index.close()
  }

  /** A body of several files, as one row that owns them. */
  #join(tables: Tables, pieces: readonly Piece[]): BodyRef {
    const [only] = pieces
    if (only === undefined) return NO_BODY
    if (pieces.length === 1) return { kind: 'file', id: only.id }
    const id = this.#parts.folders.freshId()
    tables.pieces.putSync(id, encodeCounted(1, [encodePieces(pieces)]))
    return { kind: 'pieces', id }
  }

  /** Makes what `make` gives the current version of a key, under the condition. */
  async #replace(
    { bucket, key, condition }: Pick<CopySource, 'bucket' | 'key'> & { readonly condition: WriteCondition | undefined },
    make: (tables: Tables, dropped: DroppedFile[]) => Omit<ObjectRow, 'etag' | 'modified' | 'version' | 'marker'>,
  ): Promise<WriteResult> {
    const { now: clock, random } = this.#parts
    const etag = random(16).toString('hex')
    return this.#change((tables, dropped) => {
      const { state, current } = checkCondition(tables, bucket, key, condition)
      const made = make(tables, dropped)
      requireLockable(made.attributes, state.objectLock)
      const now = clock()
      const version = makeRoom({ tables, dropped, bucket, key, state, now, random }, current)
      const row = { ...made, etag, modified: now, version, marker: false }
      tables.objects.putSync(objectKey(bucket, key), encodeObject(row))
      const written = { etag, lastModified: new Date(now) }
      return version === undefined ? written : { ...written, ...shown(state, { version, attributes: NOTHING }) }
    })
  }

  /** Runs the change that makes a body known; without it the body goes. */
  async #settle<T>(arrived: ArrivedBody, commit: () => Promise<T>): Promise<T> {
    try {
      const result = await commit()
      arrived.keep()
      return result
    } catch (error) {
      await arrived.discard()
      throw error
    }
  }

  #read<T>(look: (tables: Tables) => T): T {
    const { index } = this.#parts
    return index.read(() => look(index.tables))
  }

  async #change<T>(change: (tables: Tables, dropped: DroppedFile[]) => T): Promise<T> {
    const { index, garbage } = this.#parts
    const dropped: DroppedFile[] = []
    const result = await index.write(() => {
      dropped.length = 0
      return change(index.tables, dropped)
    })
    garbage.collect(dropped)
    return result
  }
}
