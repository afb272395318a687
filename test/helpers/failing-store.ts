import { Unavailable } from '../../src/errors.ts'
import type { ObjectStore } from '../../src/backends/object-store.ts'

type Method = Exclude<
  {
    [K in keyof ObjectStore]: ObjectStore[K] extends (...args: never[]) => Promise<unknown> ? K : never
  }[keyof ObjectStore],
  'close'
>

export interface Fault {
  readonly method: Method
  /** `before`: nothing happens and the call fails. `after`: it happens, and the answer is lost. */
  readonly when: 'before' | 'after'
  /** Only calls for which this holds. */
  readonly matching?: (...args: unknown[]) => boolean
}

/** A store that fails as told. `faults` are used up one call each, in order. */
export function failingStore(inner: ObjectStore): {
  readonly store: ObjectStore
  readonly fail: (...faults: Fault[]) => void
} {
  let faults: Fault[] = []
  const store = new Proxy(inner, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return async (...args: unknown[]) => {
        const fault = faults.find((one) => one.method === name && (one.matching?.(...args) ?? true))
        if (fault === undefined) return value.apply(target, args)
        faults = faults.filter((one) => one !== fault)
        if (fault.when === 'after') await value.apply(target, args)
        throw new Unavailable(`${String(name)} failed for the test`)
      }
    },
  })
  return { store, fail: (...more) => void faults.push(...more) }
}
