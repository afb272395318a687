/** Settings of a key in Azure Key Vault become a key manager: packages are loaded, and files read, here. */
import type * as identityPackage from '@azure/identity'
import type { TokenCredential } from '@azure/identity'
import { isLoopback } from '../config/loopback.ts'
import type { ManagerSettings } from '../config/settings.ts'
import { AzureKeyVaultKeyManager } from '../keys/azure-key-vault.ts'
import type { KeyManager } from '../keys/key-manager.ts'
import { AzureSessions } from './azure-sessions.ts'
import { loadOptional, managerOf } from './optional-packages.ts'
import { readAnew, readText } from './read-text.ts'

type AzureSettings = ManagerSettings<'azure-key-vault'>
type Identity = typeof identityPackage

/** The newest that run on Node 20. */
const PACKAGES = ['@azure/identity@4.13.1', '@azure/keyvault-keys@4.10.2']

/** Asks nothing yet. Throws `Invalid` if the packages are not there or `caFile` cannot be read. */
export async function openAzureKeyVault(
  alias: string,
  settings: AzureSettings,
  random: (bytes: number) => Buffer,
): Promise<KeyManager> {
  const { vaultUrl, keyName, formerKeyNames, caFile, timeout } = settings
  const [identity, { KeyClient, CryptographyClient }] = await loadOptional(
    managerOf(alias, settings.type),
    PACKAGES,
    async () => Promise.all([import('@azure/identity'), import('@azure/keyvault-keys')]),
  )
  const common = {
    // Whoever asks the manager decides what is tried again.
    retryOptions: { maxRetries: 0 },
    ...(caFile === undefined ? {} : { tlsOptions: { ca: readText(caFile, `keys.managers.${alias}.caFile`) } }),
  }
  // The SDK changes the options that it is given.
  const options = () => ({
    ...common,
    // A token is for the service's own domain, and a stand-in on this machine has none.
    disableChallengeResourceVerification: isLoopback(vaultUrl.replace('https://', '')),
  })
  const azure = new AzureSessions(() => {
    const credential = credentialOf(alias, identity, settings, common)
    return {
      keys: new KeyClient(vaultUrl, credential, options()),
      cryptography: (key) => new CryptographyClient(key, credential, options()),
    }
  })
  return new AzureKeyVaultKeyManager({ alias, azure, keyName, formerKeyNames, timeout, random })
}

const ENTRA = /^https:\/\/login\.(microsoftonline\.com|microsoftonline\.us|chinacloudapi\.cn)$/

function credentialOf(
  alias: string,
  identity: Identity,
  { login, authorityHost }: AzureSettings,
  common: object,
): TokenCredential {
  const options = {
    ...common,
    ...(authorityHost === undefined ? {} : { authorityHost }),
    // Microsoft knows only its own addresses.
    disableInstanceDiscovery: authorityHost !== undefined && !ENTRA.test(authorityHost),
  }
  if (login.method === 'default') return new identity.DefaultAzureCredential(options)
  if (login.method === 'managed-identity') {
    const { clientId } = login
    return new identity.ManagedIdentityCredential({ ...options, ...(clientId === undefined ? {} : { clientId }) })
  }
  if (login.method === 'workload-identity') {
    const { tenantId, clientId, tokenFile } = login
    return new identity.WorkloadIdentityCredential({
      ...options,
      ...(tenantId === undefined ? {} : { tenantId }),
      ...(clientId === undefined ? {} : { clientId }),
      ...(tokenFile === undefined ? {} : { tokenFilePath: tokenFile }),
    })
  }
  const { tenantId, clientId } = login
  if (login.method === 'client-secret') {
    return new FreshSecret(alias, login.secretFile, (secret) => {
      return new identity.ClientSecretCredential(tenantId, clientId, secret, options)
    })
  }
  const certificate = { certificatePath: login.certificateFile }
  return new identity.ClientCertificateCredential(tenantId, clientId, certificate, options)
}

/** The credential of what a file holds now: secrets are replaced while we run. */
class FreshSecret implements TokenCredential {
  readonly #alias: string
  readonly #file: string
  readonly #make: (secret: string) => TokenCredential
  #current: { readonly secret: string; readonly credential: TokenCredential } | undefined

  constructor(alias: string, file: string, make: (secret: string) => TokenCredential) {
    this.#alias = alias
    this.#file = file
    this.#make = make
  }

  async getToken(...args: Parameters<TokenCredential['getToken']>): ReturnType<TokenCredential['getToken']> {
    const text = await readAnew(this.#file, `keys.managers.${this.#alias}.login.secretFile`)
    const secret = text.trim()
    if (this.#current?.secret !== secret) this.#current = { secret, credential: this.#make(secret) }
    return this.#current.credential.getToken(...args)
  }
}
