import { beforeEach, describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import type { GetResult } from '../../src/backends/object-store.ts'
import { MAX_RECORD_BYTES, StateStore } from '../../src/state/state-store.ts'

let backend: MemoryStore
let store: StateStore

beforeEach(async () => {
  backend = new MemoryStore()
  store = new StateStore(backend, 'state', 'p/')
  await store.ensureBucket()
})

const refused = (refusal: string): object => expect.objectContaining({ name: 'StoreError', refusal })

describe('the state store', () => {
  it('gives back what was put, with its ETag and time', async () => {
    const etag = await store.put('a/b', Buffer.from('value'))
    expect(await store.get('a/b')).toEqual({ bytes: Buffer.from('value'), etag, lastModified: expect.any(Date) })
    expect(await backend.head('state', 'p/a/b')).toMatchObject({ size: 5, metadata: {} })
  })

  it('keeps empty values apart from missing ones', async () => {
    await store.put('empty', Buffer.alloc(0))
    expect((await store.get('empty'))?.bytes).toEqual(Buffer.alloc(0))
    expect(await store.get('missing')).toBeUndefined()
  })

  it('puts together a value that arrives in pieces', async () => {
    const pieces = async function* () {
      yield [Buffer.from('one '), Buffer.from('two ')]
      yield []
      yield [Buffer.from('three')]
    }
    await backend.put('state', 'p/x', pieces(), { metadata: {}, commit: async () => ({}) })
    expect((await store.get('x'))?.bytes.toString()).toBe('one two three')
  })

  it('creates only where nothing is, if asked to', async () => {
    await store.put('x', Buffer.from('1'), { ifNoneMatch: '*' })
    await expect(store.put('x', Buffer.from('2'), { ifNoneMatch: '*' })).rejects.toEqual(refused('precondition-failed'))
    expect((await store.get('x'))?.bytes.toString()).toBe('1')
  })

  it('replaces only what was read, if asked to; a deleted record counts as changed', async () => {
    const first = await store.put('x', Buffer.from('1'))
    const second = await store.put('x', Buffer.from('2'), { ifMatch: first })
    await expect(store.put('x', Buffer.from('3'), { ifMatch: first })).rejects.toEqual(refused('precondition-failed'))
    await store.delete('x')
    await expect(store.put('x', Buffer.from('3'), { ifMatch: second })).rejects.toEqual(refused('precondition-failed'))
  })

  it('deletes, and deletes again', async () => {
    await store.put('x', Buffer.from('1'))
    await store.delete('x')
    await store.delete('x')
    expect(await store.get('x')).toBeUndefined()
  })

  it('lists paths without its own prefix, page by page', async () => {
    for (const path of ['u/1/a', 'u/1/b', 'u/2/a', 'v']) await store.put(path, Buffer.from(path))
    await backend.put('state', 'other', (async function* () {})(), { metadata: {}, commit: async () => ({}) })
    const all = await store.list('')
    expect(all.records.map(({ path, size }) => [path, size])).toEqual([
      ['u/1/a', 5],
      ['u/1/b', 5],
      ['u/2/a', 5],
      ['v', 1],
    ])
    expect(all.truncated).toBe(false)
    expect(all.records[0]).toMatchObject({ etag: expect.any(String), lastModified: expect.any(Date) })
    const page = await store.list('u/', { limit: 2 })
    expect([page.records.map(({ path }) => path), page.truncated]).toEqual([['u/1/a', 'u/1/b'], true])
    const rest = await store.list('u/', { limit: 2, after: 'u/1/b' })
    expect([rest.records.map(({ path }) => path), rest.truncated]).toEqual([['u/2/a'], false])
  })

  it('lists common prefixes and goes on after one', async () => {
    for (const path of ['u/1/a', 'u/1/b', 'u/2/a', 'u/3']) await store.put(path, Buffer.alloc(0))
    const page = await store.list('u/', { delimiter: '/', limit: 1 })
    expect([page.prefixes, page.records, page.truncated]).toEqual([['u/1/'], [], true])
    const rest = await store.list('u/', { delimiter: '/', after: 'u/1/' })
    expect([rest.prefixes, rest.records.map(({ path }) => path)]).toEqual([['u/2/'], ['u/3']])
  })

  it('refuses values beyond its bound, to write and to read', async () => {
    await expect(store.put('x', Buffer.alloc(MAX_RECORD_BYTES + 1))).rejects.toMatchObject({ kind: 'internal' })
    await store.put('x', Buffer.from('1'))
    const get = backend.get.bind(backend)
    backend.get = async (...args): Promise<GetResult> => {
      const found = await get(...args)
      return { ...found, info: { ...found.info, size: MAX_RECORD_BYTES + 1 } }
    }
    await expect(store.get('x')).rejects.toMatchObject({ kind: 'integrity' })
  })

  it('does not take a value that ended early for whole', async () => {
    await store.put('x', Buffer.from('value'))
    const get = backend.get.bind(backend)
    backend.get = async (...args): Promise<GetResult> => {
      const found = await get(...args)
      return { ...found, info: { ...found.info, size: 6 } }
    }
    await expect(store.get('x')).rejects.toMatchObject({ kind: 'unavailable' })
  })

  it('is unavailable, not a missing bucket of the client, when its bucket is gone', async () => {
    const lost = new StateStore(backend, 'lost')
    await expect(lost.get('x')).rejects.toMatchObject({ kind: 'unavailable' })
    await expect(lost.put('x', Buffer.alloc(0))).rejects.toMatchObject({ kind: 'unavailable' })
    await expect(lost.list('')).rejects.toMatchObject({ kind: 'unavailable' })
  })

  it('makes its bucket once, also when several start together', async () => {
    const fresh = new MemoryStore()
    const stores = [1, 2, 3].map(() => new StateStore(fresh, 'state'))
    await Promise.all(stores.map((one) => one.ensureBucket()))
    expect((await fresh.listBuckets()).map(({ name }) => name)).toEqual(['state'])
  })

  it('takes only prefixes that end with a slash', () => {
    expect(() => new StateStore(backend, 'state', 'p')).toThrow('ends with "/"')
  })
})
