/**
 * Everything in the memory of one process, gone when it ends: for tests and trials, and the plainest reading of the port's
 * contract. Writes become visible in one synchronous step, so every condition is atomic.
 */
import { Internal, Invalid } from '../errors.ts'
import { type ObjectStore, StoreError } from './object-store.ts'
import type { Body } from './body.ts'
import type { Capabilities } from './capabilities.ts'
import type { StoreDocuments } from './bucket-documents.ts'
import type * as port from './object-store.ts'
import { namePage } from './memory/name-page.ts'
import { bytesOf, gather, rangeOf, resolveRange } from './memory/pieces.ts'
import { OrderedNames } from './memory/ordered-names.ts'
import { checkUploadMarker } from './upload-marker.ts'
import { compareUtf8 } from './utf8.ts'

export interface MemoryStoreOptions {
  /** What this store shall not be able to do: tests play a poorer store with it. */
  readonly capabilities?: Partial<Capabilities>
  readonly now?: () => Date
  /** Random bytes of ETags and upload ids. */
  readonly random?: (bytes: number) => Buffer
}

interface StoredObject extends port.ObjectInfo {
  readonly pieces: readonly Buffer[]
}

interface StoredPart extends port.PartInfo {
  readonly pieces: readonly Buffer[]
}

interface StoredUpload extends port.UploadInfo {
  readonly metadata: Readonly<Record<string, string>>
  readonly parts: Map<number, StoredPart>
}

interface StoredBucket {
  readonly created: Date
  readonly names: OrderedNames
  readonly objects: Map<string, StoredObject>
  readonly uploads: Map<string, StoredUpload>
  readonly documents: Map<string, { readonly document: Buffer; readonly waits: boolean }>
}

/** A body that has arrived, with what becomes known at its end. */
interface Arrived {
  readonly pieces: readonly Buffer[]
  readonly metadata: Readonly<Record<string, string>>
  readonly facts: Buffer | undefined
}

const ABILITIES: Capabilities = {
  near: true,
  conditionalWrites: true,
  conditionalComplete: true,
  conditionalCopy: true,
  conditionalDelete: true,
  facts: true,
  copySourceIfMatch: true,
  metadataLimit: 65_536,
  requestLimit: Number.MAX_SAFE_INTEGER,
  copyLimit: Number.MAX_SAFE_INTEGER,
  checksumsStreams: false,
  versions: false,
  native: false,
}

export class MemoryStore implements ObjectStore {
  readonly name = 'memory'
  readonly capabilities: Capabilities
  readonly #buckets = new Map<string, StoredBucket>()
  readonly #now: () => Date
  readonly #random: (bytes: number) => Buffer

  constructor(options: MemoryStoreOptions = {}) {
    this.capabilities = { ...ABILITIES, ...options.capabilities }
    this.#now = options.now ?? (() => new Date())
    this.#random = options.random ?? ((bytes) => Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))))
  }

