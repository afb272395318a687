/** A store that takes conditions and does not keep them, as some do. */
import type { CopyOptions, ObjectStore } from '../../src/backends/object-store.ts'

/** What a store is careless about. */
export type Carelessness =
  | 'put If-None-Match'
  | 'put If-Match'
  | 'put race'
  | 'complete'
  | 'copy'
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
  const overrides: Overrides = {
    put: async (bucket, key, body, { condition, ...options }) => {
      const drop =
        does('put If-None-Match', condition?.ifNoneMatch !== undefined) ||
        does('put If-Match', condition?.ifMatch !== undefined)
      if (does('put race', condition?.ifNoneMatch !== undefined)) {
        const there = await inner.head(bucket, key)
        await new Promise((resolve) => setTimeout(resolve, 5))
        if (there === undefined) return inner.put(bucket, key, body, options)
      }
      return inner.put(bucket, key, body, {
        ...options,
        ...(condition === undefined || drop ? {} : { condition }),
      })
    },
    completeUpload: async (upload, { condition, ...options }) =>
      inner.completeUpload(upload, {
        ...options,
        ...(condition === undefined || does('complete', true) ? {} : { condition }),
      }),
    copy: async (source, target, { condition, ...options }) => {
      const current = does('copy source', true) ? await inner.head(source.bucket, source.key) : undefined
      const kept: CopyOptions = { ...options, ...(current === undefined ? {} : { sourceIfMatch: current.etag }) }
      return inner.copy(source, target, {
        ...kept,
        ...(condition === undefined || does('copy', true) ? {} : { condition }),
      })
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
