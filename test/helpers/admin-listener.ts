/** The admin listener with its API over stores in memory, whose time stands still until a test moves it. */
import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { request as httpRequest } from 'node:http'
import { type RequestOptions, request as httpsRequest } from 'node:https'
import type { FastifyInstance } from 'fastify'
import { createAdminAccess } from '../../src/access/admin-access.ts'
import { type AdminApi, createAdminApi } from '../../src/admin/api.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import { profilerOf } from '../../src/compose/profiler.ts'
import { type Rotating, rotating } from '../../src/compose/rotation.ts'
import { loadSettings } from '../../src/config/load.ts'
import { type AdminTlsOptions, createAdminServer } from '../../src/http/admin-server.ts'
import { createBucketKeys } from '../../src/keys/bucket-keys.ts'
import type { KeyManager } from '../../src/keys/key-manager.ts'
import { MemoryKeyManager } from '../../src/keys/memory.ts'
import { AbandonedUploads } from '../../src/state/abandoned-uploads.ts'
import { StateKeyring } from '../../src/state/keyring.ts'
import { StateStore } from '../../src/state/state-store.ts'
import { Uploads } from '../../src/state/uploads.ts'
import { type AuditEvent, audit } from '../../src/telemetry/channels.ts'
import { pem } from './pem.ts'
import { createUploads } from './some-uploads.ts'

export const TOKEN = 'a-right-token-of-more-than-32-characters'
export const AUTHORIZED = { authorization: `Bearer ${TOKEN}` }

export interface AdminReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly json: any
}

export interface AdminAsk extends Pick<RequestOptions, 'cert' | 'key'> {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface AdminListenerOptions {
  readonly tokens?: readonly { readonly name: string; readonly token: string }[]
  readonly tls?: AdminTlsOptions
}

export class AdminListener {
  now = Date.UTC(2026, 0, 1)
  profiling = false
  readonly events: AuditEvent[] = []
  readonly backend = new MemoryStore({ now: () => new Date(this.now) })
  readonly managers: ReadonlyMap<string, KeyManager>
  readonly keyring: StateKeyring
  readonly rotating: Rotating
  readonly app: FastifyInstance
  readonly api: AdminApi
  /** What Fastify was given to route. */
  readonly routes: string[] = []
  readonly #state: StateStore
  readonly #uploads: Uploads
  readonly #keys: ReturnType<typeof createBucketKeys>
  readonly #secure: boolean
  readonly #stopAudit: () => void

  private constructor({ tokens = [{ name: 'tests', token: TOKEN }], tls }: AdminListenerOptions) {
    const clock = (): number => this.now
    this.#state = new StateStore(new MemoryStore({ now: () => new Date(this.now) }), 'state')
    const state = this.#state
    this.keyring = new StateKeyring(state)
    this.managers = new Map(
      ['main', 'next'].map((alias) => [alias, new MemoryKeyManager({ alias, random: randomBytes })]),
    )
    this.#keys = createBucketKeys({ managers: this.managers, activeAlias: 'main', keyring: this.keyring, clock })
    const settings = loadSettings({
      env: {},
      readFile: () => 'keys: { active: main, managers: { main: { type: local }, next: { type: local } } }',
    })
    this.rotating = rotating(() => settings, {
      state,
      keyring: this.keyring,
      managers: this.managers,
      clock,
      random: randomBytes,
    })
    this.#uploads = new Uploads({ state, keys: this.#keys, clock, random: randomBytes })
    this.api = createAdminApi({
      keyring: this.keyring,
      managers: this.managers,
      typeOf: (alias) => (this.managers.has(alias) ? 'memory' : undefined),
      rotations: this.rotating.rotations,
      uploads: new AbandonedUploads({ state, keys: this.#keys, keyring: this.keyring }),
      store: this.backend,
      abandonedAfter: () => 7 * 24 * 3_600_000,
      profiler: () => profilerOf({ admin: { ...settings.admin, profiling: this.profiling } }, clock),
      clock,
    })
    this.#secure = tls !== undefined
    this.app = createAdminServer(
      {
        dependencies: [],
        waiting: async () => [],
        draining: () => false,
        report: () => undefined,
        scrape: async () => ({ contentType: 'text/plain', text: 'up 1\n' }),
        api: { access: createAdminAccess(tokens), answer: this.api.answer, clock },
      },
      tls,
    )
    this.app.addHook('onRoute', ({ method, url }) => {
      this.routes.push(...[method].flat().map((one) => `${one} ${url}`))
    })
    this.#stopAudit = audit.subscribe((event) => this.events.push(event))
  }

  static async start(options: AdminListenerOptions = {}): Promise<AdminListener> {
    const listener = new AdminListener(options)
    await listener.#state.ensureBucket()
    await listener.app.listen({ host: '127.0.0.1', port: 0 })
    return listener
  }

  get port(): number {
    return (this.app.server.address() as AddressInfo).port
  }

  /** One request on a connection of its own. */
  ask(method: string, path: string, { body, headers = AUTHORIZED, ...connection }: AdminAsk = {}): Promise<AdminReply> {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
    const own =
      text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
    const options = {
      host: '127.0.0.1',
      port: this.port,
      method,
      path,
      agent: false as const,
      headers: { ...own, ...headers },
    }
    return new Promise((resolve, reject) => {
      const request = this.#secure
        ? httpsRequest({ ...options, ca: pem('cert'), servername: 'localhost', ...connection })
        : httpRequest({ ...options, ...connection })
      request.on('error', reject).on('response', (response) => {
        let received = ''
        response.on('data', (piece: Buffer) => (received += piece.toString()))
        response.on('end', () => {
          const json: unknown = received.startsWith('{') ? JSON.parse(received) : undefined
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text: received, json })
        })
      })
      request.end(text)
    })
  }

  /** Bucket keys in the keyring, one for each namespace. */
  async makeKeys(count: number): Promise<void> {
    for (let n = 0; n < count; n += 1) await this.#keys.active(`bucket-${n}`)
  }

  /** Uploads of a client, as the gateway records them. */
  async makeUploads(count: number): Promise<void> {
    if ((await this.backend.headBucket('bucket')) === undefined) await this.backend.createBucket('bucket')
    const keys = Array.from({ length: count }, (_, n) => `key-${n}`)
    const stores = { backend: this.backend, uploads: this.#uploads }
    await createUploads(stores, { bucket: 'bucket', keys, initiated: this.now })
  }

  async close(): Promise<void> {
    this.#stopAudit()
    await this.api.close()
    await this.app.close()
  }
}
