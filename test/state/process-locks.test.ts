import { expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { HeldBody } from '../../src/backends/body.ts'
import type { ObjectStore, WriteCondition } from '../../src/backends/object-store.ts'
import { Unavailable } from '../../src/errors.ts'
import { withProcessLocks } from '../../src/state/process-locks.ts'
import { StateStore } from '../../src/state/state-store.ts'
import { careless } from '../helpers/careless-store.ts'
import { failingStore } from '../helpers/failing-store.ts'

const ALL = ['put If-None-Match', 'put If-Match'] as const

async function open(wrap: (store: ObjectStore) => ObjectStore = (store) => store) {
  const inner = careless(new MemoryStore({ capabilities: { conditionalDelete: false } }), ALL)
  await inner.createBucket('b')
  const store = withProcessLocks(wrap(inner))
  const put = (key: string, text: string, condition?: WriteCondition) =>
    store.put('b', key, new HeldBody([Buffer.from(text)]), {
      metadata: {},
      commit: async () => ({}),
      ...(condition === undefined ? {} : { condition }),
    })
  return { inner, store, put }
}

const refusals = (outcomes: readonly PromiseSettledResult<unknown>[]) =>
  outcomes.map((one) => (one.status === 'fulfilled' ? 'ok' : (one.reason as { refusal: string }).refusal))

test('of 100 writes at once that want to be the first exactly one is', async () => {
  const { put } = await open()
  const outcomes = await Promise.allSettled(
    Array.from({ length: 100 }, (_, at) => put('k', String(at), { ifNoneMatch: '*' })),
  )
  const words = refusals(outcomes)
  expect(words.filter((word) => word === 'ok')).toHaveLength(1)
  expect(words.filter((word) => word === 'precondition-failed')).toHaveLength(99)
})

test('of 100 writes at once that replace the same exactly one does', async () => {
  const { put } = await open()
  const { etag } = await put('k', 'first')
  const outcomes = await Promise.allSettled(
    Array.from({ length: 100 }, (_, at) => put('k', String(at), { ifMatch: etag })),
  )
  expect(refusals(outcomes).filter((word) => word === 'ok')).toHaveLength(1)
})

test('If-Match of nothing finds nothing, and deletions wait their turn', async () => {
  const { put, store } = await open()
  await expect(put('none', 'x', { ifMatch: 'e' })).rejects.toMatchObject({ refusal: 'no-such-key' })
  const first = put('k', '1', { ifNoneMatch: '*' })
  const gone = store.delete('b', 'k')
  const again = put('k', '2', { ifNoneMatch: '*' })
  expect(await Promise.all([first, gone, again])).toHaveLength(3)
})

test('a write that fails holds up no other', async () => {
  const { put } = await open((inner) => {
    const { store, fail } = failingStore(inner)
    fail({ method: 'put', when: 'before' })
    return store
  })
  const outcomes = await Promise.allSettled([put('k', '1', { ifNoneMatch: '*' }), put('k', '2', { ifNoneMatch: '*' })])
  expect(outcomes[0]).toMatchObject({ status: 'rejected', reason: expect.any(Unavailable) })
  expect(outcomes[1]?.status).toBe('fulfilled')
})

test('state records live on it as on any store with conditions, and it says so', async () => {
  const { store } = await open()
  expect(store.capabilities.conditionalWrites).toBe(true)
  const state = new StateStore(store, 'b')
  const etag = await state.put('path', Buffer.from('1'), { ifNoneMatch: '*' })
  await expect(state.put('path', Buffer.from('2'), { ifNoneMatch: '*' })).rejects.toMatchObject({
    refusal: 'precondition-failed',
  })
  await state.put('path', Buffer.from('2'), { ifMatch: etag })
  expect((await state.get('path'))?.bytes.toString()).toBe('2')
})