  readonly documents: StoreDocuments = {
    read: async (bucket, name) => this.#buckets.get(bucket)?.documents.get(name)?.document,
    write: async (bucket, name, document, { waits = false } = {}) => {
      this.#bucket(bucket).documents.set(name, { document, waits })
    },
    remove: async (bucket, name) => {
      this.#buckets.get(bucket)?.documents.delete(name)
    },
    bucketsWaiting: async (name, limit) => {
      const waiting = [...this.#buckets].filter(([, { documents }]) => documents.get(name)?.waits === true)
      const names = waiting.map(([bucket]) => bucket)
      return names.sort(compareUtf8).slice(0, limit)
    },
  }

  listBuckets(): Promise<readonly port.BucketInfo[]> {
    const buckets = [...this.#buckets].map(([name, { created }]) => ({ name, created }))
    return Promise.resolve(buckets.sort((a, b) => compareUtf8(a.name, b.name)))
  }

  async createBucket(bucket: string): Promise<void> {
    if (this.#buckets.has(bucket)) throw new StoreError('bucket-exists', `bucket ${bucket} exists`)
    this.#buckets.set(bucket, {
      created: this.#now(),
      names: new OrderedNames(),
      objects: new Map(),
      uploads: new Map(),
      documents: new Map(),
    })
  }

  headBucket(bucket: string): Promise<port.BucketInfo | undefined> {
    const found = this.#buckets.get(bucket)
    return Promise.resolve(found === undefined ? undefined : { name: bucket, created: found.created })
  }

  async deleteBucket(bucket: string): Promise<void> {
    if (this.#bucket(bucket).objects.size > 0)
      throw new StoreError('bucket-not-empty', `bucket ${bucket} holds objects`)
    this.#buckets.delete(bucket)
  }

  async put(bucket: string, key: string, body: Body, options: port.PutOptions): Promise<port.WriteResult> {
    this.#checkMetadata(options.metadata)
    this.#checkCondition(this.#bucket(bucket), key, options.condition)
    const pieces = await this.#gather(body, options)
    const { facts } = await options.commit()
    return this.#store(bucket, key, { pieces, metadata: options.metadata, facts }, options.condition)
  }

  async get(bucket: string, key: string, options: port.GetOptions = {}): Promise<port.GetResult> {
    options.signal?.throwIfAborted()
    const { pieces, ...info } = this.#object(bucket, key)
    if (options.ifMatch !== undefined && options.ifMatch !== info.etag)
      throw new StoreError('precondition-failed', `${key} has changed`)
    const range = resolveRange(info.size, options.range)
    return { info, range, body: rangeOf(pieces, range, options.signal) }
  }

  async head(bucket: string, key: string): Promise<port.ObjectInfo | undefined> {
    const found = this.#bucket(bucket).objects.get(key)
    if (found === undefined) return undefined
    const { pieces: _, ...info } = found
    return info
  }

  async delete(bucket: string, key: string, { ifMatch }: port.DeleteOptions = {}): Promise<port.DeleteResult> {
    if (ifMatch !== undefined && !this.capabilities.conditionalDelete)
      throw new Invalid('this store has no conditional deletes')
    const found = this.#bucket(bucket)
    if (ifMatch !== undefined) checkMatch(found.objects.get(key), key, { ifMatch })
    found.objects.delete(key)
    found.names.remove(key)
    return {}
  }

  async copy(source: port.CopySource, target: port.CopySource, options: port.CopyOptions): Promise<port.WriteResult> {
    this.#checkMetadata(options.metadata)
    const { pieces, etag, size } = this.#object(source.bucket, source.key)
    if (this.capabilities.copySourceIfMatch && options.sourceIfMatch !== etag) {
      throw new StoreError('precondition-failed', `the source ${source.key} has changed`)
    }
    if (size > this.capabilities.copyLimit) throw new Invalid(`${size} bytes are over the limit of one copy`)
    const arrived = { pieces, metadata: options.metadata, facts: options.facts }
    return this.#store(target.bucket, target.key, arrived, options.condition)
  }

  async list(bucket: string, options: port.ListOptions): Promise<port.ListPage> {
    const { names, objects } = this.#bucket(bucket)
    const { keys, commonPrefixes, truncated } = namePage(names, options)
    const listed = keys.map((key) => {
      const { pieces: _, metadata: __, ...info } = objects.get(key) ?? missing(key)
      return { ...info, key }
    })
    return { objects: listed, commonPrefixes, truncated }
  }

  async createUpload(
    bucket: string,
    key: string,
    { metadata }: { readonly metadata: Readonly<Record<string, string>> },
  ): Promise<string> {
    this.#checkMetadata(metadata)
    const uploadId = this.#random(16).toString('hex')
    this.#bucket(bucket).uploads.set(uploadId, { key, uploadId, initiated: this.#now(), metadata, parts: new Map() })
    return uploadId
  }

  async putPart(
    upload: port.UploadRef,
    partNumber: number,
    body: Body,
    options: { readonly length?: number; readonly signal?: AbortSignal },
  ): Promise<{ etag: string }> {
    this.#upload(upload)
    const pieces = await this.#gather(body, options)
    const etag = this.#random(16).toString('hex')
    const part = { partNumber, etag, size: bytesOf(pieces), lastModified: this.#now(), pieces }
    this.#upload(upload).parts.set(partNumber, part)
    return { etag }
  }

  async listParts(
    upload: port.UploadRef,
    { after, limit }: { readonly after: number; readonly limit: number },
  ): Promise<{ parts: readonly port.PartInfo[]; truncated: boolean }> {
    const found = [...this.#upload(upload).parts.values()].filter(({ partNumber }) => partNumber > after)
    const parts = found.sort((a, b) => a.partNumber - b.partNumber).map(infoOfPart)
    return { parts: parts.slice(0, limit), truncated: parts.length > limit }
  }

  async completeUpload(upload: port.UploadRef, options: port.CompleteOptions): Promise<port.WriteResult> {
    const { metadata, parts } = this.#upload(upload)
    const pieces = options.parts.flatMap(({ partNumber, etag }) => {
      const part = parts.get(partNumber)
      if (part?.etag !== etag) throw new StoreError('invalid-part', `part ${partNumber} is missing or has changed`)
      return part.pieces
    })
    const result = this.#store(upload.bucket, upload.key, { pieces, metadata, facts: options.facts }, options.condition)
    this.#bucket(upload.bucket).uploads.delete(upload.uploadId)
    return result
  }

  async abortUpload(upload: port.UploadRef): Promise<void> {
    this.#upload(upload)
    this.#bucket(upload.bucket).uploads.delete(upload.uploadId)
  }

  async listUploads(
    bucket: string,
    { prefix, afterKey, afterUploadId, limit }: port.ListUploadsOptions,
  ): Promise<{ uploads: readonly port.UploadInfo[]; truncated: boolean }> {
    checkUploadMarker(afterUploadId)
    const all = [...this.#bucket(bucket).uploads.values()]
      .filter(({ key }) => key.startsWith(prefix))
      .sort(byKeyAndStart)
    // A marker upload that is gone has lost its place: its key's uploads are listed again rather than some of them skipped.
    const marker = all.find(({ uploadId, key }) => uploadId === afterUploadId && key === afterKey)
    const left = all.filter((upload) => {
      if (afterKey === undefined) return true
      if (marker !== undefined) return byKeyAndStart(upload, marker) > 0
      const order = compareUtf8(upload.key, afterKey)
      return afterUploadId === undefined ? order > 0 : order >= 0
    })
    const uploads = left.slice(0, limit).map(({ key, uploadId, initiated }) => ({ key, uploadId, initiated }))
    return { uploads, truncated: left.length > limit }
  }

  async health(): Promise<void> {
    // Memory is always there.
  }

  async close(): Promise<void> {
    this.#buckets.clear()
  }

  #bucket(name: string): StoredBucket {
    const bucket = this.#buckets.get(name)
    if (bucket === undefined) throw new StoreError('no-such-bucket', `there is no bucket ${name}`)
    return bucket
  }

  #object(bucket: string, key: string): StoredObject {
    const found = this.#bucket(bucket).objects.get(key)
    if (found === undefined) throw new StoreError('no-such-key', `there is no object ${key}`)
    return found
  }

  #upload({ bucket, key, uploadId }: port.UploadRef): StoredUpload {
    const upload = this.#bucket(bucket).uploads.get(uploadId)
    if (upload?.key !== key) throw new StoreError('no-such-upload', `there is no upload ${uploadId} of ${key}`)
    return upload
  }

  #checkMetadata(metadata: Readonly<Record<string, string>>): void {
    let bytes = 0
    for (const [name, value] of Object.entries(metadata)) bytes += Buffer.byteLength(`x-amz-meta-${name}${value}`)
    if (bytes > this.capabilities.metadataLimit) throw new Invalid(`${bytes} bytes of metadata are over the limit`)
  }

  #checkCondition({ objects }: StoredBucket, key: string, condition: port.WriteCondition | undefined): void {
    if (condition === undefined) return
    if (!this.capabilities.conditionalWrites) throw new Invalid('this store has no conditional writes')
    const found = objects.get(key)
    if (condition.ifNoneMatch !== undefined && found !== undefined)
      throw new StoreError('precondition-failed', `${key} exists`)
    if (condition.ifMatch !== undefined) checkMatch(found, key, { ifMatch: condition.ifMatch })
  }

