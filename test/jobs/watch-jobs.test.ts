/** What a gateway sees of jobs that other processes run. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Integrity } from '../../src/errors.ts'
import { LEASE_MILLISECONDS } from '../../src/jobs/run-record.ts'
import { JobWatch } from '../../src/jobs/watch-jobs.ts'
import { jobSeen, type JobSeenEvent } from '../../src/telemetry/channels.ts'
import { DONE, JobWorld, keysOf } from './world.ts'

let told: JobSeenEvent[] = []
let stop: () => void
beforeEach(() => {
  told = []
  stop = jobSeen.subscribe((event) => told.push(event))
})
afterEach(() => stop())

const counts = { done: 0, unchanged: 0, untouchable: 0, overtaken: 0, failed: 0, damaged: 0, unavailable: 0 }

test('the shards of its last run are told as one, with what was damaged', async () => {
  const world = await JobWorld.of({ a: keysOf(20) })
  const watch = new JobWatch(world.records, world.clock.now)
  await watch.look()
  expect(told).toEqual([])
  for (const index of [0, 1]) {
    await world.run({ shard: { index, count: 2 } }, async ({ key }) => {
      if (key === keysOf(1)[0]) throw new Integrity('payload failure', 'broken')
      return { outcome: 'done', bytes: 10 }
    })
  }
  await watch.look()
  expect(told).toEqual([
    {
      job: 'test',
      running: 0,
      begun: expect.any(Number),
      bytes: 190,
      counts: { ...counts, done: 19, failed: 1, damaged: 1 },
    },
  ])
})

test('a record that has not changed is not read again, and a later run takes the place of an earlier one', async () => {
  const world = await JobWorld.of({ a: keysOf(3) })
  let reads = 0
  const records = {
    all: () => world.records.all(),
    find: (path: string) => world.records.find(path),
    open: (path: string, bytes: Buffer) => {
      reads += 1
      return world.records.open(path, bytes)
    },
  }
  const watch = new JobWatch(records, world.clock.now)
  await world.run()
  await watch.look()
  await watch.look()
  expect(reads).toBe(1)
  await world.clock.advance(1_000)
  await world.run({ identity: 'another' }, async () => ({ outcome: 'unchanged', why: 'x' }))
  await watch.look()
  expect(reads).toBe(2)
  expect(told.map((one) => [one.counts['done'], one.counts['unchanged']])).toEqual([
    [3, 0],
    [3, 0],
    [0, 3],
  ])
})

test('who holds a lease is at it, for as long as that lasts', async () => {
  const world = await JobWorld.of({ a: keysOf(2) })
  const watch = new JobWatch(world.records, world.clock.now)
  let seen: Promise<void> | undefined
  await world.run({ concurrency: 1 }, async () => {
    seen ??= watch.look()
    await seen
    return DONE
  })
  expect(told[0]?.running).toBe(1)
  await world.clock.advance(LEASE_MILLISECONDS)
  await watch.look()
  expect(told.at(-1)?.running).toBe(0)
})

test('a record that was tampered with keeps nobody from seeing the others', async () => {
  const world = await JobWorld.of({ a: keysOf(2) })
  await world.run()
  await world.run({ job: 'other' })
  for await (const { path, job } of world.records.all()) {
    if (job === 'other') await world.state.put(path, Buffer.from('no record'))
  }
  await new JobWatch(world.records, world.clock.now).look()
  expect(told.map(({ job }) => job)).toEqual(['test'])
})
