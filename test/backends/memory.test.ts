import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { Invalid } from '../../src/errors.ts'
import { objectStoreContract } from '../contract/object-store.contract.ts'
import { bodyOf, bytes, collect, putOptions } from '../contract/object-store/bench.ts'

objectStoreContract('memory', { open: () => Promise.resolve(new MemoryStore()) })

objectStoreContract('memory without facts', {
  open: () => Promise.resolve(new MemoryStore({ capabilities: { facts: false, copySourceIfMatch: false } })),
})

test('a store without conditions refuses them instead of ignoring them', async () => {
  const store = new MemoryStore({ capabilities: { conditionalWrites: false, conditionalDelete: false } })
  await store.createBucket('b')
  const { etag } = await store.put('b', 'k', bodyOf('x'), putOptions())
  await expect(store.put('b', 'k', bodyOf('x'), putOptions({ condition: { ifMatch: etag } }))).rejects.toThrow(Invalid)
  await expect(store.delete('b', 'k', { ifMatch: etag })).rejects.toThrow(Invalid)
  await store.delete('b', 'k')
})

test('limits are kept', async () => {
  const store = new MemoryStore({ capabilities: { requestLimit: 10, metadataLimit: 20, copyLimit: 3 } })
  await store.createBucket('b')
  const { etag } = await store.put('b', 'k', bodyOf(bytes(10)), putOptions({ metadata: { a: '12345678' } }))
  await expect(store.put('b', 'k', bodyOf(bytes(11)), putOptions())).rejects.toThrow(Invalid)
  await expect(store.put('b', 'k', bodyOf(bytes(11)), putOptions({ length: 11 }))).rejects.toThrow(Invalid)
  await expect(store.put('b', 'k', bodyOf('x'), putOptions({ metadata: { a: '123456789' } }))).rejects.toThrow(Invalid)
  await expect(
    store.copy({ bucket: 'b', key: 'k' }, { bucket: 'b', key: 'l' }, { sourceIfMatch: etag, size: 1, metadata: {} }),
  ).rejects.toThrow(Invalid)
})

test('what is stored is a copy: neither the writer nor a reader can change it', async () => {
  const store = new MemoryStore()
  await store.createBucket('b')
  const sent = Buffer.from('original')
  await store.put(
    'b',
    'k',
    (async function* () {
      yield [sent]
    })(),
    putOptions(),
  )
  sent.fill(0)
  for await (const [piece] of (await store.get('b', 'k')).body) piece?.fill(0)
  expect((await collect((await store.get('b', 'k')).body)).toString()).toBe('original')
})
