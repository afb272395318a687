/** The access keys that clients sign with, and the file that holds the generated one. */
import { Invalid } from '../errors.ts'
import type { Grant, Identity } from './policy.ts'
import type { LimitedUser, UsageLimits } from './usage.ts'

/** One credential as configured. */
export interface CredentialEntry {
  readonly accessKey: string
  readonly secretKey: string
  readonly allow: readonly Grant[]
  readonly limits?: UsageLimits | undefined
}

export interface Credentials {
  /** `undefined` if there is no such access key. */
  lookup(
    accessKey: string,
  ): { readonly secret: string; readonly identity: Identity; readonly usage?: LimitedUser } | undefined
}

/** A pair as clients are given it. */
export interface KeyPair {
  readonly accessKey: string
  readonly secretKey: string
}

/** Everything: what the generated credential may do. */
export const ALLOW_ALL: readonly Grant[] = [{ buckets: ['*'], prefixes: [], actions: 'read-write' }]

const PROFILE = 'sealgate'
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** Throws `Invalid` if an access key stands there twice. */
export function createCredentials(entries: readonly CredentialEntry[]): Credentials {
  const found = new Map<string, { secret: string; identity: Identity; usage?: LimitedUser }>()
  for (const { accessKey, secretKey, allow, limits } of entries) {
    if (found.has(accessKey)) throw new Invalid(`the access key ${accessKey} stands there twice`)
    found.set(accessKey, {
      secret: secretKey,
      identity: { accessKey, grants: allow },
      ...(limits === undefined ? {} : { usage: { name: `credential ${accessKey}`, limits } }),
    })
  }
  return { lookup: (accessKey) => found.get(accessKey) }
}

/** A new pair in the shape that S3 tools expect: 20 capital letters and digits, and a secret of 40 characters (240 random bits). */
export function generateCredential(random: (bytes: number) => Buffer): KeyPair {
  const letters = Array.from(random(18), (byte) => LETTERS[byte % LETTERS.length] ?? '')
  return { accessKey: `SG${letters.join('')}`, secretKey: random(30).toString('base64url') }
}

/** The pair as an AWS shared credentials file with the profile `sealgate`. It holds a secret: write it with `writeSecretFile`. */
export function formatCredentialsFile({ accessKey, secretKey }: KeyPair): string {
  return `[${PROFILE}]\naws_access_key_id = ${accessKey}\naws_secret_access_key = ${secretKey}\n`
}

/** The pair of the profile `sealgate` in an AWS shared credentials file; other profiles and settings may stand there too. Throws `Invalid` if it is missing. */
export function parseCredentialsFile(text: string): KeyPair {
  const values = new Map<string, string>()
  let profile = ''
  for (const line of text.split(/\r?\n/).map((raw) => raw.trim())) {
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue
    const heading = /^\[\s*(.*?)\s*\]$/.exec(line)?.[1]
    const [, name, value] = /^([^=\s]+)\s*=\s*(.*)$/.exec(line) ?? []
    if (heading !== undefined) profile = heading
    else if (profile === PROFILE && name !== undefined) values.set(name.toLowerCase(), value ?? '')
  }
  const accessKey = values.get('aws_access_key_id')
  const secretKey = values.get('aws_secret_access_key')
  if (!accessKey || !secretKey) {
    throw new Invalid(
      `no aws_access_key_id and aws_secret_access_key in the profile [${PROFILE}] of the credentials file`,
    )
  }
  return { accessKey, secretKey }
}
