/** A whole gateway on a free port of 127.0.0.1, for protocol tests: the real pipeline, real sockets, any store. */
import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import type { FastifyInstance } from 'fastify'
import type { PublicAccess } from '../../src/access/anonymous.ts'
import { ALLOW_ALL, type CredentialEntry, createCredentials } from '../../src/access/credentials.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import { instrumented } from '../../src/backends/instrumented.ts'
import type { ObjectStore } from '../../src/backends/object-store.ts'
import { Meter } from '../../src/telemetry/meter.ts'
import { Background } from '../../src/gateway/background.ts'
import { ByteBudget } from '../../src/gateway/byte-budget.ts'
import type { BucketRules, Gateway } from '../../src/gateway/gateway.ts'
import { PlainLookup } from '../../src/gateway/plain-lookup.ts'
import { TailCache } from '../../src/gateway/tail-cache.ts'
import { createAuthoriser } from '../../src/http/authoriser.ts'
import { requestIds } from '../../src/http/request-id.ts'
import type { Admission } from '../../src/http/pipeline.ts'
import { createS3Server, type S3ServerOptions } from '../../src/http/s3-server.ts'
import type { OperationName } from '../../src/s3/operation-name.ts'
import { createBucketKeys } from '../../src/keys/bucket-keys.ts'
import type { BucketKeys } from '../../src/keys/key-manager.ts'
import { MemoryKeyManager } from '../../src/keys/memory.ts'
import { loadChecksums } from '../../src/s3/checksum.ts'
import { createLogger, logChannels } from '../../src/telemetry/logger.ts'
import { KEY_BYTES } from '../../src/format/derive.ts'
import { StateBucketDocuments } from '../../src/state/bucket-documents.ts'
import { StateKeyring } from '../../src/state/keyring.ts'
import { StateStore } from '../../src/state/state-store.ts'
import { Uploads } from '../../src/state/uploads.ts'
import { keepOutput, minted } from './outputs.ts'
import { ownRules } from './own-rules.ts'

export const ACCESS_KEY = 'SGTESTKEY'
export const SECRET_KEY = minted('the secret access key of test gateways', 'test-secret-0123456789')

export interface TestGatewayOptions {
  readonly store?: ObjectStore
  readonly state?: ObjectStore
  readonly credentials?: readonly CredentialEntry[]
  readonly domains?: readonly string[]
  readonly region?: string
  readonly publicUrls?: readonly string[]
  readonly publicAccess?: (bucket: string) => PublicAccess
  readonly rules?: (bucket: string) => Partial<BucketRules>
  readonly admission?: Admission
  readonly mayUse?: (bucket: string, operation: OperationName) => boolean
  readonly clock?: () => number
  readonly random?: (bytes: number) => Buffer
  readonly server?: Partial<S3ServerOptions>
  readonly checksums?: Gateway['checksums']
  readonly xmlBytes?: number
  readonly gatherBytes?: number
  readonly customerKeysOverHttp?: boolean
  /** Aliases of the key managers; the first one is the default. */
  readonly managers?: readonly string[]
  /** In place of keys of these. */
  readonly keys?: (keyring: StateKeyring) => BucketKeys
  readonly hidden?: (bucket: string) => boolean
}

export interface TestGateway {
  readonly app: FastifyInstance
  readonly gateway: Gateway
  readonly store: ObjectStore
  readonly state: ObjectStore
  readonly host: string
  readonly port: number
  readonly endpoint: string
  readonly client: (config?: Partial<S3ClientConfig>) => S3Client
  readonly close: () => Promise<void>
}

/** A gateway that does not listen: `app.server` takes connections as anybody hands them over. */
export type IdleGateway = Pick<TestGateway, 'app' | 'gateway' | 'store' | 'state'>

