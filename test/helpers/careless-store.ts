/** A store that takes conditions and does not keep them, as some do. */
import type { ObjectStore, WriteCondition } from '../../src/backends/object-store.ts'

/** What a store is careless about. */
export type Carelessness =
  | 'put If-None-Match'
  | 'put If-Match'
  | 'put race'
  | 'complete If-None-Match'
  | 'complete If-Match'
  | 'copy If-None-Match'
  | 'copy If-Match'
  | 'delete'
  | 'copy source'

type Overrides = Partial<Pick<ObjectStore, 'put' | 'completeUpload' | 'copy' | 'delete'>>

/** The same store with these abilities gone; where `refuse` is set it says so by throwing that. */
export function careless(inner: ObjectStore, about: readonly Carelessness[], refuse?: () => Error): ObjectStore {
  const does = (what: Carelessness, ignored: boolean): boolean => {
    if (!ignored || !about.includes(what)) return false
    if (refuse !== undefined) throw refuse()
    return true
  }
  /** What is left of a condition. */
  const kept = (step: 'put' | 'complete' | 'copy', condition: WriteCondition | undefined) => {
    const drop =
      does(`${step} If-None-Match`, condition?.ifNoneMatch !== undefined) ||
      does(`${step} If-Match`, condition?.ifMatch !== undefined)
    return condition === undefined || drop ? {} : { condition }
  }
  const overrides: Overrides = {
    put: async (bucket, key, body, { condition, ...options }) => {
      const left = kept('put', condition)
      if (does('put race', condition?.ifNoneMatch !== undefined)) {
        const there = await inner.head(bucket, key)
        await new Promise((resolve) => setTimeout(resolve, 50))
        if (there === undefined) return inner.put(bucket, key, body, options)
      }
      return inner.put(bucket, key, body, { ...options, ...left })
    },
    completeUpload: async (upload, { condition, ...options }) =>
      inner.completeUpload(upload, { ...options, ...kept('complete', condition) }),
    copy: async (source, target, { condition, ...options }) => {
      const current = does('copy source', true) ? await inner.head(source.bucket, source.key) : undefined
      const sourceIfMatch = current?.etag ?? options.sourceIfMatch
      return inner.copy(source, target, { ...options, sourceIfMatch, ...kept('copy', condition) })
    },
    delete: async (bucket, key, { ifMatch, ...options } = {}) =>
      inner.delete(bucket, key, {
        ...options,
        ...(ifMatch === undefined || does('delete', true) ? {} : { ifMatch }),
      }),
  }
  return new Proxy(inner, {
    get(target, name) {
      const override: unknown = Reflect.get(overrides, name)
      if (override !== undefined) return override
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}
