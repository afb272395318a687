/** What the gateway and the threads that speak to a token say to each other. One question at a time for each thread. */
import type { MechanismName } from './cryptoki.ts'

/** A token fits if all that is given fits. */
export interface TokenChoice {
  readonly label?: string | undefined
  readonly serial?: string | undefined
  /** The library's number of the slot. */
  readonly slot?: number | undefined
}

/** A key fits if all that is given fits. */
export interface KeyChoice {
  readonly label?: string | undefined
  /** CKA_ID in hex. */
  readonly id?: string | undefined
  readonly mechanism: MechanismName
}

/** What a thread begins with. */
export interface ThreadSettings {
  /** Path of the package that loads libraries. */
  readonly package: string
  /** Path of the library. */
  readonly module: string
  readonly token: TokenChoice
  /** The first one wraps, all open. */
  readonly keys: readonly [KeyChoice, ...KeyChoice[]]
}

/** Bytes are handed over, not copied: whoever asks or answers does not have them any more. */
export type Bytes = Uint8Array<ArrayBuffer>

export type Ask =
  /** A session; answered by one of the first two values if the token wants a PIN. */
  | { readonly op: 'open' }
  | { readonly op: 'login'; readonly pin: Bytes }
  | { readonly op: 'wrap'; readonly key: Bytes; readonly context: Bytes; readonly iv: Bytes }
  /** `iv` is for the proof that the token works. */
  | { readonly op: 'unwrap'; readonly wrapped: Bytes; readonly context: Bytes; readonly iv: Bytes }
  | { readonly op: 'rewrap'; readonly wrapped: Bytes; readonly context: Bytes; readonly iv: Bytes }
  | { readonly op: 'check'; readonly iv: Bytes }
  /** Begins anew with the library. No other thread may be inside it. */
  | { readonly op: 'reset' }
  /** With `last` the library is closed too. */
  | { readonly op: 'close'; readonly last: boolean }

export type Value = 'pin' | 'pin after a wrong one' | Bytes | undefined

export type Answer = { readonly value: Value } | { readonly fault: Fault }

/** What is wrong and is no return value of the library. */
export type Reason =
  | 'package'
  | 'library'
  | 'no token'
  | 'two tokens'
  | 'no key'
  | 'two keys'
  | 'key size'
  | 'mechanism'
  | 'pin locked'
  | 'pin at last try'
  | 'broken'
  | 'former key'
  | 'wrong answer'
  | 'silent'

export type Fault =
  | { readonly reason: Reason }
  /** The call of the library and what it returned. */
  | { readonly call: string; readonly code: number }

/** A fault on its way. */
export class TokenFault extends Error {
  override readonly name = 'TokenFault'
  readonly fault: Fault

  constructor(fault: Fault) {
    super('reason' in fault ? fault.reason : fault.call)
    this.fault = fault
  }

  /** Whether it is this return value, or one of these. */
  returned(...codes: readonly number[]): boolean {
    return 'code' in this.fault && codes.includes(this.fault.code)
  }
}
