/**
 * What the core tells whoever listens. The core publishes on `node:diagnostics_channel` and knows no logger, no metric and
 * no trace; without a subscriber a publication costs one comparison. Messages carry no secret: no keys and no
 * signatures. What a client wrote into headers and URL comes as it is: whoever writes it down escapes it.
 */
import { channel } from 'node:diagnostics_channel'
import type { Meter } from './meter.ts'

/** Who asked, and how, as an access log tells it. */
export interface ClientFacts {
  readonly address: string
  /** Path and query, without what signs a URL (`redactTarget`). */
  readonly target: string
  readonly httpVersion: string
  readonly host: string
  readonly userAgent: string | undefined
  readonly referer: string | undefined
  /** The version of TLS and its cipher suite, as OpenSSL names them. */
  readonly tls: { readonly version: string; readonly cipher: string } | undefined
}

/** How a request was authenticated, in the words of S3's access log; anonymous ones are not. */
export type AuthKind = 'AuthHeader' | 'QueryString' | 'PostPolicy'

/** A request on the S3 listener begins; every one of them ends with `requestDone`. Whoever traces it says so in its meter. */
export interface RequestBegunEvent {
  readonly meter: Meter
  /** As the client wrote it; several of one name are joined by commas. */
  readonly header: (name: 'traceparent' | 'tracestate') => string | undefined
}

/** One finished request on the S3 listener. */
export interface RequestEvent {
  readonly requestId: string
  readonly hostId: string
  /** Milliseconds since 1970: when it began. */
  readonly at: number
  /** Put together when somebody asks: not every listener does. */
  readonly client: () => ClientFacts
  readonly auth?: AuthKind
  readonly meter: Meter
  /** Of the trace that it is part of, if it is sampled. */
  readonly traceId?: string
  /** Plaintext bytes of the whole object that was read or written. */
  readonly objectBytes?: number
  readonly versionId?: string
  /** Until the first byte of the answer. */
  readonly firstByteMilliseconds?: number
  /** From the last byte of the request to the first one of the answer. */
  readonly turnAroundMilliseconds?: number
  readonly operation: string
  readonly method: string
  readonly bucket?: string
  readonly key?: string
  readonly accessKey?: string
  readonly status: number
  /** The S3 error code, if it failed. */
  readonly code?: string
  /** Why it failed, for the operator: the error behind the answer. */
  readonly cause?: unknown
  /** The client went away before the end; not an error of ours. */
  readonly disconnected: boolean
  readonly milliseconds: number
}

/** One call of a store and what came of it. Of `get` it ends with the answer's head: its body counts in the meter. */
export interface StoreCallEvent {
  readonly store: 'backend' | 'state'
  /** The method of the port to stores. */
  readonly call: string
  /** `refused`: the store said no, as it may (no such key, a condition that does not hold). */
  readonly outcome: 'ok' | 'refused' | 'unavailable' | 'failed'
  /** In the time of `performance.now()`. */
  readonly begun: number
  readonly milliseconds: number
  /** Of whom it was asked for. */
  readonly meter: Meter
  /** Its span, in hex, if the store was told of it. */
  readonly spanId?: string
}

/** A request that is traced has waited for a bucket key. */
export interface KeyWaitEvent {
  readonly meter: Meter
  /** In the time of `performance.now()`. */
  readonly begun: number
  readonly milliseconds: number
  /** Absent if there was none. */
  readonly manager?: string
}

/** What became of spans. `dropped`: there was no room for them; `failed`: the collector did not take them. */
export interface SpansEvent {
  readonly outcome: 'exported' | 'dropped' | 'failed'
  readonly spans: number
}

/** One request to an S3 store: a call is one or several. */
export interface StoreAttemptEvent {
  readonly store: StoreCallEvent['store']
  readonly outcome: 'answered' | 'refused' | 'unanswered'
  /** Why it is sent anew, if it is: nobody answered, the store asks for it, or something of ours was put right. */
  readonly again?: 'unanswered' | 'transient' | 'credentials' | 'region' | 'clock'
}

/** What an hourly look at all multipart uploads found. */
export interface UploadsSeenEvent {
  /** Whether it has seen all of them. */
  readonly complete: boolean
  /** Those that clients may go on with. */
  readonly open: number
  /** Deleted, because their clients had gone; and what crashes had left of some. */
  readonly abandoned: number
  readonly leftovers: number
  /** Due, and still there. */
  readonly stuck: number
}

