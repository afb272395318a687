/** A store with objects whose bodies do not matter, and the records of jobs over a state store. */
import { randomBytes } from 'node:crypto'
import { MemoryStore } from '../../src/backends/memory.ts'
import type { ObjectStore } from '../../src/backends/object-store.ts'
import { type JobOptions, type JobParts, type JobReport, runJob } from '../../src/jobs/engine.ts'
import type { ObjectStep, StepObject } from '../../src/object-step.ts'
import { WHOLE } from '../../src/jobs/shard.ts'
import { createBucketKeys } from '../../src/keys/bucket-keys.ts'
import { MemoryKeyManager } from '../../src/keys/memory.ts'
import { JobRecords } from '../../src/state/job-records.ts'
import { StateKeyring } from '../../src/state/keyring.ts'
import { StateStore } from '../../src/state/state-store.ts'
import { ManualClock } from '../helpers/manual-clock.ts'
import { once } from '../helpers/tamper.ts'

export const random = (bytes: number): Buffer => randomBytes(bytes)

export class JobWorld {
  readonly clock = new ManualClock()
  readonly store: ObjectStore
  readonly state: StateStore
  readonly records: JobRecords
  /** Names of objects in the order in which steps of runs began. */
  readonly steps: string[] = []

  constructor(store: ObjectStore = new MemoryStore()) {
    this.store = store
    this.state = new StateStore(new MemoryStore(), 'state')
    const keyring = new StateKeyring(this.state)
    const keys = createBucketKeys({
      managers: new Map([['main', new MemoryKeyManager({ alias: 'main', random })]]),
      activeAlias: 'main',
      keyring,
      clock: this.clock.now,
    })
    this.records = new JobRecords({ state: this.state, keys, keyring, random })
  }

  static async of(objects: Readonly<Record<string, readonly string[]>>, store?: ObjectStore): Promise<JobWorld> {
    const world = new JobWorld(store)
    await world.state.ensureBucket()
    for (const [bucket, keys] of Object.entries(objects)) {
      await world.store.createBucket(bucket)
      for (const key of keys) await world.put(bucket, key)
    }
    return world
  }

  async put(bucket: string, key: string): Promise<void> {
    const body = Buffer.from('stored')
    await this.store.put(bucket, key, once(body), { length: body.length, metadata: {}, commit: async () => ({}) })
  }

  #process = { killed: false }

  /** Those who run now write no record any more. */
  kill(): void {
    this.#process.killed = true
    this.#process = { killed: false }
  }

  get parts(): JobParts {
    const [process, all] = [this.#process, this.records]
    const records: JobParts['records'] = {
      find: (path) => all.find(path),
      open: (path, bytes) => all.open(path, bytes),
      write: (...args) => (process.killed ? new Promise(() => undefined) : all.write(...args)),
    }
    return { store: this.store, records, timing: this.clock, random }
  }

  /** Every step is `done` unless `step` says otherwise. */
  run(options: Partial<JobOptions> = {}, step: ObjectStep = async () => DONE, parts = this.parts): Promise<JobReport> {
    const told: ObjectStep = (object, given) => {
      this.steps.push(nameOf(object))
      return step(object, given)
    }
    return runJob(parts, told, {
      job: 'test',
      namespace: 'a',
      buckets: ['a'],
      prefix: '',
      allVersions: false,
      shard: WHOLE,
      concurrency: 1,
      dryRun: false,
      restart: false,
      signal: new AbortController().signal,
      ...options,
    })
  }

  /** The one record of a job, as it lies in the state store. */
  async record() {
    const { records } = await this.state.list('jobs/')
    const path = records[0]?.path ?? ''
    const found = await this.state.get(path)
    return { path, bytes: found?.bytes ?? Buffer.alloc(0), count: records.length }
  }
}

export const DONE = { outcome: 'done', bytes: 6 } as const

export const nameOf = ({ bucket, key, versionId }: StepObject): string =>
  `${bucket}/${key}${versionId === undefined ? '' : `@${versionId}`}`

/** A step that never comes back for some objects, as if the process had been killed in it. */
export const dyingAt =
  (...names: readonly string[]): ObjectStep =>
  (object) =>
    names.includes(nameOf(object)) ? new Promise(() => undefined) : Promise.resolve(DONE)

/** Names of so many keys in the order of listings. */
export const keysOf = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `k${String(i).padStart(5, '0')}`)
