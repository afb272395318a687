/**
 * Every interleaving of operations on one multipart upload, by replicas that share nothing but their stores, against what S3
 * allows. The floors keep a search from shrinking unseen; each test says how much it has searched.
 *
 * Two searches for each scenario. The first follows every order of all calls. In the second one operation stops for ever after
 * any of its steps, and its client repeats it while the others go on. There is a bound: the deletes that an operation makes
 * side by side go in the order in which it makes them, because each further record would double the states.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import { loadChecksums } from '../../src/s3/checksum.ts'
import { StateStore } from '../../src/state/state-store.ts'
import { explore, type Found, type Search } from '../helpers/interleave.ts'
import { type Mode, type Op, type Part, PREPARED, type Scenario, searchOf } from '../helpers/multipart-model.ts'
import { sharedKeys } from '../helpers/multipart-world.ts'
import type { Actor } from '../helpers/schedule.ts'

/** Milliseconds: a search is all computing, and the machine may be busy. */
const PATIENCE = 120_000
/** The least plaintext of a part that is streamed, here. */
const D = 8_192
vi.mock('../../src/format/sizes.ts', async () => (await import('../helpers/short-segments.ts')).sizesWith(8_192))

let keys: Mode['keys']
const { stackTraceLimit } = Error
beforeAll(async () => {
  await loadChecksums()
  keys = await sharedKeys()
  // Refusals are thrown by the thousand.
  Error.stackTraceLimit = 0
})
afterAll(() => void (Error.stackTraceLimit = stackTraceLimit))

const part = (partNumber: number, length: number, text: string): Part => {
  return { partNumber, body: Buffer.alloc(length, text) }
}
const one = part(1, D, 'one, streamed. ')
const oneAgain = part(1, D + 1, 'one again, streamed. ')
const oneShrunk = part(1, 100, 'one again, held back. ')
const two = part(2, 101, 'two, held back. ')
const twoAgain = part(2, 102, 'two again, held back. ')
const twoGrown = part(2, D + 2, 'two again, streamed. ')

const complete = (name: string, list: Readonly<Record<number, string>> | 'listed', ...after: string[]): Op => {
  return { kind: 'complete', name, list, after }
}
const twin = (name: string, op: Op): Op => ({ ...op, name, twinOf: op.name })
const abort = (name: string): Op => ({ kind: 'abort', name })
const upload = (name: string, what: Part): Op => ({ kind: 'upload', name, ...what })

const ONE = { 1: PREPARED }
const TWO = { 2: PREPARED }
const BOTH = { 1: PREPARED, 2: PREPARED }

interface Row extends Scenario {
  readonly name: string
  /** At least so many schedules and states without a crash, and with one. */
  readonly least: readonly [schedules: number, states: number]
  readonly leastWithCrash?: readonly [schedules: number, states: number]
  /** With a crash in one of the two modes alone or in none, where the search is long. */
  readonly only?: 'MD5' | 'opaque' | 'none'
}

