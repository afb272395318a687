/** One session with a token, as its thread holds it. Everything here blocks. */
import { Ciphers } from './ciphers.ts'
import {
  type Attribute,
  CKA_CLASS,
  CKA_ID,
  CKA_KEY_TYPE,
  CKA_LABEL,
  CKA_VALUE_LEN,
  CKF_LOGIN_REQUIRED,
  CKF_OS_LOCKING_OK,
  CKF_SERIAL_SESSION,
  CKF_USER_PIN_COUNT_LOW,
  CKF_USER_PIN_FINAL_TRY,
  CKF_USER_PIN_LOCKED,
  CKK_AES,
  CKO_SECRET_KEY,
  CKR,
  CKS_USER,
  CKU_USER,
  type Cryptoki,
  type Handle,
} from './cryptoki.ts'
import { KEY_BYTES } from '../../format/derive.ts'
import { GCM_FORM, parseForm } from './forms.ts'
import { type Ask, type KeyChoice, type ThreadSettings, TokenFault, type Value } from './messages.ts'

/** The bytes, or what they are bound to, are wrong. */
const BROKEN = [
  CKR.ENCRYPTED_DATA_INVALID,
  CKR.ENCRYPTED_DATA_LEN_RANGE,
  CKR.AEAD_DECRYPT_FAILED,
  CKR.DATA_INVALID,
  CKR.DATA_LEN_RANGE,
  CKR.WRAPPED_KEY_INVALID,
  CKR.WRAPPED_KEY_LEN_RANGE,
]

/** What some tokens return for wrong bytes (SoftHSM the first), and all of them for troubles of their own. */
const VAGUE = [CKR.GENERAL_ERROR, CKR.FUNCTION_FAILED, CKR.ARGUMENTS_BAD, CKR.DEVICE_ERROR, CKR.FUNCTION_CANCELED]

/** More keys of one label than anybody has on purpose. */
const MOST_FOUND = 8

interface FoundKey {
  readonly handle: Handle
  readonly mechanism: KeyChoice['mechanism']
}

interface Session {
  readonly handle: Handle
  readonly ciphers: Ciphers
}

type Unwrap = Extract<Ask, { readonly op: 'unwrap' | 'rewrap' }>

export class Token {
  readonly #cryptoki: Cryptoki
  readonly #gcmParams: number
  readonly #settings: Pick<ThreadSettings, 'token' | 'keys'>
  #session: Session | undefined
  /** The one that wraps comes first. */
  #keys: readonly FoundKey[] = []
  #formerMissing = false

  /** `gcmParams` is the package's number for parameters of AES-GCM. */
  constructor(cryptoki: Cryptoki, gcmParams: number, settings: Pick<ThreadSettings, 'token' | 'keys'>) {
    this.#cryptoki = named(cryptoki)
    this.#gcmParams = gcmParams
    this.#settings = settings
  }

  /** Throws `TokenFault`. What came with the question is wiped. */
  answer(ask: Ask): Value {
    try {
      return this.#answer(ask)
    } finally {
      for (const bytes of Object.values(ask)) if (bytes instanceof Uint8Array) bytes.fill(0)
    }
  }

