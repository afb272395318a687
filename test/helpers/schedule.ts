/** One schedule of operations over stores: each waits at every call of a store's method until it is chosen. */
import { createHash, type Hash } from 'node:crypto'
import { type ObjectStore, StoreError } from '../../src/backends/object-store.ts'
import { digest, subject, tapped, WRITES } from './observed-calls.ts'
import { type Choice, type Touch, touchesOf } from './touches.ts'

/** One operation of a client. What `run` resolves to is the answer; `ended` resolves when its work in the background is done too. */
export interface Actor {
  readonly name: string
  /** It begins when these have ended. */
  readonly after?: readonly string[]
  /** Another that asks for the same: which of the two is the first to write makes no difference, and it is the other. */
  readonly twinOf?: string
  readonly run: (stepped: Stepped) => Promise<{ readonly answer: string; readonly ended: Promise<void> }>
}

/** What the operation is given: its own randomness, and the stores behind the scheduler. */
export interface Stepped {
  readonly name: string
  readonly random: (bytes: number) => Buffer
  readonly wrap: (label: string, store: ObjectStore) => ObjectStore
  readonly answerOf: (actor: string) => string | undefined
}

export interface Ending {
  /** `undefined` for an operation that crashed before it answered and was not repeated. */
  readonly answer: string | undefined
  /** It stopped for ever; `answer` is that of its repetition. */
  readonly crashed: boolean
}

export interface Bounds {
  /** Also: one operation stops for ever after any of its steps, and its client repeats it. */
  readonly crash: boolean
  /**
   * Bounds for what would be too much without. `in order`: calls that an operation makes side by side run in the order in which
   * it made them. `at once`: what goes on behind an answer is, besides, one step.
   */
  readonly deletes?: 'in order' | 'at once'
}

interface Call {
  readonly label: string
  readonly touches: readonly Touch[]
  readonly release: (number: number) => void
}

/** No operation takes so many steps before it answers. */
const BEHIND_THE_ANSWER = 1_000
const STOP = '#!'
const AT_ONCE = '+'
const EVERYTHING: Touch = { at: '', below: true, write: true }
const THE_CRASH: Touch = { at: 'crash', write: true }

/** One operation as it runs. */
class Thread implements Stepped {
  readonly name: string
  readonly actor: Actor
  readonly pending = new Map<number, Call>()
  /** Calls that were let go and have not come back: a write that waits for its body, which is a call in turn. */
  readonly #inside = new Map<number, readonly Touch[]>()
  readonly answers = new Map<number, string>()
  readonly answerOf: Stepped['answerOf']
  readonly #run: Run
  #issued = 0
  #drawn = 0
  begun = false
  answer: string | undefined
  ended = false
  crashed = false
  /** Whether its last step wrote. To stop after a read is to stop before it. */
  wrote = false
  everWrote = false
  failure: unknown

  constructor(run: Run, actor: Actor, name: string) {
    this.#run = run
    this.actor = actor
    this.name = name
    this.answerOf = (other) => run.endingOf(other)?.answer
  }

  get live(): boolean {
    return this.begun && !this.ended && !this.crashed
  }

  random = (bytes: number): Buffer => drawFrom(`${this.name}/${this.#drawn++}`, bytes)

  begin(): void {
    this.begun = true
    const failed = (error: unknown): void => void (this.failure ??= error)
    this.actor.run(this).then(({ answer, ended }) => {
      this.answer = answer
      ended.then(() => void (this.ended = true), failed)
    }, failed)
  }

  wrap = (label: string, store: ObjectStore): ObjectStore =>
    new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) =>
          new Promise((resolve, reject) => {
            const touches = [...touchesOf(label, String(name), args), ...[...this.#inside.values()].flat()]
            const release = (number: number): void => {
              this.#inside.set(number, touches)
              this.wrote = touches.some(({ write }) => write)
              this.everWrote ||= this.wrote
              const content = this.#run.enter(this.name)
              const passed = WRITES.has(name) ? tapped(args, content) : args
              const call = async (): Promise<unknown> => value.apply(target, passed) as unknown
              this.#settle(number, call).then(resolve, reject)
            }
            this.pending.set(this.#issued++, { touches, label: `${label}.${String(name)}${subject(args)}`, release })
          })
      },
    })

  async #settle(number: number, call: () => Promise<unknown>): Promise<unknown> {
    try {
      const value = await call()
      this.answers.set(number, digest(value))
      return value
    } catch (error) {
      this.answers.set(number, error instanceof StoreError ? error.refusal : String(error))
      throw error
    } finally {
      this.#inside.delete(number)
    }
  }

  /** Work behind an answer is the same whatever came before it: its calls are counted anew. */
  countAnew(): void {
    const pending = [...this.pending.values()]
    this.pending.clear()
    this.answers.clear()
    this.#issued = BEHIND_THE_ANSWER
    for (const call of pending) this.pending.set(this.#issued++, call)
  }

  /** All that decides what this operation does next. */
  get state(): string {
    if (this.crashed) return `${this.name} crashed ${this.answer ?? ''}`
    if (this.ended) return `${this.name} ${this.answer ?? ''}`
    const answers = [...this.answers].sort(([a], [b]) => a - b)
    return JSON.stringify([this.name, this.begun, this.answer, answers, [...this.pending.keys()]])
  }
}

/** One schedule as it runs. */
export class Run {
  readonly threads: Thread[] = []
  readonly trace: string[] = []
  #last = ''
  #writer = ''
  /** What each operation wrote last. */
  readonly #contents = new Map<string, Hash>()
  readonly #drawn = new Map<string, number>()

