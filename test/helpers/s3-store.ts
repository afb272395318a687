/** Our S3 backend, pointed at any server. */
import { S3Store } from '../../src/backends/s3.ts'
import type { TransportOptions } from '../../src/backends/s3/agent.ts'
import { type Attempt, StoreClient } from '../../src/backends/s3/client.ts'
import { StoreCredentials } from '../../src/backends/s3/credentials.ts'
import { type Profile, PROFILES } from '../../src/backends/s3/profiles.ts'
import type { RetryPolicy, Timing } from '../../src/attempts.ts'
import { Transport, type TransportRequest } from '../../src/backends/s3/transport.ts'
import { ACCESS_KEY, SECRET_KEY } from './gateway.ts'

export interface S3StoreOptions {
  readonly endpoint: string
  readonly profile?: Partial<Profile>
  readonly retry?: Partial<RetryPolicy>
  readonly timing?: Partial<Timing>
  readonly idleTimeout?: number
  readonly connections?: number
  readonly region?: string
  readonly credentials?: StoreCredentials
  readonly copyRequestLimit?: number
  /** Told of every request that is sent. */
  readonly onSend?: (request: TransportRequest) => void
  /** Told of what came of each. */
  readonly onAttempt?: (attempt: Attempt) => void
  /** Told of what carries them. */
  readonly onTransport?: (transport: Transport) => void
}

class ToldTransport extends Transport {
  readonly #onSend: (request: TransportRequest) => void

  constructor(options: TransportOptions, onSend: (request: TransportRequest) => void) {
    super(options)
    this.#onSend = onSend
  }

  override send(request: TransportRequest) {
    this.#onSend(request)
    return super.send(request)
  }
}

export function s3Store(options: S3StoreOptions): S3Store {
  const { endpoint, profile, retry, timing, idleTimeout = 10_000, region = 'us-east-1', copyRequestLimit } = options
  const fixed = { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY }
  const transport = new ToldTransport(
    { connections: options.connections ?? 64, connectTimeout: 2_000, idleTimeout, tls: { insecure: false } },
    options.onSend ?? (() => undefined),
  )
  options.onTransport?.(transport)
  const client = new StoreClient({
    endpoint,
    region,
    pathStyle: true,
    transport,
    onAttempt: options.onAttempt ?? (() => undefined),
    credentials:
      options.credentials ??
      new StoreCredentials({ provider: async () => fixed, check: () => undefined, now: () => Date.now() }),
    retry: { attempts: 3, budget: 10_000, baseDelay: 1, maxDelay: 5, ...retry },
    timing: {
      now: () => Date.now(),
      random: () => 0.5,
      sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
      ...timing,
    },
  })
  return new S3Store({
    client,
    profile: { ...PROFILES.generic, ...profile },
    region,
    ...(copyRequestLimit === undefined ? {} : { copyRequestLimit }),
  })
}
