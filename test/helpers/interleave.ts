/**
 * Every interleaving of operations over stores. A call of a store's method is a step: it waits until it is chosen, and then
 * runs to its end, with all that its operation does until it waits again, before the next choice. The search goes depth
 * first over the choices and begins each run anew from the same world, so that a schedule can be repeated at will.
 *
 * Operations share nothing but the stores, and each has its own seeded randomness and a fixed clock: what one does next is a
 * function of the answers that it got. So two schedules that lead to the same stores and the same answers have the same
 * futures, and only the first of them is followed; `schedules` counts all of them.
 */
import { createHash } from 'node:crypto'
import { type Actor, type Bounds, type Ending, Run } from './schedule.ts'
import { apart, type Choice } from './touches.ts'

export interface Search<World> extends Bounds {
  /** A fresh world, the same each time. `random` is for its stores: every value is drawn once. */
  readonly prepare: (random: (bytes: number) => Buffer) => Promise<World>
  readonly actors: (world: World) => readonly Actor[]
  /** Everything in the stores: equal texts are equal worlds. */
  readonly fingerprint: (world: World) => Promise<string>
  /** What is wrong with a world in which everything has ended. */
  readonly check: (world: World, endings: ReadonlyMap<string, Ending>) => Promise<readonly string[]>
  /** Runs also the steps whose result is known because they have nothing in common with the one before them. */
  readonly everyEdge?: boolean
}

export interface Found {
  /** Schedules that lead to an end, those included that were recognised as leading to a state known before. */
  readonly schedules: number
  readonly runs: number
  readonly states: number
  /** Distinct ends, each of which was checked. */
  readonly ends: number
  /** Each problem with how many ends have it and the schedule with the fewest turns that shows it. */
  readonly faults: readonly { readonly problem: string; readonly ends: number; readonly schedule: string }[]
}

/** A state with its choices, of which those up to `at` are followed. */
interface Fork {
  readonly id: string
  readonly choices: readonly Choice[]
  at: number
  schedules: number
}

/** Explores everything. Throws if an operation fails other than with an answer, or a schedule does not repeat. */
export async function explore<World>(search: Search<World>): Promise<Found> {
  return new Exploration(search).run()
}

class Exploration<World> {
  readonly #search: Search<World>
  /** State → how many schedules lead from it to an end. */
  readonly #known = new Map<string, number>()
  /** State and choice → next state. */
  readonly #edges = new Map<string, string>()
  readonly #faults = new Map<string, { ends: number; trace: readonly string[] }>()
  readonly #path: Fork[] = []
  #runs = 0
  #ends = 0

  constructor(search: Search<World>) {
    this.#search = search
  }

  async run(): Promise<Found> {
    let root: Fork | undefined
    do {
      await this.#follow()
      root ??= this.#path[0]
      this.#retreat()
    } while (this.#path.length > 0)
    const faults = [...this.#faults].map(([problem, { ends, trace }]) => ({
      problem,
      ends,
      schedule: trace.join('\n'),
    }))
    return { schedules: root?.schedules ?? 0, runs: this.#runs, states: this.#known.size, ends: this.#ends, faults }
  }

  /** Runs along the path and then takes the first choice each time, to an end or to a state that is known. */
  async #follow(): Promise<void> {
    const search = this.#search
    const run = new Run()
    this.#runs += 1
    // The test runner wants to be heard now and then.
    await new Promise(setImmediate)
    const world = await search.prepare(run.random)
    for (const actor of search.actors(world)) run.add(actor)
    await run.quiet()
    for (const { choices, at } of this.#path) await run.take(choices[at]?.id ?? '')
    for (;;) {
      const states = run.threads.map(({ state }) => state)
      const id = sha(JSON.stringify([states, await search.fingerprint(world)]))
      const above = this.#path.at(-1)
      if (above !== undefined) this.#edges.set(edge(above, above.choices[above.at]), id)
      if (this.#known.has(id)) return
      const choices = run.choices(search)
      if (choices.length === 0) {
        await this.#end(run, world, id)
        return
      }
      const fork = { id, choices, at: -1, schedules: 0 }
      if (above !== undefined && search.everyEdge !== true) this.#infer(above, fork)
      this.#path.push(fork)
      const next = this.#next(fork)
      if (next === undefined) return
      await run.take(next.id)
    }
  }

  /** A choice that was followed before the one that led here, and has nothing in common with it, leads where both led in the other order. */
  #infer(above: Fork, fork: Fork): void {
    const taken = above.choices[above.at]
    for (const choice of fork.choices) {
      const beside = above.choices.find(({ id }) => id === choice.id)
      if (taken === undefined || beside === undefined || !apart(taken, beside)) continue
      const there = this.#edges.get(edge(above, beside))
      const target = there === undefined ? undefined : this.#edges.get(edge({ id: there }, taken))
      if (target !== undefined) this.#edges.set(edge(fork, choice), target)
    }
  }

  /** The next choice that has not been followed. */
  #next(fork: Fork): Choice | undefined {
    do fork.at += 1
    while (fork.at < fork.choices.length && this.#edges.has(edge(fork, fork.choices[fork.at])))
    return fork.choices[fork.at]
  }

  /** Leaves the states of which all is known, down to one with a choice that is left. */
  #retreat(): void {
    for (let fork = this.#path.at(-1); fork !== undefined; fork = this.#path.at(-1)) {
      if (this.#next(fork) !== undefined) return
      const targets = fork.choices.map((choice) => this.#edges.get(edge(fork, choice)) ?? '')
      fork.schedules = targets.reduce((sum, target) => sum + (this.#known.get(target) ?? Number.NaN), 0)
      this.#known.set(fork.id, fork.schedules)
      this.#path.pop()
    }
  }

  async #end(run: Run, world: World, id: string): Promise<void> {
    this.#ends += 1
    this.#known.set(id, 1)
    const names = this.#search.actors(world).map(({ name }) => name)
    const endings = new Map(names.map((name) => [name, run.endingOf(name) ?? unended(name)]))
    for (const problem of await this.#search.check(world, endings)) {
      const fault = this.#faults.get(problem)
      const fewer = fault === undefined || turns(run.trace) < turns(fault.trace)
      this.#faults.set(problem, { ends: (fault?.ends ?? 0) + 1, trace: fewer ? run.trace : fault.trace })
    }
  }
}

const edge = ({ id }: Pick<Fork, 'id'>, choice: Choice | undefined): string => `${id} ${choice?.id ?? ''}`

function unended(name: string): never {
  throw new Error(`${name} has not ended`)
}

/** Changes of the operation that runs, then length. */
function turns(trace: readonly string[]): number {
  const names = trace.map((line) => line.split(/[:=]/)[0]?.trim())
  return names.filter((name, i) => i > 0 && name !== names[i - 1]).length * 1_000 + trace.length
}

const sha = (text: string): string => createHash('sha256').update(text).digest('base64')
