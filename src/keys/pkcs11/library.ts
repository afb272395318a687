/**
 * What all threads of this process share that use one library: PKCS#11 knows processes, not threads. Whoever is logged in is so for
 * all of them, and closing the library closes it for all.
 */
import type { TokenThread } from './thread.ts'

const libraries = new Map<string, Library>()

/** The library at this path. */
export function libraryOf(path: string): Library {
  const library = libraries.get(path) ?? new Library()
  libraries.set(path, library)
  return library
}

export class Library {
  readonly #threads = new Set<TokenThread>()
  /** Threads that were given up and that the library has not let go of. */
  readonly #stuck = new Set<TokenThread>()
  #turn: Promise<unknown> = Promise.resolve()

  add(thread: TokenThread): void {
    this.#threads.add(thread)
  }

  /** The thread has closed its session, or never had one. */
  remove(thread: TokenThread): void {
    this.#threads.delete(thread)
  }

  /** Gives a thread up that does not answer. Resolves when it has really ended. */
  async giveUp(thread: TokenThread): Promise<void> {
    this.#threads.delete(thread)
    this.#stuck.add(thread)
    holdUp(thread)
    await thread.end()
    letGo(thread)
    this.#stuck.delete(thread)
  }

  /** Whether it was given up and may still be inside. */
  isStuck(thread: TokenThread): boolean {
    return this.#stuck.has(thread)
  }

  /** Whether nobody but this thread can be inside the library. */
  quietBut(thread: TokenThread): boolean {
    return this.#stuck.size === 0 && [...this.#threads].every((one) => one === thread || !one.asked)
  }

  /** Whether this thread is the last one. */
  isLast(thread: TokenThread): boolean {
    return this.#stuck.size === 0 && this.#threads.size === 1 && this.#threads.has(thread)
  }

  /** Every session of every thread is over. */
  disconnectAll(): void {
    for (const thread of this.#threads) thread.connected = false
  }

  /** One at a time: two logins at once would be two tries with one wrong PIN. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }
}

const holding = new Set<TokenThread>()

/** Node waits at its end for every thread, and for one inside a library that never answers it would wait for ever. */
const endAnyway = (): void => {
  process.kill(process.pid, 'SIGKILL')
}

function holdUp(thread: TokenThread): void {
  if (holding.size === 0) process.on('exit', endAnyway)
  holding.add(thread)
}

function letGo(thread: TokenThread): void {
  holding.delete(thread)
  if (holding.size === 0) process.off('exit', endAnyway)
}
