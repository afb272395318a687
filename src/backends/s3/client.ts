/** Signed requests to one store: addressing, credentials, regions, retries. What an answer means is the caller's business. */
import { type RetryPolicy, startAttempts, type Timing } from '../../attempts.ts'
import { Denied, Unavailable } from '../../errors.ts'
import { encodeComponent, encodePath } from '../../s3/auth/canonical-request.ts'
import { type SigningCredentials, signRequest } from '../../s3/auth/sign.ts'
import { type Body, HeldBody } from '../body.ts'
import type { ForwardResponse } from '../object-store.ts'
import type { StoreCredentials } from './credentials.ts'
import {
  type Failure,
  isStaleCredential,
  isTransient,
  mayBeReplaced,
  mayBeSkew,
  mayBeStale,
  nativeAnswer,
  readFailure,
  toError,
} from './errors.ts'
import { retryAfter } from './retry.ts'
import { type Transport, TransportError, type TransportResponse } from './transport.ts'
import { NO_BODY, type OutgoingBody } from './upload-body.ts'

export interface StoreCall {
  /** The operation, for the log. */
  readonly what: string
  readonly method: string
  readonly bucket?: string
  readonly key?: string
  readonly query?: readonly (readonly [name: string, value: string])[]
  /** Undecoded; in place of `query`. */
  readonly rawQuery?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent beside what is signed: whoever stands between may change them. */
  readonly unsigned?: Readonly<Record<string, string>>
  /** Called once for each attempt. */
  readonly body?: () => OutgoingBody
  /** The body can be begun again. One without a body always can. */
  readonly replayable?: boolean
  readonly signal?: AbortSignal | undefined
  /** The bucket is only being made: nobody owns it yet. */
  readonly unowned?: true
  /** Looks for a failure inside an answer whose status is none. */
  readonly examine?: (response: TransportResponse) => Promise<Failure | undefined>
}

export interface ClientParts {
  readonly endpoint: string
  readonly region: string
  readonly pathStyle: boolean
  /** The account that owns all buckets here: a bucket of anybody else is refused. */
  readonly bucketOwner?: string | undefined
  readonly transport: Transport
  readonly credentials: StoreCredentials
  readonly retry: RetryPolicy
  readonly timing: Timing
  /** Is told of each request, and of why it is sent anew if it is. */
  readonly onAttempt?: (attempt: Attempt) => void
}

export interface Attempt {
  readonly outcome: 'answered' | 'refused' | 'unanswered'
  readonly again?: 'unanswered' | 'transient' | Remedy
}

/** What about us has to change before the same request can succeed. */
type Remedy = 'credentials' | 'region' | 'clock'

const ERROR_BYTES = 1024 * 1024
const SKEW_MILLISECONDS = 60_000

/** What one attempt came to. */
type Outcome =
  | { readonly kind: 'answered'; readonly response: TransportResponse }
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'unanswered'; readonly error: TransportError }

/** What the attempts of one call have come to. */
interface Progress {
  /** A body that cannot be begun again was begun. */
  begun: boolean
  /** What the last attempt was signed with. */
  signedWith: SigningCredentials | undefined
}

/** What a store asks of its client. */
export type StoreRequests = Pick<StoreClient, 'send' | 'sendAndRead' | 'forward' | 'carrying' | 'close'>

export class StoreClient {
  readonly #parts: ClientParts
  /** Regions that the store named, by bucket. */
  readonly #regions = new Map<string, string>()
  /** Added to our clock, for a store whose clock differs. */
  #skew = 0

  constructor(parts: ClientParts) {
    this.#parts = parts
  }

  /** The answer with a status below 300. Throws what `toError` makes of any other, `Unavailable` without an answer, and what the body throws. */
  async send(call: StoreCall): Promise<TransportResponse> {
    const outcome = await this.#attempts(call)
    if (outcome.kind === 'answered') return outcome.response
    throw outcome.kind === 'failed' ? toError(call.what, outcome.failure) : unanswered(call.what, outcome.error)
  }

  /** The same, for a failure that may stand inside an answer: what `read` gives as one is treated as if it had come as a status. */
  async sendAndRead<T>(
    call: StoreCall,
    read: (response: TransportResponse) => Promise<{ readonly value: T } | { readonly failure: Failure }>,
  ): Promise<T> {
    const found: { value?: T } = {}
    const examine = async (response: TransportResponse): Promise<Failure | undefined> => {
      const outcome = await read(response)
      if ('failure' in outcome) return outcome.failure
      found.value = outcome.value
      return undefined
    }
    await this.send({ ...call, examine })
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `send` returns only after `examine` has set it
    return found.value as T
  }

