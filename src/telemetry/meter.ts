/** What a request has cost so far, told with its end (`RequestEvent`). */

/** The bucket key that an object was sealed or opened with. */
export interface KeyUsed {
  /** The alias of its key manager. */
  readonly manager: string
  /** In hex. */
  readonly kid: string
}

/** Of which trace a request is part, decided when it begins. */
export interface RequestTrace {
  /** In hex. */
  readonly traceId: string
  /** Whether its spans are told to a collector. */
  readonly sampled: boolean
  /** For one call of the store: the headers that tell the store of it, and its own span, in hex. `undefined`: the store is not told. */
  readonly carry: (() => { readonly spanId: string; readonly headers: Readonly<Record<string, string>> }) | undefined
}

/** Plain numbers, since the data path fills them in. All bytes are those of bodies; milliseconds are sums. */
export class Meter {
  /** Plaintext from the client, decoded. */
  receivedBytes = 0
  /** When the last byte of the request's body was here, in the time of `performance.now()`; `undefined` if nobody has read so far. */
  bodyEnded: number | undefined
  /** What the answer's body has brought to the client. */
  sentBytes = 0
  /** From and to the store. */
  storeReadBytes = 0
  storeWrittenBytes = 0
  storeCalls = 0
  /** Waiting for the store: for its answers, its bytes, and for it to take ours. */
  storeMilliseconds = 0
  /** Sealing, opening and hashing of bodies. */
  cipherMilliseconds = 0
  /** Waiting for bucket keys: those that are open already cost nothing. */
  keyMilliseconds = 0
  key: KeyUsed | undefined
  /** Set by who traces. */
  trace: RequestTrace | undefined
}
