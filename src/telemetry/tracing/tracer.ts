/**
 * Decides which requests are traced, follows those, and makes their spans when they end. A request that is not traced costs
 * one decision.
 */
import { keyCall, keyWait, requestBegun, requestDone, storeCall } from '../channels.ts'
import type { RequestTrace } from '../meter.ts'
import type { SpanQueue } from './span-queue.ts'
import { FollowedRequest, type SeenKeyCall } from './followed-request.ts'
import { spansOf, type SpanFacts } from './request-spans.ts'
import { parentOf } from './trace-context.ts'

export interface TracerOptions {
  readonly queue: Pick<SpanQueue, 'add'>
  readonly facts: SpanFacts
  /** From 0 to 1; asked for each request. */
  readonly sampleRatio: () => number
  /** Whether a client may say which trace its request belongs to, and whether it is sampled. */
  readonly trustParent: boolean
  /** Whether stores are told. */
  readonly propagate: boolean
  /** Cryptographic. */
  readonly random: (bytes: number) => Buffer
  /** From 0 up to 1; whom it picks need not be a secret. */
  readonly chance: () => number
}

const MOST_STORE_CALLS = 64
const MOST_KEY_WAITS = 16
const RECENT_KEY_CALLS = 64

/** Begins; returns the function that stops it. */
export function trace(options: TracerOptions): () => void {
  const { queue, facts, sampleRatio, trustParent, propagate, chance, random } = options
  const recent: SeenKeyCall[] = []
  const followed = (of: { readonly trace: RequestTrace | undefined }): FollowedRequest | undefined =>
    of.trace instanceof FollowedRequest && of.trace.sampled ? of.trace : undefined
  const stops = [
    requestBegun.subscribe(({ meter, header }) => {
      const parent = trustParent ? parentOf(header('traceparent'), () => header('tracestate')) : undefined
      const sampled = parent?.sampled ?? chance() < sampleRatio()
      if (sampled || propagate) meter.trace = new FollowedRequest(parent, sampled, { random, propagate })
    }),
    storeCall.subscribe((call) => {
      const request = followed(call.meter)
      request?.keep(request.storeCalls, MOST_STORE_CALLS, call)
    }),
    keyWait.subscribe((wait) => {
      const request = followed(wait.meter)
      request?.keep(request.keyWaits, MOST_KEY_WAITS, wait)
    }),
    keyCall.subscribe((call) => {
      recent.push({ ...call, ended: performance.now() })
      if (recent.length > RECENT_KEY_CALLS) recent.shift()
    }),
    requestDone.subscribe((event) => {
      const request = followed(event.meter)
      if (request !== undefined) queue.add(spansOf(event, request, { recent, random, facts }))
    }),
  ]
  return () => {
    for (const stop of stops) stop()
  }
}
