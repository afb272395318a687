/** What can change while the gateway runs: settings, and the files that they name, read at one moment. */
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
import { readText } from './read-text.ts'

/** The generated credential inside the data folder, in the AWS shared-credentials format. */
export const CREDENTIALS_FILE = 'aws-credentials'

export interface TlsMaterial {
  readonly cert: string
  readonly key: string
}

/** Plain data: it goes from process to process. */
export interface Live {
  readonly settings: Settings
  readonly credentials: readonly CredentialEntry[]
  readonly tls?: TlsMaterial | undefined
}

/** Reads what the settings name. Throws `Invalid` for what cannot be read or does not belong together. */
export function readLive(settings: Settings): Live {
  const credentials = credentialsOf(settings)
  createCredentials(credentials)
  return { settings, credentials, tls: readTls(settings) }
}

/** The files whose content is read beside the settings. */
export function filesOf({ server: { tls }, credentials, data }: Settings): string[] {
  return [
    ...(tls === undefined ? [] : [tls.certFile, tls.keyFile]),
    ...(credentials === undefined ? [join(data, CREDENTIALS_FILE)] : []),
  ]
}

/** The credentials of the settings, or the one that the first start made. */
export function credentialsOf(settings: Settings): readonly CredentialEntry[] {
  if (settings.credentials !== undefined) return settings.credentials
  const path = join(settings.data, CREDENTIALS_FILE)
  return [{ ...parseCredentialsFile(readText(path, 'the credentials file')), allow: ALLOW_ALL }]
}

function readTls({ server: { tls } }: Settings): TlsMaterial | undefined {
  if (tls === undefined) return undefined
  const cert = readText(tls.certFile, 'server.tls.certFile')
  const key = readText(tls.keyFile, 'server.tls.keyFile')
  try {
    createSecureContext({ cert, key })
  } catch (cause) {
    // OpenSSL's words may quote what it could not read.
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable'
    throw new Invalid(`server.tls: the key ${tls.keyFile} is not that of the certificate ${tls.certFile} (${code})`)
  }
  return { cert, key }
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
