/** `sealgate scrub` as a user runs it: over the embedded store, killed and started again. */
import { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CommandContext } from '../../src/cli/context.ts'
import { createProgram } from '../../src/cli/program.ts'
import { Invalid } from '../../src/errors.ts'
import { type Ran, Workplace } from '../helpers/command.ts'
import { jsonLines } from '../helpers/command-output.ts'
import { through, withStore } from '../helpers/embedded.ts'
import { flip, once, readStored, writeStored } from '../helpers/tamper.ts'

const OBJECTS = 60
const bucket = 'files'

let place: Workplace
beforeAll(async () => {
  place = new Workplace()
  await through(place, async (client) => {
    const put = (key: string, body: Buffer) => client.read({ method: 'PUT', address: { bucket, key }, body })
    await put('', Buffer.alloc(0))
    for (let i = 0; i < OBJECTS; i += 1) await put(`k${i}`, Buffer.from(`contents of ${i}`))
  })
}, 120_000)
afterAll(() => place.remove())

/** The last line is the report. */
const linesOf = ({ stdout }: Ran): Record<string, unknown>[] => jsonLines(stdout)

describe('sealgate scrub', () => {
  test('reads every object, and reports', async () => {
    const ran = await place.run(['scrub'])
    expect([ran.code, ran.stderr]).toEqual([0, ''])
    const lines = linesOf(ran)
    expect(lines[0]).toMatchObject({ event: 'begin', job: 'scrub', shard: '0/1', resumed: false })
    const report = { event: 'end', ended: true, examined: OBJECTS, done: OBJECTS, failed: 0, damaged: 0 }
    expect(lines.at(-1)).toMatchObject(report)
  })

  test('shards share the objects', async () => {
    const ran = await Promise.all(['0/2', '1/2'].map((shard) => place.run(['scrub', '--shard', shard])))
    const done = ran.map((one) => Number(linesOf(one).at(-1)?.['done']))
    expect(done[0]).toBeGreaterThan(10)
    expect((done[0] ?? 0) + (done[1] ?? 0)).toBe(OBJECTS)
  })

  test('a sample is the same for the same seed', async () => {
    const run = async () => linesOf(await place.run(['scrub', '--sample', '30', '--seed', 'x'])).at(-1)
    const first = await run()
    expect(first).toMatchObject({ sample: { percent: 30, seed: 'x' } })
    expect(first?.['done']).toBeLessThan(OBJECTS)
    expect((await run())?.['done']).toBe(first?.['done'])
  })

  test.each([
    ['--shard', '2/2'],
    ['--sample', '0'],
    ['--sample', '101'],
    ['--seed', 'x'],
    ['--concurrency', '0'],
    ['--bytes-per-second', '5'],
    ['--objects-per-second', 'many'],
    ['--bucket', 'no-such-bucket'],
  ])('%s %s is refused', async (...args) => {
    const context: CommandContext = {
      env: { SEALGATE_DATA: place.path('sealgate-data') },
      stdout: process.stdout,
      stderr: process.stderr,
      stopSignal: new Promise(() => undefined),
      onHangup: () => undefined,
    }
    await expect(createProgram(context).parseAsync(['node', 'sealgate', 'scrub', ...args])).rejects.toBeInstanceOf(
      Invalid,
    )
  })

  test('a run that cannot begin leaves no bar on the terminal that would keep the process', async () => {
    let written = ''
    const terminal = () =>
      Object.assign(
        new Writable({
          write: (chunk: Buffer, _, done) => {
            written += chunk.toString()
            done()
          },
        }),
        { isTTY: true },
      )
    const context: CommandContext = {
      env: { SEALGATE_DATA: place.path('sealgate-data') },
      stdout: terminal(),
      stderr: terminal(),
      stopSignal: Promise.resolve('SIGTERM' as const),
      onHangup: () => undefined,
    }
    await expect(
      createProgram(context).parseAsync(['node', 'sealgate', 'scrub', '--seed', 's', '--sample', '1']),
    ).rejects.toThrow('stopped by SIGTERM')
    // What a bar hides while it goes on.
    const cursor = (shown: boolean) => written.lastIndexOf(shown ? '\u001b[?25h' : '\u001b[?25l')
    expect(cursor(false)).toBeGreaterThanOrEqual(0)
    expect(cursor(true)).toBeGreaterThan(cursor(false))
  })

  test('damage is listed and makes the exit code 4; nothing of the contents is shown', async () => {
    await withStore(place, async (store) => {
      const before = await readStored(store, bucket, 'k7')
      await writeStored(store, bucket, 'k7', { ...before, bytes: flip(before.bytes, 70) })
      await store.put(bucket, 'k\u009b2J', once(Buffer.from('x')), {
        length: 1,
        metadata: {},
        commit: async () => ({}),
      })
    })
    const ran = await place.run(['scrub', '--bucket', bucket])
    expect(ran.code).toBe(4)
    expect(ran.stderr).toContain('2 objects failed')
    expect(ran.stdout + ran.stderr).not.toMatch(/contents of|\u009b/)
    const lines = linesOf(ran)
    expect(lines.filter(({ event }) => event === 'failed')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ bucket, key: 'k7', layer: 'payload failure' }),
        expect.objectContaining({ bucket, key: 'k\u009b2J', layer: 'envelope failure' }),
      ]),
    )
    expect(lines.at(-1)).toMatchObject({ done: OBJECTS - 1, failed: 2, damaged: 2 })
    await withStore(place, async (store) => {
      for (const key of ['k7', 'k\u009b2J']) await store.delete(bucket, key)
    })
  })

  test('one that is asked to stop ends with a report, and the next goes on', async () => {
    const args = ['scrub', '--objects-per-second', '10', '--prefix', 'k']
    const running = place.begin(args)
    while (!running.stdout().includes('"begin"')) await sleep(20)
    await sleep(1_500)
    running.process.kill('SIGTERM')
    const first = await running.ended
    expect([first.code, first.stderr]).toEqual([1, 'sealgate: stopped by SIGTERM\n'])
    const before = linesOf(first).at(-1)
    expect(before).toMatchObject({ event: 'end', ended: false })
    const done = Number(before?.['done'])
    expect(done).toBeGreaterThan(2)
    const second = linesOf(await place.run(['scrub', '--prefix', 'k']))
    expect(second[0]).toMatchObject({ event: 'begin', resumed: true, examined: done })
    expect(second.at(-1)).toMatchObject({ ended: true, done: OBJECTS - 1 })
  })

  test('one that is killed is gone on with', async () => {
    const args = ['--bucket', bucket, '--all-versions']
    const running = place.begin(['scrub', ...args, '--objects-per-second', '6'])
    while (!running.stdout().includes('"begin"')) await sleep(20)
    await sleep(4_500)
    running.process.kill('SIGKILL')
    expect((await running.ended).code).toBeNull()
    const second = await place.run(['scrub', ...args])
    expect([second.code, second.stderr]).toEqual([0, ''])
    const lines = linesOf(second)
    const begin = lines.find(({ event }) => event === 'begin')
    expect(begin).toMatchObject({ resumed: true })
    expect(begin?.['examined']).toBeGreaterThan(0)
    expect(lines.at(-1)).toMatchObject({ ended: true, done: OBJECTS - 1 })
  }, 120_000)
})
