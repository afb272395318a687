/**
 * The port to whatever keeps the sealed bytes. A store knows nothing of plaintext: it keeps bodies, a few metadata entries and, where
 * it can, an opaque `facts` value that it returns with each listed key. Names are JavaScript strings holding well-formed Unicode; stores
 * order and compare them by their UTF-8 bytes and never normalise them. All sizes are bytes of what is stored. Everything a caller can
 * ask and a store cannot do is declared in `capabilities`, never guessed from a name.
 */
import type { Body } from './body.ts'
import type { Capabilities } from './capabilities.ts'
import type { StoreDocuments } from './bucket-documents.ts'

/**
 * What S3 keeps beside an object that is neither contents nor metadata (versions, locks, storage class, tags), as S3 spells it: lower-case
 * header names. Stores without `versions` are given none; what a store that is not `native` is given has been judged by the gateway.
 */
export type Attributes = Readonly<Record<string, string>>

/** Conditions in the store's own ETag. At most one of the two is set. */
export interface WriteCondition {
  readonly ifMatch?: string
  readonly ifNoneMatch?: '*'
}

/** Of a bucket in which versions were switched on once. */
export type VersioningStatus = 'Enabled' | 'Suspended'

export interface BucketInfo {
  readonly name: string
  readonly created: Date
  /** Of stores with `versions` that are not `native`. Absent: versions were never switched on. */
  readonly versioning?: VersioningStatus
  /** Of the same stores: versions may be locked. */
  readonly objectLock?: true
}

/** What of a bucket can be changed. Object Lock cannot be taken back, and switches versions on. */
export interface BucketChange {
  readonly versioning?: VersioningStatus
  readonly objectLock?: true
}

export interface ObjectInfo {
  /** The store's own ETag, without quotes. Another value after every write. */
  readonly etag: string
  /** Stored bytes. */
  readonly size: number
  readonly lastModified: Date
  readonly versionId?: string
  /** User metadata, lower-case names without `x-amz-meta-`. */
  readonly metadata: Readonly<Record<string, string>>
  readonly facts?: Buffer
  readonly attributes?: Attributes
  /** Content headers by their lower-case names: what an object that Sealgate did not write says of itself. */
  readonly content?: Readonly<Record<string, string>>
}

/** Absolute, inclusive stored offsets. `last` beyond the end is clamped; absent means to the end. */
export interface ByteRange {
  readonly first: number
  readonly last?: number
}

export interface GetOptions {
  readonly range?: ByteRange
  readonly ifMatch?: string
  readonly versionId?: string
  readonly signal?: AbortSignal
}

export interface GetResult {
  readonly info: ObjectInfo
  /** What is sent, after clamping. For an empty object without range `last` is -1. */
  readonly range: { readonly first: number; readonly last: number }
  /** Read at most once. Leaving the iteration early releases what the store holds; whoever never begins it aborts the signal. */
  readonly body: Body
}

export interface PutOptions {
  /** Exact stored bytes, if known. A body of another length fails the write with `Invalid`. */
  readonly length?: number
  readonly metadata: Readonly<Record<string, string>>
  readonly condition?: WriteCondition
  readonly attributes?: Attributes
  readonly signal?: AbortSignal
  /** Called once after the whole body was consumed and before the object exists: what is known only then. If it throws, no object appears. */
  readonly commit: () => Promise<{ readonly facts?: Buffer }>
}

export interface WriteResult {
  readonly etag: string
  readonly lastModified: Date
  readonly versionId?: string
  readonly attributes?: Attributes
}

export interface CopySource {
  readonly bucket: string
  readonly key: string
  readonly versionId?: string
}

export interface CopyOptions {
  /** The store's ETag that the source must still have. */
  readonly sourceIfMatch: string
  /** Stored bytes of the source: beyond what one request may copy, a store copies in parts. */
  readonly size: number
  readonly attributes?: Attributes
  readonly metadata: Readonly<Record<string, string>>
  readonly facts?: Buffer
  readonly condition?: WriteCondition
}

export interface ListOptions {
  readonly prefix: string
  readonly delimiter?: string
  /** Start strictly after this name, or after everything that begins with it when it is a common prefix the last page returned (`afterPrefix`). */
  readonly after?: string
  /** `after` is a common prefix: skip all keys below it too. */
  readonly afterPrefix?: boolean
  /** 1 to 1,000: objects and common prefixes together. */
  readonly limit: number
}

export interface ListedObject extends Omit<ObjectInfo, 'metadata' | 'content'> {
  readonly key: string
}

