// The engine of jobs over objects: what is done once, what is done again, and what is never passed over.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { MemoryStore } from '../../src/backends/memory.ts'
import { Denied, Integrity, Unavailable } from '../../src/errors.ts'
import { UNAVAILABLE_IN_A_ROW } from '../../src/jobs/engine.ts'
import { LEASE_MILLISECONDS } from '../../src/jobs/run-record.ts'
import { isOfShard, parseShard } from '../../src/jobs/shard.ts'
import { examined } from '../../src/jobs/tally.ts'
import { settled } from '../helpers/manual-clock.ts'
import { DONE, dyingAt, JobWorld, keysOf, nameOf } from './world.ts'

const all = (bucket: string, count: number): string[] => keysOf(count).map((key) => `${bucket}/${key}`)

describe('a run', () => {
  test('does the step once with each object of its buckets, and counts what came of it', async () => {
    const world = await JobWorld.of({ a: keysOf(2_050), b: ['x', 'y', 'z'] })
    const cause = new Denied('no')
    const failed: string[] = []
    const report = await world.run(
      { buckets: ['a', 'b'], concurrency: 8, onFailure: (object) => failed.push(nameOf(object)) },
      async (object) => {
        if (object.key === 'x') return { outcome: 'failed', cause }
        if (object.key === 'y') return { outcome: 'untouchable', why: 'locked' }
        if (object.key === 'z') throw new Integrity('payload failure', 'broken')
        return object.key === 'k00007' ? { outcome: 'overtaken' } : { outcome: 'done', bytes: 10 }
      },
    )
    expect([...world.steps].sort()).toEqual([...all('a', 2_050), 'b/x', 'b/y', 'b/z'])
    expect(report.counts).toEqual({
      done: 2_049,
      unchanged: 0,
      untouchable: 1,
      overtaken: 1,
      failed: 2,
      damaged: 1,
      unavailable: 0,
      bytes: 20_490,
      reasons: { locked: 1 },
    })
    expect(failed.sort()).toEqual(['b/x', 'b/z'])
    expect(report.stopped).toBeUndefined()
  })

  test('takes only what begins with its prefix', async () => {
    const world = await JobWorld.of({ a: ['x/1', 'x/2', 'y/1'] })
    await world.run({ prefix: 'x/' })
    expect(world.steps).toEqual(['a/x/1', 'a/x/2'])
  })

  test('begins anew after one that has ended', async () => {
    const world = await JobWorld.of({ a: ['1'] })
    await world.run()
    const report = await world.run()
    expect(world.steps).toEqual(['a/1', 'a/1'])
    expect([report.resumed, report.counts.done]).toEqual([false, 1])
  })

  test('of a dry run nothing is kept', async () => {
    const world = await JobWorld.of({ a: ['1'] })
    await world.run({ dryRun: true }, async (_, { dryRun }) => ({ outcome: 'unchanged', why: String(dryRun) }))
    expect(await world.record()).toMatchObject({ count: 0 })
  })

  test('keeps no more under way than it was told to', async () => {
    const world = await JobWorld.of({ a: keysOf(40) })
    let now = 0
    let most = 0
    await world.run({ concurrency: 5 }, async () => {
      now += 1
      most = Math.max(most, now)
      await new Promise((resolve) => setImmediate(resolve))
      now -= 1
      return DONE
    })
    expect(most).toBe(5)
  })

  test('tells how many objects there are, and how far it is', async () => {
    const world = await JobWorld.of({ a: keysOf(1_500) })
    let last = { examined: 0, total: undefined as number | undefined }
    await world.run({ count: true, onProgress: (progress) => (last = progress) })
    expect(last).toMatchObject({ examined: 1_500, total: 1_500 })
  })

  test('passes over a bucket that is gone by then', async () => {
    const world = await JobWorld.of({ a: ['1'], c: ['1'] })
    await world.run({ buckets: ['a', 'b', 'c'] })
    expect(world.steps).toEqual(['a/1', 'c/1'])
  })

  test('does not believe a listing that goes on and shows nothing new', async () => {
    const world = await JobWorld.of({ a: ['1'] })
    const list = async () => ({ objects: [], commonPrefixes: [], truncated: true })
    const store = { list, capabilities: world.store.capabilities }
    const report = await world.run({}, undefined, { ...world.parts, store })
    expect(report.stopped).toBeInstanceOf(Unavailable)
  })
})

