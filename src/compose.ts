/** Settings become components, components become servers. The only file that names providers, and where clock and randomness enter. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { LocalStore } from './backends/local.ts'
import type { Finding } from './backends/s3/probe.ts'
import { admissionOf } from './compose/admission.ts'
import { adminAccessOf, adminTlsOf } from './compose/admin-access.ts'
import { openBucketKeys } from './compose/bucket-keys.ts'
import { keepHouse } from './compose/housekeeping.ts'
import { gatewaysOf } from './compose/gateway.ts'
import { CREDENTIALS_FILE, credentialsOf, InEffect, type Live, readLive } from './compose/live.ts'
import { contacted, probing, withConditionalWrites } from './compose/first-contact.ts'
import { keyDependencies } from './compose/key-health.ts'
import { openManagers } from './compose/key-managers.ts'
import { mayUse } from './compose/operations.ts'
import { rotating, takePart } from './compose/rotation.ts'
import { openS3Store } from './compose/s3-store.ts'
import { timingOf } from './compose/timing.ts'
import { MemoryStore } from './backends/memory.ts'
import { instrumented } from './backends/instrumented.ts'
import type { ObjectStore } from './backends/object-store.ts'
import { type BucketRule, bucketRule } from './config/bucket-rules.ts'
import type { Settings } from './config/settings.ts'
import type { StoreSettings } from './config/store-settings.ts'
import { Background } from './gateway/background.ts'
import { waitingConfigurations } from './gateway/configuration/waiting.ts'
import type { Gateway } from './gateway/gateway.ts'
import { type AdminApi, createAdminApi } from './admin/api.ts'
import { type AdminParts, changeAdminServer, createAdminServer, type Dependency } from './http/admin-server.ts'
import { createAuthoriser } from './http/authoriser.ts'
import { requestIds } from './http/request-id.ts'
import { changeS3Server, createS3Server } from './http/s3-server.ts'
import type { Rotations } from './jobs/rotation.ts'
import type { KeyManager } from './keys/key-manager.ts'
import { loadChecksums } from './s3/checksum.ts'
import { AbandonedUploads } from './state/abandoned-uploads.ts'
import { StateKeyring } from './state/keyring.ts'
import { StateStore } from './state/state-store.ts'
import { Uploads } from './state/uploads.ts'
import { alarm } from './telemetry/channels.ts'
import { Meter } from './telemetry/meter.ts'

/** Milliseconds since 1970. */
export const clock = (): number => Date.now()
/** The system's CSPRNG. */
export const random = (bytes: number): Buffer => randomBytes(bytes)

export interface Components {
  readonly gateway: Gateway
  /** The same as one request sees it. */
  readonly gatewayOf: (meter: Meter) => Gateway
  readonly state: StateStore
  readonly abandonedUploads: AbandonedUploads
  readonly keyring: StateKeyring
  /** By alias. */
  readonly managers: ReadonlyMap<string, KeyManager>
  readonly rotations: Rotations
  /** Tries a remote backend anew and remembers what it finds; absent for others. */
  readonly probeBackend?: () => Promise<readonly Finding[] | undefined>
  /** Settings and credentials as they are now. */
  readonly inEffect: InEffect
  readonly dependencies: readonly Dependency[]
  /** Configurations that are kept and that nothing acts on yet. */
  readonly waiting: AdminParts['waiting']
  /** Waits for background work, then closes stores and key managers. */
  readonly close: () => Promise<void>
}

/** Opens stores and keys, and keeps house every hour where told to: a gateway that serves does, whoever only looks does not. Throws `Invalid` or `Unavailable` with path and remedy. */
export async function openComponents(
  settings: Settings,
  {
    housekeeping = false,
    live = { settings, credentials: credentialsOf(settings) },
  }: { readonly housekeeping?: boolean; readonly live?: Live } = {},
): Promise<Components> {
  const inEffect = new InEffect(live)
  await loadChecksums()
  const managers = await openManagers(settings, { random, timing: timingOf({ clock, random }) })
  const { state, stateObjects } = await openState(settings)
  const declared = await openStore(settings.backend, 'backend', settings)
  const store = await contacted(declared, settings.backend, { state, random })
  const keyring = new StateKeyring(state)
  const rotation = rotating(() => inEffect.settings, { state, keyring, managers, clock, random })
  const { keys, endKeys } = openBucketKeys(settings, { managers, keyring, clock, succession: rotation.participant })
  const background = new Background()
  const part = await takePart(rotation, { keys, background, serves: housekeeping })
  const rules = (bucket: string): BucketRule => bucketRule(inEffect.settings, bucket)
  const uploads = new Uploads({ state, keys, clock, random, managerOf: (bucket) => rules(bucket).manager })
  const abandonedUploads = new AbandonedUploads({ state, keys, keyring })
  const gatewayOf = gatewaysOf(settings, { store, state, inEffect, keys, uploads, background, rules, clock, random })
  const gateway = gatewayOf(new Meter())
  const stopHousekeeping = housekeeping
    ? keepHouse(gateway, abandonedUploads, () => inEffect.settings)
    : () => undefined
  return {
    gateway,
    gatewayOf,
    state,
    abandonedUploads,
    keyring,
    managers,
    rotations: rotation.rotations,
    ...probing(declared, settings.backend, { state, random }),
    inEffect,
    dependencies: [...dependenciesOf(store, stateObjects), ...keyDependencies([...managers.values()], keys)],
    waiting: () => waitingConfigurations(store),
    close: async () => {
      stopHousekeeping()
      part.stop()
      await background.idle()
      await part.leave().finally(endKeys)
      await closeAll([store, stateObjects, ...managers.values()])
    },
  }
}

