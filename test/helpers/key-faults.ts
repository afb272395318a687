/** What a row of the table "Faults of key managers" of docs/operations.md is made of. */
import type { OutageWorld } from './outage-world.ts'
import { pem } from './pem.ts'
import type { Provider, ProviderName } from './remote-providers.ts'

export interface Fault {
  readonly fault: string
  /** Breaks it; returns settings of the manager that change, for a gateway that starts then. */
  readonly arrange: (world: OutageWorld) => Promise<object> | object
  /** What stands in the log at the start; absent where the manager seems well. */
  readonly start?: string
  /** Status and code of a read of an object that is sealed already. */
  readonly read: string
  /** Of a write into another bucket. */
  readonly write: string
  /** In the log line of the read. */
  readonly why?: string
  /** `outcome` of `sealgate_key_calls_total`, for the read. */
  readonly outcome: string
}

export const OK = '200'
export const AWAY = '503 `ServiceUnavailable`'
export const REFUSED = '403 `AccessDenied`'
export const BROKEN = '500 `InternalError`'
export const DISABLED = '400 `KMS.DisabledException`'
export const STATE = '400 `KMS.KMSInvalidStateException`'
export const MISSING = '400 `KMS.NotFoundException`'
export const SHORT = { timeout: '150ms', retry: { attempts: 1 } }

/** The provider of a world, which is of that kind. */
export function of<N extends ProviderName>(world: OutageWorld, name: N): Extract<Provider, { name: N }> {
  const provider = world.provider()
  if (provider.name !== name) throw new Error(`it is ${provider.name}`)
  return provider as Extract<Provider, { name: N }>
}

/** A server that nobody has a reason to trust. */
interface Stranger {
  readonly start: () => Promise<string>
  readonly stop: () => Promise<void>
}

const strangers: Stranger[] = []

export const TLS = { cert: pem('cert'), key: pem('key') }

export async function stranger(server: Stranger): Promise<string> {
  strangers.push(server)
  return server.start()
}

export async function stopStrangers(): Promise<void> {
  for (const one of strangers) await one.stop()
}

export const changes =
  (work: (world: OutageWorld) => void): Fault['arrange'] =>
  (world) => {
    work(world)
    return {}
  }
