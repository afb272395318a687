/** A few connections to one server, and who waits for one. */
import type { KmipConnection } from './connection.ts'
import { KmipFault } from './fault.ts'

export interface PoolParts {
  /** Connections at most. */
  readonly connections: number
  readonly open: (signal: AbortSignal) => Promise<KmipConnection>
}

/** Requests that wait for a connection. */
const MOST_WAITING = 256
/** Firewalls forget idle connections without a word; a request that finds out waits for nothing. */
const IDLE_MILLISECONDS = 30_000

interface Waiting {
  readonly begin: () => void
  readonly give: (fault: KmipFault) => void
}

export class KmipPool {
  readonly #parts: PoolParts
  readonly #idle = new Map<KmipConnection, NodeJS.Timeout>()
  readonly #busy = new Set<KmipConnection>()
  readonly #waiting: Waiting[] = []
  #free: number
  #closed = false

  constructor(parts: PoolParts) {
    this.#parts = parts
    this.#free = parts.connections
  }

  /**
   * One request and its answer. `render` makes the request, which is wiped. A connection that was idle and turns out to be gone is replaced, once:
   * no request that is made here does anything that lasts. Throws `KmipFault`.
   */
  async exchange(render: () => Buffer, signal: AbortSignal): Promise<Buffer> {
    await this.#turn(signal)
    try {
      const idle = this.#takeIdle()
      if (idle === undefined) return await this.#over(await this.#fresh(signal), render(), signal)
      try {
        return await this.#over(idle, render(), signal)
      } catch (error) {
        if (!(error instanceof KmipFault && error.is('lost') && idle.unanswered)) throw error
        return await this.#over(await this.#fresh(signal), render(), signal)
      }
    } finally {
      this.#pass()
    }
  }

  /** What is under way fails, as does whatever comes. */
  close(): void {
    this.#closed = true
    for (const waiting of this.#waiting.splice(0)) waiting.give(new KmipFault({ reason: 'closed' }))
    for (const connection of [...this.#idle.keys(), ...this.#busy]) connection.close()
    for (const timer of this.#idle.values()) clearTimeout(timer)
    this.#idle.clear()
  }

  async #turn(signal: AbortSignal): Promise<void> {
    if (this.#closed) throw new KmipFault({ reason: 'closed' })
    if (this.#free === 0) return this.#queue(signal)
    this.#free -= 1
  }

  /** A turn that has ended is the next one's, who waits for it. */
  #pass(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free += 1
    else next.begin()
  }

  #queue(signal: AbortSignal): Promise<void> {
    if (this.#waiting.length >= MOST_WAITING) throw new KmipFault({ reason: 'busy' })
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
        reject(new KmipFault({ reason: 'silent' }))
      }
      const done = (): void => signal.removeEventListener('abort', leave)
      const waiting: Waiting = {
        begin: () => {
          done()
          resolve()
        },
        give: (fault) => {
          done()
          reject(fault)
        },
      }
      if (signal.aborted) throw new KmipFault({ reason: 'silent' })
      this.#waiting.push(waiting)
      signal.addEventListener('abort', leave)
    })
  }

  #takeIdle(): KmipConnection | undefined {
    for (const [connection, timer] of this.#idle) {
      clearTimeout(timer)
      this.#idle.delete(connection)
      if (!connection.ended) return connection
    }
    return undefined
  }

  async #fresh(signal: AbortSignal): Promise<KmipConnection> {
    const connection = await this.#parts.open(signal)
    if (!this.#closed) return connection
    connection.close()
    throw new KmipFault({ reason: 'closed' })
  }

  async #over(connection: KmipConnection, request: Buffer, signal: AbortSignal): Promise<Buffer> {
    this.#busy.add(connection)
    try {
      return await connection.exchange(request, signal)
    } finally {
      this.#busy.delete(connection)
      if (!connection.ended) this.#keep(connection)
    }
  }

  #keep(connection: KmipConnection): void {
    if (this.#closed) return connection.close()
    const timer = setTimeout(() => {
      this.#idle.delete(connection)
      connection.close()
    }, IDLE_MILLISECONDS).unref()
    this.#idle.set(connection, timer)
  }
}
