import { beforeEach, describe, expect, test, vi } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { Unavailable } from '../../src/errors.ts'
import { StateBucketDocuments } from '../../src/state/bucket-documents.ts'
import { StateStore } from '../../src/state/state-store.ts'

describe('configurations of buckets in the state store', () => {
  let state: StateStore
  let now = 0

  beforeEach(async () => {
    now = 1_000_000
    state = new StateStore(new MemoryStore(), 'state')
    await state.ensureBucket()
  })

  const replica = (): StateBucketDocuments => new StateBucketDocuments(state, () => now)

  test('one replica reads what another wrote', async () => {
    await replica().write('b', 'cors', Buffer.from('x'))
    expect((await replica().read('b', 'cors'))?.toString()).toBe('x')
    expect(await replica().read('b', 'encryption')).toBeUndefined()
    expect(await replica().read('b2', 'cors')).toBeUndefined()
  })

  test("another replica's change is seen after a few seconds, one's own at once", async () => {
    const [one, two] = [replica(), replica()]
    expect(await two.read('b', 'cors')).toBeUndefined()
    await one.write('b', 'cors', Buffer.from('x'))
    expect((await one.read('b', 'cors'))?.toString()).toBe('x')
    expect(await two.read('b', 'cors')).toBeUndefined()
    now += 5_000
    expect((await two.read('b', 'cors'))?.toString()).toBe('x')
    await one.remove('b', 'cors')
    expect(await one.read('b', 'cors')).toBeUndefined()
  })

  test('within these seconds the state store is not asked again', async () => {
    const one = replica()
    await one.read('b', 'cors')
    await state.put('buckets/b/cors', Buffer.from('x'))
    now += 4_999
    expect(await one.read('b', 'cors')).toBeUndefined()
  })

  test('readers at one moment cost one request, and what was written meanwhile wins', async () => {
    const get = vi.spyOn(state, 'get')
    const one = replica()
    await Promise.all([one.read('b', 'cors'), one.read('b', 'cors'), one.read('b', 'cors')])
    expect(get).toHaveBeenCalledTimes(1)
    now += 5_000
    const late = one.read('b', 'cors')
    await one.write('b', 'cors', Buffer.from('new'))
    await late
    expect((await one.read('b', 'cors'))?.toString()).toBe('new')
  })

  test('while the state store is away, what was read before still holds; what was never read is Unavailable', async () => {
    const one = replica()
    await one.write('b', 'cors', Buffer.from('x'))
    vi.spyOn(state, 'get').mockRejectedValue(new Unavailable('away'))
    now += 60_000
    expect((await one.read('b', 'cors'))?.toString()).toBe('x')
    await expect(one.read('b', 'encryption')).rejects.toThrow(Unavailable)
    await expect(replica().read('b', 'cors')).rejects.toThrow(Unavailable)
  })

  test('a read that fails does not bring back what was written over meanwhile', async () => {
    const one = replica()
    await one.write('b', 'cors', Buffer.from('old'))
    now += 60_000
    let fail = (_error: Error): void => undefined
    vi.spyOn(state, 'get').mockReturnValueOnce(new Promise((_resolve, reject) => (fail = reject)))
    const late = one.read('b', 'cors')
    await one.write('b', 'cors', Buffer.from('new'))
    fail(new Unavailable('away'))
    expect((await late)?.toString()).toBe('new')
    expect((await one.read('b', 'cors'))?.toString()).toBe('new')
  })

  test('names of buckets cannot leave their folder', async () => {
    await replica().write('../keyring', 'cors', Buffer.from('x'))
    expect((await state.list('buckets/')).records.map(({ path }) => path)).toEqual(['buckets/%2E.%2Fkeyring/cors'])
  })
})
