/** A store as one request sees it: what it costs is added to the request's meter, and told (`storeCall`). */
import { Unavailable } from '../errors.ts'
import { type StoreCallEvent, storeCall } from '../telemetry/channels.ts'
import type { Meter } from '../telemetry/meter.ts'
import { type Body, HeldBody } from './body.ts'
import {
  type ForwardRequest,
  type ForwardResponse,
  type GetResult,
  type ObjectStore,
  StoreError,
} from './object-store.ts'

/** Methods whose arguments and results have no body. */
const PLAIN = [
  'listBuckets',
  'createBucket',
  'headBucket',
  'deleteBucket',
  'head',
  'delete',
  'deleteMany',
  'updateBucket',
  'attributesOf',
  'changeAttributes',
  'listVersions',
  'copy',
  'list',
  'createUpload',
  'listParts',
  'completeUpload',
  'abortUpload',
  'listUploads',
] as const satisfies readonly (keyof ObjectStore)[]

type Method = (...args: unknown[]) => Promise<unknown>
type Forward = (request: ForwardRequest) => Promise<ForwardResponse>

/** What makes views of a store, each with a meter of its own. A view can what the store can; to close it is to close the store. */
export function instrumented(store: ObjectStore, role: StoreCallEvent['store']): (meter: Meter) => ObjectStore {
  class View {
    readonly #meter: Meter

    constructor(meter: Meter) {
      this.#meter = meter
    }

    get name(): string {
      return store.name
    }

    get capabilities(): ObjectStore['capabilities'] {
      return store.capabilities
    }

    get documents(): ObjectStore['documents'] {
      return store.documents
    }

    health(): Promise<void> {
      return store.health()
    }

    close(): Promise<void> {
      return store.close()
    }

    async get(...[bucket, key, options]: Parameters<ObjectStore['get']>): Promise<GetResult> {
      const result = await this.follow('get', (target) => target.get(bucket, key, options))
      return { ...result, body: new Received(result.body, this.#meter) }
    }

    put(...[bucket, key, body, options]: Parameters<ObjectStore['put']>): ReturnType<ObjectStore['put']> {
      const sent = new Sent(body, this.#meter)
      return this.follow('put', (target) => target.put(bucket, key, sent.body, options), sent)
    }

    putPart(
      ...[upload, number, body, options]: Parameters<ObjectStore['putPart']>
    ): ReturnType<ObjectStore['putPart']> {
      const sent = new Sent(body, this.#meter)
      return this.follow('putPart', (target) => target.putPart(upload, number, sent.body, options), sent)
    }

    async forwarded(request: ForwardRequest, forward: Forward): Promise<ForwardResponse> {
      this.#meter.storeWrittenBytes += request.body.length
      const response = await this.follow('forward', (target) => target.forward?.(request) ?? forward(request))
      return { ...response, body: new Received(response.body, this.#meter) }
    }

    /** Runs one call, and tells of it. */
    follow<T>(call: string, run: (target: ObjectStore) => Promise<T>, sent?: Sent): Promise<T> {
      return followed({ store, role, meter: this.#meter, call, sent }, run)
    }
  }
  Object.assign(View.prototype, plainMethods(store), forwardMethod(store))
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the other methods were put into its prototype
  return (meter) => new View(meter) as unknown as ObjectStore
}

interface Followed {
  readonly store: ObjectStore
  readonly role: StoreCallEvent['store']
  readonly meter: Meter
  readonly call: string
  readonly sent: Sent | undefined
}

async function followed<T>(
  { store, role, meter, call, sent }: Followed,
  run: (target: ObjectStore) => Promise<T>,
): Promise<T> {
  const carried = meter.trace?.carry?.()
  const begun = performance.now()
  let outcome: StoreCallEvent['outcome'] = 'ok'
  try {
    return await run(carried === undefined ? store : (store.carrying?.(carried.headers) ?? store))
  } catch (error) {
    outcome = outcomeOf(error)
    throw error
  } finally {
    // While it waits for our bytes the store is not what takes time.
    const milliseconds = performance.now() - begun - (sent?.waited ?? 0)
    meter.storeCalls += 1
    meter.storeMilliseconds += milliseconds
    if (storeCall.heard) {
      const span = carried === undefined ? {} : { spanId: carried.spanId }
      storeCall.publish({ store: role, call, outcome, begun, milliseconds, meter, ...span })
    }
  }
}

/** Of which the methods below are part. */
interface Following {
  follow<T>(call: string, run: (target: ObjectStore) => Promise<T>): Promise<T>
  forwarded(request: ForwardRequest, forward: Forward): Promise<ForwardResponse>
}

function plainMethods(store: ObjectStore): Record<string, Method> {
  const methods: Record<string, Method> = {}
  for (const name of PLAIN) {
    if (store[name] === undefined) continue
    methods[name] = function (this: Following, ...args: unknown[]) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- arguments and result are handed on as they are
      return this.follow(name, (target) => (target[name] as Method)(...args))
    }
  }
  return methods
}

function forwardMethod(store: ObjectStore): Pick<ObjectStore, 'forward'> {
  const forward = store.forward?.bind(store)
  if (forward === undefined) return {}
  return {
    forward(this: Following, request: ForwardRequest) {
      return this.forwarded(request, forward)
    },
  }
}

function outcomeOf(error: unknown): StoreCallEvent['outcome'] {
  if (error instanceof StoreError) return 'refused'
  return error instanceof Unavailable ? 'unavailable' : 'failed'
}

/** A body on its way to the store. */
class Sent {
  readonly body: Body
  /** Milliseconds that the store has waited for it. */
  waited = 0
  readonly #body: Body
  readonly #meter: Meter

  constructor(body: Body, meter: Meter) {
    this.#body = body
    this.#meter = meter
    // One that is in memory is handed on as it is: nobody waits for it.
    if (body instanceof HeldBody) {
      meter.storeWrittenBytes += body.length
      this.body = body
    } else {
      const replayable = body.replayable === true ? { replayable: true as const } : {}
      this.body = { ...replayable, [Symbol.asyncIterator]: () => this.#pieces() }
    }
  }

  #pieces(): AsyncIterator<readonly Buffer[]> {
    const inner = this.#body[Symbol.asyncIterator]()
    return {
      next: async () => {
        const begun = performance.now()
        const step = await inner.next()
        this.waited += performance.now() - begun
        if (step.done !== true) this.#meter.storeWrittenBytes += bytesOf(step.value)
        return step
      },
      return: async () => (await inner.return?.()) ?? ENDED,
    }
  }
}

/** A body that comes from the store. To leave it is to leave that one, begun or not. */
class Received implements Body {
  readonly #body: Body
  readonly #meter: Meter

  constructor(body: Body, meter: Meter) {
    this.#body = body
    this.#meter = meter
  }

  [Symbol.asyncIterator](): AsyncIterator<readonly Buffer[]> {
    const inner = this.#body[Symbol.asyncIterator]()
    const meter = this.#meter
    return {
      next: async () => {
        const begun = performance.now()
        const step = await inner.next()
        meter.storeMilliseconds += performance.now() - begun
        if (step.done !== true) meter.storeReadBytes += bytesOf(step.value)
        return step
      },
      return: async () => (await inner.return?.()) ?? ENDED,
    }
  }
}

const ENDED = { done: true, value: undefined } as const

function bytesOf(batch: readonly Buffer[]): number {
  let bytes = 0
  for (const piece of batch) bytes += piece.length
  return bytes
}