describe('a run that was killed', () => {
  test('is gone on with where it was: nothing is passed over, and no more is done again than was under way', async () => {
    const world = await JobWorld.of({ a: keysOf(2_500), b: ['z'] })
    const options = { buckets: ['a', 'b'], concurrency: 4 }
    void world.run(options, dyingAt('a/k01700', 'a/k01701', 'a/k01702', 'a/k01703'))
    await settled()
    const before = [...world.steps]
    expect(before.at(-1)).toBe('a/k01703')
    world.kill()
    const second = world.run(options)
    await world.clock.advance(LEASE_MILLISECONDS * 2)
    const report = await second
    const after = world.steps.slice(before.length)
    expect(new Set(world.steps)).toEqual(new Set([...all('a', 2_500), 'b/z']))
    expect([report.resumed, examined(report.counts)]).toEqual([true, 2_501])
    expect(after.length).toBeLessThan(1_600)
  })

  test('an object that takes long keeps no other from being done, and is done again', async () => {
    const world = await JobWorld.of({ a: keysOf(1_200) })
    void world.run({ concurrency: 2 }, dyingAt('a/k00003'))
    await settled()
    expect(world.steps).toHaveLength(1_200)
    world.kill()
    const second = world.run({ concurrency: 2 })
    await world.clock.advance(LEASE_MILLISECONDS * 2)
    expect((await second).counts.done).toBe(1_200)
    expect(world.steps.slice(1_200)).toContain('a/k00003')
    expect(world.steps.slice(1_200)).not.toContain('a/k00002')
  })

  test('wherever it was killed, each object is done and counted once in the end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 29 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 4 }),
        async (deaths, concurrency) => {
          const world = await JobWorld.of({ a: keysOf(30) })
          for (const at of deaths) {
            void world.run({ concurrency }, dyingAt(`a/${keysOf(30)[at] ?? ''}`, ...all('a', 30).slice(at)))
            await world.clock.advance(LEASE_MILLISECONDS * 3)
            // What it wrote last is what a later one finds: it no longer renews its lease.
            world.kill()
            await world.clock.advance(LEASE_MILLISECONDS * 3)
          }
          const last = world.run({ concurrency })
          await world.clock.advance(LEASE_MILLISECONDS * 3)
          expect(examined((await last).counts)).toBe(30)
          expect(new Set(world.steps)).toEqual(new Set(all('a', 30)))
        },
      ),
      { numRuns: 15 },
    )
  })

  test('--restart begins at the beginning', async () => {
    const world = await JobWorld.of({ a: keysOf(5) })
    const stop = new AbortController()
    await world.run({ signal: stop.signal }, async () => {
      stop.abort(new Error('stopped'))
      return DONE
    })
    expect((await world.run({ restart: true })).resumed).toBe(false)
    expect(world.steps).toEqual(['a/k00000', ...all('a', 5)])
  })

  test('with other options it is another run', async () => {
    const world = await JobWorld.of({ a: ['x1', 'x2', 'y1'] })
    const stop = new AbortController()
    await world.run({ signal: stop.signal }, async () => {
      stop.abort(new Error('stopped'))
      return DONE
    })
    expect((await world.run({ prefix: 'x' })).resumed).toBe(false)
    expect((await world.run({ identity: 'other' })).resumed).toBe(false)
    expect((await world.run()).resumed).toBe(true)
  })
})

