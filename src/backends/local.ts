/**
 * The embedded store: bodies as files, everything else in an ordered key-value store whose transactions give listing order,
 * conditional writes and safety for several processes on one folder. An object exists when its transaction is on disk and
 * not before. The first process of a cluster must not open it: each worker does, after it was started.
 */
import { Unavailable } from '../errors.ts'
import type { ArrivedBody } from './local/body-writer.ts'
import { type DroppedFile, release, share } from './local/bodies.ts'
import { openingFailure } from './local/failures.ts'
import {
  bucketsWithDocument,
  readDocument,
  removeDocument,
  removeDocumentsOf,
  writeDocument,
} from './local/documents.ts'
import { DISK, explained } from './local/files.ts'
import { IndexDb, type Tables } from './local/index-db.ts'
import { listPage, listUploadsPage } from './local/pages.ts'
import { type LocalStoreOptions, openParts, type Parts, systemRandom } from './local/parts.ts'
import { behind, belowBucket, bucketKey, objectKey, partKey, uploadOrderKey } from './local/row-keys.ts'
import {
  type BodyRef,
  decodeObject,
  decodeStored,
  encodeCounted,
  encodeObject,
  encodePieces,
  encodeStored,
  encodeUpload,
  NO_BODY,
  type ObjectRow,
  type Piece,
} from './local/rows.ts'
import { checkCondition, dateOf, infoOf, preconditionFailed, requireBucket, requireObject } from './local/objects.ts'
import { joinParts, partsPage, removeUpload, removeUploadsOf, requireUpload } from './local/uploads.ts'
import type { StoreDocuments } from './bucket-documents.ts'
import type { Body } from './body.ts'
import {
  type BucketInfo,
  type Capabilities,
  type CompleteOptions,
  type CopyOptions,
  type CopySource,
  type DeleteOptions,
  type DeleteResult,
  type GetOptions,
  type GetResult,
  type ListOptions,
  type ListPage,
  type ListUploadsOptions,
  type ObjectInfo,
  type ObjectStore,
  type PartInfo,
  type PutOptions,
  StoreError,
  type UploadInfo,
  type UploadRef,
  type WriteCondition,
  type WriteResult,
} from './object-store.ts'

