/** What can change while the gateway runs: settings, and the files that they name, read at one moment. */
import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import {
  ALLOW_ALL,
  type CredentialEntry,
  type Credentials,
  createCredentials,
  parseCredentialsFile,
} from '../access/credentials.ts'
import type { Settings } from '../config/settings.ts'
import { Invalid } from '../errors.ts'
import { ByteBudget } from '../gateway/byte-budget.ts'
import { requireOperations } from './operations.ts'
import { readText } from './read-text.ts'

/** The generated credential inside the data folder, in the AWS shared-credentials format. */
export const CREDENTIALS_FILE = 'aws-credentials'

export interface TlsMaterial {
  readonly cert: string
  readonly key: string
}

export interface AdminTls extends TlsMaterial {
  /** Of those whose client certificates let in. */
  readonly clientCa?: string
}

/** Plain data: it goes from process to process. */
export interface Live {
  readonly settings: Settings
  readonly credentials: readonly CredentialEntry[]
  readonly tls?: TlsMaterial | undefined
  readonly adminTls?: AdminTls | undefined
}

/** Reads what the settings name. Throws `Invalid` for what cannot be read or does not belong together. */
export function readLive(settings: Settings): Live {
  const credentials = credentialsOf(settings)
  createCredentials(credentials)
  requireOperations(settings)
  return { settings, credentials, tls: readTls(settings.server.tls, 'server.tls'), adminTls: readAdminTls(settings) }
}

/** The files whose content is read beside the settings. */
export function filesOf({ server: { tls }, admin, credentials, data }: Settings): string[] {
  return [tls, admin.tls]
    .flatMap((group) => Object.values(group ?? {}))
    .concat(credentials === undefined ? [join(data, CREDENTIALS_FILE)] : [])
}

/** The credentials of the settings, or the one that the first start made. */
export function credentialsOf(settings: Settings): readonly CredentialEntry[] {
  if (settings.credentials !== undefined) return settings.credentials
  const path = join(settings.data, CREDENTIALS_FILE)
  return [{ ...parseCredentialsFile(readText(path, 'the credentials file')), allow: ALLOW_ALL }]
}

function readTls(tls: Settings['server']['tls'], group: string): TlsMaterial | undefined {
  if (tls === undefined) return undefined
  const cert = readText(tls.certFile, `${group}.certFile`)
  const key = readText(tls.keyFile, `${group}.keyFile`)
  try {
    createSecureContext({ cert, key })
  } catch (cause) {
    // OpenSSL's words may quote what it could not read.
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable'
    throw new Invalid(`${group}: the key ${tls.keyFile} is not that of the certificate ${tls.certFile} (${code})`)
  }
  return { cert, key }
}

function readAdminTls({ admin: { tls } }: Settings): AdminTls | undefined {
  const own = readTls(tls, 'admin.tls')
  if (own === undefined || tls?.clientCaFile === undefined) return own
  const clientCa = readText(tls.clientCaFile, 'admin.tls.clientCaFile')
  if (isAuthority(clientCa)) return { ...own, clientCa }
  throw new Invalid(`admin.tls.clientCaFile holds no certificate of an authority in PEM: ${tls.clientCaFile}`)
}

/** Node takes an empty list, and skips what is no certificate: then it would be the public authorities that let in. */
function isAuthority(pem: string): boolean {
  const found = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  try {
    return found.length > 0 && found.every((one) => new X509Certificate(one).ca)
  } catch {
    return false
  }
}

/** What is in effect now; whoever asks again is told what has been exchanged since. */
export class InEffect {
  readonly credentials: Credentials = { lookup: (accessKey) => this.#found.lookup(accessKey) }
  readonly gather: ByteBudget
  #settings: Settings
  #found: Credentials

  constructor({ settings, credentials }: Live) {
    this.#settings = settings
    this.#found = createCredentials(credentials)
    this.gather = new ByteBudget(settings.limits.gatherBytes)
  }

  get settings(): Settings {
    return this.#settings
  }

  /** All of it at once, or nothing: throws `Invalid` for credentials that contradict each other. */
  replace({ settings, credentials }: Live): void {
    this.#found = createCredentials(credentials)
    this.#settings = settings
    this.gather.limit = settings.limits.gatherBytes
  }
}