describe('a run that is asked to stop', () => {
  test('ends between two objects, and the next goes on at once', async () => {
    const world = await JobWorld.of({ a: keysOf(10) })
    const stop = new AbortController()
    const first = await world.run({ signal: stop.signal }, async ({ key }) => {
      if (key === 'k00004') stop.abort(new Error('stopped by SIGTERM'))
      return DONE
    })
    expect(first.stopped?.message).toBe('stopped by SIGTERM')
    expect(first.counts.done).toBe(5)
    const second = await world.run()
    expect(second.counts.done).toBe(10)
    expect(world.steps).toEqual(all('a', 10))
  })

  test('gives steps under way a while, and then up: they are done again', async () => {
    const world = await JobWorld.of({ a: ['1'] })
    const stop = new AbortController()
    let aborted = false
    const run = world.run({ signal: stop.signal }, (_, { signal }) => {
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          aborted = true
          reject(new Error('given up'))
        })
      })
    })
    await settled()
    stop.abort(new Error('stopped'))
    await world.clock.advance(5_000)
    expect(aborted).toBe(false)
    await world.clock.advance(60_000)
    expect([aborted, (await run).counts.failed]).toEqual([true, 0])
    expect((await world.run()).counts.done).toBe(1)
  })
})

describe('the lease', () => {
  test('a shard is not run by two at once: the second hears of it, and the first goes on', async () => {
    const world = await JobWorld.of({ a: keysOf(3) })
    let release = (): void => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const first = world.run({}, async () => {
      await held
      return DONE
    })
    await settled()
    const second = world.run().catch((error: unknown) => error)
    await world.clock.advance(LEASE_MILLISECONDS * 3)
    expect(await second).toBeInstanceOf(Unavailable)
    release()
    expect((await first).counts.done).toBe(3)
    expect(world.steps).toEqual(all('a', 3))
  })

  test('of two that begin at the same moment one begins', async () => {
    const world = await JobWorld.of({ a: keysOf(3) })
    const slow = async () => {
      await world.clock.sleep(LEASE_MILLISECONDS * 2)
      return DONE
    }
    const both = Promise.allSettled([world.run({}, slow), world.run({}, slow)])
    await world.clock.advance(LEASE_MILLISECONDS * 10)
    expect((await both).map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(world.steps).toEqual(all('a', 3))
  })

  test('who lost it to another, whatever the clocks say, ends at its next record and writes no more', async () => {
    const world = await JobWorld.of({ a: keysOf(4) })
    const first = world.run({}, ({ key }, { signal }) => {
      if (key !== 'k00002') return Promise.resolve(DONE)
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('given up'))))
    })
    await settled()
    const ahead = { now: () => world.clock.now() + 10 * LEASE_MILLISECONDS, sleep: world.clock.sleep }
    const second = await world.run({}, undefined, { ...world.parts, timing: ahead })
    expect(second.counts.done).toBe(4)
    const record = await world.record()
    await world.clock.advance(LEASE_MILLISECONDS)
    expect((await first).stopped?.message).toContain('another process has taken over')
    expect((await world.record()).bytes.equals(record.bytes)).toBe(true)
  })

  test('a lease that claims to last for ever does not', async () => {
    const world = await JobWorld.of({ a: ['1'] })
    const ahead = { now: () => world.clock.now() + 1e12, sleep: world.clock.sleep }
    void world.run({}, dyingAt('a/1'), { ...world.parts, timing: ahead })
    await settled()
    world.kill()
    const second = world.run()
    await world.clock.advance(LEASE_MILLISECONDS * 3)
    expect((await second).counts.done).toBe(1)
  })
})

