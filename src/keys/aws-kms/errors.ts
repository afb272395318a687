/** What AWS KMS answers where it does not do what it was asked, as inner errors. */
import { Denied, Integrity, type KeyFault, Unavailable } from '../../errors.ts'
import { codeOf } from '../provider-errors.ts'

/** The bytes, or what they are bound to, are wrong. */
const BROKEN: ReadonlySet<string> = new Set([
  'InvalidCiphertextException',
  'IncorrectKeyException',
  'ValidationException',
])

/** Repeating does not help before somebody has changed something at AWS. */
const REFUSED: Readonly<Record<string, string>> = {
  AccessDeniedException: 'the credentials lack the permission',
  DisabledException: 'the key is disabled',
  KMSInvalidStateException: 'the key is disabled or about to be deleted',
  NotFoundException: 'there is no such key in this region and account',
  InvalidKeyUsageException: 'the key is not a symmetric key for encryption',
  InvalidArnException: 'keyId is not an ARN of KMS',
  UnrecognizedClientException: 'the access key is unknown',
  InvalidSignatureException: 'the secret key is not that of the access key, or the clock is wrong',
  MissingAuthenticationTokenException: 'there are no credentials',
  OptInRequired: 'the account has not opted in to this region',
}

const KEY_FAULTS: Readonly<Record<string, KeyFault>> = {
  DisabledException: 'disabled',
  KMSInvalidStateException: 'wrong-state',
  NotFoundException: 'missing',
}

/** Whether KMS may have refused the bytes and not the caller: it does not tell these apart, lest it tell which keys there are. */
export function mayBeStrange(error: unknown): boolean {
  return error instanceof Error && error.name === 'AccessDeniedException'
}

/** It may pass by itself: what gives credentials can be away as KMS can. */
const HINTS: Readonly<Record<string, string>> = {
  TimeoutError: 'no answer in time',
  CredentialsProviderError: 'there are no credentials',
}

/**
 * The failure of `action` (as IAM names it, without `kms:`). Only names of AWS's errors are told: its messages quote ARNs of
 * keys and of callers, and these do not belong in logs.
 */
export function kmsFailure(alias: string, action: string, error: unknown): Error {
  const name = nameOf(error)
  const what = `AWS KMS, key manager ${alias}: kms:${action} failed (${name})`
  if (BROKEN.has(name)) return new Integrity('unwrap failure', what)
  const why = REFUSED[name]
  if (why !== undefined) return new Denied(`${what}: ${why}`, { key: KEY_FAULTS[name] })
  const hint = HINTS[name]
  return new Unavailable(hint === undefined ? what : `${what}: ${hint}`)
}

/** That of the service, or such as ECONNREFUSED and CERT_HAS_EXPIRED of the way to it. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const code = error.name === 'Error' ? codeOf(error) : undefined
  if (code !== undefined) return code
  // Whatever answered may have put anything there.
  return /^\w{1,60}$/.test(error.name) ? error.name : 'unknown'
}
