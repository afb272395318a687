/** What a job tells on a terminal and elsewhere. */
import { Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import type { CommandContext } from '../../src/cli/context.ts'
import { JobOutput } from '../../src/cli/job-output.ts'
import { Integrity } from '../../src/errors.ts'
import { NOTHING } from '../../src/jobs/tally.ts'

const BEGUN = Date.parse('2026-01-02T03:04:05Z')

class World {
  now = BEGUN
  readonly written = { stdout: '', stderr: '' }
  readonly #isTTY: boolean

  constructor(isTTY: boolean) {
    this.#isTTY = isTTY
  }

  #stream(name: 'stdout' | 'stderr'): Writable & { isTTY: boolean } {
    const write = (chunk: Buffer, _: unknown, done: () => void): void => {
      this.written[name] += chunk.toString()
      done()
    }
    return Object.assign(new Writable({ write }), { isTTY: this.#isTTY })
  }

  open(json = false): JobOutput {
    const context: CommandContext = {
      env: {},
      stdout: this.#stream('stdout'),
      stderr: this.#stream('stderr'),
      stopSignal: new Promise(() => undefined),
      onHangup: () => undefined,
    }
    return new JobOutput(context, { job: 'scrub', flags: { json }, now: () => this.now })
  }

  get lines(): unknown[] {
    return this.written.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)
  }
}

const object = { bucket: 'b', key: 'k\u009b', size: 1, isLatest: true }
const counts = { ...NOTHING, done: 2, unchanged: 1, failed: 1, damaged: 1, bytes: 30, reasons: { plaintext: 1 } }

describe('a job', () => {
  test('elsewhere than on a terminal tells how far it is every ten seconds, with rate and estimate', () => {
    const world = new World(false)
    const { onBegin, onProgress } = world.open().listeners
    onBegin({ begun: BEGUN, resumed: true, counts: { ...NOTHING, done: 100, bytes: 1_000 } })
    for (let seconds = 1; seconds <= 20; seconds += 1) {
      world.now += 1_000
      onProgress({ examined: 100 + 5 * seconds, failed: 0, bytes: 1_000 + 70 * seconds, total: 300 })
    }
    expect(world.lines).toEqual([
      {
        event: 'begin',
        job: 'scrub',
        shard: '0/1',
        dryRun: false,
        begun: '2026-01-02T03:04:05.000Z',
        resumed: true,
        examined: 100,
      },
      {
        event: 'progress',
        examined: 150,
        total: 300,
        failed: 0,
        bytes: 1_700,
        objectsPerSecond: 5,
        bytesPerSecond: 70,
        secondsLeft: 30,
      },
      {
        event: 'progress',
        examined: 200,
        total: 300,
        failed: 0,
        bytes: 2_400,
        objectsPerSecond: 5,
        bytesPerSecond: 70,
        secondsLeft: 20,
      },
    ])
    expect(world.written.stderr).toBe('')
  })

  test('on a terminal shows a bar, and the report as text', () => {
    const world = new World(true)
    const output = world.open()
    output.listeners.onBegin({ begun: BEGUN, resumed: true, counts: { ...NOTHING, done: 1 } })
    world.now += 1_000
    output.listeners.onProgress({ examined: 3, failed: 1, bytes: 30, total: 4 })
    output.endBar()
    output.end({ begun: BEGUN, seed: 's', resumed: true, counts, stopped: new Error('stopped') }, undefined)
    expect(world.written.stderr).toContain('3/4 objects')
    expect(world.written.stdout).toBe(
      [
        'goes on with the run of 2026-01-02T03:04:05.000Z, which had seen 1 objects',
        '4 objects: 2 done, 1 unchanged, 0 untouchable, 0 overtaken, 1 failed, 1 damaged, 0 unavailable, 30 bytes',
        '  1 × plaintext',
        'not at the end: the same command goes on from here\n',
      ].join('\n'),
    )
  })

  test('--json tells it in JSON lines there too', () => {
    const world = new World(true)
    world.open(true).end({ begun: BEGUN, seed: 's', resumed: false, counts }, 5)
    expect(world.lines).toMatchObject([
      { event: 'end', ended: true, examined: 4, done: 2, sample: { percent: 5, seed: 's' } },
    ])
    expect(world.written.stderr).toBe('')
  })

  test('lists what fails as a JSON line that steers no terminal, and remembers the damage for the exit code', () => {
    const world = new World(true)
    const output = world.open()
    const cause = new Integrity('tail failure', 'the pad is not zero')
    output.listeners.onFailure({ ...object, versionId: 'v' }, cause)
    output.listeners.onFailure(object, 'no error at all')
    expect(world.written.stdout).not.toContain('\u009b')
    expect(world.lines).toEqual([
      {
        event: 'failed',
        bucket: 'b',
        key: 'k\u009b',
        versionId: 'v',
        layer: 'tail failure',
        why: 'tail failure: the pad is not zero',
      },
      { event: 'failed', bucket: 'b', key: 'k\u009b', why: 'an unknown error' },
    ])
    expect(output.firstDamage).toBe(cause)
  })
})