async function closeAll(opened: readonly { readonly close: () => Promise<void> }[]): Promise<void> {
  await Promise.all(opened.map((one) => one.close()))
}

const dependenciesOf = (store: ObjectStore, state: ObjectStore): Dependency[] => [
  { name: 'backend', check: () => store.health() },
  { name: 'state', check: () => state.health() },
]

async function openState(
  settings: Settings,
): Promise<{ readonly state: StateStore; readonly stateObjects: ObjectStore }> {
  const { bucket, prefix } = settings.state
  const opened = await openStore(settings.state, 'state', settings)
  await new StateStore(opened, bucket, prefix).ensureBucket()
  const processes = settings.replicas * settings.server.workers
  const stateObjects = await withConditionalWrites(opened, { bucket, prefix, processes }, random)
  const observed = instrumented(stateObjects, 'state')(new Meter())
  return { stateObjects, state: new StateStore(observed, bucket, prefix) }
}

/** The S3 listener over opened components. */
export function composeS3Server(
  settings: Settings,
  { gateway, gatewayOf, inEffect }: Components,
  { tls }: Pick<Live, 'tls'> = readLive(settings),
): ReturnType<typeof createS3Server> {
  const { server, limits } = settings
  return createS3Server(
    {
      gateway,
      gatewayOf,
      authoriser: createAuthoriser(inEffect.credentials, {
        hidden: hides(settings),
        publicAccess: (bucket) => bucketRule(inEffect.settings, bucket).public,
        mayUse: (bucket, operation) => mayUse(inEffect.settings, bucket, operation),
      }),
      admission: admissionOf(inEffect, server.workers, clock),
      domains: server.domain,
      publicUrls: server.publicUrls,
      region: server.region,
      requestId: requestIds(random),
      hostId: random(24).toString('base64'),
      customerKeysOverHttp: server.customerKeysOverHttp,
    },
    {
      ...(tls === undefined ? {} : { tls }),
      headerTimeout: server.headerTimeout,
      idleTimeout: server.idleTimeout,
      keepAliveTimeout: server.keepAliveTimeout,
      maxHeaderBytes: server.maxHeaderBytes,
      maxConnections: limits.connections,
    },
  )
}

/** Exchanges what is in effect: for requests that begin from now on, and for new connections. Throws `Invalid`, and changes nothing then. */
export function reload(app: ReturnType<typeof createS3Server>, { inEffect }: Components, live: Live): void {
  inEffect.replace(live)
  changeS3Server(app, {
    maxConnections: live.settings.limits.connections,
    ...(live.tls === undefined ? {} : { tls: live.tls }),
  })
}

/** What the admin API does, over opened components; who may ask for it is the listener's business. */
export function composeAdminApi({
  gateway,
  abandonedUploads,
  keyring,
  managers,
  rotations,
  inEffect,
}: Components): AdminApi {
  return createAdminApi({
    keyring,
    managers,
    typeOf: (alias) => inEffect.settings.keys.managers[alias]?.type,
    rotations,
    uploads: abandonedUploads,
    store: gateway.store,
    abandonedAfter: () => inEffect.settings.uploads.abandonedAfter,
    clock,
  })
}

/** The admin listener. A failing dependency is reported by name to whoever asks, and with its cause to the log. */
export function composeAdminServer(
  live: Live,
  {
    answer,
    ...parts
  }: Pick<AdminParts, 'dependencies' | 'elsewhere' | 'draining' | 'metrics' | 'waiting'> & Pick<AdminApi, 'answer'>,
): ReturnType<typeof createAdminServer> {
  return createAdminServer(
    {
      ...parts,
      report: (dependency, cause) => alarm.publish({ what: 'not ready', detail: { dependency }, cause }),
      api: { access: adminAccessOf(live), answer, clock },
    },
    adminTlsOf(live),
  )
}

/** As `reload`, of the admin listener. */
export function reloadAdmin(admin: ReturnType<typeof createAdminServer>, live: Live): void {
  changeAdminServer(admin, adminAccessOf(live), adminTlsOf(live))
}

/** `role` is the group of settings that the store is of. */
async function openStore(
  store: StoreSettings,
  role: 'backend' | 'state',
  { data, credentials }: Settings,
): Promise<ObjectStore> {
  if (store.type === 'memory') return new MemoryStore()
  if (store.type === 'local') return LocalStore.open({ folder: store.path })
  const ownFile = credentials === undefined ? join(data, CREDENTIALS_FILE) : undefined
  return openS3Store(store, { role, ownCredentials: ownFile, clock, random })
}

/** The state of replicas may lie beside the objects: no client sees its bucket. */
export function hides({ backend, state }: Settings): (bucket: string) => boolean {
  // Whatever their addresses: one store may have several, and then nobody could tell.
  const shared = backend.type === 's3' && state.type === 's3'
  return (bucket) => shared && bucket === state.bucket
}