describe('the record', () => {
  test('what somebody else wrote or moved there is refused, and --restart does without', async () => {
    const world = await JobWorld.of({ a: keysOf(3) })
    const stop = new AbortController()
    await world.run({ signal: stop.signal }, async () => {
      stop.abort(new Error('stopped'))
      return DONE
    })
    const { path, bytes } = await world.record()
    const forged = Buffer.from(bytes)
    forged.writeUInt8(forged.readUInt8(forged.length - 20) ^ 1, forged.length - 20)
    await world.state.put(path, forged)
    await expect(world.run()).rejects.toThrow('--restart')
    await expect(world.run()).rejects.toBeInstanceOf(Integrity)
    // A true record of one run in the place of another's.
    const other = path.replace(/\/[^/]+$/, '/1-of-2')
    await world.state.put(other, bytes)
    await expect(world.run({ shard: { index: 1, count: 2 } })).rejects.toBeInstanceOf(Integrity)
    expect((await world.run({ restart: true })).counts.done).toBe(3)
  })

  test('says nothing in clear', async () => {
    const world = await JobWorld.of({ a: ['secret-name'] })
    await world.run()
    const { bytes, path } = await world.record()
    expect(bytes.includes('secret-name')).toBe(false)
    expect(path).toMatch(/^jobs\/test\/[0-9a-f]{16}\/0-of-1$/)
  })

  test('a record that was written though the answer was lost is known as our own', async () => {
    const world = await JobWorld.of({ a: keysOf(3_000) })
    let calls = 0
    const records = {
      ...world.parts.records,
      write: async (...args: Parameters<typeof world.records.write>) => {
        calls += 1
        const etag = await world.records.write(...args)
        if (calls === 2) throw new Unavailable('the answer was lost')
        return etag
      },
    }
    const report = await world.run({}, undefined, { ...world.parts, records })
    expect([report.stopped, report.counts.done]).toEqual([undefined, 3_000])
    expect(calls).toBeGreaterThan(2)
  })

  test('a state store that is away for a moment stops nothing', async () => {
    const world = await JobWorld.of({ a: keysOf(3_000) })
    let calls = 0
    const records = {
      find: world.records.find.bind(world.records),
      open: world.records.open.bind(world.records),
      write: async (...args: Parameters<typeof world.records.write>) => {
        calls += 1
        if (calls === 2) throw new Unavailable('away')
        return world.records.write(...args)
      },
    }
    const report = await world.run({}, undefined, { ...world.parts, records })
    expect([report.stopped, report.counts.done]).toEqual([undefined, 3_000])
    expect(calls).toBeGreaterThan(2)
  })
})

describe('shards', () => {
  test('each object falls to exactly one of them', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.integer({ min: 1, max: 50 }), (bucket, key, count) => {
        const takers = Array.from({ length: count }, (_, index) => isOfShard({ index, count }, bucket, key))
        expect(takers.filter(Boolean)).toHaveLength(1)
      }),
    )
  })

  test('together they do every object once, each with a record of its own', async () => {
    const world = await JobWorld.of({ a: keysOf(1_500), b: keysOf(20) })
    const reports = await Promise.all(
      Array.from({ length: 4 }, (_, index) => world.run({ buckets: ['a', 'b'], shard: { index, count: 4 } })),
    )
    expect([...world.steps].sort()).toEqual([...all('a', 1_500), ...all('b', 20)])
    for (const { counts } of reports) expect(counts.done).toBeGreaterThan(250)
    expect(await world.record()).toMatchObject({ count: 4 })
  })

  test.each(['0/1', '7/8', '65535/65536'])('%s is one', (text) => expect(parseShard(text)).toBeDefined())
  test.each(['1/1', '8/8', '-1/2', '0/0', '1', '0/65537', ' 0/1', '0/1x'])('%s is none', (text) =>
    expect(parseShard(text)).toBeUndefined(),
  )
})

describe('a sample', () => {
  test('is of about so many objects, the same ones for the same seed', async () => {
    const world = await JobWorld.of({ a: keysOf(2_000) })
    const sample = { percent: 10, seed: 'one' }
    const report = await world.run({ sample })
    const first = world.steps.splice(0)
    expect(first.length).toBeGreaterThan(140)
    expect(first.length).toBeLessThan(260)
    expect(report.seed).toBe('one')
    await world.run({ sample })
    expect(world.steps.splice(0)).toEqual(first)
    await world.run({ sample: { percent: 10, seed: 'two' } })
    expect(world.steps).not.toEqual(first)
  })

  test('keeps the seed that was drawn for it when it goes on', async () => {
    const world = await JobWorld.of({ a: keysOf(200) })
    const stop = new AbortController()
    const sample = { percent: 50 }
    const first = await world.run({ sample, signal: stop.signal }, async () => {
      stop.abort(new Error('stopped'))
      return DONE
    })
    expect((await world.run({ sample })).seed).toBe(first.seed)
    expect((await world.run({ sample })).seed).not.toBe(first.seed)
  })
})