/** How far a job over keys or objects is, or how it ended. */
export interface JobSeenEvent {
  readonly job: string
  /** Processes that are at it. */
  readonly running: number
  /** Milliseconds since 1970. */
  readonly begun: number
  readonly bytes: number
  /** By what came of them. */
  readonly counts: Readonly<Record<string, number>>
}

/** Something that ends by itself. */
export interface ExpiryEvent {
  readonly what: 'certificate' | 'token'
  /** The listener, or the alias of the key manager. */
  readonly name: string
  /** Milliseconds since 1970; `undefined` if it has no end any more. */
  readonly at: number | undefined
}

/** The settings were read: at the start, or anew. `refused`: the old ones stay. */
export interface SettingsReadEvent {
  readonly outcome: 'started' | 'applied' | 'refused'
  /** Milliseconds since 1970. */
  readonly at: number
}

/** A number that can be asked for at any time. Told once, when there is something to ask; a later one takes its place. */
export interface LiveNumberEvent {
  readonly what: 'connections' | 'gathered-bytes' | 'gather-limit' | 'background' | 'store-requests' | 'store-queue'
  /** The store that it is about. */
  readonly of?: StoreCallEvent['store']
  readonly read: () => number | Promise<number>
}

/** A request on its way, told to those who must have done something before it goes on: they hand over what it waits for. */
export interface PassageEvent {
  /** What has come of it and nobody has been told yet; absent where nothing has been done yet. */
  readonly request?: RequestEvent
  /** It waits for the end of `work`, and is answered with what `work` fails with. */
  readonly holdFor: (work: Promise<void>) => void
}

/** Lines of a log that nobody will read: there was no room for them, or nobody to take them. */
export interface LostLinesEvent {
  readonly log: 'access' | 'audit'
  /** Where they should have gone. */
  readonly sink: string
  readonly lines: number
}

/** What an alarm may tell beside its words. None of them names a secret. */
export const ALARM_FIELDS = [
  'ability',
  'bucket',
  'by',
  'dependency',
  'endpoint',
  'failed',
  'first',
  'file',
  'found',
  'from',
  'key',
  'kid',
  'manager',
  'namespace',
  'objects',
  'operation',
  'path',
  'phase',
  'probing',
  'profile',
  'setting',
  'sink',
  'to',
  'uploads',
  'why',
  'worker',
] as const

/** Something an operator should look at although no request failed. */
export interface AlarmEvent {
  readonly what: string
  readonly detail: Readonly<Partial<Record<(typeof ALARM_FIELDS)[number], string | number>>>
  readonly cause?: unknown
}

/** An object that lies in plaintext at the backend was read or listed, in a bucket that allows it. */
export interface PlaintextEvent {
  readonly bucket: string
  readonly key: string
}

/** What an hourly run found in a bucket whose contents are mixed. */
export interface PlaintextLeftEvent {
  readonly bucket: string
  /** Objects looked at, and how many of them lie in plaintext. */
  readonly examined: number
  readonly plain: number
}

/** A configuration was put that is kept and told, and that nothing acts on yet; or how many such there are when the gateway starts. */
export interface WaitingEvent {
  readonly configuration: string
  readonly buckets: number
  /** One of them. */
  readonly bucket: string
}

export const KEY_CACHE_EVENTS = ['hit', 'miss', 'stale', 'evicted', 'rejected'] as const

/** What came of a look for an open bucket key, or that one left the cache for want of room. `stale`: used although it is old, because its manager is away; `rejected`: the manager opened something else. */
export interface KeyCacheEvent {
  readonly event: (typeof KEY_CACHE_EVENTS)[number]
}

/** What is known of a key manager elsewhere: `open` means that it has not answered and is not asked. */
export interface KeyManagerEvent {
  readonly manager: string
  readonly state: 'closed' | 'open' | 'half-open'
}

/** Something that an administrator has changed, or tried to, or that somebody was kept from by not being one. */
export interface AuditEvent {
  /** `token NAME`, `certificate NAME`, or `nobody`. */
  readonly who: string
  /** The address that the request came from. */
  readonly peer: string
  /** The operation of the admin API, or `authenticate`. */
  readonly what: string
  readonly target: string
  /** `begun`: it goes on after its answer, and another event says how it ended. */
  readonly result: 'done' | 'begun' | 'refused' | 'failed'
  /** Why, if it was refused or has failed. */
  readonly code?: string
  readonly detail?: Readonly<Record<string, string | number>>
  /** The answer waits for the end of `work`, and is a failure if it fails. Absent where nobody waits for an answer. */
  readonly holdFor?: (work: Promise<void>) => void
}

