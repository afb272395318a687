/**
 * Gateways over each kind of store, for behaviour that must not depend on it, and over the store under test: the embedded one, or a store
 * that speaks S3 if `SEALGATE_TEST_STORE` has its settings as JSON (`npm run certify -- --client protocol`).
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestOptions } from 'vitest'
import { LocalStore } from '../../src/backends/local.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import type { ObjectStore } from '../../src/backends/object-store.ts'
import { contacted } from '../../src/compose/first-contact.ts'
import { openS3Store } from '../../src/compose/s3-store.ts'
import type { S3StoreSettings } from '../../src/config/store-settings.ts'
import { StateStore } from '../../src/state/state-store.ts'
import { startGateway, type TestGateway, type TestGatewayOptions } from './gateway.ts'
import { s3Store } from './s3-store.ts'
import { storeSettings } from './store-settings.ts'

interface OpenStore<Store extends ObjectStore = ObjectStore> {
  readonly store: Store
  readonly close: () => Promise<void>
}

export interface World {
  readonly running: TestGateway
  readonly store: ObjectStore
  /** What an answer says of encryption where nobody asked for any. */
  readonly sign: string | undefined
  readonly close: () => Promise<void>
}

const { SEALGATE_TEST_STORE } = process.env
const settings: S3StoreSettings | undefined =
  SEALGATE_TEST_STORE === undefined
    ? undefined
    : storeSettings({
        connections: 64,
        connectTimeout: 2_000,
        idleTimeout: 30_000,
        ...(JSON.parse(SEALGATE_TEST_STORE) as Partial<S3StoreSettings> & { endpoint: string }),
      })

async function openRemote(remote: S3StoreSettings): Promise<OpenStore> {
  const state = new StateStore(new MemoryStore(), 'sealgate-state')
  await state.ensureBucket()
  const declared = openS3Store(remote, {
    role: 'backend',
    ownCredentials: undefined,
    clock: Date.now,
    random: randomBytes,
  })
  const store = await contacted(declared, remote, { state, random: randomBytes })
  return { store, close: () => store.close() }
}

async function openFolder(now: () => number = Date.now): Promise<OpenStore<LocalStore>> {
  const folder = mkdtempSync(join(tmpdir(), 'sealgate-world-'))
  const store = await LocalStore.open({ folder, now })
  return { store, close: () => store.close().then(() => rmSync(folder, { recursive: true })) }
}

/** By name, how each kind of store is opened. */
export const STORES: Readonly<Record<string, () => Promise<OpenStore>>> =
  settings !== undefined
    ? { [`over ${settings.profile}`]: () => openRemote(settings) }
    : {
        'over memory': async () => ({ store: new MemoryStore(), close: async () => undefined }),
        'over a folder': () => openFolder(),
        'over a remote store': async () => {
          const backend = await startGateway()
          const store = s3Store({ endpoint: backend.endpoint, profile: { versions: false, tags: false } })
          return { store, close: () => store.close().then(() => backend.close()) }
        },
      }

async function startOver({ store, close }: OpenStore, options: TestGatewayOptions): Promise<TestGateway> {
  const running = await startGateway({ ...options, store })
  return { ...running, close: () => running.close().then(close) }
}

/** By name, how a gateway over each kind of store is started. */
export const worldsOf = (options: TestGatewayOptions): Record<string, () => Promise<World>> =>
  Object.fromEntries(
    Object.entries(STORES).map(([name, open]) => [
      name,
      async () => {
        const running = await startOver(await open(), options)
        const sign = running.store.capabilities.facts ? undefined : 'aws:kms'
        return { running, store: running.store, sign, close: () => running.close() }
      },
    ]),
  )

interface TestedOptions extends Omit<TestGatewayOptions, 'store'> {
  /** The clock of an embedded store, by which locks end. */
  readonly now?: () => number
  /** What the gateway is to see of the store. */
  readonly between?: (store: ObjectStore) => ObjectStore
}

export type EmbeddedGateway = TestGateway & { readonly store: LocalStore }

/** A gateway over an embedded store, for what is of that store alone. */
export async function startEmbedded({
  now,
  ...options
}: Omit<TestedOptions, 'between'> = {}): Promise<EmbeddedGateway> {
  const opened = await openFolder(now)
  return { ...(await startOver(opened, options)), store: opened.store }
}

/** A gateway over the store under test. */
export async function startTested({ now, between, ...options }: TestedOptions = {}): Promise<TestGateway> {
  const { store, close } = await (settings === undefined ? openFolder(now) : openRemote(settings))
  return startOver({ store: between?.(store) ?? store, close }, options)
}

/** Any that speaks S3, or one by its profile. */
type Kind = 's3' | S3StoreSettings['profile']

const isTested = (kind: Kind): boolean => settings !== undefined && (kind === 's3' || kind === settings.profile)

/** Whether something else is to be expected, because the store under test is of that kind. `docs/edge-cases.md` tells why. */
export const differs = (kind: Kind, _why: string): boolean => isTested(kind)

/** Options of tests that mean nothing where the store under test is of that kind. `docs/edge-cases.md` tells why. */
export const notOver = (kind: Kind, why: string): TestOptions =>
  isTested(kind) ? { skip: true, meta: { notApplicable: why } } : {}

/** Whether the store under test takes this name: those of MinIO are paths. */
export const storable = (key: string): boolean => !isTested('minio') || !/^\/|\/\/|(^|\/)\.\.?(\/|$)/.test(key)

/** Those of the names that the store under test lists beside each other: MinIO lists nothing below the name of an object. */
export const listable = (keys: readonly string[]): string[] =>
  keys.filter(
    (key) =>
      storable(key) &&
      !(
        isTested('minio') &&
        keys.some((other) => key.startsWith(`${other.replace(/\/$/, '')}/`) && key !== `${other}/` && key !== other)
      ),
  )

declare module 'vitest' {
  interface TaskMeta {
    /** Why the test is not run over the store under test. */
    notApplicable?: string
  }
}