  #answer(ask: Ask): Value {
    switch (ask.op) {
      case 'open':
        return this.#open()
      case 'wrap':
        return this.#wrap(buffer(ask.key), buffer(ask.context), buffer(ask.iv))
      case 'unwrap':
        return this.#unwrap(ask)
      case 'rewrap':
        return this.#rewrap(ask)
      case 'login':
        this.#login(buffer(ask.pin))
        break
      case 'check':
        this.#check(buffer(ask.iv))
        break
      case 'reset':
        this.#close()
        this.#finalize()
        break
      case 'close':
        this.#close()
        if (ask.last) this.#finalize()
    }
    return undefined
  }

  #open(): Value {
    this.#close()
    tolerating(CKR.CRYPTOKI_ALREADY_INITIALIZED, () => this.#cryptoki.C_Initialize({ flags: CKF_OS_LOCKING_OK }))
    const { slot, flags } = this.#findToken()
    const handle = this.#cryptoki.C_OpenSession(slot, CKF_SERIAL_SESSION)
    const parts = { cryptoki: this.#cryptoki, gcmParams: this.#gcmParams, slot, session: handle }
    this.#session = { handle, ciphers: new Ciphers(parts) }
    // A login is the whole process's: another thread may have seen to it.
    const loggedIn = CKS_USER.has(this.#cryptoki.C_GetSessionInfo(handle).state)
    if (loggedIn || (flags & CKF_LOGIN_REQUIRED) === 0) {
      this.#findKeys()
      return undefined
    }
    if ((flags & CKF_USER_PIN_LOCKED) !== 0) throw new TokenFault({ reason: 'pin locked' })
    // Whoever knows that the PIN is right may use the last try; a gateway does not.
    if ((flags & CKF_USER_PIN_FINAL_TRY) !== 0) throw new TokenFault({ reason: 'pin at last try' })
    return (flags & CKF_USER_PIN_COUNT_LOW) === 0 ? 'pin' : 'pin after a wrong one'
  }

  #login(pin: Buffer): void {
    const { handle } = this.#opened()
    // The package takes a string only, which nobody can wipe; it lives as short as we can make it.
    const text = pin.toString('utf8')
    tolerating(CKR.USER_ALREADY_LOGGED_IN, () => this.#cryptoki.C_Login(handle, CKU_USER, text))
    this.#findKeys()
  }

  #wrap(key: Buffer, context: Buffer, iv: Buffer): Buffer<ArrayBuffer> {
    const { handle, mechanism } = this.#active()
    return this.#opened().ciphers.wrap(mechanism, handle, { key, context, iv })
  }

  #unwrap(ask: Unwrap): Buffer<ArrayBuffer> {
    const { ciphers } = this.#opened()
    const form = parseForm(buffer(ask.wrapped))
    const mechanism = form.form === GCM_FORM ? 'aes-gcm' : 'aes-key-wrap'
    let vague = false
    for (const key of this.#keys.filter((one) => one.mechanism === mechanism)) {
      try {
        return ciphers.unwrap(form, key.handle, buffer(ask.context))
      } catch (error) {
        if (!(error instanceof TokenFault)) throw error
        if (error.returned(...VAGUE)) vague = true
        else if (!error.returned(...BROKEN) && !isBroken(error)) throw error
      }
    }
    // Either the bytes are wrong or the token is: it is asked for something that it must be able to do.
    if (vague) this.#prove(buffer(ask.iv))
    throw new TokenFault({ reason: this.#formerMissing ? 'former key' : 'broken' })
  }

  #rewrap(ask: Unwrap): Buffer<ArrayBuffer> {
    const key = this.#unwrap(ask)
    try {
      return this.#wrap(key, buffer(ask.context), buffer(ask.iv))
    } finally {
      key.fill(0)
    }
  }

  #check(iv: Buffer): void {
    this.#prove(iv)
    if (this.#formerMissing) throw new TokenFault({ reason: 'former key' })
  }

  /** Wraps and unwraps something that is no secret. */
  #prove(iv: Buffer): void {
    const [plain, context] = [Buffer.alloc(KEY_BYTES), Buffer.alloc(1)]
    const { handle } = this.#active()
    const opened = this.#opened().ciphers.unwrap(parseForm(this.#wrap(plain, context, iv)), handle, context)
    if (!opened.equals(plain)) throw new TokenFault({ reason: 'wrong answer' })
  }

  /** The slot that the settings name, and the flags of the token in it. */
  #findToken(): { readonly slot: Handle; readonly flags: number } {
    const { label, serial, slot: number } = this.#settings.token
    const found = this.#cryptoki.C_GetSlotList(true).flatMap((slot) => {
      const info = this.#tokenInfo(slot)
      const fits =
        info !== undefined &&
        (label === undefined || trimmed(info.label) === label) &&
        (serial === undefined || trimmed(info.serialNumber) === serial) &&
        (number === undefined || slot.readUIntLE(0, Math.min(slot.length, 6)) === number)
      return fits ? [{ slot, flags: info.flags }] : []
    })
    const [first] = found
    if (first === undefined) throw new TokenFault({ reason: 'no token' })
    if (found.length > 1) throw new TokenFault({ reason: 'two tokens' })
    return first
  }

  /** Nothing for a token that cannot be looked at: it is another one, or gone. */
  #tokenInfo(slot: Handle): ReturnType<Cryptoki['C_GetTokenInfo']> | undefined {
    try {
      return this.#cryptoki.C_GetTokenInfo(slot)
    } catch (error) {
      if (error instanceof TokenFault) return undefined
      throw error
    }
  }

  #findKeys(): void {
    const [active, ...former] = this.#settings.keys
    const found = this.#find(active)
    const [key] = found
    if (key === undefined) throw new TokenFault({ reason: 'no key' })
    if (found.length > 1) throw new TokenFault({ reason: 'two keys' })
    const { handle } = this.#opened()
    const [length] = this.#cryptoki.C_GetAttributeValue(handle, key.handle, [{ type: CKA_VALUE_LEN }])
    if (length?.value[0] !== KEY_BYTES) throw new TokenFault({ reason: 'key size' })
    const others = former.map((choice) => this.#find(choice))
    this.#formerMissing = others.some((keys) => keys.length === 0)
    this.#keys = [key, ...others.flat()]
  }

  #find({ label, id, mechanism }: KeyChoice): FoundKey[] {
    const { handle: session } = this.#opened()
    const template: Attribute[] = [
      { type: CKA_CLASS, value: CKO_SECRET_KEY },
      { type: CKA_KEY_TYPE, value: CKK_AES },
      ...(label === undefined ? [] : [{ type: CKA_LABEL, value: label }]),
      ...(id === undefined ? [] : [{ type: CKA_ID, value: Buffer.from(id, 'hex') }]),
    ]
    this.#cryptoki.C_FindObjectsInit(session, template)
    try {
      return this.#cryptoki.C_FindObjects(session, MOST_FOUND).map((handle) => ({ handle, mechanism }))
    } finally {
      this.#cryptoki.C_FindObjectsFinal(session)
    }
  }

  #opened(): Session {
    if (this.#session === undefined) throw new TokenFault({ call: 'C_GetSessionInfo', code: CKR.SESSION_CLOSED })
    return this.#session
  }

  #active(): FoundKey {
    const [key] = this.#keys
    if (key === undefined) throw new TokenFault({ call: 'C_GetSessionInfo', code: CKR.USER_NOT_LOGGED_IN })
    return key
  }

  /** One that is lost already cannot be closed, and need not be. */
  #close(): void {
    const session = this.#session
    this.#session = undefined
    this.#keys = []
    if (session !== undefined) ignoringFaults(() => this.#cryptoki.C_CloseSession(session.handle))
  }

  #finalize(): void {
    ignoringFaults(() => this.#cryptoki.C_Finalize())
  }
}

