/** Conditional writes for a store that has none, good for one process: whoever writes a name has it to himself meanwhile. */
import { type ObjectStore, type PutOptions, StoreError } from '../backends/object-store.ts'

/** The same store, whose conditions on `put` are decided here. Another process that writes to it breaks them. */
export function withProcessLocks(store: ObjectStore): ObjectStore {
  const busy = new Map<string, Promise<unknown>>()
  const alone = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const before = busy.get(name) ?? Promise.resolve()
    const mine = before.then(work, work)
    busy.set(name, mine)
    try {
      return await mine
    } finally {
      if (busy.get(name) === mine) busy.delete(name)
    }
  }
  const put: ObjectStore['put'] = (bucket, key, body, options) =>
    alone(JSON.stringify([bucket, key]), async () => {
      await check(store, { bucket, key }, options)
      const { condition: _, ...rest } = options
      return store.put(bucket, key, body, rest)
    })
  const remove: ObjectStore['delete'] = (bucket, key, options) =>
    alone(JSON.stringify([bucket, key]), () => store.delete(bucket, key, options))
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'put') return put
      if (name === 'delete') return remove
      if (name === 'capabilities') return { ...target.capabilities, conditionalWrites: true }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

async function check(
  store: ObjectStore,
  { bucket, key }: { readonly bucket: string; readonly key: string },
  { condition }: PutOptions,
): Promise<void> {
  if (condition === undefined) return
  const current = await store.head(bucket, key)
  if (condition.ifNoneMatch !== undefined && current !== undefined) {
    throw new StoreError('precondition-failed', `${key} exists`)
  }
  if (condition.ifMatch === undefined) return
  if (current === undefined) throw new StoreError('no-such-key', `there is no object ${key}`)
  if (current.etag !== condition.ifMatch) throw new StoreError('precondition-failed', `${key} has changed`)
}