describe('the pace', () => {
  test('is of so many objects a second', async () => {
    const world = await JobWorld.of({ a: keysOf(10) })
    const run = world.run({ rate: { objects: 2 }, concurrency: 4 })
    await world.clock.advance(2_900)
    expect(world.steps).toHaveLength(6)
    await world.clock.advance(2_000)
    expect(world.steps).toHaveLength(10)
    await run
  })

  test('is of so many bytes a second on average, of those that move', async () => {
    const world = await JobWorld.of({ a: keysOf(10) })
    const run = world.run({ rate: { bytes: 6 } }, async ({ key }) =>
      key < 'k00005' ? { outcome: 'unchanged', why: 'so' } : DONE,
    )
    await world.clock.advance(0)
    expect(world.steps).toHaveLength(6)
    await world.clock.advance(2_000)
    expect(world.steps).toHaveLength(8)
    await world.clock.advance(10_000)
    await run
  })

  test('waits for no bytes that turn out not to move', async () => {
    const world = await JobWorld.of({ a: keysOf(6) })
    const run = world.run({ rate: { bytes: 0.001 }, concurrency: 2 }, async () => {
      await world.clock.sleep(10)
      return { outcome: 'unchanged', why: 'so' }
    })
    await world.clock.advance(20_000)
    expect(world.steps).toHaveLength(6)
    await world.clock.advance(100_000_000)
    await run
  })
})

describe('something that does not answer', () => {
  const away = { outcome: 'failed', cause: new Unavailable('away') } as const

  test('ends the run when so many objects in a row fail of it, and a later one tries them again', async () => {
    const world = await JobWorld.of({ a: keysOf(200) })
    const failures: string[] = []
    const first = await world.run(
      { concurrency: 3, onFailure: (object) => failures.push(nameOf(object)) },
      async ({ key }) => (key < 'k00050' ? DONE : away),
    )
    expect(first.stopped).toBeInstanceOf(Unavailable)
    expect([first.counts.done, first.counts.failed, failures]).toEqual([50, 0, []])
    expect(world.steps.length).toBeLessThan(50 + UNAVAILABLE_IN_A_ROW + 3)
    const second = await world.run()
    expect([second.resumed, second.counts.done]).toEqual([true, 200])
  })

  test('now and then is a failure of single objects', async () => {
    const world = await JobWorld.of({ a: keysOf(200) })
    const report = await world.run({}, async ({ key }) => (Number(key.slice(1)) % 2 === 0 ? away : DONE))
    expect(report.counts).toMatchObject({ done: 100, failed: 100, unavailable: 100 })
    expect(report.stopped).toBeUndefined()
  })

  test('an object that fails of it after long, with as many behind it as may wait, does not keep the run for ever', async () => {
    const world = await JobWorld.of({ a: keysOf(10_005) })
    let fail = (): void => undefined
    const slow = new Promise<typeof away>((resolve) => {
      fail = () => resolve(away)
    })
    const run = world.run({ concurrency: 2 }, ({ key }) => (key === 'k00000' ? slow : Promise.resolve(DONE)))
    await expect.poll(() => world.steps.length, { timeout: 20_000 }).toBe(10_000)
    fail()
    expect((await run).counts).toMatchObject({ done: 10_004, failed: 1 })
  })

  test('a store that cannot be listed ends it too', async () => {
    const world = await JobWorld.of({ a: keysOf(2_000) })
    const list: MemoryStore['list'] = (bucket, options) => {
      if (options.after !== undefined) throw new Unavailable('away')
      return world.store.list(bucket, options)
    }
    const first = await world.run({}, undefined, {
      ...world.parts,
      store: { list, capabilities: world.store.capabilities },
    })
    expect([first.stopped, first.counts.done]).toEqual([expect.any(Unavailable), 1_000])
    expect((await world.run()).counts.done).toBe(2_000)
    expect(world.steps).toHaveLength(2_000)
  })
})