/** The same calls, whose failures are faults that name the call. */
function named(cryptoki: Cryptoki): Cryptoki {
  return new Proxy(cryptoki, {
    get(target, name) {
      const call: unknown = Reflect.get(target, name)
      if (typeof call !== 'function') return call
      return (...args: unknown[]): unknown => {
        try {
          return Reflect.apply(call, target, args)
        } catch (error) {
          throw new TokenFault({ call: String(name), code: codeOf(error) })
        }
      }
    },
  })
}

/** Most errors of the package have a code; where it lets one through as it came, the text has. */
function codeOf(error: unknown): number {
  if (!(error instanceof Error)) return CKR.GENERAL_ERROR
  if ('code' in error && typeof error.code === 'number' && error.code !== 0) return error.code
  const text = /CKR_\w+:(\d+)/.exec(error.message)?.[1]
  return text === undefined ? CKR.ARGUMENTS_BAD : Number(text)
}

const isBroken = ({ fault }: TokenFault): boolean => 'reason' in fault && fault.reason === 'broken'

function tolerating(code: number, work: () => void): void {
  try {
    work()
  } catch (error) {
    if (!(error instanceof TokenFault && error.returned(code))) throw error
  }
}

function ignoringFaults(work: () => void): void {
  try {
    work()
  } catch (error) {
    if (!(error instanceof TokenFault)) throw error
  }
}

/** Padded with spaces; some tokens end them with zeros. */
const trimmed = (text: string): string => text.replace(/[ \0]+$/, '')

const buffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