export interface ListPage {
  readonly objects: readonly ListedObject[]
  readonly commonPrefixes: readonly string[]
  /** Whether more follows the last entry of the page (in key order over both lists). */
  readonly truncated: boolean
}

export interface ListVersionsOptions extends Omit<ListOptions, 'after'> {
  /** Start after this key or common prefix (`afterPrefix`), or, with `afterVersionId`, after that version of it. */
  readonly afterKey?: string
  readonly afterVersionId?: string
}

export interface ListedVersion extends ListedObject {
  /** `null` for the version that was written while versions were not switched on. */
  readonly versionId: string
  readonly latest: boolean
  /** Has no body: its size is 0 and its ETag is empty. */
  readonly deleteMarker: boolean
}

export interface ListVersionsPage {
  /** By key, newest first. */
  readonly versions: readonly ListedVersion[]
  readonly commonPrefixes: readonly string[]
  readonly truncated: boolean
}

export interface CreateUploadOptions {
  readonly metadata: Readonly<Record<string, string>>
  readonly attributes?: Attributes
}

export interface PartInfo {
  readonly partNumber: number
  readonly etag: string
  readonly size: number
  readonly lastModified: Date
}

export interface UploadRef {
  readonly bucket: string
  readonly key: string
  readonly uploadId: string
}

export interface UploadInfo {
  readonly key: string
  readonly uploadId: string
  readonly initiated: Date
}

export interface ListUploadsOptions {
  readonly prefix: string
  /** Start after this key and, where given, after this upload of it. */
  readonly afterKey?: string
  readonly afterUploadId?: string
  readonly limit: number
}

export interface DeleteOptions {
  readonly ifMatch?: string
  readonly versionId?: string
  readonly attributes?: Attributes
}

export interface DeleteResult {
  /** The version that was deleted, or the delete marker that was made. */
  readonly attributes?: Attributes
}

export interface DeleteEntry {
  readonly key: string
  readonly versionId?: string
  readonly ifMatch?: string
}

/** What became of one entry. */
export type DeleteOutcome =
  | { readonly versionId?: string; readonly deleteMarker?: boolean; readonly deleteMarkerVersionId?: string }
  | { readonly code: string; readonly message: string }

export interface CompleteOptions {
  readonly parts: readonly { readonly partNumber: number; readonly etag: string }[]
  readonly condition?: WriteCondition
  readonly facts?: Buffer
}

/** Why a store refused. Everything else is thrown as an inner error of `errors.ts`. */
export type StoreRefusal =
  | 'no-such-bucket'
  | 'no-such-key'
  | 'no-such-upload'
  | 'invalid-part'
  | 'bucket-exists'
  | 'bucket-not-empty'
  | 'precondition-failed'
  | 'range-not-satisfiable'
  /** Something else happens to the same name right now: to be repeated. */
  | 'conflict'
  /** The store cannot do this at all. */
  | 'not-supported'
  | 'invalid-state'
  /** The version is under retention or legal hold. */
  | 'locked'
  | 'no-such-version'
  /** Concerns the client alone, in the store's own words. */
  | 'native'

/** What a store answered, where the client should hear just that. */
export interface NativeAnswer {
  readonly status: number
  readonly code: string
  readonly message: string
  /** Response headers that belong to it: a delete marker, its version. */
  readonly attributes: Attributes
  /** Further elements of the error document. */
  readonly extra?: Readonly<Record<string, string>>
}

export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly refusal: StoreRefusal
  /** The stored size, for `range-not-satisfiable`. */
  readonly size: number | undefined
  /** For `native`, and where a `native` store said more than the refusal tells. */
  readonly answer: NativeAnswer | undefined

  constructor(refusal: StoreRefusal, message: string, size?: number, answer?: NativeAnswer) {
    super(message)
    this.refusal = refusal
    this.size = size
    this.answer = answer
  }
}

/** A request that is handed on as it is, signed anew. */
export interface ForwardRequest {
  readonly method: string
  readonly bucket: string
  readonly key: string
  /** Undecoded, without `?`. */
  readonly rawQuery: string
  /** Lower-case names; without those of the connection and of authentication. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly signal: AbortSignal
}

export interface ForwardResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Body
  /** What the store refused, for a status of 300 and above. */
  readonly refused?: NativeAnswer
}

export interface ObjectStore {
  readonly name: string
  readonly capabilities: Capabilities

  /** Of stores over HTTP: the same store, whose requests carry these headers too, unsigned. */
  carrying?(headers: Readonly<Record<string, string>>): ObjectStore

