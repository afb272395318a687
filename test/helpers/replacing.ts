/** A store, some methods of which are others. */
import type { ObjectStore } from '../../src/backends/object-store.ts'

export const replacing = (store: ObjectStore, methods: Partial<ObjectStore>): ObjectStore =>
  new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(Object.hasOwn(methods, name) ? methods : target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
