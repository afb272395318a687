/** Settings of key managers become key managers. What a provider's SDK needs is loaded only where it is used. */
import { stat } from 'node:fs/promises'
import { Agent } from 'node:https'
import type { Timing } from '../attempts.ts'
import type { ManagerSettings, Settings } from '../config/settings.ts'
import { AwsKmsKeyManager } from '../keys/aws-kms.ts'
import type { BreakerState } from '../keys/breaker.ts'
import type { KeyManager } from '../keys/key-manager.ts'
import { LocalKeyManager } from '../keys/local.ts'
import type { MasterKeys } from '../keys/master-keys.ts'
import { MemoryKeyManager } from '../keys/memory.ts'
import { Pkcs11KeyManager } from '../keys/pkcs11.ts'
import { type KeyCall, ResilientKeyManager } from '../keys/resilient.ts'
import { alarm, keyCall, keyManager } from '../telemetry/channels.ts'
import { awsCredentialsOf } from './aws-credentials.ts'
import { requireFips } from './fips.ts'
import { openKmip } from './kmip.ts'
import { openAzureKeyVault } from './azure-key-vault.ts'
import { openGcpKms } from './gcp-kms.ts'
import { openMasterKeys } from './master-keys.ts'
import { pkcs11Parts } from './pkcs11.ts'
import { readText } from './read-text.ts'
import { openVaultTransit } from './vault-transit.ts'

interface Context {
  /** The system's CSPRNG. */
  readonly random: (bytes: number) => Buffer
  readonly timing: Timing
}

type RemoteSettings = Exclude<ManagerSettings, { readonly type: 'local' | 'memory' }>
type AwsKmsSettings = ManagerSettings<'aws-kms'>

/** By alias. Asks no provider yet. Throws `Invalid` for files that cannot be read, and where the FIPS profile cannot be had. */
export async function openManagers(settings: Settings, context: Context): Promise<Map<string, KeyManager>> {
  // Before any key is read or made.
  requireFips(settings)
  const managers = new Map<string, KeyManager>()
  for (const [alias, one] of Object.entries(settings.keys.managers)) {
    managers.set(alias, await openManager(alias, one, context))
  }
  return managers
}

async function openManager(alias: string, settings: ManagerSettings, context: Context): Promise<KeyManager> {
  const { random, timing } = context
  if (settings.type === 'memory') return new MemoryKeyManager({ alias, random })
  if (settings.type !== 'local') return resilient(await openRemote(alias, settings, context), settings, timing)
  const { keys, keysFile, file } = settings
  const path = keysFile ?? file
  if (keys !== undefined || path === undefined) {
    return new LocalKeyManager({ alias, masterKeys: await openMasterKeys(alias, settings), random })
  }
  let seen = await markOf(path)
  const masterKeys = await openMasterKeys(alias, settings)
  const read = async (): Promise<MasterKeys | undefined> => {
    const mark = await markOf(path)
    if (mark === seen) return undefined
    const found = await openMasterKeys(alias, settings)
    seen = mark
    return found
  }
  return new LocalKeyManager({ alias, masterKeys, random, read })
}

/** Differs once a file has been replaced or written. */
async function markOf(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined)
  return found === undefined ? '' : `${found.ino} ${found.size} ${found.mtimeMs} ${found.ctimeMs}`
}

async function openRemote(alias: string, settings: RemoteSettings, { random, timing }: Context): Promise<KeyManager> {
  if (settings.type === 'aws-kms') return openAwsKms(alias, settings, timing)
  if (settings.type === 'vault-transit') return openVaultTransit(alias, settings, timing)
  if (settings.type === 'kmip') return openKmip(alias, settings, random)
  if (settings.type === 'azure-key-vault') return openAzureKeyVault(alias, settings, random)
  if (settings.type === 'gcp-kms') return openGcpKms(alias, settings, random)
  return new Pkcs11KeyManager({ ...(await pkcs11Parts(alias, settings)), random })
}

/** Retry and breaker around a manager. A change of what is known of it is an alarm: it explains what clients are told meanwhile. */
export function resilient(
  manager: KeyManager,
  { retry, breaker }: Pick<RemoteSettings, 'retry' | 'breaker'>,
  timing: Timing,
): KeyManager {
  const { alias } = manager
  let away = false
  const onBreaker = (state: BreakerState): void => {
    keyManager.publish({ manager: alias, state })
    // Not at every trial.
    if (state === 'open' && !away) {
      alarm.publish({
        what: 'a key manager does not answer',
        detail: { manager: alias, probing: breaker.probeInterval },
      })
    }
    if (state === 'closed') alarm.publish({ what: 'a key manager answers again', detail: { manager: alias } })
    if (state !== 'half-open') away = state === 'open'
  }
  const onCall = (call: KeyCall): void => keyCall.publish({ manager: alias, ...call })
  return new ResilientKeyManager(manager, { retry, breaker, timing, onBreaker, onCall })
}

async function openAwsKms(alias: string, settings: AwsKmsSettings, { now }: Timing): Promise<KeyManager> {
  const { keyId, formerKeyIds, region, endpoint, caFile, timeout } = settings
  const { KMS } = await import('@aws-sdk/client-kms')
  const ca = caFile === undefined ? undefined : readText(caFile, `keys.managers.${alias}.caFile`)
  const kms = new KMS({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    credentials: credentialsOf(settings, now),
    // Whoever asks the manager decides what is tried again.
    maxAttempts: 1,
    ...(ca === undefined ? {} : { requestHandler: { httpsAgent: new Agent({ keepAlive: true, ca }) } }),
  })
  return new AwsKmsKeyManager({ alias, kms, keyId, formerKeyIds, timeout })
}

/** The SDK asks anew five minutes before their end: those without one, after one minute more. */
const ENDLESS_MILLISECONDS = 6 * 60_000

/** As the SDK takes them. It would keep those without an end for ever, and whoever exchanges the file that holds them need not start us anew. */
function credentialsOf(settings: AwsKmsSettings, now: () => number) {
  const provider = awsCredentialsOf(settings)
  return async () => {
    const found = await provider()
    return {
      accessKeyId: found.accessKeyId,
      secretAccessKey: found.secretAccessKey,
      ...(found.sessionToken === undefined ? {} : { sessionToken: found.sessionToken }),
      expiration: found.expiration ?? new Date(now() + ENDLESS_MILLISECONDS),
    }
  }
}
