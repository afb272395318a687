/**
 * The processes that seal, as they announce themselves in the state store: `replicas/<process>`, and `rotation/acks/<rotation>/<process>`
 * for each that has left the old manager of a rotation. Nothing in them is secret or sealed: whoever forges one can hasten or hold up
 * a rotation, and no more.
 */
import type { StateStore } from './state-store.ts'

const BASE = 'replicas/'
const ACKS = 'rotation/acks/'
/** What a name may be: processes draw theirs. */
const NAME = /^[0-9a-f]{16}$/
const MAX_BYTES = 4_096

/** What a process says of itself. */
export interface Announcement {
  /** Aliases of the managers that its settings seal by. */
  readonly managers: readonly string[]
  /** When it said so, by its clock. */
  readonly at: number
  /** Milliseconds between two of its looks. */
  readonly poll: number
}

export class Replicas {
  readonly #state: StateStore
  readonly #clock: () => number
  /** When each was first seen as it is now, by our clock: clocks of others do not matter. */
  readonly #seen = new Map<string, { readonly etag: string; readonly since: number }>()

  constructor(state: StateStore, clock: () => number) {
    this.#state = state
    this.#clock = clock
  }

  async announce(process: string, announcement: Announcement): Promise<void> {
    await this.#state.put(BASE + process, Buffer.from(JSON.stringify(announcement)))
  }

  async leave(process: string): Promise<void> {
    await this.#state.delete(BASE + process)
  }

  async acknowledge(rotation: string, process: string): Promise<void> {
    await this.#state.put(`${ACKS}${rotation}/${process}`, Buffer.from('{}'))
  }

  /** Those that have not acknowledged, without those that have not announced themselves anew in so many of their intervals and of ours, as far as we have seen. */
  async missing(
    rotation: string,
    { intervals, poll }: { readonly intervals: number; readonly poll: number },
  ): Promise<string[]> {
    const [all, acknowledged] = await Promise.all([this.#list(BASE), this.#list(`${ACKS}${rotation}/`)])
    const now = this.#clock()
    for (const [name, etag] of all) {
      if (this.#seen.get(name)?.etag !== etag) this.#seen.set(name, { etag, since: now })
    }
    for (const name of this.#seen.keys()) {
      if (!all.has(name)) this.#seen.delete(name)
    }
    const found: string[] = []
    for (const name of [...all.keys()].filter((one) => !acknowledged.has(one))) {
      const silent = now - (this.#seen.get(name)?.since ?? now)
      if (silent <= intervals * poll || silent <= intervals * (await this.#pollOf(name))) found.push(name)
    }
    return found
  }

  async #pollOf(name: string): Promise<number> {
    return parse((await this.#state.get(BASE + name))?.bytes)?.poll ?? 0
  }

  /** What each said within the last `age` milliseconds. */
  async recent(age: number): Promise<Map<string, Announcement>> {
    return (await this.#byAge(age)).recent
  }

  /** Forgets the acknowledgements of a rotation, and processes that have said nothing for `age` milliseconds. */
  async clean(rotation: string, age: number): Promise<void> {
    for (const name of (await this.#list(`${ACKS}${rotation}/`)).keys()) {
      await this.#state.delete(`${ACKS}${rotation}/${name}`)
    }
    for (const name of (await this.#byAge(age)).others) await this.#state.delete(BASE + name)
  }

  /** What those said that have said something within the last `age` milliseconds, and who has not. */
  async #byAge(age: number): Promise<{ readonly recent: Map<string, Announcement>; readonly others: string[] }> {
    const recent = new Map<string, Announcement>()
    const others: string[] = []
    const now = this.#clock()
    for (const name of (await this.#list(BASE)).keys()) {
      const announcement = parse((await this.#state.get(BASE + name))?.bytes)
      if (announcement !== undefined && now - announcement.at <= age) recent.set(name, announcement)
      else others.push(name)
    }
    return { recent, others }
  }

  /** ETags by process. */
  async #list(base: string): Promise<Map<string, string>> {
    const found = new Map<string, string>()
    for await (const records of this.#state.pages(base)) {
      for (const { path, etag } of records) {
        const name = path.slice(base.length)
        if (NAME.test(name)) found.set(name, etag)
      }
    }
    return found
  }
}

function parse(bytes: Buffer | undefined): Announcement | undefined {
  if (bytes === undefined || bytes.length > MAX_BYTES) return undefined
  try {
    const json = JSON.parse(bytes.toString()) as unknown
    const { managers, at, poll }: Record<string, unknown> = typeof json === 'object' && json !== null ? { ...json } : {}
    if (typeof at !== 'number' || typeof poll !== 'number' || !Array.isArray(managers)) return undefined
    return { at, poll, managers: managers.filter((one): one is string => typeof one === 'string') }
  } catch {
    return undefined
  }
}
