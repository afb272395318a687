import type { KeyCallEvent, KeyWaitEvent, StoreCallEvent } from '../channels.ts'
import type { RequestTrace } from '../meter.ts'
import { type ParentContext, traceHeaders } from './trace-context.ts'

/** Calls of a key manager, as this process saw them end. */
export interface SeenKeyCall extends KeyCallEvent {
  /** In the time of `performance.now()`. */
  readonly ended: number
}

/** What is gathered of one request on its way. */
export class FollowedRequest implements RequestTrace {
  readonly traceId: string
  readonly spanId: string
  readonly sampled: boolean
  readonly parent: ParentContext | undefined
  readonly begun = performance.now()
  readonly storeCalls: StoreCallEvent[] = []
  readonly keyWaits: KeyWaitEvent[] = []
  /** More than are kept. */
  untold = 0
  readonly carry: RequestTrace['carry']

  constructor(
    parent: ParentContext | undefined,
    sampled: boolean,
    { random, propagate }: { readonly random: (bytes: number) => Buffer; readonly propagate: boolean },
  ) {
    const ids = random(24).toString('hex')
    this.traceId = parent?.traceId ?? ids.slice(0, 32)
    this.spanId = ids.slice(32)
    this.sampled = sampled
    this.parent = parent
    this.carry = propagate
      ? () => {
          const spanId = random(8).toString('hex')
          return { spanId, headers: traceHeaders({ traceId: this.traceId, sampled, state: parent?.state }, spanId) }
        }
      : undefined
  }

  keep<T>(list: T[], most: number, one: T): void {
    if (list.length < most) list.push(one)
    else this.untold += 1
  }
}