export async function prepareGateway(options: TestGatewayOptions = {}): Promise<IdleGateway> {
  await loadChecksums()
  const drawn = options.random ?? ((bytes: number): Buffer => randomBytes(bytes))
  // Whatever is a key begins like this.
  const random = (bytes: number): Buffer => (bytes === KEY_BYTES ? minted('a key', drawn(bytes)) : drawn(bytes))
  keepLog()
  const clock = options.clock ?? Date.now
  const store = options.store ?? new MemoryStore()
  const stateObjects = options.state ?? new MemoryStore()
  const state = new StateStore(stateObjects, 'sealgate-state')
  await state.ensureBucket()
  const aliases = options.managers ?? ['main']
  const keyring = new StateKeyring(state)
  const keys =
    options.keys?.(keyring) ??
    createBucketKeys({
      managers: new Map(aliases.map((alias) => [alias, new MemoryKeyManager({ alias, random })])),
      activeAlias: aliases[0] ?? 'main',
      keyring,
      clock,
    })
  const rules = (bucket: string): BucketRules => ({ ...ownRules(bucket), ...options.rules?.(bucket) })
  const storeOf = instrumented(store, 'backend')
  const gatewayOf = (meter: Meter): Gateway => ({ ...gateway, meter, store: storeOf(meter) })
  const meter = new Meter()
  const gateway: Gateway = {
    meter,
    store: storeOf(meter),
    keys,
    uploads: new Uploads({ state, keys, clock, random, managerOf: (bucket) => rules(bucket).manager }),
    documents: store.documents ?? new StateBucketDocuments(state, clock),
    tails: new TailCache(1024 * 1024),
    plain: new PlainLookup(),
    background: new Background(),
    rules,
    clock,
    random,
    owner: { id: 'ab'.repeat(32), displayName: 'sealgate' },
    region: options.region ?? 'us-east-1',
    limits: {
      xmlBytes: options.xmlBytes ?? 8 * 1024 * 1024,
      gather: new ByteBudget(options.gatherBytes ?? 256 * 1024 * 1024),
    },
    checksums: options.checksums ?? { default: 'small', onGet: 'always' },
  }
  const credentials = createCredentials(
    options.credentials ?? [{ accessKey: ACCESS_KEY, secretKey: SECRET_KEY, allow: ALLOW_ALL }],
  )
  const app = createS3Server(
    {
      gateway,
      gatewayOf,
      authoriser: createAuthoriser(credentials, {
        publicAccess: options.publicAccess ?? (() => 'none'),
        ...(options.hidden === undefined ? {} : { hidden: options.hidden }),
        ...(options.mayUse === undefined ? {} : { mayUse: options.mayUse }),
      }),
      admission: options.admission ?? (() => undefined),
      domains: options.domains ?? [],
      publicUrls: options.publicUrls ?? [],
      region: options.region,
      requestId: requestIds(random),
      hostId: 'host-id',
      customerKeysOverHttp: options.customerKeysOverHttp ?? false,
    },
    {
      headerTimeout: 30_000,
      idleTimeout: 30_000,
      keepAliveTimeout: 5_000,
      maxHeaderBytes: 16 * 1024,
      maxConnections: 512,
      ...options.server,
    },
  )
  app.server.prependListener('request', (_, response) => keepRefusals(response))
  return { app, gateway, store, state: stateObjects }
}

/** What a client is told when it is refused. */
function keepRefusals(response: ServerResponse): void {
  for (const name of ['write', 'end'] as const) {
    const put = response[name].bind(response) as (...args: unknown[]) => never
    response[name] = (...args: unknown[]): never => {
      const [piece] = args
      if (response.statusCode >= 400 && (typeof piece === 'string' || Buffer.isBuffer(piece)))
        keepOutput(piece.toString(), 'answers')
      return put(...args)
    }
  }
}

let logging = false

/** As `serve` does, and all of it. */
function keepLog(): void {
  if (!logging) logChannels(createLogger('trace', { write: (line) => keepOutput(line, 'log') }))
  logging = true
}

export async function startGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const idle = await prepareGateway(options)
  const { app, gateway } = idle
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const endpoint = `http://127.0.0.1:${port}`
  const clients: S3Client[] = []
  return {
    ...idle,
    host: '127.0.0.1',
    port,
    endpoint,
    client: (config = {}) => {
      const client = new S3Client({
        endpoint,
        region: 'us-east-1',
        forcePathStyle: true,
        credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
        maxAttempts: 1,
        ...config,
      })
      clients.push(client)
      return client
    },
    close: async () => {
      for (const client of clients) client.destroy()
      app.server.closeAllConnections()
      await app.close()
      await gateway.background.idle()
    },
  }
}