const ROWS: readonly Row[] = [
  {
    name: 'two Completes of one held-back part',
    parts: [two],
    ops: [complete('A', TWO), twin('B', complete('A', TWO))],
    least: [500_000, 600],
    // With a crash it would take as long as half of the others; the next scenario differs only in where the part lies.
    only: 'none',
  },
  {
    name: 'two Completes of one streamed part',
    parts: [one],
    ops: [complete('A', ONE), twin('B', complete('A', ONE))],
    least: [40_000, 300],
    leastWithCrash: [7_000_000, 1_200],
    only: 'opaque',
  },
  {
    name: 'two Completes with two lists',
    parts: [one, two],
    ops: [complete('A', BOTH), complete('B', ONE)],
    least: [300_000, 200],
    leastWithCrash: [100_000, 350],
    only: 'MD5',
  },
  {
    name: 'Complete and Abort',
    parts: [two],
    ops: [complete('A', TWO), abort('Abort')],
    least: [30_000, 150],
    leastWithCrash: [40_000, 300],
  },
  {
    name: 'two Aborts',
    parts: [two],
    ops: [abort('Abort'), twin('Abort too', abort('Abort'))],
    least: [1_000, 50],
    leastWithCrash: [10_000, 150],
  },
  {
    name: 'Complete while its streamed part comes again',
    parts: [one, two],
    ops: [complete('A', BOTH), upload('U', oneAgain)],
    least: [400, 40],
    leastWithCrash: [1_800, 90],
  },
  {
    name: 'Complete while its held-back part comes again',
    parts: [two],
    ops: [complete('A', TWO), upload('U', twoAgain)],
    least: [5_000_000, 200],
    leastWithCrash: [15_000_000, 500],
  },
  {
    name: 'Complete while its held-back part comes again, streamed',
    parts: [two],
    ops: [complete('A', TWO), upload('U', twoGrown)],
    least: [400, 40],
    leastWithCrash: [10_000, 130],
  },
  {
    name: 'Complete while its streamed part comes again, held back',
    parts: [one],
    ops: [complete('A', ONE), upload('U', oneShrunk)],
    least: [700_000, 120],
    leastWithCrash: [8_000_000, 400],
  },
  {
    name: 'Complete while a part comes that it does not list',
    parts: [one],
    ops: [complete('A', ONE), upload('U', twoGrown)],
    least: [150, 35],
    leastWithCrash: [5_000, 140],
  },
  {
    name: 'held-back part and Abort',
    parts: [],
    ops: [upload('U', two), abort('Abort')],
    least: [400, 25],
    leastWithCrash: [10_000, 140],
  },
  {
    name: 'streamed part and Abort',
    parts: [],
    ops: [upload('U', one), abort('Abort')],
    least: [15, 15],
    leastWithCrash: [80, 40],
  },
  {
    name: 'two attempts of a held-back part, then Complete of what is listed',
    parts: [],
    ops: [upload('U', two), upload('V', twoAgain), complete('A', 'listed', 'U', 'V')],
    least: [100, 30],
    leastWithCrash: [3_000, 190],
  },
  {
    name: 'two attempts of a streamed part, then Complete of what is listed',
    parts: [],
    ops: [upload('U', one), upload('V', oneAgain), complete('A', 'listed', 'U', 'V')],
    least: [15, 30],
    leastWithCrash: [110, 120],
  },
  {
    name: 'two attempts of a part, one held back, then Complete of what is listed',
    parts: [],
    ops: [upload('U', two), upload('V', twoGrown), complete('A', 'listed', 'U', 'V')],
    least: [30, 25],
    leastWithCrash: [450, 110],
  },
  {
    name: 'two attempts of a held-back part, then Complete of one of them',
    parts: [],
    ops: [upload('U', two), upload('V', twoAgain), complete('A', { 2: 'U' }, 'U', 'V')],
    least: [100, 30],
    leastWithCrash: [2_700, 150],
  },
  {
    name: 'two attempts of a streamed part, then Complete of one of them',
    parts: [],
    ops: [upload('U', one), upload('V', oneAgain), complete('A', { 1: 'U' }, 'U', 'V')],
    least: [15, 25],
    leastWithCrash: [90, 80],
  },
]

const THREE: Scenario = { parts: [one], ops: [complete('A', ONE), twin('B', complete('A', ONE)), abort('Abort')] }

type Annotate = (message: string) => Promise<unknown>

function expectNoFaults({ faults, ...searched }: Found, [schedules, states]: readonly [number, number]): void {
  const wrong = faults.filter(({ problem }) => !problem.startsWith('(allowed)'))
  expect(wrong.map(({ problem, schedule }) => `${problem}\n${schedule}\n`).join('\n')).toBe('')
  expect(searched.schedules).toBeGreaterThan(schedules)
  expect(searched.states).toBeGreaterThan(states)
}

