/** Threads with a session each, and who waits for one. */
import { Unavailable } from '../../errors.ts'
import { ownCopy, type SecretBytes, takeSecret } from '../../secret-bytes.ts'
import { isLost, isRefusedPin, pkcs11Failure, refusedPin } from './errors.ts'
import { type Library, libraryOf } from './library.ts'
import { type Ask, type Bytes, type ThreadSettings, TokenFault, type Value } from './messages.ts'
import { TokenThread } from './thread.ts'

export interface PoolParts {
  readonly alias: string
  /** What a thread runs: `worker.ts`, in whatever form this installation has it. */
  readonly worker: URL
  readonly settings: ThreadSettings
  readonly pin: string
  /** Threads at most, and as many again that are given up and have not ended. */
  readonly sessions: number
  /** Milliseconds for one call, whatever it does to get a session. */
  readonly timeout: number
}

/** Calls that wait for a session. */
const MOST_WAITING = 256

interface Task {
  /** Makes the question, each time of fresh bytes: they are handed over. */
  readonly make: () => Ask
  readonly resolve: (value: Value) => void
  readonly reject: (error: unknown) => void
  readonly timer: NodeJS.Timeout
  over: boolean
}

export class TokenPool {
  readonly #parts: PoolParts
  readonly #library: Library
  readonly #pin: SecretBytes
  readonly #threads = new Set<TokenThread>()
  readonly #idle: TokenThread[] = []
  readonly #waiting: Task[] = []
  readonly #serving = new Set<Promise<void>>()
  /** Threads that were given up and have not ended. */
  #stuck = 0
  /** Whether there was a session with all keys before. */
  #worked = false
  #pinRefusal: Error | undefined
  /** That of a login whose end nobody has heard: the PIN may have been refused. */
  #unheard: TokenThread | undefined
  #closed = false

  constructor(parts: PoolParts) {
    this.#parts = parts
    this.#library = libraryOf(parts.settings.module)
    this.#pin = takeSecret(Buffer.from(parts.pin))
  }

  /** Throws inner errors. */
  run(make: () => Ask): Promise<Value> {
    const { alias, timeout } = this.#parts
    if (this.#closed) return Promise.reject(new Unavailable(`key manager ${alias} is closed`))
    if (this.#waiting.length >= MOST_WAITING) {
      return Promise.reject(new Unavailable(`PKCS#11, key manager ${alias}: too many calls wait for the token`))
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#refuse(task, new TokenFault({ reason: 'silent' })), timeout)
      const task: Task = { make, resolve, reject, timer, over: false }
      this.#waiting.push(task)
      this.#serveWaiting()
    })
  }

