/** Settings of key managers become key managers. What a provider's SDK needs is loaded only where it is used. */
import { Agent } from 'node:https'
import { awsProvider } from '../backends/s3/credentials.ts'
import type { Settings } from '../config/settings.ts'
import { AwsKmsKeyManager } from '../keys/aws-kms.ts'
import type { KeyManager } from '../keys/key-manager.ts'
import { LocalKeyManager } from '../keys/local.ts'
import { parseMasterKeys, readMasterKeysFile } from '../keys/master-keys.ts'
import { MemoryKeyManager } from '../keys/memory.ts'
import { readText } from './read-text.ts'

interface Context {
  /** The system's CSPRNG. */
  readonly random: (bytes: number) => Buffer
}

type ManagerSettings = Settings['keys']['managers'][string]
type AwsKmsSettings = Extract<ManagerSettings, { readonly type: 'aws-kms' }>

/** By alias. Asks no provider yet. Throws `Invalid` for files that cannot be read. */
export async function openManagers({ keys }: Settings, context: Context): Promise<Map<string, KeyManager>> {
  const managers = new Map<string, KeyManager>()
  for (const [alias, settings] of Object.entries(keys.managers)) {
    managers.set(alias, await openManager(alias, settings, context))
  }
  return managers
}

async function openManager(alias: string, settings: ManagerSettings, { random }: Context): Promise<KeyManager> {
  switch (settings.type) {
    case 'memory':
      return new MemoryKeyManager({ alias, random })
    case 'local': {
      const { keys, file, passphrase } = settings
      const masterKeys =
        keys === undefined ? readMasterKeysFile(file ?? '', passphrase) : parseMasterKeys(keys, passphrase)
      return new LocalKeyManager({ alias, masterKeys: await masterKeys, random })
    }
    case 'aws-kms':
      return openAwsKms(alias, settings)
  }
}

async function openAwsKms(alias: string, settings: AwsKmsSettings): Promise<KeyManager> {
  const { keyId, formerKeyIds, region, endpoint, caFile, timeout } = settings
  const { KMS } = await import('@aws-sdk/client-kms')
  const ca = caFile === undefined ? undefined : readText(caFile, `keys.managers.${alias}.caFile`)
  const kms = new KMS({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    credentials: credentialsOf(settings),
    // Whoever asks the manager decides what is tried again.
    maxAttempts: 1,
    ...(ca === undefined ? {} : { requestHandler: { httpsAgent: new Agent({ keepAlive: true, ca }) } }),
  })
  return new AwsKmsKeyManager({ alias, kms, keyId, formerKeyIds, timeout })
}

/** As the SDK takes them: it asks again shortly before they expire. */
function credentialsOf({ accessKeyId, secretAccessKey, sessionToken, auth, awsProfile }: AwsKmsSettings) {
  const provider = awsProvider(auth, awsProfile)
  return async () => {
    const found =
      accessKeyId === undefined || secretAccessKey === undefined
        ? await provider()
        : { accessKeyId, secretAccessKey, sessionToken, expiration: undefined }
    return {
      accessKeyId: found.accessKeyId,
      secretAccessKey: found.secretAccessKey,
      ...(found.sessionToken === undefined ? {} : { sessionToken: found.sessionToken }),
      ...(found.expiration === undefined ? {} : { expiration: found.expiration }),
    }
  }
}
