/** Several processes with one state store and one clock, each with key managers, caches and memory of its own; any of them can be killed between two calls of the store. */
import { randomBytes } from 'node:crypto'
import { MemoryStore } from '../../src/backends/memory.ts'
import type { ObjectStore } from '../../src/backends/object-store.ts'
import { Unavailable } from '../../src/errors.ts'
import { Rotations } from '../../src/jobs/rotation.ts'
import { Participant } from '../../src/jobs/rotation/participant.ts'
import { Trust } from '../../src/jobs/rotation/trust.ts'
import { createBucketKeys, type KeyAlarm } from '../../src/keys/bucket-keys.ts'
import type { BucketKey, KeyManager, RotatingBucketKeys } from '../../src/keys/key-manager.ts'
import { LocalKeyManager } from '../../src/keys/local.ts'
import type { MasterKey, MasterKeys } from '../../src/keys/master-keys.ts'
import { StateKeyring } from '../../src/state/keyring.ts'
import { Replicas } from '../../src/state/replicas.ts'
import { RotationStore } from '../../src/state/rotation-store.ts'
import { StateStore } from '../../src/state/state-store.ts'
import { masterKeysOf, newMaster } from '../helpers/master-keys.ts'

export const SECOND = 1_000
export const DAY = 86_400_000
export const TIMES = { poll: 5 * SECOND, drain: 600 * SECOND, dualRead: 30 * DAY }

export interface ProcessOptions {
  readonly active?: string
  /** Managers that buckets of its settings name. */
  readonly buckets?: readonly string[]
  readonly retired?: readonly string[]
  /** Which managers it has; all if absent. */
  readonly managers?: readonly string[]
  /** Paths of the state store that do not answer, as long as they stand here. */
  readonly hidden?: readonly string[]
  /** Milliseconds between two of its looks. */
  readonly poll?: number
  /** It is killed before it has made more calls of the store than these. */
  readonly calls?: number
}

export interface Process {
  readonly keys: RotatingBucketKeys
  readonly participant: Participant
  readonly rotations: Rotations
  readonly managers: Map<string, KeyManager>
  readonly alarms: KeyAlarm[]
  readonly kill: () => void
  /** Calls of the store so far. */
  readonly calls: () => number
}

export class RotationWorld {
  now = Date.UTC(2026, 0, 2, 12)
  readonly objects = new MemoryStore({ now: () => new Date(this.now) })
  /** Past all processes. */
  readonly state = new StateStore(this.objects, 'state')
  readonly keyring = new StateKeyring(this.state)
  /** What each manager has as its file: the active master key first. */
  readonly files: Record<string, MasterKey[]> = { old: [newMaster()], new: [newMaster()], third: [newMaster()] }
  /** All keys that were sealed under. */
  readonly sealed: BucketKey[] = []
  readonly #all: Process[] = []

  static async make(): Promise<RotationWorld> {
    const world = new RotationWorld()
    await world.state.ensureBucket()
    return world
  }

  /** One that serves: it follows rotations from its start on. */
  async gateway(options: ProcessOptions = {}): Promise<Process> {
    const process = this.process(options)
    await process.participant.join()
    return process
  }

  /** One that only drives, as a command does. */
  process(options: ProcessOptions = {}): Process {
    const {
      active = 'old',
      buckets = [],
      retired = [],
      managers: names,
      hidden = [],
      poll = TIMES.poll,
      calls: most,
    } = options
    const clock = (): number => this.now
    let calls = 0
    let killed = false
    const check = (args: readonly unknown[]): void => {
      calls += 1
      if (hidden.some((path) => args.includes(path))) throw new Unavailable('it does not answer')
      if (killed || calls > (most ?? Number.POSITIVE_INFINITY)) throw new Unavailable('killed')
    }
    const state = new StateStore(guarded(this.objects, check), 'state')
    const keyring = new StateKeyring(state)
    const managers = new Map((names ?? Object.keys(this.files)).map((alias) => [alias, this.#manager(alias)]))
    const settings = { active, used: new Set([active, ...buckets]), retired: new Set(retired) }
    const shared = {
      store: new RotationStore({ state, managers, clock, random: randomBytes }),
      replicas: new Replicas(state, clock),
      trust: new Trust(settings),
      process: randomBytes(8).toString('hex'),
      settings,
      managers,
      clock,
    }
    const participant = new Participant({ ...shared, poll })
    const rotations = new Rotations({ ...shared, keyring, times: { ...TIMES, poll }, random: randomBytes })
    const alarms: KeyAlarm[] = []
    const keys = createBucketKeys({
      managers,
      activeAlias: active,
      keyring,
      succession: participant,
      clock,
      onAlarm: (alarm) => alarms.push(alarm),
    })
    participant.leads(keys)
    const kill = (): void => {
      killed = true
      void participant.leave()
    }
    const made = { keys, participant, rotations, managers, alarms, kill, calls: () => calls }
    this.#all.push(made)
    return made
  }

  /** Seals in some buckets by each of these processes. */
  async seal(...processes: Process[]): Promise<BucketKey[]> {
    const made = await Promise.all(
      processes.flatMap(({ keys }) => ['a', 'b', 'c'].map((namespace) => keys.active(namespace))),
    )
    this.sealed.push(...made)
    return made
  }

  /** Opens everything that was sealed so far, by each of these processes. Throws at the first that does not open. */
  async openAll(...processes: Process[]): Promise<void> {
    for (const { keys } of processes) {
      for (const key of this.sealed) {
        const opened = await keys.open(key, key.namespace)
        if (!opened.key.equals(key.key)) throw new Error('another key was opened')
      }
    }
  }

  /** How many records of the keyring each manager has wrapped. */
  async wrappedBy(): Promise<Record<string, number>> {
    const found: Record<string, number> = {}
    for await (const entries of this.keyring.entries()) {
      for (const { record } of entries) {
        if (record !== undefined) found[record.alias] = (found[record.alias] ?? 0) + 1
      }
    }
    return found
  }

  /** What lies there now, to be put back later. */
  async record(): Promise<Buffer | undefined> {
    return (await this.state.get('rotation/current'))?.bytes
  }

  close(): void {
    for (const process of this.#all) process.kill()
  }

  #manager(alias: string): KeyManager {
    const read = (): MasterKeys => masterKeysOf(this.files[alias]![0]!, ...this.files[alias]!.slice(1))
    return new LocalKeyManager({ alias, masterKeys: read(), random: randomBytes, read: async () => read() })
  }
}

/** `check` runs before each call, and may throw in its place. */
function guarded(store: ObjectStore, check: (args: readonly unknown[]) => void): ObjectStore {
  return new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return async (...args: unknown[]): Promise<unknown> => {
        check(args)
        return Reflect.apply(value, target, args) as unknown
      }
    },
  })
}