  /** What runs comes to its end first; what waits is refused. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const task of this.#waiting.splice(0)) this.#refuse(task, new TokenFault({ reason: 'silent' }))
    while (this.#serving.size > 0) await Promise.all(this.#serving)
    await this.#library.inTurn(async () => {
      for (const thread of this.#threads) await this.#closeThread(thread)
    })
    this.#pin.dispose()
  }

  #serveWaiting(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#idle.pop() ?? this.#newThread()
      const task = thread === undefined ? undefined : this.#waiting.shift()
      if (thread === undefined || task === undefined) break
      const served = this.#serve(thread, task).finally(() => {
        this.#serving.delete(served)
        this.#serveWaiting()
      })
      this.#serving.add(served)
    }
    // Nobody is there who could ever serve them, before one that hangs has ended.
    if (this.#threads.size > 0) return
    for (const task of this.#waiting.splice(0)) this.#refuse(task, new TokenFault({ reason: 'silent' }))
  }

  #newThread(): TokenThread | undefined {
    const { sessions, worker, settings } = this.#parts
    if (this.#threads.size >= sessions || this.#threads.size + this.#stuck >= 2 * sessions) return undefined
    const thread = new TokenThread(worker, settings)
    this.#threads.add(thread)
    this.#library.add(thread)
    return thread
  }

  async #serve(thread: TokenThread, task: Task): Promise<void> {
    const watch = setTimeout(() => this.#giveUp(thread), this.#parts.timeout)
    try {
      const value = await this.#perform(thread, task.make)
      // Whoever asked has been told that it took too long.
      if (task.over && value instanceof Uint8Array) value.fill(0)
      this.#end(task)
      task.resolve(value)
    } catch (error) {
      this.#refuse(task, error)
    } finally {
      clearTimeout(watch)
      if (thread.over) this.#forget(thread)
      else this.#idle.push(thread)
    }
  }

  async #perform(thread: TokenThread, make: () => Ask): Promise<Value> {
    if (!thread.connected) await this.#connect(thread)
    try {
      return await thread.ask(make())
    } catch (error) {
      if (!(error instanceof TokenFault) || !isLost(error)) throw error
    }
    // Once, as after a token that was taken out and is back.
    thread.connected = false
    await this.#connect(thread)
    return thread.ask(make())
  }

  #connect(thread: TokenThread): Promise<void> {
    return this.#library.inTurn(async () => {
      if (this.#pinRefusal !== undefined) throw this.#pinRefusal
      try {
        await this.#open(thread)
      } catch (error) {
        if (!(error instanceof TokenFault) || !isLost(error)) throw error
        // Libraries that have lost their device often find it again only from the beginning.
        if (!this.#mayReset(thread)) throw this.#worked ? new TokenFault({ reason: 'no token' }) : error
        this.#library.disconnectAll()
        await thread.ask({ op: 'reset' })
        await this.#open(thread)
      }
      thread.connected = true
      this.#worked = true
    })
  }

  /** A mistake in the settings of one manager does not end the sessions of another again and again. */
  #mayReset(thread: TokenThread): boolean {
    return this.#library.isLast(thread) || (this.#worked && this.#library.quietBut(thread))
  }

  async #open(thread: TokenThread): Promise<void> {
    const wanted = await thread.ask({ op: 'open' })
    if (wanted !== undefined) await this.#login(thread, wanted)
    this.#unheard = undefined
  }

  async #login(thread: TokenThread, wanted: Value): Promise<void> {
    const silent = new TokenFault({ reason: 'silent' })
    if (this.#unheard !== undefined) {
      if (this.#library.isStuck(this.#unheard)) throw silent
      if (wanted !== 'pin') throw this.#refusePin(silent)
    }
    try {
      await thread.ask({ op: 'login', pin: bytesOf(this.#pin) })
    } catch (error) {
      if (!(error instanceof TokenFault)) throw error
      if (isRefusedPin(error)) throw this.#refusePin(error)
      if (thread.over) this.#unheard = thread
      throw error
    }
  }

  #refusePin(fault: TokenFault): Error {
    this.#pinRefusal = refusedPin(this.#parts.alias, fault)
    return this.#pinRefusal
  }

  #giveUp(thread: TokenThread): void {
    this.#forget(thread)
    this.#stuck += 1
    void this.#library.giveUp(thread).then(() => {
      this.#stuck -= 1
      this.#serveWaiting()
    })
  }

  /** Its sessions end with it, or with the library. */
  #forget(thread: TokenThread): void {
    this.#threads.delete(thread)
    this.#library.remove(thread)
  }

  async #closeThread(thread: TokenThread): Promise<void> {
    const silent = setTimeout(() => this.#giveUp(thread), this.#parts.timeout)
    try {
      await thread.ask({ op: 'close', last: this.#library.isLast(thread) })
      this.#forget(thread)
      await thread.end()
    } catch {
      this.#forget(thread)
    } finally {
      clearTimeout(silent)
    }
  }

  #refuse(task: Task, error: unknown): void {
    this.#end(task)
    const at = this.#waiting.indexOf(task)
    if (at >= 0) this.#waiting.splice(at, 1)
    task.reject(error instanceof TokenFault ? pkcs11Failure(this.#parts.alias, error.fault) : error)
  }

  #end(task: Task): void {
    clearTimeout(task.timer)
    task.over = true
  }
}

/** A copy in memory of its own, to be handed over. */
export const bytesOf = (bytes: Uint8Array): Bytes => ownCopy(bytes)
