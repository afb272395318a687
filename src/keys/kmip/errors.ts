/** What is wrong with a KMIP server, as inner errors. Its own messages quote names and ids: they are not even read. */
import { Denied, Integrity, type KeyFault, Unavailable } from '../../errors.ts'
import type { Fault, KmipFault, Reason } from './fault.ts'
import { REASON, reasonName } from './protocol.ts'

const SUCCESSION = 'make another, name it as `key` and this one under `formerKeys`, and run `sealgate keys rewrap`'
/** No state leads back to Active, but the wrapped forms name no key: a copy of it opens them. */
const COPY = 'have its value registered as another key, that one activated, and name it here'
const NO_REMEDY = 'bring the key back from a backup of the server: without it nothing that it wrapped can be read'

function remedyOf(state: string, setting: string | undefined): string {
  if (state === 'Pre-Active') return 'activate it'
  if (state !== 'Deactivated' && state !== 'Compromised') return NO_REMEDY
  return setting === 'key' ? SUCCESSION : COPY
}

/** Repeating does not help before somebody has changed something. */
const REFUSED_REASONS: Partial<Readonly<Record<Reason, string>>> = {
  version: 'the server speaks none of KMIP 1.2, 1.3 and 1.4',
  'no key': 'the server has no symmetric key of this name, or does not show it to this client',
  'two keys': 'several symmetric keys have this name; write `id`',
  kind: 'it is not an AES key of 256 bits',
  usage: 'its usage mask lacks Encrypt or Decrypt',
  'no associated data':
    'the mechanism `encrypt` needs KMIP 1.4, and the server does not speak it; use the mechanism `get`',
  unbound:
    'the server opened a bucket key for a bucket that it was not sealed for: it does not heed associated data; use the mechanism `get`',
  'wrapping key': 'what the server gave does not open with the key in `wrappingKey`',
}

const NOT_TO_US = 'the server does not let this client use the key so: look at its owner, its policy and its usage mask'
const NO_SUCH_KEY = 'the server has no such key, or does not show it to this client'
const ARCHIVED = 'the key is archived; have it recovered'
const NOT_KNOWN = 'the server lacks this operation, or what it is asked with'
const NOT_US = 'the server refuses the client certificate, or `username` and `password`'
const NOT_WRAPPED =
  'the server does not give the key away so: its attributes Sensitive and Extractable say, or its policy'

const REFUSED_CODES = new Map<number, string>([
  [REASON.ItemNotFound, NO_SUCH_KEY],
  [REASON.ObjectNotFound, NO_SUCH_KEY],
  [REASON.ObjectDestroyed, NO_SUCH_KEY],
  [REASON.WrappingObjectNotFound, NO_SUCH_KEY],
  [REASON.WrappingObjectDestroyed, NO_SUCH_KEY],
  [REASON.ObjectArchived, ARCHIVED],
  [REASON.WrappingObjectArchived, ARCHIVED],
  [REASON.AuthenticationNotSuccessful, NOT_US],
  [REASON.BadPassword, NOT_US],
  [REASON.AttestationRequired, NOT_US],
  [REASON.AttestationFailed, NOT_US],
  [REASON.PermissionDenied, NOT_TO_US],
  [REASON.NotAuthorised, NOT_TO_US],
  [REASON.IllegalOperation, NOT_TO_US],
  [REASON.WrongKeyLifecycleState, NOT_TO_US],
  [REASON.IncompatibleCryptographicUsageMask, NOT_TO_US],
  [REASON.UsageLimitExceeded, 'the usage limit of the key is exhausted'],
  [REASON.OperationNotSupported, NOT_KNOWN],
  [REASON.FeatureNotSupported, NOT_KNOWN],
  [REASON.InvalidField, NOT_KNOWN],
  [REASON.InvalidMessage, NOT_KNOWN],
  [REASON.MissingData, NOT_KNOWN],
  [REASON.BadCryptographicParameters, NOT_KNOWN],
  [REASON.UnsupportedCryptographicParameters, NOT_KNOWN],
  [REASON.UnsupportedProtocolVersion, NOT_KNOWN],
  [REASON.KeyFormatTypeNotSupported, NOT_KNOWN],
  [REASON.KeyWrapTypeNotSupported, NOT_KNOWN],
  [REASON.EncodingOptionError, NOT_KNOWN],
  [REASON.KeyValueNotPresent, NOT_WRAPPED],
  [REASON.Sensitive, NOT_WRAPPED],
  [REASON.NotExtractable, NOT_WRAPPED],
])

const AWAY: Partial<Readonly<Record<Reason, string>>> = {
  silent: 'the server does not answer in time',
  busy: 'too many calls wait for the server',
  closed: 'it is closed',
  garbage: 'something answers that is not KMIP, or breaks off',
  'wrong answer': 'the server gave something else than was asked for',
}

/** As whoever asked the key manager has to see it. */
export function kmipFailure(alias: string, { fault }: KmipFault): Error {
  const who = `KMIP, key manager ${alias}: ${fault.key === undefined ? '' : `\`${fault.key}\`: `}`
  if ('code' in fault) {
    const what = `${who}${fault.operation} failed (${reasonName(fault.code)})`
    const refused = REFUSED_CODES.get(fault.code)
    return refused === undefined
      ? new Unavailable(what)
      : new Denied(`${what}: ${refused}`, { key: keyFaultOf(refused) })
  }
  if (fault.reason === 'broken') {
    return new Integrity('unwrap failure', `${who}no key of it opens these bytes in this namespace and day`)
  }
  const refused = refusalOf(fault)
  if (refused !== undefined) return new Denied(`${who}${refused}`, { key: stateFaultOf(fault) })
  return new Unavailable(`${who}${AWAY[fault.reason] ?? `no connection, or one that broke (${fault.detail ?? ''})`}`)
}

function keyFaultOf(refused: string): KeyFault | undefined {
  if (refused === NO_SUCH_KEY) return 'missing'
  return refused === ARCHIVED ? 'wrong-state' : undefined
}

function stateFaultOf({ reason, detail = '' }: Extract<Fault, { readonly reason: Reason }>): KeyFault | undefined {
  if (reason === 'no key') return 'missing'
  if (reason !== 'state') return undefined
  if (detail.startsWith('Destroyed')) return 'missing'
  return detail === 'Deactivated' ? 'disabled' : 'wrong-state'
}

function refusalOf({ reason, detail = '', key }: Extract<Fault, { readonly reason: Reason }>): string | undefined {
  if (reason === 'state') return `the key is ${detail}; ${remedyOf(detail, key)}`
  if (reason === 'operations') return `the server lacks ${detail}`
  return REFUSED_REASONS[reason]
}