  #gather(body: Body, options: { readonly length?: number; readonly signal?: AbortSignal }): Promise<Buffer[]> {
    const limit = this.capabilities.requestLimit
    if ((options.length ?? 0) > limit) throw new Invalid(`${options.length} bytes are over the limit of ${limit}`)
    return gather(body, { length: options.length, limit, signal: options.signal })
  }

  #store(
    bucket: string,
    key: string,
    { pieces, metadata, facts }: Arrived,
    condition: port.WriteCondition | undefined,
  ): port.WriteResult {
    const target = this.#bucket(bucket)
    this.#checkCondition(target, key, condition)
    const result = { etag: this.#random(16).toString('hex'), lastModified: this.#now() }
    const kept = facts !== undefined && this.capabilities.facts ? { facts: Buffer.from(facts) } : {}
    target.objects.set(key, { ...result, size: bytesOf(pieces), metadata: { ...metadata }, pieces, ...kept })
    target.names.add(key)
    return result
  }
}

function checkMatch(found: StoredObject | undefined, key: string, { ifMatch }: { readonly ifMatch: string }): void {
  if (found === undefined) throw new StoreError('no-such-key', `there is no object ${key}`)
  if (found.etag !== ifMatch) throw new StoreError('precondition-failed', `${key} has changed`)
}

function infoOfPart({ partNumber, etag, size, lastModified }: StoredPart): port.PartInfo {
  return { partNumber, etag, size, lastModified }
}

function missing(key: string): never {
  throw new Internal(`a name without an object: ${key}`)
}

function byKeyAndStart(a: port.UploadInfo, b: port.UploadInfo): number {
  const order = compareUtf8(a.key, b.key) || a.initiated.getTime() - b.initiated.getTime()
  return order || compareUtf8(a.uploadId, b.uploadId)
}
