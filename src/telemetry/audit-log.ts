/**
 * The audit log: who has done what, reads included, as chains of lines in files, and from there to sinks. By the policy `block` a request
 * waits until its line is on the disk and fails if that cannot be; by `drop` it never waits.
 */
import { Unavailable } from '../errors.ts'
import { ChainWriter } from './audit-log/chain-writer.ts'
import { adminRecord, isRead, requestRecord, succeeded } from './audit-log/records.ts'
import { type Sink, SinkFeed } from './audit-log/sink-feed.ts'
import {
  alarm,
  audit,
  type AuditEvent,
  linesLost,
  passage,
  type PassageEvent,
  requestDone,
  type RequestEvent,
} from './channels.ts'
import type { OpenLines } from './line-file.ts'

export interface AuditLogOptions {
  readonly folder: string
  /** Tells this process from all others that write there, and stays the same from start to start. */
  readonly chain: string
  readonly policy: 'block' | 'drop'
  readonly reads: boolean
  readonly rotateAt: number
  readonly sinks: readonly Sink[]
  /** Bytes that a sink may be behind. */
  readonly buffer: number
  readonly clock: () => number
  readonly open?: OpenLines
}

/** Begins to write. Resolves to what ends it: all lines are written then, and to sinks that answer also sent. */
export async function writeAuditLog(options: AuditLogOptions): Promise<() => Promise<void>> {
  const log = new AuditLog(options)
  await log.start()
  return () => log.close()
}

const FILE = 'file'

class AuditLog {
  readonly #options: AuditLogOptions
  readonly #writer: ChainWriter
  readonly #feeds: readonly SinkFeed[]
  /** Requests whose line was written before their answer, by their meters, and how they were to end. */
  readonly #told = new WeakMap<object, Pick<RequestEvent, 'status' | 'code'>>()
  #stops: readonly (() => void)[] = []

  constructor(options: AuditLogOptions) {
    const { folder, chain, rotateAt, policy, clock, sinks, buffer, open } = options
    this.#options = options
    this.#writer = new ChainWriter({
      folder,
      chain,
      rotateAt,
      strict: policy === 'block',
      clock,
      onLost: (lines) => linesLost.publish({ log: 'audit', sink: FILE, lines }),
      onTrouble: (cause) => alarm.publish({ what: 'the audit log cannot be written', detail: { path: folder }, cause }),
      onWritten: () => {
        for (const feed of this.#feeds) feed.wake()
      },
      ...(open === undefined ? {} : { open }),
    })
    const position = (): ChainWriter['position'] => this.#writer.position
    this.#feeds = sinks.map((sink) => new SinkFeed({ folder, chain, sink, buffer, position, skips: policy === 'drop' }))
  }

  async start(): Promise<void> {
    await this.#writer.start()
    for (const feed of this.#feeds) await feed.start()
    const block = this.#options.policy === 'block'
    this.#stops = [
      requestDone.subscribe((event) => this.#end(event)),
      audit.subscribe((event) => this.#admin(event)),
      ...(block ? [passage.subscribe((event) => this.#hold(event))] : []),
    ]
  }

  async close(): Promise<void> {
    for (const stop of this.#stops) stop()
    await this.#writer.close()
    await Promise.all(this.#feeds.map((feed) => feed.close()))
  }

  #hold({ request, holdFor }: PassageEvent): void {
    if (request === undefined) {
      // Nothing is done that could not be told of.
      const why = this.#closed()
      if (why !== undefined) holdFor(Promise.reject(new Unavailable(why, { retryAfter: 1_000 })))
      return
    }
    if (!this.#wants(request)) return
    const { meter, status, code } = request
    this.#told.set(meter, { status, ...(code === undefined ? {} : { code }) })
    holdFor(this.#writer.append(requestRecord(request, false)))
  }

  #closed(): string | undefined {
    if (this.#writer.failing) return 'the audit log cannot be written'
    const behind = this.#feeds.find((feed) => feed.isFull)
    return behind === undefined ? undefined : `the audit log waits for its sink ${behind.name}`
  }

  #end(event: RequestEvent): void {
    if (!this.#wants(event)) return
    const told = this.#told.get(event.meter)
    // It has ended as was told.
    if (told !== undefined && !event.disconnected && told.status === event.status && told.code === event.code) return
    void this.#writer.append(requestRecord(event, true))
  }

  #wants = (event: RequestEvent): boolean => this.#options.reads || !isRead(event) || !succeeded(event)

  #admin(event: AuditEvent): void {
    const written = this.#writer.append(adminRecord(event, this.#options.clock()))
    if (this.#options.policy === 'block') event.holdFor?.(written)
  }
}
