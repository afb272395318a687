/** A gateway over key managers that can be stopped and started, with a clock of its own; what it logs, counts and says of its readiness. */
import { randomBytes } from 'node:crypto'
import { Writable } from 'node:stream'
import { GetObjectCommand, PutObjectCommand, type S3Client, S3ServiceException } from '@aws-sdk/client-s3'
import { MemoryStore } from '../../src/backends/memory.ts'
import { openBucketKeys } from '../../src/compose/bucket-keys.ts'
import { keyDependencies, lookAtKeyManagers } from '../../src/compose/key-health.ts'
import type { Settings } from '../../src/config/settings.ts'
import { parseEnvelope } from '../../src/format/envelope.ts'
import { fromStoredMetadata } from '../../src/format/metadata.ts'
import { createAdminServer } from '../../src/http/admin-server.ts'
import type { BucketKeys, KeyManager } from '../../src/keys/key-manager.ts'
import { StateKeyring } from '../../src/state/keyring.ts'
import { StateStore } from '../../src/state/state-store.ts'
import { createLogger, logChannels } from '../../src/telemetry/logger.ts'
import { collectMetrics } from '../../src/telemetry/metrics.ts'
import { startGateway, type TestGateway } from './gateway.ts'
import { openKeyManagers, openProvider, type Provider, type ProviderName, settingsOf } from './remote-providers.ts'

export const SECOND = 1_000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
/** Half past eleven in the evening, UTC. */
const EVENING = Date.UTC(2026, 2, 2, 23, 30)

export interface OutageOptions {
  /** Of `keys`, beside `managers`. */
  readonly keys?: object
  readonly buckets?: Settings['buckets']
  /** Settings of the managers, in place of their own. */
  readonly managers?: Readonly<Record<string, object>>
}

/** What a client was told. */
export interface Told {
  readonly status: number
  readonly code: string
  readonly retryAfter: number | undefined
  readonly body: string
}

interface Replica {
  readonly gateway: TestGateway
  readonly client: S3Client
  readonly keys: BucketKeys
  readonly managers: ReadonlyMap<string, KeyManager>
  readonly ready: () => Promise<{ readonly status: number; readonly dependencies: Readonly<Record<string, string>> }>
  readonly look: () => Promise<void>
}

export class OutageWorld {
  now = EVENING
  readonly log: Record<string, unknown>[] = []
  readonly providers = new Map<string, Provider>()
  readonly store = new MemoryStore()
  readonly state = new MemoryStore()
  readonly #metrics = collectMetrics()
  readonly #replicas: Replica[] = []
  readonly #options: OutageOptions
  readonly #stopLog: () => void