async function search(scenario: Scenario, mode: Omit<Mode, 'keys'>, annotate: Annotate): Promise<Found> {
  const found = await explore(searchOf(scenario, { keys, ...mode }))
  const allowed = found.faults.filter(({ problem }) => problem.startsWith('(allowed)'))
  const notes = allowed.map(({ problem, ends }) => `; ${ends} ends: ${problem}`).join('')
  const { schedules, states, runs, ends } = found
  await annotate(`${schedules} schedules through ${states} states to ${ends} ends, in ${runs} runs${notes}`)
  return found
}

for (const row of ROWS) {
  describe(row.name, { timeout: PATIENCE }, () => {
    test('in every order', async ({ annotate }) => {
      expectNoFaults(await search(row, { facts: true, crash: false }, annotate), row.least)
    })

    const modes = ['MD5', 'opaque'].filter((etags) => row.only === undefined || row.only === etags)
    test.for(modes)('and one of them stops for ever, with %s ETags', async (etags, { annotate }) => {
      const found = await search(row, { facts: etags === 'MD5', crash: true, deletes: 'in order' }, annotate)
      expectNoFaults(found, row.leastWithCrash ?? row.least)
    })
  })
}

// Attempts that were made one after the other are then told apart by their names alone.
describe('in a state store that tells times by the second', { timeout: PATIENCE }, () => {
  for (const row of ROWS.filter(({ name }) => name.startsWith('two attempts'))) {
    test(row.name, async ({ annotate }) => {
      const mode = { facts: true, crash: true, deletes: 'in order', coarse: true } as const
      expectNoFaults(await search(row, mode, annotate), row.least)
    })
  }
})

// Three are too many for all of it: what goes on behind an answer is one step here, and nobody stops.
test('two Completes and an Abort', { timeout: PATIENCE }, async ({ annotate }) => {
  const found = await search(THREE, { facts: true, crash: false, deletes: 'at once' }, annotate)
  expectNoFaults(found, [200_000_000, 1_900])
})

const INFERRED = ['streamed part and Abort', 'Complete while a part comes that it does not list']

describe('the search', () => {
  /** Adds one to a counter, as one should not. */
  const counting = (name: string): Actor => ({
    name,
    run: async (stepped) => {
      const state = new StateStore(stepped.wrap('state', counters), 'counters')
      const count = Number((await state.get('count'))?.bytes ?? 0)
      await state.put('count', Buffer.from(String(count + 1)))
      return { answer: String(count + 1), ended: Promise.resolve() }
    },
  })
  let counters: MemoryStore
  const lostUpdates: Search<MemoryStore> = {
    crash: false,
    prepare: async (random) => {
      counters = new MemoryStore({ random, now: () => new Date(0) })
      await counters.createBucket('counters')
      return counters
    },
    actors: () => [counting('A'), counting('B')],
    fingerprint: async () => (await counters.head('counters', 'count'))?.etag ?? '',
    check: async (_world, endings) => {
      const answers = [...endings.values()].map(({ answer }) => answer)
      return answers.includes('2') ? [] : ['an update is lost']
    },
  }

  test('finds the schedules that lose an update, and counts all', async () => {
    const { schedules, faults } = await explore(lostUpdates)
    expect(schedules).toBe(6)
    expect(faults).toEqual([
      {
        problem: 'an update is lost',
        ends: 2,
        schedule: [
          'A: state.get count',
          'B: state.get count',
          'B: state.put count',
          'B = 1',
          'A: state.put count',
          'A = 1',
        ].join('\n'),
      },
    ])
  })

  test('finds the same without the steps whose result it infers', async () => {
    const rows = ROWS.filter(({ name }) => INFERRED.includes(name))
    expect(rows).toHaveLength(INFERRED.length)
    for (const { ops, parts } of rows) {
      const scenario = searchOf({ ops, parts }, { keys, facts: true, crash: true })
      const { runs, faults, ...inferred } = await explore(scenario)
      const all = await explore({ ...scenario, everyEdge: true })
      expect(all).toMatchObject(inferred)
      expect(all.faults.map(({ problem, ends }) => [problem, ends])).toEqual(
        faults.map(({ problem, ends }) => [problem, ends]),
      )
      expect(all.runs).toBeGreaterThan(runs)
    }
  })
})