  /** In UTF-8 order of names. */
  listBuckets(): Promise<readonly BucketInfo[]>
  /** Refuses `bucket-exists`. */
  createBucket(bucket: string, options?: { readonly attributes?: Attributes }): Promise<void>
  /** `undefined` if there is none. */
  headBucket(bucket: string): Promise<BucketInfo | undefined>
  /** Refuses `no-such-bucket`, `bucket-not-empty` (objects; uploads in progress are dropped with the bucket). */
  deleteBucket(bucket: string): Promise<void>

  /** Refuses `no-such-bucket`, `precondition-failed`, and `no-such-key` for If-Match on a missing key. Durable when it resolves; a body that throws leaves nothing behind. */
  put(bucket: string, key: string, body: Body, options: PutOptions): Promise<WriteResult>
  /**
   * Refuses `no-such-bucket`, `no-such-key`, `no-such-version`, `precondition-failed`, `range-not-satisfiable` (first ≥ size). A key whose
   * newest version is a delete marker is `no-such-key`, a marker asked for by its id `native`, both with the answer for the client.
   */
  get(bucket: string, key: string, options?: GetOptions): Promise<GetResult>
  /** `undefined` if there is no such key or version. Refuses `no-such-bucket`, and delete markers as `get` does. */
  head(bucket: string, key: string, options?: { readonly versionId?: string }): Promise<ObjectInfo | undefined>
  /** No error if the key is missing, unless there is a condition (`no-such-key`, `precondition-failed`). */
  delete(bucket: string, key: string, options?: DeleteOptions): Promise<DeleteResult>
  /** Only with `capabilities.native`: up to 1,000 keys in one request, an outcome for each, in the same order. */
  deleteMany?(
    bucket: string,
    entries: readonly DeleteEntry[],
    options: { readonly attributes?: Attributes },
  ): Promise<readonly DeleteOutcome[]>
  /** Only with `versions`, not `native`. Refuses `no-such-bucket`, and `invalid-state` for suspending versions where Object Lock is on. */
  updateBucket?(bucket: string, change: BucketChange): Promise<void>
  /** Only with `versions`, not `native`: the attributes that a version was given, as they were given. Refuses like `get`. */
  attributesOf?(
    bucket: string,
    key: string,
    options: { readonly versionId?: string },
  ): Promise<{ readonly versionId?: string; readonly attributes: Attributes }>
  /** The same stores: replaces them by what `change` makes of them, in one step; what it throws is thrown, and nothing changes. */
  changeAttributes?(
    bucket: string,
    key: string,
    options: { readonly versionId?: string },
    change: (current: Attributes) => Attributes,
  ): Promise<{ readonly versionId?: string }>
  /** Only with `versions`: one page, without reading more than the page. Refuses `no-such-bucket`. */
  listVersions?(bucket: string, options: ListVersionsOptions): Promise<ListVersionsPage>
  /** Of stores that are not `native`. They go with their bucket. */
  readonly documents?: StoreDocuments
  /** Same bytes under another name, new metadata, atomic. */
  copy(source: CopySource, target: { bucket: string; key: string }, options: CopyOptions): Promise<WriteResult>
  /** One page in UTF-8 order, without reading more than the page. */
  list(bucket: string, options: ListOptions): Promise<ListPage>

  createUpload(bucket: string, key: string, options: CreateUploadOptions): Promise<string>
  /** The last attempt to finish wins. Refuses `no-such-upload`. */
  putPart(
    upload: UploadRef,
    partNumber: number,
    body: Body,
    options: { readonly length?: number; readonly signal?: AbortSignal },
  ): Promise<{ etag: string }>
  /** Ascending part numbers, starting after `after`. Refuses `no-such-upload`. */
  listParts(
    upload: UploadRef,
    options: { readonly after: number; readonly limit: number },
  ): Promise<{ parts: readonly PartInfo[]; truncated: boolean }>
  /** Refuses `no-such-upload`, `invalid-part`, and what `put` refuses. The object is the listed parts in order. */
  completeUpload(upload: UploadRef, options: CompleteOptions): Promise<WriteResult>
  /** Refuses `no-such-upload`. */
  abortUpload(upload: UploadRef): Promise<void>
  /** By key, then initiation, then id. */
  listUploads(
    bucket: string,
    options: ListUploadsOptions,
  ): Promise<{ uploads: readonly UploadInfo[]; truncated: boolean }>

  /** Only with `capabilities.native`: whatever S3 has that knows nothing of contents. Throws `Unavailable`, also for refusals that are the gateway's own fault. */
  forward?(request: ForwardRequest): Promise<ForwardResponse>

  /** Throws `Unavailable` with a reason when the store cannot serve. */
  health(): Promise<void>
  close(): Promise<void>
}
