/** What Azure answers where it does not do what it was asked, as inner errors. Its own texts quote names and never leave this file. */
import { Denied, Integrity, type KeyFault, Unavailable } from '../../errors.ts'
import { patienceOf, refusedLogin } from '../provider-errors.ts'

/** Inner codes of refusals, or statuses where there is none. */
const REFUSED: Readonly<Record<string, string>> = {
  401: "the vault does not take the token; is it of the vault's tenant?",
  404: 'there is no such key in this vault',
  ForbiddenByRbac: 'the identity lacks the role of docs/keys.md',
  ForbiddenByPolicy: 'the identity lacks a permission in the access policy of the vault',
  AccessDenied: 'the identity lacks a permission in the access policy of the vault',
  ForbiddenByFirewall: 'the firewall of the vault does not let this address in',
  ForbiddenByConnection: 'the vault takes connections by private link alone',
  KeyDisabled: 'the key version is disabled',
  KeyNotYetValid: 'the key version is not valid yet',
  KeyExpired: 'the key version has expired',
  KeyOperationForbidden: 'the permitted operations of the key lack this one',
}

const KEY_FAULTS: Readonly<Record<string, KeyFault>> = {
  404: 'missing',
  KeyDisabled: 'disabled',
  KeyNotYetValid: 'wrong-state',
  KeyExpired: 'wrong-state',
}

const LOGIN_NUMBER = /\bAADSTS\d{1,9}\b/

/** What is read of an error of the SDK. */
interface Told {
  readonly name: string
  readonly status: number | undefined
  readonly inner: string | undefined
  readonly message: string
  readonly code: string | undefined
  readonly retryAfter: number | undefined
}

/** Whether Azure says that there is no such key or version. */
export function isMissing(error: unknown): boolean {
  return told(error).status === 404
}

/** Whether the vault does not take the token. */
export function isTokenRefused(error: unknown): boolean {
  return told(error).status === 401
}

/** The failure of `operation`; `opening` says that bytes were sent which may be the cause of a 400. */
export function azureFailure(alias: string, operation: string, error: unknown, opening = false): Error {
  if (error instanceof Denied) return error
  const { name, status, inner, message, code, retryAfter } = told(error)
  const what = `Azure Key Vault, key manager ${alias}: ${operation} failed (${listed(status ?? name, code, inner)})`
  if (isOfLogin(name)) return loginFailure(what, message)
  if (status === undefined || status >= 500 || LATER.has(status)) {
    const message = name === 'TimeoutError' ? `${what}: no answer in time` : what
    return new Unavailable(message, { retryAfter })
  }
  if (status === 400 && opening) return new Integrity('unwrap failure', what)
  const cause = inner ?? status
  const why = REFUSED[cause] ?? 'the diagnostic log of the vault says why'
  return new Denied(`${what}: ${why}`, { key: KEY_FAULTS[cause] })
}

const LATER: ReadonlySet<number> = new Set([408, 429])

function loginFailure(what: string, message: string): Error {
  const login = refusedLogin(message)
  if (login === undefined) return new Unavailable(`${what}: there is no token to be had`)
  return new Denied(`${what}: the login is refused (${listed(login, LOGIN_NUMBER.exec(message)?.[0])})`)
}

const listed = (...names: readonly (string | number | undefined)[]): string =>
  names.filter((name) => name !== undefined).join(', ')

const isOfLogin = (name: string): boolean =>
  /^(Authentication|AggregateAuthentication|AuthenticationRequired|CredentialUnavailable|ClientConfiguration)Error$/.test(
    name,
  )

function told(error: unknown): Told {
  const name = error instanceof Error ? error.name : 'unknown'
  const status = at(error, 'statusCode')
  return {
    name,
    status: typeof status === 'number' && !isOfLogin(name) ? status : undefined,
    code: known(at(error, 'code')),
    inner: known(at(at(at(at(error, 'details'), 'error'), 'innerError'), 'code')),
    message: error instanceof Error ? error.message : '',
    retryAfter: patienceOf(headerOf(at(error, 'response'), 'retry-after')),
  }
}

/** A name of a code as it may stand in a message. */
const known = (code: unknown): string | undefined =>
  typeof code === 'string' && /^[A-Z][A-Za-z_]{2,40}$/.test(code) ? code : undefined

function headerOf(response: unknown, name: string): unknown {
  const headers = at(response, 'headers')
  const get = at(headers, 'get')
  return typeof get === 'function' ? (get.call(headers, name) as unknown) : undefined
}

function at(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (Reflect.get(value, name) as unknown) : undefined
}