/** A change waits for those of other processes; one that takes so long will not come. */
const PATIENCE_MS = 5_000
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
  versions: false,
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
    write: (bucket, name, document) => this.#change((tables) => writeDocument(tables, bucket, name, document)),
    remove: (bucket, name) => this.#change((tables) => removeDocument(tables, bucket, name)),
    bucketsWith: async (name, limit) => this.#read((tables) => bucketsWithDocument(tables, name, limit)),
  }

  async listBuckets(): Promise<readonly BucketInfo[]> {
    return this.#read(({ buckets }) =>
      [...buckets.getRange({})].map(({ key, value }) => ({ name: key.toString('utf8'), created: dateOf(value) })),
    )
  }

  async createBucket(bucket: string): Promise<void> {
    const key = bucketKey(bucket)
    await this.#change(({ buckets }) => {
      if (buckets.get(key) !== undefined) throw new StoreError('bucket-exists', `bucket ${bucket} exists`)
      const created = Buffer.alloc(6)
      created.writeUIntBE(this.#parts.now(), 0, 6)
      buckets.putSync(key, created)
    })
  }

  async headBucket(bucket: string): Promise<BucketInfo | undefined> {
    return this.#read(({ buckets }) => {
      const row = buckets.get(bucketKey(bucket))
      return row === undefined ? undefined : { name: bucket, created: dateOf(row) }
    })
  }

  async deleteBucket(bucket: string): Promise<void> {
    await this.#change((tables, dropped) => {
      requireBucket(tables, bucket)
      const start = belowBucket(bucket)
      for (const _ of tables.objects.getKeys({ start, end: behind(start), limit: 1 })) {
        throw new StoreError('bucket-not-empty', `bucket ${bucket} holds objects`)
      }
      removeUploadsOf(tables, bucket, dropped)
      removeDocumentsOf(tables, bucket)
      tables.buckets.removeSync(bucketKey(bucket))
    })
  }

  async put(bucket: string, key: string, body: Body, options: PutOptions): Promise<WriteResult> {
    const { condition, metadata } = options
    this.#read((tables) => checkCondition(tables, bucket, key, condition))
    const arrived = await this.#parts.writer.receive(body, options)
    return this.#settle(arrived, async () => {
      const { facts } = await options.commit()
      return this.#replace(bucket, key, condition, (tables) => {
        arrived.record(tables)
        return { size: arrived.size, body: arrived.ref, metadata, facts }
      })
    })
  }

  async get(bucket: string, key: string, options: GetOptions = {}): Promise<GetResult> {
    return this.#parts.reader.get(bucket, key, options)
  }

  async head(bucket: string, key: string): Promise<ObjectInfo | undefined> {
    return this.#read((tables) => {
      requireBucket(tables, bucket)
      const row = tables.objects.get(objectKey(bucket, key))
      return row === undefined ? undefined : infoOf(decodeObject(row))
    })
  }

  async delete(bucket: string, key: string, { ifMatch }: DeleteOptions = {}): Promise<DeleteResult> {
    const condition = ifMatch === undefined ? undefined : { ifMatch }
    await this.#change((tables, dropped) => {
      const current = checkCondition(tables, bucket, key, condition)
      if (current === undefined) return
      tables.objects.removeSync(objectKey(bucket, key))
      release(tables, current.body, dropped)
    })
    return {}
  }

  async copy(source: CopySource, target: CopySource, options: CopyOptions): Promise<WriteResult> {
    const { sourceIfMatch, condition, metadata, facts } = options
    return this.#replace(target.bucket, target.key, condition, (tables) => {
      const row = requireObject(tables, source.bucket, source.key)
      if (row.etag !== sourceIfMatch) throw preconditionFailed(source.bucket, source.key)
      share(tables, row.body)
      return { size: row.size, body: row.body, metadata, facts }
    })
  }

  async list(bucket: string, options: ListOptions): Promise<ListPage> {
    return this.#read((tables) => {
      requireBucket(tables, bucket)
      return listPage(tables, bucket, options)
    })
  }

  async createUpload(bucket: string, key: string, { metadata }: Pick<PutOptions, 'metadata'>): Promise<string> {
    const id = this.#parts.random(16)
    await this.#change((tables) => {
      requireBucket(tables, bucket)
      objectKey(bucket, key)
      const initiated = this.#parts.now()
      tables.uploads.putSync(id, encodeUpload({ bucket, key, initiated, metadata }))
      tables.uploadOrder.putSync(uploadOrderKey(bucket, key, initiated, id), Buffer.alloc(0))
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
        const { id } = requireUpload(tables, upload)
        const key = partKey(id, partNumber)
        const before = tables.parts.get(key)
        if (before !== undefined) release(tables, decodeStored(before).body, dropped)
        arrived.record(tables)
        const modified = this.#parts.now()
        tables.parts.putSync(key, encodeStored({ etag, size: arrived.size, modified, body: arrived.ref }))
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
    return this.#replace(bucket, key, options.condition, (tables, dropped) => {
      const { id, row } = requireUpload(tables, upload)
      const { pieces, size } = joinParts(tables, id, options.parts)
      removeUpload(tables, id, row, dropped, new Set(options.parts.map((part) => part.partNumber)))
      return { size, body: this.#join(tables, pieces), metadata: row.metadata, facts: options.facts }
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

  /** Puts what `make` gives in the place of whatever has the name, under the condition. */
  async #replace(
    bucket: string,
    key: string,
    condition: WriteCondition | undefined,
    make: (tables: Tables, dropped: DroppedFile[]) => Omit<ObjectRow, 'etag' | 'modified'>,
  ): Promise<WriteResult> {
    const etag = this.#parts.random(16).toString('hex')
    const modified = await this.#change((tables, dropped) => {
      const current = checkCondition(tables, bucket, key, condition)
      const row = { ...make(tables, dropped), etag, modified: this.#parts.now() }
      if (current !== undefined) release(tables, current.body, dropped)
      tables.objects.putSync(objectKey(bucket, key), encodeObject(row))
      return row.modified
    })
    return { etag, lastModified: new Date(modified) }
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

async function inTime(change: Promise<unknown>, folder: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Unavailable(`no change of the store in ${folder} comes through: is a process that uses it stopped?`))
    }, PATIENCE_MS)
  })
  try {
    await Promise.race([change, late])
  } finally {
    clearTimeout(timer)
  }
}
