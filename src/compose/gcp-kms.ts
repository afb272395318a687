/** Settings of a key in Google Cloud KMS become a key manager: the package is loaded, and files read, here. */
import type { KeyManagementServiceClient, protos } from '@google-cloud/kms'
import type { ManagerSettings } from '../config/settings.ts'
import { Denied, Invalid } from '../errors.ts'
import { Transport } from '../keys/gcp-kms/transport.ts'
import { type GcpCalls, GcpKmsKeyManager } from '../keys/gcp-kms.ts'
import type { KeyManager } from '../keys/key-manager.ts'
import { loadOptional, managerOf } from './optional-packages.ts'
import { readAnew, readText } from './read-text.ts'

type GcpSettings = ManagerSettings<'gcp-kms'>
type EncryptRequest = protos.google.cloud.kms.v1.IEncryptRequest
type DecryptRequest = protos.google.cloud.kms.v1.IDecryptRequest
type Client = KeyManagementServiceClient

/** The newest that runs on Node 20. */
const PACKAGES = ['@google-cloud/kms@5.7.0']
/** The SDK would try again on its own. */
const ONCE = { retry: null }

/** Asks nothing yet. Throws `Invalid` if the package is not there, or `credentialsFile` or `caFile` cannot be read. */
export async function openGcpKms(
  alias: string,
  settings: GcpSettings,
  random: (bytes: number) => Buffer,
): Promise<KeyManager> {
  const { keyName, formerKeyNames, endpoint, credentialsFile, caFile, timeout } = settings
  const { KeyManagementServiceClient } = await loadOptional(
    managerOf(alias, settings.type),
    PACKAGES,
    async () => import('@google-cloud/kms'),
  )
  const what = `keys.managers.${alias}.credentialsFile`
  if (credentialsFile !== undefined && credentialsOf(readText(credentialsFile, what)) === undefined) {
    throw new Invalid(`${what} ${NO_CREDENTIALS}`)
  }
  const ca = caFile === undefined ? undefined : readText(caFile, `keys.managers.${alias}.caFile`)
  const transport = new Transport({ ca, timeout })
  const make = (credentials: object | undefined): Client =>
    new KeyManagementServiceClient({
      // Over HTTP/1.1: what goes through proxies, and needs no second stack for HTTP/2.
      fallback: true,
      ...(endpoint === undefined ? {} : placeOf(endpoint)),
      ...(credentials === undefined ? {} : { credentials }),
      clientOptions: {
        transporterOptions: {
          adapter: async (request, send) => send(transport.once(request)),
          fetchImplementation: transport.fetch,
        },
      },
    })
  const kms = new GcpClients({ file: credentialsFile, what, make, transport })
  return new GcpKmsKeyManager({ alias, kms, keyName, formerKeyNames, timeout, random })
}

interface GcpClientsParts {
  readonly file: string | undefined
  /** The setting that names it. */
  readonly what: string
  readonly make: (credentials: object | undefined) => Client
  readonly transport: Transport
}

/** The client of what the file holds now: credentials are replaced while we run. */
class GcpClients implements GcpCalls {
  readonly #parts: GcpClientsParts
  #current: { readonly text: string; readonly client: Client } | undefined

  constructor(parts: GcpClientsParts) {
    this.#parts = parts
  }

  async encrypt(request: EncryptRequest, options: object) {
    const client = await this.#client()
    return (await client.encrypt(request, { ...options, ...ONCE }))[0]
  }

  async decrypt(request: DecryptRequest, options: object) {
    const client = await this.#client()
    return (await client.decrypt(request, { ...options, ...ONCE }))[0]
  }

  async close(): Promise<void> {
    await this.#parts.transport.close()
  }

  async #client(): Promise<Client> {
    const text = await this.#read()
    const current = this.#current?.text === text ? this.#current : { text, client: this.#made(text) }
    this.#current = current
    try {
      // Called first: a call of the SDK would leave its failure to nobody, which ends the process.
      await current.client.initialize()
    } catch (error) {
      // A client whose credentials were not there never looks for them again.
      if (this.#current === current) this.#current = undefined
      throw error
    }
    return current.client
  }

  #made(text: string): Client {
    const { file, what, make } = this.#parts
    if (file === undefined) return make(undefined)
    const credentials = credentialsOf(text)
    if (credentials === undefined) throw new Denied(`${what} ${NO_CREDENTIALS}`)
    return make(credentials)
  }

  async #read(): Promise<string> {
    const { file, what } = this.#parts
    return file === undefined ? '' : readAnew(file, what)
  }
}

const NO_CREDENTIALS = 'holds no credentials: it is JSON with a `type`, such as service_account or external_account'

function credentialsOf(text: string): object | undefined {
  try {
    const found: unknown = JSON.parse(text)
    const fits = typeof found === 'object' && found !== null && 'type' in found && typeof found.type === 'string'
    return fits ? found : undefined
  } catch {
    return undefined
  }
}

function placeOf(endpoint: string): { readonly apiEndpoint: string; readonly port: number; readonly protocol: string } {
  const { protocol, hostname, port } = new URL(endpoint)
  const name = protocol.replace(':', '')
  return { apiEndpoint: hostname, protocol: name, port: port === '' ? (name === 'https' ? 443 : 80) : Number(port) }
}