  /** Values for the stores: named by who writes what, not by when, so that equal contents have equal names in every schedule. */
  random = (bytes: number): Buffer => {
    const name = `${this.#writer}/${this.#contents.get(this.#writer)?.copy().digest('hex') ?? ''}`
    const drawn = this.#drawn.get(name) ?? 0
    this.#drawn.set(name, drawn + 1)
    return drawFrom(`${name}/${drawn}`, bytes)
  }

  /** From now on it is this operation that writes. What it passes to the result is what it writes. */
  enter(actor: string): (content: Hash) => void {
    this.#writer = actor
    return (content) => void this.#contents.set(actor, content)
  }

  endingOf(name: string): Ending | undefined {
    const own = this.threads.find((thread) => thread.name === name)
    if (own === undefined || !(own.ended || own.crashed)) return undefined
    if (own.ended || own.answer !== undefined) return { answer: own.answer, crashed: own.crashed }
    const again = this.endingOf(repeated(name))
    return again === undefined ? undefined : { answer: again.answer, crashed: true }
  }

  /** Adds an operation. It begins as soon as those that it waits for have ended. */
  add(actor: Actor): void {
    this.threads.push(new Thread(this, actor, actor.name))
  }

  /** Lets everything run that does not wait for a choice. */
  async quiet(): Promise<void> {
    for (let turn = 0; turn < 1_000; turn += 1) {
      // A tick begins when no promise has anything left to do. An operation that waits for more than promises gets more time.
      await new Promise<void>((resolve) => void (turn < 10 ? process.nextTick(resolve) : setImmediate(resolve)))
      const failed = this.threads.find((thread) => thread.failure !== undefined)
      if (failed !== undefined)
        throw new Error(`${failed.name} failed\n${this.trace.join('\n')}`, { cause: failed.failure })
      const ready = this.threads.filter(
        ({ begun, actor }) => !begun && (actor.after ?? []).every((name) => this.endingOf(name) !== undefined),
      )
      for (const thread of ready) thread.begin()
      if (ready.length === 0 && this.threads.every((thread) => !thread.live || thread.pending.size > 0)) return
    }
    throw new Error(`an operation waits for something that is not a step\n${this.trace.join('\n')}`)
  }

  /** What can happen next; that the same operation goes on comes first. */
  choices({ crash, deletes }: Bounds): Choice[] {
    const live = this.threads.filter((thread) => thread.live)
    const order = [...live.filter(({ name }) => name === this.#last), ...live.filter(({ name }) => name !== this.#last)]
    const all = order.flatMap(({ name, pending, answer }) =>
      [...pending].slice(0, deletes === undefined ? undefined : 1).map(([number, { touches }]) => ({
        id: `${name}#${number}${deletes === 'at once' && answer !== undefined ? AT_ONCE : ''}`,
        touches: deletes === 'at once' && answer !== undefined ? [EVERYTHING] : touches,
      })),
    )
    const steps = all.filter(
      ({ id, touches }) => !this.#waitsForTwin(id) || touches.every(({ write }) => write !== true),
    )
    // When all have answered, only deletes and the lists that lead to them are left, which end alike in any order.
    if (this.threads.every(({ begun, live, answer }) => begun && (!live || answer !== undefined))) steps.splice(1)
    if (!crash || steps.length === 0 || this.threads.some(({ crashed }) => crashed)) return steps
    const writers = order.filter(({ wrote }) => wrote)
    const stops = writers.map(({ name }) => ({ id: `${name}${STOP}`, touches: [THE_CRASH] }))
    return [...steps, ...stops]
  }

  #waitsForTwin(choice: string): boolean {
    const thread = this.threads.find(({ name }) => choice.startsWith(`${name}#`))
    const twin = this.threads.find(({ name }) => name === thread?.actor.twinOf)
    return twin?.live === true && !twin.everWrote && thread?.everWrote === false
  }

  async take(choice: string): Promise<void> {
    const [name, number = ''] = choice.split('#')
    const thread = this.threads.find((one) => one.name === name)
    if (thread === undefined) throw new Error(`there is no operation ${name}`)
    this.#last = thread.name
    if (`#${number}` === STOP) this.#stop(thread)
    else this.#step(thread, Number.parseInt(number))
    await this.quiet()
    while (choice.endsWith(AT_ONCE) && !thread.ended) {
      this.#step(thread, [...thread.pending.keys()][0] ?? -1)
      await this.quiet()
    }
    if (thread.answer !== undefined && !this.trace.some((line) => line.startsWith(`${thread.name} = `))) {
      this.trace.push(`${thread.name} = ${thread.answer}`)
      thread.countAnew()
    }
  }

  #step(thread: Thread, number: number): void {
    const call = thread.pending.get(number)
    if (call === undefined) {
      throw new Error(`the schedule is not repeatable: ${thread.name}#${number}\n${this.trace.join('\n')}`)
    }
    thread.pending.delete(number)
    this.trace.push(`${thread.name}: ${call.label}`)
    call.release(number)
  }

  #stop(thread: Thread): void {
    thread.crashed = true
    thread.pending.clear()
    this.trace.push(`${thread.name}: stops for ever`)
    // A client that has its answer does not ask again.
    if (thread.answer !== undefined) return
    const again = new Thread(this, thread.actor, repeated(thread.name))
    this.threads.push(again)
    again.begin()
  }
}

const repeated = (name: string): string => `${name} again`

function drawFrom(seed: string, bytes: number): Buffer {
  return createHash('shake256', { outputLength: bytes }).update(seed).digest()
}