  /** The answer whatever its status, after the retries and remedies that its status asks for. */
  async forward(call: StoreCall): Promise<ForwardResponse> {
    const outcome = await this.#attempts(call)
    if (outcome.kind === 'answered') return { ...outcome.response, body: unbroken(outcome.response.body) }
    if (outcome.kind === 'unanswered') throw unanswered(call.what, outcome.error)
    const { status, headers, document } = outcome.failure
    const error = toError(call.what, outcome.failure)
    // What the store refuses us, it does not refuse the client: its words are about our account.
    if (error instanceof Unavailable || error instanceof Denied) throw error
    return { status, headers, body: new HeldBody([document]), refused: nativeAnswer(outcome.failure) }
  }

  /** The same client, whose requests carry these headers too. */
  carrying(unsigned: Readonly<Record<string, string>>): StoreRequests {
    return {
      send: (call) => this.send({ ...call, unsigned }),
      sendAndRead: (call, read) => this.sendAndRead({ ...call, unsigned }, read),
      forward: (call) => this.forward({ ...call, unsigned }),
      carrying: (others) => this.carrying(others),
      close: () => this.close(),
    }
  }

  async close(): Promise<void> {
    await this.#parts.transport.close()
  }

  async #attempts(call: StoreCall): Promise<Outcome> {
    const { retry, timing, credentials } = this.#parts
    const attempts = startAttempts(retry, timing, call.signal)
    const mended = new Set<string>()
    const progress: Progress = { begun: false, signedWith: undefined }
    for (;;) {
      const outcome = await this.#attempt(call, progress)
      if (outcome.kind === 'answered') return this.#told(outcome)
      // Also for a body that is spent: the client's next request should not fail for the same cause.
      const remedy = outcome.kind === 'failed' ? await this.#remedy(call, outcome.failure, progress) : undefined
      if (remedy === 'credentials') credentials.forget(progress.signedWith)
      const repeatable = call.replayable === true || call.body === undefined || !progress.begun
      if (!repeatable) return this.#told(outcome)
      if (remedy !== undefined && !mended.has(remedy)) {
        // A cause that we can mend ourselves: once, and at once.
        mended.add(remedy)
        this.#told(outcome, remedy)
        continue
      }
      if (outcome.kind === 'failed' && !isTransient(outcome.failure)) return this.#told(outcome)
      const asked = outcome.kind === 'failed' ? outcome.failure.headers['retry-after'] : undefined
      if (!(await attempts.again(retryAfter(asked, timing.now())))) return this.#told(outcome)
      this.#told(outcome, outcome.kind === 'failed' ? 'transient' : 'unanswered')
    }
  }

  #told(outcome: Outcome, again?: Attempt['again']): Outcome {
    const kind = outcome.kind === 'failed' ? 'refused' : outcome.kind
    this.#parts.onAttempt?.({ outcome: kind, ...(again === undefined ? {} : { again }) })
    return outcome
  }

  /** Learns regions and the store's clock on the way. */
  async #remedy({ bucket }: StoreCall, failure: Failure, { signedWith }: Progress): Promise<Remedy | undefined> {
    if (isStaleCredential(failure)) return 'credentials'
    if (mayBeSkew(failure, this.#parts.timing.now() + this.#skew)) {
      const theirs = Date.parse(failure.headers['date'] ?? '')
      if (Number.isNaN(theirs)) return undefined
      const skew = theirs - this.#parts.timing.now()
      if (Math.abs(skew - this.#skew) < SKEW_MILLISECONDS) return undefined
      this.#skew = skew
      return 'clock'
    }
    // It becomes part of an address.
    const region = /^[a-z0-9-]{1,63}$/.test(failure.region ?? '') ? failure.region : undefined
    const elsewhere = [301, 307, 400, 403].includes(failure.status) && region !== undefined && bucket !== undefined
    if (!elsewhere || region === this.#regionOf(bucket)) {
      const replaced = mayBeReplaced(failure) && (await this.#parts.credentials.replace(signedWith))
      return replaced || mayBeStale(failure) ? 'credentials' : undefined
    }
    this.#regions.set(bucket, region)
    return 'region'
  }

  #regionOf(bucket: string | undefined): string {
    return (bucket === undefined ? undefined : this.#regions.get(bucket)) ?? this.#parts.region
  }

  async #attempt(call: StoreCall, progress: Progress): Promise<Outcome> {
    const outcome = await this.#once(call, progress)
    if (outcome.kind !== 'answered') {
      progress.begun ||= outcome.kind === 'failed' || outcome.error.begun
      return outcome
    }
    const { response } = outcome
    progress.begun = true
    if (response.status < 300) return this.#examined(call, outcome)
    const bytes = await readBounded(response).catch(() => Buffer.alloc(0))
    return { kind: 'failed', failure: readFailure(call.method, response, bytes) }
  }

  async #examined(call: StoreCall, outcome: Extract<Outcome, { kind: 'answered' }>): Promise<Outcome> {
    try {
      const failure = await call.examine?.(outcome.response)
      return failure === undefined ? outcome : { kind: 'failed', failure }
    } catch (error) {
      // An answer that breaks off tells as little as none.
      if (error instanceof Unavailable) return { kind: 'unanswered', error: new TransportError(error, true) }
      throw error
    }
  }

  async #once(call: StoreCall, progress: Progress): Promise<Outcome> {
    const { transport, timing } = this.#parts
    const credentials = await this.#parts.credentials.get()
    progress.signedWith = credentials
    const outgoing = call.body?.() ?? NO_BODY
    const { origin, path } = this.#address(call)
    const region = this.#regionOf(call.bucket)
    const headers = signRequest({
      method: call.method,
      url: `${origin}${path}`,
      headers: { ...call.headers, ...outgoing.headers, ...this.#owner(call) },
      credentials,
      region,
      now: new Date(timing.now() + this.#skew),
      payloadHash: outgoing.payloadHash,
    })
    try {
      const response = await transport.send({
        method: call.method,
        origin,
        path,
        headers: call.unsigned === undefined ? headers : { ...headers, ...call.unsigned },
        ...(outgoing.body === undefined ? {} : { body: outgoing.body }),
        signal: call.signal,
        handedOn: call.examine === undefined,
      })
      return { kind: 'answered', response }
    } catch (error) {
      if (error instanceof TransportError) return { kind: 'unanswered', error }
      throw error
    }
  }

  #owner({ bucket, unowned, headers = {} }: StoreCall): Record<string, string> {
    const { bucketOwner } = this.#parts
    if (bucketOwner === undefined || bucket === undefined || unowned === true) return {}
    return {
      'x-amz-expected-bucket-owner': bucketOwner,
      ...('x-amz-copy-source' in headers ? { 'x-amz-source-expected-bucket-owner': bucketOwner } : {}),
    }
  }

  #address({ bucket, key, query = [], rawQuery }: StoreCall): { origin: string; path: string } {
    const { pathStyle, region } = this.#parts
    // The addresses of AWS name their region, and answer for no other.
    const endpoint = this.#parts.endpoint.replace(
      `.${region}.amazonaws.com`,
      `.${this.#regionOf(bucket)}.amazonaws.com`,
    )
    const hosted = bucket !== undefined && !pathStyle && !bucket.includes('.')
    const inPath = bucket === undefined || hosted ? '/' : `/${bucket}${key === undefined ? '' : '/'}`
    const text =
      rawQuery ?? query.map(([name, value]) => `${encodeComponent(name)}=${encodeComponent(value)}`).join('&')
    return {
      origin: hosted ? endpoint.replace('://', `://${bucket}.`) : endpoint,
      path: `${inPath}${key === undefined ? '' : encodePath(key)}${text === '' ? '' : `?${text}`}`,
    }
  }
}

