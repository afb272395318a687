/** The run that wraps the bucket keys of the keyring anew: one at a time, behind the answer that has begun it. */
import { type RewrapReport, rewrapKeyring } from '../jobs/rewrap-keyring.ts'
import { alarm, audit, jobSeen } from '../telemetry/channels.ts'
import type { AdminCaller } from './call.ts'
import { AdminRefusal } from './refusal.ts'
import type { AdminParts } from './parts.ts'

export interface RewrapRequest {
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly dryRun: boolean
}

/** How it is, or how it ended. */
export interface RewrapState extends RewrapRequest {
  /** `done`: it has seen everything; keys that failed are as they were. `failed`: it broke off. */
  readonly state: 'running' | 'done' | 'failed' | 'aborted'
  readonly startedBy: string
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly endedAt?: number
  readonly counts: Omit<RewrapReport, 'examined'>
}

type RewrapParts = Pick<AdminParts, 'keyring' | 'managers' | 'clock'>

const OPERATION = 'rewrapKeyring'

export class RewrapRun {
  readonly #parts: RewrapParts
  #state: RewrapState | undefined
  #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()

  constructor(parts: RewrapParts) {
    this.#parts = parts
  }

  /** `undefined` if there was none since the process started. */
  get state(): RewrapState | undefined {
    return this.#state
  }

  /** Begins. Throws `AdminRefusal` if one runs, or if there is no such key manager. */
  start(request: RewrapRequest, caller: AdminCaller): RewrapState {
    const { managers, clock } = this.#parts
    if (this.#state?.state === 'running')
      throw new AdminRefusal('Conflict', 'It runs already; GET tells how far it is.')
    for (const alias of [request.from, request.to]) {
      if (alias === undefined || managers.has(alias)) continue
      throw new AdminRefusal(
        'BadRequest',
        `There is no such key manager; there is: ${[...managers.keys()].join(', ')}.`,
      )
    }
    const counts = { rewrapped: 0, changed: 0, failed: 0, unreadable: 0 }
    const state = { ...request, state: 'running', startedBy: caller.who, startedAt: clock(), counts } as const
    this.#state = state
    this.#stop = new AbortController()
    this.#running = this.#run(state, caller)
    return state
  }

  /** Ends it after the keys that it is at. Throws `AdminRefusal` if none runs. */
  async abort(): Promise<RewrapState> {
    if (this.#state?.state !== 'running') throw new AdminRefusal('Conflict', 'It does not run.')
    this.#stop.abort()
    await this.#running
    return this.#state
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(begun: RewrapState, caller: AdminCaller): Promise<void> {
    const { from, to, dryRun } = begun
    const { signal } = this.#stop
    const counts = { ...begun.counts }
    const tell = (running: number): void =>
      jobSeen.publish({ job: 'rewrap-keyring', running, begun: begun.startedAt, bytes: 0, counts: { ...counts } })
    tell(1)
    const end = (state: RewrapState['state']): void => {
      this.#state = { ...begun, state, counts, endedAt: this.#parts.clock() }
      const result = state === 'done' && counts.failed === 0 ? 'done' : 'failed'
      tell(0)
      audit.publish({ ...caller, what: OPERATION, target: targetOf(begun), result, detail: { state, ...counts } })
    }
    let why: unknown
    try {
      const done = await rewrapKeyring(this.#parts, {
        from,
        to,
        dryRun,
        signal,
        onRecord: ({ outcome, cause }) => {
          counts[outcome] += 1
          why ??= cause
          this.#state = { ...begun, counts: { ...counts } }
          tell(1)
        },
      })
      counts.unreadable = done.unreadable
      end('done')
    } catch (cause) {
      why ??= signal.aborted ? undefined : cause
      end(signal.aborted ? 'aborted' : 'failed')
    }
    if (why !== undefined) {
      alarm.publish({ what: 'could not wrap all bucket keys anew', detail: { failed: counts.failed }, cause: why })
    }
  }
}

/** As the audit says it. */
export function targetOf({ from, to, dryRun }: RewrapRequest): string {
  return `keys of ${from ?? 'all'}, by ${to ?? 'their own'}${dryRun ? ', dry run' : ''}`
}
