import type { ObjectStore } from '../../src/backends/object-store.ts'
import { Unavailable } from '../../src/errors.ts'

/** A store of which the nth call fails: `before` it does anything, or `after` it did everything and its answer is lost; or before which something else happens. */
export class CountingStore {
  readonly store: ObjectStore
  #calls: string[] = []
  #fault: { readonly at: number; readonly when: 'before' | 'after' | (() => Promise<unknown>) } | undefined

  constructor(inner: ObjectStore) {
    this.store = new Proxy(inner, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => this.#call(String(name), () => value.apply(target, args) as unknown)
      },
    })
  }

  /** The methods called since `arm`, in order. */
  get calls(): readonly string[] {
    return this.#calls
  }

  /** Starts to count; call number `at` (from 0) fails, or waits for what is given. Without it none does. */
  arm(at?: number, when: 'before' | 'after' | (() => Promise<unknown>) = 'before'): void {
    this.#calls = []
    this.#fault = at === undefined ? undefined : { at, when }
  }

  async #call(name: string, run: () => unknown): Promise<unknown> {
    const here = this.#calls.push(name) - 1
    const fault = this.#fault
    if (fault?.at !== here) return run()
    if (typeof fault.when === 'function') {
      await fault.when()
      return run()
    }
    if (fault.when === 'after') await run()
    throw new Unavailable(`call ${here}, ${name}, failed for the test`)
  }
}