export const ROTATION_PHASES = ['draining', 'rewrapping', 'dual-read', 'done', 'aborted'] as const

/** A rotation of master keys as this process sees it, whenever it has gone further. */
export interface RotationEvent {
  readonly from: string
  readonly to: string
  readonly phase: (typeof ROTATION_PHASES)[number]
  /** Whether it waits for somebody to look at it. */
  readonly stalled: boolean
  readonly total: number
  readonly examined: number
  readonly rewrapped: number
  readonly failed: number
}

/** How many open bucket keys this process keeps. */
export interface KeyCacheSizeEvent {
  readonly entries: number
  /** Milliseconds since that of them was opened which was opened first; 0 without any. For whoever asks later. */
  readonly oldest: () => number
}

/** One call of a key manager elsewhere and what came of it. `not-asked`: it has not answered before, and nobody was let through. */
export interface KeyCallEvent {
  readonly manager: string
  readonly call: 'generate' | 'wrap' | 'unwrap' | 'rewrap' | 'health'
  readonly outcome: 'ok' | 'unavailable' | 'denied' | 'integrity' | 'failed' | 'not-asked'
  readonly milliseconds: number
  /** Milliseconds since 1970. */
  readonly at: number
}

/** A bucket key was taken from a manager that stands in for the active one. */
export interface KeyFailoverEvent {
  readonly manager: string
}

interface Channel<T> {
  publish(message: T): void
  /** Whether anybody listens: what costs something to tell is made only then. */
  readonly heard: boolean
  subscribe(listener: (message: T) => void): () => void
}

function typed<T>(name: string): Channel<T> {
  const inner = channel(name)
  return {
    get heard() {
      return inner.hasSubscribers
    },
    publish: (message) => {
      if (inner.hasSubscribers) inner.publish(message)
    },
    subscribe: (listener) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only `publish` above puts messages on this channel
      const wrapped = (message: unknown): void => listener(message as T)
      inner.subscribe(wrapped)
      return () => inner.unsubscribe(wrapped)
    },
  }
}

export const requestBegun: Channel<RequestBegunEvent> = typed('sealgate:request-begun')
export const requestDone: Channel<RequestEvent> = typed('sealgate:request')
export const passage: Channel<PassageEvent> = typed('sealgate:passage')
export const linesLost: Channel<LostLinesEvent> = typed('sealgate:lines-lost')
export const storeCall: Channel<StoreCallEvent> = typed('sealgate:store-call')
export const storeAttempt: Channel<StoreAttemptEvent> = typed('sealgate:store-attempt')
export const liveNumber: Channel<LiveNumberEvent> = typed('sealgate:live-number')
export const settingsRead: Channel<SettingsReadEvent> = typed('sealgate:settings-read')
export const expirySeen: Channel<ExpiryEvent> = typed('sealgate:expiry')
export const uploadsSeen: Channel<UploadsSeenEvent> = typed('sealgate:uploads')
export const jobSeen: Channel<JobSeenEvent> = typed('sealgate:job')
export const plaintextSeen: Channel<PlaintextEvent> = typed('sealgate:plaintext')
export const plaintextLeft: Channel<PlaintextLeftEvent> = typed('sealgate:plaintext-left')
export const configurationWaits: Channel<WaitingEvent> = typed('sealgate:configuration-waits')
export const alarm: Channel<AlarmEvent> = typed('sealgate:alarm')
export const keyCache: Channel<KeyCacheEvent> = typed('sealgate:key-cache')
export const rotationSeen: Channel<RotationEvent> = typed('sealgate:rotation')
export const keyCacheSize: Channel<KeyCacheSizeEvent> = typed('sealgate:key-cache-size')
export const keyManager: Channel<KeyManagerEvent> = typed('sealgate:key-manager')
export const keyCall: Channel<KeyCallEvent> = typed('sealgate:key-call')
export const keyFailover: Channel<KeyFailoverEvent> = typed('sealgate:key-failover')
export const audit: Channel<AuditEvent> = typed('sealgate:audit')
export const keyWait: Channel<KeyWaitEvent> = typed('sealgate:key-wait')
export const spans: Channel<SpansEvent> = typed('sealgate:spans')
