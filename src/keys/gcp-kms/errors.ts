/** What Google Cloud KMS answers where it does not do what it was asked, as inner errors. Its own texts quote names and never leave this file. */
import { Denied, type KeyFault, Unavailable } from '../../errors.ts'
import { codeOf, refusedLogin } from '../provider-errors.ts'

/** Codes of google.rpc.Code, as the SDK gives them, by name. */
const CODES: Readonly<Record<number, string>> = {
  3: 'INVALID_ARGUMENT',
  4: 'DEADLINE_EXCEEDED',
  5: 'NOT_FOUND',
  7: 'PERMISSION_DENIED',
  8: 'RESOURCE_EXHAUSTED',
  9: 'FAILED_PRECONDITION',
  13: 'INTERNAL',
  14: 'UNAVAILABLE',
  16: 'UNAUTHENTICATED',
}

/** Repeating does not help before somebody has changed something. */
const REFUSED: Readonly<Record<string, string>> = {
  INVALID_ARGUMENT: 'keyName is not that of a symmetric key for encryption',
  NOT_FOUND: 'there is no such key',
  PERMISSION_DENIED: 'the identity lacks the role of docs/keys.md, or the API is not enabled in the project',
  FAILED_PRECONDITION: 'the key version is disabled or destroyed, or the key has no primary version',
  UNAUTHENTICATED: 'the service does not take the token',
}

const KEY_FAULTS: Readonly<Record<string, KeyFault>> = { NOT_FOUND: 'missing', FAILED_PRECONDITION: 'wrong-state' }

/** Whether the service says that it cannot open these bytes: not its own, of another key, or bound to something else. */
export function isBroken(error: unknown): boolean {
  return nameOf(error) === 'INVALID_ARGUMENT'
}

export function gcpFailure(alias: string, operation: string, error: unknown): Error {
  if (error instanceof Denied) return error
  const name = nameOf(error)
  const what = `Google Cloud KMS, key manager ${alias}: ${operation} failed (${name})`
  const why = REFUSED[name]
  if (why !== undefined) return new Denied(`${what}: ${why}`, { key: KEY_FAULTS[name] })
  const login = refusedLogin(error instanceof Error ? error.message : '')
  if (login !== undefined) return new Denied(`${what}: the login is refused (${login})`)
  return new Unavailable(name === 'TimeoutError' ? `${what}: no answer in time` : what)
}

/** Such as NOT_FOUND, ECONNREFUSED or HTTP 502. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  // Whose codes are numbers of their own.
  if (error instanceof DOMException) return error.name
  const code: unknown = 'code' in error ? error.code : undefined
  // The transport makes the body of an answer its message.
  const status = /"status":\s*"([A-Z_]{2,40})"/.exec(error.message)?.[1]
  if (status !== undefined) return status
  if (typeof code === 'number') return CODES[code] ?? `HTTP ${code}`
  return codeOf(error) ?? error.name
}
