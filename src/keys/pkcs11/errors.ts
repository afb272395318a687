/** What is wrong with a token, as inner errors. */
import { Denied, Integrity, Unavailable } from '../../errors.ts'
import { CKR, nameOf } from './cryptoki.ts'
import type { Fault, Reason, TokenFault } from './messages.ts'

/** The exact version that was tried. */
export const PACKAGE = 'pkcs11js'
export const INSTALL = 'npm install pkcs11js@2.1.7'

const PIN_LOCKED = "the PIN is locked; have the token's security officer unlock it (C_InitPIN), then check `pin`"
const LACKS_MECHANISM = 'the token lacks the `mechanism` of the key'
const ANOTHER_USER = 'another user is logged in from this process'
const UNFIT = 'the key does not fit its `mechanism`'
const GIVES_NO_KEY = 'the token gives no key out; use `aes-gcm`'
const TAKES_NO_KEY = 'the token takes no key in; use `aes-gcm`'

/** Repeating does not help before somebody has changed something. */
const REFUSED_REASONS: Partial<Readonly<Record<Reason, string>>> = {
  package: `the package ${PACKAGE} cannot be loaded; install it for this version of Node with \`${INSTALL}\``,
  library: '`module` cannot be loaded as a library of this machine',
  'two tokens': 'several tokens fit `token`; name `serial` or `slot` too',
  'no key': 'the token has no AES key that fits `key`, or the user may not see it',
  'two keys': 'several AES keys of the token fit `key`; name `id` and `label`',
  'key size': '`key` is not an AES key of 256 bits',
  mechanism: LACKS_MECHANISM,
  'pin locked': PIN_LOCKED,
  'pin at last try':
    'one more wrong PIN would lock the token, so none is tried; log in once with the right PIN by another tool, and check `pin`',
  'former key': 'the token lacks one of `formerKeys`',
}

const REFUSED_CODES = new Map<number, string>([
  [CKR.PIN_LOCKED, PIN_LOCKED],
  [CKR.PIN_EXPIRED, 'the PIN has expired; set another one, change `pin` and start again'],
  [CKR.USER_PIN_NOT_INITIALIZED, 'the token has no PIN of a user; have its security officer set one (C_InitPIN)'],
  [CKR.USER_ANOTHER_ALREADY_LOGGED_IN, ANOTHER_USER],
  [CKR.USER_TOO_MANY_TYPES, ANOTHER_USER],
  [CKR.KEY_FUNCTION_NOT_PERMITTED, 'the key may not be used so: CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP and CKA_UNWRAP say'],
  [CKR.KEY_TYPE_INCONSISTENT, UNFIT],
  [CKR.WRAPPING_KEY_TYPE_INCONSISTENT, UNFIT],
  [CKR.UNWRAPPING_KEY_TYPE_INCONSISTENT, UNFIT],
  [CKR.KEY_SIZE_RANGE, UNFIT],
  [CKR.MECHANISM_INVALID, LACKS_MECHANISM],
  [CKR.MECHANISM_PARAM_INVALID, 'the token takes no AES-GCM with an IV of 12 bytes from outside and a tag of 16'],
  [CKR.FUNCTION_NOT_SUPPORTED, 'the library lacks this call'],
  [CKR.ATTRIBUTE_SENSITIVE, GIVES_NO_KEY],
  [CKR.ATTRIBUTE_VALUE_INVALID, TAKES_NO_KEY],
  [CKR.TEMPLATE_INCONSISTENT, TAKES_NO_KEY],
  [CKR.KEY_UNEXTRACTABLE, GIVES_NO_KEY],
  [CKR.KEY_NOT_WRAPPABLE, GIVES_NO_KEY],
])

/** Nobody tries these a second time: so many wrong PINs lock a token. */
const REFUSED_PINS = [CKR.PIN_INCORRECT, CKR.PIN_INVALID, CKR.PIN_LEN_RANGE, CKR.PIN_EXPIRED]

const AWAY: Partial<Readonly<Record<Reason, string>>> = {
  'no token': 'no token fits `token`, or it was taken away',
  'wrong answer': 'the token gave something else than was asked for',
  silent: 'the token does not answer',
}

/** The session is over, or what was known about it is. */
const LOST = [
  CKR.DEVICE_ERROR,
  CKR.DEVICE_REMOVED,
  CKR.TOKEN_NOT_PRESENT,
  CKR.TOKEN_NOT_RECOGNIZED,
  CKR.SLOT_ID_INVALID,
  CKR.SESSION_CLOSED,
  CKR.SESSION_HANDLE_INVALID,
  CKR.USER_NOT_LOGGED_IN,
  CKR.KEY_HANDLE_INVALID,
  CKR.OBJECT_HANDLE_INVALID,
  CKR.WRAPPING_KEY_HANDLE_INVALID,
  CKR.UNWRAPPING_KEY_HANDLE_INVALID,
  CKR.OPERATION_ACTIVE,
  CKR.OPERATION_NOT_INITIALIZED,
  CKR.CRYPTOKI_NOT_INITIALIZED,
  CKR.GENERAL_ERROR,
  CKR.FUNCTION_FAILED,
]

/** Whether a new session, or a library that begins anew, may help. */
export function isLost(error: TokenFault): boolean {
  const { fault } = error
  return 'reason' in fault ? fault.reason === 'no token' || fault.reason === 'no key' : error.returned(...LOST)
}

/** Whether the PIN was tried and refused. */
export const isRefusedPin = (error: TokenFault): boolean => error.returned(...REFUSED_PINS)

/** Only names of the standard are told: labels and serial numbers do not belong in logs. */
export function pkcs11Failure(alias: string, fault: Fault): Error {
  const who = `PKCS#11, key manager ${alias}`
  if ('reason' in fault) {
    const { reason } = fault
    if (reason === 'broken') {
      return new Integrity('unwrap failure', `${who}: no key of it opens these bytes in this namespace and day`)
    }
    const refused = REFUSED_REASONS[reason]
    if (refused === undefined) return new Unavailable(`${who}: ${AWAY[reason]}`)
    return new Denied(`${who}: ${refused}`, reason === 'no key' || reason === 'former key' ? { key: 'missing' } : {})
  }
  const what = `${who}: ${fault.call} failed (${nameOf(fault.code)})`
  const refused = REFUSED_CODES.get(fault.code)
  return refused === undefined ? new Unavailable(what) : new Denied(`${what}: ${refused}`)
}

/** As long as nothing changes there is no second try. */
export function refusedPin(alias: string, { fault }: TokenFault): Denied {
  const name = 'code' in fault ? nameOf(fault.code) : 'no answer in time, and a wrong PIN was counted'
  return new Denied(
    `PKCS#11, key manager ${alias}: C_Login failed (${name}): the token refuses \`pin\`. It is not tried again before the next start: so many wrong ones lock a token. Correct \`pin\` and start again`,
  )
}
