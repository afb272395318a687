/** What every operation is given, and what it gives back. The table that names the functions is `operations.ts`. */
import type { Body } from '../backends/body.ts'
import type { BucketDocuments } from '../backends/bucket-documents.ts'
import type { ObjectStore } from '../backends/object-store.ts'
import type { RandomSource } from '../format/derive.ts'
import type { BucketKeys } from '../keys/key-manager.ts'
import type { CorsRule } from '../s3/cors.ts'
import type { Headers } from '../s3/headers.ts'
import type { OperationName } from '../s3/operation-name.ts'
import type { FormReply } from '../s3/post-form.ts'
import type { Query } from '../s3/query.ts'
import type { Uploads } from '../state/uploads.ts'
import type { Meter } from '../telemetry/meter.ts'
import type { Background } from './background.ts'
import type { ByteBudget } from './byte-budget.ts'
import type { PlainLookup } from './plain-lookup.ts'
import type { TailCache } from './tail-cache.ts'

/** How the objects of one bucket are kept. */
export interface BucketRules {
  /** The stable name that keys and envelopes are bound to (docs/format.md, "Envelope"). */
  readonly namespace: string
  /** The alias of the key manager that seals new objects; `undefined` for the default one. */
  readonly manager: string | undefined
  /** `rewrap`: server-side copies share the body; `rekey`: copies are sealed anew under another object key. */
  readonly copy: 'rewrap' | 'rekey'
  /** `sealed`: an object without an envelope is refused. `mixed`: it is read as it is. */
  readonly contents: 'sealed' | 'mixed'
  /** In a mixed bucket: what was written since, in milliseconds since 1970, is sealed, so that listings need not look. */
  readonly sealedSince: number | undefined
  /** Cross-origin rules where the bucket has none of its own. */
  readonly cors: readonly CorsRule[]
}

/** Who S3 documents name as the owner of everything: Sealgate has credentials, not accounts. */
export interface Owner {
  readonly id: string
  readonly displayName: string
}

/** The parts that operations are made of, put together once by `compose.ts`; each request has its own `meter`, and a store that fills it. */
export interface Gateway {
  readonly meter: Meter
  readonly store: ObjectStore
  readonly keys: BucketKeys
  readonly uploads: Uploads
  /** Configurations of buckets that the gateway keeps itself. */
  readonly documents: BucketDocuments
  readonly tails: TailCache
  readonly plain: PlainLookup
  readonly background: Background
  readonly rules: (bucket: string) => BucketRules
  /** Milliseconds since 1970. */
  readonly clock: () => number
  readonly random: RandomSource
  readonly owner: Owner
  /** The region that GetBucketLocation names and CreateBucket accepts. */
  readonly region: string
  readonly limits: {
    /** Bytes of a request document. */
    readonly xmlBytes: number
    /** Bytes that bodies may hold in memory while they are gathered, all requests together: small ones, and parts of those without a length. */
    readonly gather: ByteBudget
  }
  readonly checksums: {
    /** When a CRC64NVME is computed for a body that came without a checksum. */
    readonly default: 'small' | 'always' | 'none'
    /** Whether a read asks the tail for a checksum that the headers do not have. */
    readonly onGet: 'always' | 'headers-only'
  }
}

/** The plaintext of a request, decoded and verified at the edge. */
export interface RequestBody {
  /** Announced plaintext bytes; `undefined` if the client did not say. */
  readonly length: number | undefined
  /** Where the length is not known: it is no more than this, so that no more memory need be set aside. */
  readonly atMost?: number | undefined
  /** Read at most once. Ends only after signatures, hash and framing have been verified; throws `S3Error` otherwise. */
  readonly stream: Body
  /** Trailers by lower-case name; complete once `stream` has ended. */
  readonly trailers: () => Readonly<Record<string, string>>
}

export type AccessAction = 'read' | 'write' | 'list'

/** One request after authentication, authorisation and screening. `bucket` and `key` are '' where the resource has none. */
export interface OperationRequest {
  readonly operation: OperationName
  readonly method: string
  readonly bucket: string
  readonly key: string
  readonly query: Query
  readonly headers: Headers
  readonly body: RequestBody
  /** Throws `AccessDenied` unless the caller may do this too: the source of a copy, each key of a DeleteObjects. */
  readonly authorise: (action: AccessAction, bucket: string, key: string) => void
  /** Of these buckets, those that the caller may see. */
  readonly visible: (bucket: string) => boolean
  /** The URL under which the client reaches an object of the bucket. */
  readonly urlOf: (key: string) => string
  /** Of a PostObject: what to answer. Its fields are in `key` and `headers`, its file is `body`. */
  readonly form?: FormReply
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal
}

export interface OperationResponse {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** An XML document, or a body of exactly `length` bytes. */
  readonly body?: string | { readonly stream: Body; readonly length: number }
}

export type Operation = (gateway: Gateway, request: OperationRequest) => Promise<OperationResponse>