  private constructor(options: OutageOptions) {
    this.#options = options
    const lines = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.log.push(JSON.parse(chunk.toString()) as Record<string, unknown>)
        done()
      },
    })
    this.#stopLog = logChannels(createLogger('debug', lines))
  }

  /** Managers by alias; the first one is active. */
  static async open(names: Readonly<Record<string, ProviderName>>, options: OutageOptions = {}): Promise<OutageWorld> {
    const world = new OutageWorld(options)
    for (const [alias, name] of Object.entries(names)) {
      world.providers.set(alias, await openProvider(name, () => world.now))
    }
    return world
  }

  provider(alias = 'main'): Provider {
    const found = this.providers.get(alias)
    if (found === undefined) throw new Error(`there is no provider ${alias}`)
    return found
  }

  /** Another process over the same stores, in which no key is open. */
  async replica(): Promise<Replica> {
    const providers = [...this.providers]
    const own = Object.fromEntries(providers.map(([alias, { settings }]) => [alias, settings]))
    const settings = settingsOf(
      { ...own, ...this.#options.managers },
      { cache: { lifetime: '1h' }, ...this.#options.keys },
    )
    const timing = { now: () => this.now, random: () => 0, sleep: async () => undefined }
    const managers = await openKeyManagers(settings, [...this.providers.values()], timing)
    const { state, store } = this
    let keys: BucketKeys | undefined
    const gateway = await startGateway({
      store,
      state,
      clock: () => this.now,
      rules: (bucket) => ({ manager: this.#options.buckets?.find(({ match }) => match === bucket)?.keys }),
      keys: (keyring) => {
        keys = openBucketKeys(settings, { managers, keyring, clock: () => this.now }).keys
        return keys
      },
    })
    if (keys === undefined) throw new Error('the gateway has no keys')
    const dependencies = keyDependencies([...managers.values()], keys)
    const admin = createAdminServer({
      dependencies,
      waiting: async () => [],
      draining: () => false,
      report: () => undefined,
      metrics: { contentType: 'text/plain', text: async () => '' },
    })
    const ready = async () => {
      const answer = await admin.inject('/readyz')
      const body: { dependencies: { name: string; status: string }[] } = answer.json()
      const found = Object.fromEntries(body.dependencies.map(({ name, status }) => [name, status]))
      return { status: answer.statusCode, dependencies: found }
    }
    const client = gateway.client()
    const replica = { gateway, client, keys, managers, ready, look: () => lookAtKeyManagers(dependencies) }
    this.#replicas.push(replica)
    return replica
  }

  async createBuckets(...names: readonly string[]): Promise<void> {
    for (const name of names) await this.store.createBucket(name)
  }

  put({ client }: Replica, Bucket: string, Key: string, Body = 'content', extra: object = {}): Promise<Told> {
    return told(async () => {
      await this.#inTime(client).send(new PutObjectCommand({ Bucket, Key, Body, ...extra }))
      return ''
    })
  }

  get({ client }: Replica, Bucket: string, Key: string): Promise<Told> {
    return told(async () => {
      const { Body } = await this.#inTime(client).send(new GetObjectCommand({ Bucket, Key }))
      return (await Body?.transformToString()) ?? ''
    })
  }

  /** The alias of the manager that an object is sealed under, and whether its key is in the keyring. */
  async sealedUnder(bucket: string, key: string): Promise<{ readonly alias: string; readonly recorded: boolean }> {
    const info = await this.store.head(bucket, key)
    const stored = fromStoredMetadata(info?.metadata ?? {})
    if (stored === 'foreign') throw new Error('it is not sealed')
    const { alias, kid } = parseEnvelope(stored.envelope)
    const record = await new StateKeyring(new StateStore(this.state, 'sealgate-state')).find(kid)
    return { alias, recorded: record?.alias === alias && record.kid.equals(kid) }
  }

  /** Lines of the log with this text. */
  lines(message: string): Record<string, unknown>[] {
    return this.log.filter(({ msg }) => msg === message)
  }

  /** The value of a metric by its name and labels, as they stand in the text. */
  async metric(name: string): Promise<number> {
    const line = (await this.#metrics.text()).split('\n').find((one) => one.startsWith(`${name} `))
    return line === undefined ? 0 : Number(line.slice(name.length + 1))
  }

  async close(): Promise<void> {
    for (const { gateway, managers } of this.#replicas) {
      await gateway.close()
      for (const manager of managers.values()) await manager.close()
    }
    for (const provider of this.providers.values()) await provider.close()
    this.#stopLog()
    this.#metrics.stop()
  }

  #inTime(client: S3Client): S3Client {
    client.config.systemClockOffset = this.now - Date.now()
    return client
  }
}

async function told(work: () => Promise<string>): Promise<Told> {
  try {
    return { status: 200, code: '', retryAfter: undefined, body: await work() }
  } catch (error) {
    if (!(error instanceof S3ServiceException)) throw error
    const seconds = error.$response?.headers['retry-after']
    return {
      status: error.$metadata.httpStatusCode ?? 0,
      code: error.name,
      retryAfter: seconds === undefined ? undefined : Number(seconds),
      body: error.message,
    }
  }
}

/** A name that no other object has. */
export const someKey = (): string => randomBytes(6).toString('hex')
