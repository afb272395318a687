/** Key managers elsewhere, each with a stand-in for what it speaks to that can be stopped, started, and made to misbehave. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Timing } from '../../src/attempts.ts'
import { openManagers, resilient } from '../../src/compose/key-managers.ts'
import { loadSettings } from '../../src/config/load.ts'
import type { Settings } from '../../src/config/settings.ts'
import type { KeyManager } from '../../src/keys/key-manager.ts'
import { Pkcs11KeyManager } from '../../src/keys/pkcs11.ts'
import { AzureServer, CLIENT, TENANT } from './azure-server.ts'
import { GcpServer, keyNameOf } from './gcp-server.ts'
import { KmipServer } from './kmip-server.ts'
import { KmsServer } from './kms-server.ts'
import { pemFile } from './pem.ts'
import { type Pkcs11Files, pkcs11Files } from './pkcs11-files.ts'
import { SoftToken } from './soft-token.ts'
import { VaultServer } from './vault-server.ts'

/** What the stand-ins know and nobody else may learn. */
export const SECRETS = {
  aws: 'kms-secret-0123456789',
  vault: 'vault-secret-0123456789',
  pin: '2468-pin',
  azure: 'azure-secret-0123456789',
} as const

interface Common {
  /** What `keys.managers.<alias>` says of it. */
  readonly settings: Readonly<Record<string, unknown>>
  /** Nobody answers there any more: the server is closed, the token is taken out. */
  readonly stop: () => Promise<void>
  /** It is back where it was. */
  readonly start: () => Promise<void>
  readonly close: () => Promise<void>
}

export type Provider = Common &
  (
    | { readonly name: 'aws-kms'; readonly kms: KmsServer }
    | { readonly name: 'vault-transit'; readonly vault: VaultServer; readonly folder: string }
    | { readonly name: 'kmip'; readonly kmip: KmipServer; readonly id: string }
    | { readonly name: 'azure-key-vault'; readonly azure: AzureServer; readonly folder: string }
    | { readonly name: 'gcp-kms'; readonly gcp: GcpServer; readonly folder: string }
    | { readonly name: 'pkcs11'; readonly token: SoftToken; readonly files: Pkcs11Files }
  )

export const PROVIDER_NAMES = ['aws-kms', 'vault-transit', 'pkcs11', 'kmip', 'azure-key-vault', 'gcp-kms'] as const
export type ProviderName = (typeof PROVIDER_NAMES)[number]

/** Short enough for tests, long enough for a machine that is busy. */
const REMOTE = {
  timeout: '2s',
  retry: { attempts: 2, baseDelay: '1ms', maxDelay: '1ms' },
  breaker: { failures: 4, probeInterval: '5s' },
}

export async function openProvider(name: ProviderName, now: () => number): Promise<Provider> {
  if (name === 'aws-kms') return openKms()
  if (name === 'kmip') return openKmip()
  if (name === 'azure-key-vault') return openAzure()
  if (name === 'gcp-kms') return openGcp()
  return name === 'vault-transit' ? openVault(now) : openToken()
}

async function openKms(): Promise<Provider> {
  const kms = new KmsServer()
  const endpoint = await kms.start()
  kms.createKey('alias/main')
  const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: SECRETS.aws }
  const settings = { type: 'aws-kms', keyId: 'alias/main', region: 'eu-central-1', endpoint, ...credentials, ...REMOTE }
  return { name: 'aws-kms', kms, settings, ...lifeOf(kms) }
}

async function openVault(now: () => number): Promise<Provider> {
  const vault = new VaultServer({ now })
  const address = await vault.start()
  vault.createKey('main')
  vault.allowLogin('auth/userpass/login/gateway', ({ password }) => password === SECRETS.vault)
  const folder = mkdtempSync(join(tmpdir(), 'sealgate-vault-'))
  const passwordFile = join(folder, 'password')
  writeFileSync(passwordFile, SECRETS.vault)
  const login = { method: 'userpass', username: 'gateway', passwordFile }
  const settings = { type: 'vault-transit', address, keyName: 'main', login, ...REMOTE }
  return { name: 'vault-transit', vault, folder, settings, ...lifeOf(vault, folder) }
}

