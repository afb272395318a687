/** What Vault answers where it does not do what it was asked, as inner errors. Its own texts quote names and never leave this file. */
import { Denied, Integrity, Unavailable } from '../../errors.ts'
import { fieldsOf } from './answer.ts'
import type { VaultAnswer } from './client.ts'

/** Where a Transit key is, for the commands that messages name. */
export interface TransitKey {
  readonly mount: string
  readonly name: string
  readonly namespace?: string | undefined
}

/** The bytes, or what they are bound to, are wrong. */
const BROKEN: readonly string[] = ['message authentication failed', 'invalid ciphertext']

const TOO_OLD = 'too old'
const NO_KEY = 'encryption key not found'
const NO_ENGINE = 'no handler for route'
const NO_VERSION = 'no such key version'

/** Vault does not serve this now: no leader, a standby that hands nothing on, limits, sealed, broken. */
const LATER: ReadonlySet<number> = new Set([408, 412, 425, 429, 472, 473])

/** Whether the same request may succeed later, without anybody doing anything. */
export function isTemporary(status: number): boolean {
  return status >= 500 || status < 400 || LATER.has(status)
}

/** The token is not known, has ended, or lacks the permission: Vault does not tell these apart. */
export function isRefusal(status: number): boolean {
  return status === 401 || status === 403
}

/** The failure of one of the operations on a Transit key; `version` is that of the ciphertext that was sent. */
export function transitFailure(
  alias: string,
  operation: string,
  key: TransitKey,
  answer: VaultAnswer,
  version?: number,
): Error {
  const what = `Vault, key manager ${alias}: transit ${operation} failed (${answer.status})`
  if (isTemporary(answer.status)) return laterOn(what, answer)
  if (isRefusal(answer.status)) {
    return new Denied(`${what}: the token has ended, or lacks a permission of the policy in docs/keys.md`)
  }
  const texts = textsOf(answer)
  const says = (text: string): boolean => texts.some((one) => one.includes(text))
  if (says(TOO_OLD)) {
    return new Denied(
      `${what}: the key version ${version ?? '?'} is below min_decryption_version; allow it again: ${command(key, 'write', `${key.mount}/keys/${key.name}/config min_decryption_version=${version ?? 1}`)}`,
      { key: 'disabled' },
    )
  }
  if (says(NO_VERSION)) {
    return new Denied(`${what}: the key version ${version ?? '?'} was trimmed away`, { key: 'missing' })
  }
  if (says(NO_ENGINE)) {
    return new Denied(
      `${what}: there is no secrets engine at mount; set it right, or: ${command(key, 'secrets enable', `-path=${key.mount} transit`)}`,
    )
  }
  if (isMissing(answer))
    return new Denied(`${what}: there is no such key; make it: ${creation(key, key.name)}`, { key: 'missing' })
  if (BROKEN.some(says)) return new Integrity('unwrap failure', what)
  return new Denied(`${what}: Vault refuses the request; its audit log says why`)
}

/** Whether there is no such key, or no secrets engine where it should be. */
export function isMissing(answer: VaultAnswer): boolean {
  return answer.status === 404 || (answer.status === 400 && textsOf(answer).some((text) => text.includes(NO_KEY)))
}

/** The failure of a login by `method`. */
export function loginFailure(alias: string, method: string, remedy: string, answer: VaultAnswer): Error {
  const what = `Vault, key manager ${alias}: login by ${method} failed (${answer.status})`
  return isTemporary(answer.status) ? laterOn(what, answer) : new Denied(`${what}: ${remedy}`)
}

export function laterOn(what: string, { status, body, retryAfter }: VaultAnswer): Unavailable {
  const why =
    status === 503 && body.includes('Vault is sealed')
      ? ': Vault is sealed'
      : status >= 300 && status < 400
        ? ': a standby that hands requests on to nobody; name the address of the active node or of all of them'
        : ''
  return new Unavailable(`${what}${why}`, { retryAfter })
}

/** Of a key whose kind is `found`: kinds never change, so another one is needed. */
export function wrongKey(key: TransitKey, found: string): string {
  return `the key is ${found}, and bucket keys need one that is derived, aes256-gcm96 and not convergent; make another and set keyName to it: ${creation(key, `${key.name}-derived`)}`
}

const creation = (key: TransitKey, name: string): string =>
  command(key, 'write', `${key.mount}/keys/${name} type=aes256-gcm96 derived=true`)

function command({ namespace }: TransitKey, verb: string, rest: string): string {
  return `vault ${verb}${namespace === undefined ? '' : ` -namespace=${namespace}`} ${rest}`
}

function textsOf({ body }: VaultAnswer): readonly string[] {
  const errors: unknown = fieldsOf(body)?.['errors']
  return Array.isArray(errors) ? errors.filter((one) => typeof one === 'string') : []
}
