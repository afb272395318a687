/** Settings of a key in Google Cloud KMS become a key manager: the package is loaded here. */
import type { Settings } from '../config/settings.ts'
import { GcpKmsKeyManager } from '../keys/gcp-kms.ts'
import type { KeyManager } from '../keys/key-manager.ts'
import { loadOptional } from './optional-packages.ts'
import { readText } from './read-text.ts'

type GcpSettings = Extract<Settings['keys']['managers'][string], { readonly type: 'gcp-kms' }>

/** The newest that runs on Node 20. */
const PACKAGES = ['@google-cloud/kms@5.7.0']
/** The SDK would try again on its own. */
const ONCE = { retry: null }

/** Asks nothing yet. Throws `Invalid` if the package is not there or `credentialsFile` cannot be read. */
export async function openGcpKms(
  alias: string,
  settings: GcpSettings,
  random: (bytes: number) => Buffer,
): Promise<KeyManager> {
  const { keyName, formerKeyNames, endpoint, credentialsFile, timeout } = settings
  const { KeyManagementServiceClient } = await loadOptional(
    alias,
    settings.type,
    PACKAGES,
    async () => import('@google-cloud/kms'),
  )
  if (credentialsFile !== undefined) readText(credentialsFile, `keys.managers.${alias}.credentialsFile`)
  const client = new KeyManagementServiceClient({
    // Over HTTP/1.1: what goes through proxies, and needs no second stack for HTTP/2.
    fallback: true,
    ...(endpoint === undefined ? {} : placeOf(endpoint)),
    ...(credentialsFile === undefined ? {} : { keyFilename: credentialsFile }),
  })
  const kms = {
    encrypt: async (request: Parameters<typeof client.encrypt>[0], options: object) =>
      (await client.encrypt(request, { ...options, ...ONCE }))[0],
    decrypt: async (request: Parameters<typeof client.decrypt>[0], options: object) =>
      (await client.decrypt(request, { ...options, ...ONCE }))[0],
    close: async () => client.close(),
  }
  return new GcpKmsKeyManager({ alias, kms, keyName, formerKeyNames, timeout, random })
}

function placeOf(endpoint: string): { readonly apiEndpoint: string; readonly port: number; readonly protocol: string } {
  const { protocol, hostname, port } = new URL(endpoint)
  const name = protocol.replace(':', '')
  return { apiEndpoint: hostname, protocol: name, port: port === '' ? (name === 'https' ? 443 : 80) : Number(port) }
}