async function openKmip(): Promise<Provider> {
  const kmip = new KmipServer()
  const port = await kmip.start()
  const id = kmip.createKey('main')
  const files = { caFile: pemFile('cert'), certFile: pemFile('other-cert'), keyFile: pemFile('other-key') }
  const settings = { type: 'kmip', address: `127.0.0.1:${port}`, key: { name: 'main' }, ...files, ...REMOTE }
  return { name: 'kmip', kmip, id, settings, ...lifeOf(kmip) }
}

async function openAzure(): Promise<Provider> {
  const azure = new AzureServer()
  azure.secret = SECRETS.azure
  const address = await azure.start()
  azure.createKey('main')
  const folder = mkdtempSync(join(tmpdir(), 'sealgate-azure-'))
  const secretFile = join(folder, 'secret')
  writeFileSync(secretFile, SECRETS.azure)
  const login = { method: 'client-secret', tenantId: TENANT, clientId: CLIENT, secretFile }
  const where = { vaultUrl: address, authorityHost: address, caFile: azure.caFile }
  const settings = { type: 'azure-key-vault', ...where, login, keyName: 'main', ...REMOTE }
  return { name: 'azure-key-vault', azure, folder, settings, ...lifeOf(azure, folder) }
}

async function openGcp(): Promise<Provider> {
  const gcp = new GcpServer()
  const endpoint = await gcp.start()
  gcp.createKey('main')
  const folder = mkdtempSync(join(tmpdir(), 'sealgate-gcp-'))
  const credentialsFile = join(folder, 'credentials.json')
  writeFileSync(credentialsFile, gcp.credentials())
  const settings = { type: 'gcp-kms', endpoint, credentialsFile, keyName: keyNameOf('main'), ...REMOTE }
  return { name: 'gcp-kms', gcp, folder, settings, ...lifeOf(gcp, folder) }
}

/** Of a server, and of the folder in which its client's credentials are. */
function lifeOf(server: { start: () => Promise<unknown>; stop: () => Promise<void> }, folder?: string) {
  const stop = (): Promise<void> => server.stop()
  return {
    start: async (): Promise<void> => void (await server.start()),
    stop,
    close: async (): Promise<void> => {
      await stop()
      if (folder !== undefined) rmSync(folder, { recursive: true })
    },
  }
}

async function openToken(): Promise<Provider> {
  const files = await pkcs11Files()
  const token = new SoftToken(join(files.folder, 'token'), ['main', 'other'])
  const found = { module: token.path, token: { label: 'vault' }, pin: SECRETS.pin, key: { label: 'main' } }
  return {
    name: 'pkcs11',
    token,
    files,
    settings: { type: 'pkcs11', ...found, ...REMOTE },
    start: async () => token.back(),
    stop: async () => token.remove(),
    close: async () => files.remove(),
  }
}

/** Settings in which the managers stand under their aliases. */
export function settingsOf(managers: Readonly<Record<string, unknown>>, keys: object): Settings {
  const [first] = Object.keys(managers)
  return loadSettings({
    env: {},
    configPath: 'sealgate.yaml',
    readFile: () => JSON.stringify({ backend: { type: 'memory' }, keys: { active: first, managers, ...keys } }),
  })
}

/** As a gateway opens them; the threads of a token run the stand-in. */
export async function openKeyManagers(
  settings: Settings,
  providers: readonly Provider[],
  timing: Timing,
): Promise<Map<string, KeyManager>> {
  const managers = new Map<string, KeyManager>()
  for (const [alias, manager] of Object.entries(settings.keys.managers)) {
    const provider = providers.find((one) => one.name === 'pkcs11')
    if (manager.type === 'pkcs11' && provider?.name === 'pkcs11') {
      const { module, token, key, formerKeys, pin, sessions, timeout } = manager
      const { package: library, worker } = provider.files
      const inner = new Pkcs11KeyManager({
        alias,
        worker,
        settings: { package: library, module, token, keys: [key, ...formerKeys] },
        pin,
        sessions,
        timeout,
        random: randomBytes,
      })
      managers.set(alias, resilient(inner, manager, timing))
      continue
    }
    const alone = { ...settings, keys: { ...settings.keys, managers: { [alias]: manager } } }
    const opened = await openManagers(alone, { random: randomBytes, timing })
    for (const one of opened.values()) managers.set(alias, one)
  }
  return managers
}
