/**
 * Several gateways in front of one S3 server, which holds their state too: each has caches and connections of its own;
 * they have only the master key in common.
 */
import { randomBytes } from 'node:crypto'
import type { S3Client } from '@aws-sdk/client-s3'
import type { ObjectStore } from '../../src/backends/object-store.ts'
import { createBucketKeys } from '../../src/keys/bucket-keys.ts'
import { MemoryKeyManager } from '../../src/keys/memory.ts'
import { StateKeyring } from '../../src/state/keyring.ts'
import { StateStore } from '../../src/state/state-store.ts'
import { Uploads } from '../../src/state/uploads.ts'
import { startGateway, type TestGateway } from './gateway.ts'
import { s3Store } from './s3-store.ts'

const STATE_BUCKET = 'sealgate-state'

/** What a replica sees of its stores. */
export type Between = (store: ObjectStore, role: 'backend' | 'state', at: number) => ObjectStore

export interface ReplicasOptions {
  readonly count: number
  readonly between?: Between
  /** Of the bucket keys; the rest of a replica lives in real time. */
  readonly clock?: () => number
}

export interface Replicas {
  /** The store, seen past the gateways. */
  readonly backend: TestGateway
  readonly all: readonly TestGateway[]
  /** A client of one replica, counted around; it does not retry unless told to. */
  readonly client: (at: number, retries?: 'retries') => S3Client
  /** Waits for everything that goes on after answers. */
  readonly idle: () => Promise<void>
  /** Names in the state store that begin with `prefix`. */
  readonly state: (prefix: string) => Promise<string[]>
  readonly close: () => Promise<void>
}

export async function startReplicas({
  count,
  between = (store) => store,
  clock = Date.now,
}: ReplicasOptions): Promise<Replicas> {
  const backend = await startGateway()
  const manager = new MemoryKeyManager({ alias: 'main', random: randomBytes })
  const direct = new StateStore(backend.store, STATE_BUCKET)
  const remote = (role: 'backend' | 'state', at: number): ObjectStore =>
    between(s3Store({ endpoint: backend.endpoint, profile: { versions: false, tags: false } }), role, at)
  const start = async (at: number): Promise<TestGateway> => {
    const objects = remote('state', at)
    const running = await startGateway({ store: remote('backend', at), state: objects })
    const state = new StateStore(objects, STATE_BUCKET)
    const keyring = new StateKeyring(state)
    const keys = createBucketKeys({ managers: new Map([['main', manager]]), activeAlias: 'main', keyring, clock })
    Object.assign(running.gateway, {
      keys,
      uploads: new Uploads({ state, keys, clock: Date.now, random: randomBytes }),
    })
    return running
  }
  const all = await Promise.all(Array.from({ length: count }, (_, at) => start(at)))
  const clients = all.map((one) => one.client())
  const patient = all.map((one) => one.client({ maxAttempts: 10 }))
  return {
    backend,
    all,
    client: (at, retries) => (retries === undefined ? clients : patient)[at % count]!,
    idle: async () => {
      for (const { gateway } of all) await gateway.background.idle()
    },
    state: async (prefix) => (await direct.list(prefix)).records.map(({ path }) => path),
    close: async () => {
      for (const running of all) {
        await running.close()
        await Promise.all([running.store.close(), running.state.close()])
      }
      await backend.close()
    },
  }
}
