/** A key manager that is out for an hour, over midnight, under load: real requests, a provider that is really stopped, a clock that is not. */
import { afterEach, expect, it } from 'vitest'
import { HOUR, MINUTE, OutageWorld, SECOND, someKey } from '../helpers/outage-world.ts'
import { PROVIDER_NAMES } from '../helpers/remote-providers.ts'

const BUCKETS = ['warm-1', 'warm-2', 'warm-3']
/** Of an injected clock: more often than keys of the cache get old. */
const STEP = 5 * MINUTE

let world: OutageWorld

afterEach(() => world.close())

it.each(PROVIDER_NAMES)(
  'an hour without %s: open keys serve on over midnight, others are 503, nothing is lost',
  async (name) => {
    world = await OutageWorld.open({ main: name }, { keys: { cache: { lifetime: '10m' } } })
    const [warm, cold] = [await world.replica(), await world.replica()]
    const written = new Map<string, string>()
    await world.createBuckets(...BUCKETS, 'cold')
    const write = async (bucket: string): Promise<void> => {
      const key = someKey()
      const body = `${bucket}/${key}`
      expect(await world.put(warm, bucket, key, body)).toMatchObject({ status: 200 })
      written.set(body, bucket)
    }
    const readAny = async (): Promise<void> => {
      const all = [...written]
      const [body, bucket] = all[Math.floor(Math.random() * all.length)] ?? ['', '']
      expect(await world.get(warm, bucket, body.slice(bucket.length + 1))).toMatchObject({ status: 200, body })
    }
    // Which of the first writes was done first nobody knows.
    const keyIn = (bucket: string): string =>
      [...written].find(([, other]) => other === bucket)?.[0].slice(bucket.length + 1) ?? ''
    await Promise.all(BUCKETS.map(write))

    await world.provider().stop()
    const before = new Date(world.now).getUTCDate()
    for (let passed = 0; passed < HOUR; passed += STEP) {
      const cached = BUCKETS.flatMap((bucket) => [write(bucket), write(bucket), readAny(), readAny(), readAny()])
      const refused = await Promise.all([
        world.put(warm, 'cold', someKey()),
        world.put(cold, 'warm-1', someKey()),
        world.get(cold, 'warm-1', keyIn('warm-1')),
      ])
      await Promise.all(cached)
      for (const answer of refused) {
        expect(answer).toMatchObject({ status: 503, code: 'ServiceUnavailable' })
        expect(answer.retryAfter).toBeGreaterThanOrEqual(1)
        expect(answer.retryAfter).toBeLessThanOrEqual(5)
      }
      world.now += STEP
    }
    expect(new Date(world.now).getUTCDate()).not.toBe(before)
    expect(await warm.ready()).toEqual({ status: 200, dependencies: { 'keys/main': 'degraded' } })
    expect(await cold.ready()).toEqual({ status: 503, dependencies: { 'keys/main': 'failing' } })
    expect(world.lines('key alarm: earlier-period').length).toBeGreaterThanOrEqual(BUCKETS.length)

    await world.provider().start()
    world.now += 5 * SECOND
    expect(await world.put(warm, 'cold', 'after')).toMatchObject({ status: 200 })
    expect(await world.put(cold, 'warm-1', 'after')).toMatchObject({ status: 200 })
    expect(await warm.ready()).toEqual({ status: 200, dependencies: { 'keys/main': 'ok' } })
    expect(world.lines('a key manager answers again')).toHaveLength(2)

    for (const [body, bucket] of written) {
      const key = body.slice(bucket.length + 1)
      expect(await world.sealedUnder(bucket, key)).toEqual({ alias: 'main', recorded: true })
      expect(await world.get(cold, bucket, key)).toMatchObject({ status: 200, body })
    }
    expect(written.size).toBe(BUCKETS.length * (1 + (2 * HOUR) / STEP))
    expect((await world.store.list('cold', { prefix: '', limit: 10 })).objects.map(({ key }) => key)).toEqual(['after'])
  },
)