function unanswered(what: string, error: TransportError): Unavailable {
  return new Unavailable(`${what}: the store gave no answer`, { cause: error.cause })
}

/** A small answer whole. Throws `Unavailable` for one that is not small. */
export async function readBounded({ body }: { readonly body: Body }, limit = ERROR_BYTES): Promise<Buffer> {
  const pieces: Buffer[] = []
  let bytes = 0
  try {
    for await (const batch of body) {
      for (const piece of batch) bytes += piece.length
      if (bytes > limit) throw new Unavailable(`the store sent a document of more than ${limit} bytes`)
      pieces.push(...batch)
    }
  } catch (error) {
    if (error instanceof TransportError) throw new Unavailable('the answer of the store broke off', { cause: error })
    throw error
  }
  return Buffer.concat(pieces)
}

/** A body that breaks off, or has another length than was promised, is the store's failure. */
export function unbroken(body: Body, length?: number): Body {
  return { [Symbol.asyncIterator]: () => new Unbroken(body[Symbol.asyncIterator](), length) }
}

class Unbroken implements AsyncIterator<readonly Buffer[]> {
  readonly #source: AsyncIterator<readonly Buffer[]>
  readonly #length: number | undefined
  #bytes = 0

  constructor(source: AsyncIterator<readonly Buffer[]>, length: number | undefined) {
    this.#source = source
    this.#length = length
  }

  async next(): Promise<IteratorResult<readonly Buffer[]>> {
    const step = await this.#source.next().catch(asUnavailable)
    const length = this.#length
    if (step.done === true) {
      if (length === undefined || this.#bytes >= length) return step
      throw new Unavailable('the store sent less of an object than it said')
    }
    for (const piece of step.value) this.#bytes += piece.length
    if (length === undefined || this.#bytes <= length) return step
    await this.return()
    throw new Unavailable('the store sent more of an object than it said')
  }

  async return(): Promise<IteratorResult<readonly Buffer[]>> {
    await this.#source.return?.()
    return { done: true, value: undefined }
  }
}

function asUnavailable(error: unknown): never {
  if (error instanceof TransportError) throw new Unavailable('the store broke off an object', { cause: error.cause })
  throw error
}
