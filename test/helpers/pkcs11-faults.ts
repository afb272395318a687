/** Rows of the table "Faults of key managers" of docs/operations.md: keys in tokens. */
import { CKR } from '../../src/keys/pkcs11/cryptoki.ts'
import { AWAY, BROKEN, changes, type Fault, MISSING, of, OK, REFUSED, SHORT } from './key-faults.ts'
import type { OutageWorld } from './outage-world.ts'
import type { SoftToken } from './soft-token.ts'

const token = (world: OutageWorld): SoftToken => of(world, 'pkcs11').token

/** A login is the whole process's: the next session would find it done. */
const logOut = (world: OutageWorld): void =>
  token(world).change((state) => {
    state.loggedIn = false
  })

export const PKCS11_FAULTS: readonly Fault[] = [
  {
    fault: 'another key than the one that wrapped',
    arrange: () => ({ key: { label: 'other' } }),
    read: BROKEN,
    write: OK,
    why: 'no key of it opens these bytes in this namespace and day',
    outcome: 'integrity',
  },
  {
    fault: 'the key was deleted',
    arrange: changes((world) =>
      token(world).change((state) => {
        state.keys = []
      }),
    ),
    start: 'the token has no AES key that fits `key`',
    read: MISSING,
    write: MISSING,
    why: 'the token has no AES key that fits `key`',
    outcome: 'denied',
  },
  {
    fault: 'the key may not decrypt',
    arrange: changes((world) => token(world).fault('C_DecryptInit', { code: CKR.KEY_FUNCTION_NOT_PERMITTED })),
    start: 'C_DecryptInit failed (CKR_KEY_FUNCTION_NOT_PERMITTED)',
    read: REFUSED,
    write: REFUSED,
    why: 'C_DecryptInit failed (CKR_KEY_FUNCTION_NOT_PERMITTED)',
    outcome: 'denied',
  },
  {
    fault: 'the PIN is wrong',
    arrange: (world) => {
      logOut(world)
      return { pin: '1357-pin' }
    },
    start: 'C_Login failed (CKR_PIN_INCORRECT): the token refuses `pin`',
    read: REFUSED,
    write: REFUSED,
    why: 'C_Login failed (CKR_PIN_INCORRECT): the token refuses `pin`',
    outcome: 'denied',
  },
  {
    fault: 'the PIN has expired',
    arrange: changes((world) => {
      logOut(world)
      token(world).fault('C_Login', { code: CKR.PIN_EXPIRED })
    }),
    start: 'C_Login failed (CKR_PIN_EXPIRED)',
    read: REFUSED,
    write: REFUSED,
    why: 'C_Login failed (CKR_PIN_EXPIRED)',
    outcome: 'denied',
  },
  {
    fault: 'the PIN is locked',
    arrange: changes((world) =>
      token(world).change((state) => {
        Object.assign(state, { loggedIn: false, tries: 0 })
      }),
    ),
    start: "the PIN is locked; have the token's security officer unlock it",
    read: REFUSED,
    write: REFUSED,
    why: "the PIN is locked; have the token's security officer unlock it",
    outcome: 'denied',
  },
  {
    fault: 'slow: no answer within `timeout`',
    arrange: (world) => {
      token(world).fault('C_OpenSession', { milliseconds: 1_000 })
      return SHORT
    },
    start: 'the token does not answer',
    read: AWAY,
    write: AWAY,
    why: 'the token does not answer',
    outcome: 'unavailable',
  },
  {
    fault: 'garbage',
    arrange: changes((world) =>
      token(world).change((state) => {
        state.confused = 5
      }),
    ),
    start: 'no key of it opens these bytes in this namespace and day',
    read: BROKEN,
    write: AWAY,
    why: 'no key of it opens these bytes in this namespace and day',
    outcome: 'integrity',
  },
  {
    fault: "another key's plaintext",
    arrange: changes((world) =>
      token(world).change((state) => {
        state.confused = 32
      }),
    ),
    start: 'the token gave something else than was asked for',
    read: BROKEN,
    write: AWAY,
    why: 'unwrap failure: the wrapped key is not the key',
    outcome: 'ok',
  },
]
