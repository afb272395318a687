/**
 * A stand-in for the package `pkcs11js` with the library of an HSM behind it: what a token does, by `node:crypto`, and how it fails. As with
 * a real library all threads share its state: that is a file, which the tests write to.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { threadId } from 'node:worker_threads'
import {
  type Attribute,
  CKA_ID,
  CKA_LABEL,
  CKA_VALUE,
  CKA_VALUE_LEN,
  CKF_DECRYPT,
  CKF_ENCRYPT,
  CKF_LOGIN_REQUIRED,
  CKF_UNWRAP,
  CKF_USER_PIN_FINAL_TRY,
  CKF_USER_PIN_LOCKED,
  CKF_WRAP,
  CKM_AES_GCM,
  CKM_AES_KEY_WRAP,
  CKM_AES_KEY_WRAP_PAD,
  CKR,
  type Cryptoki,
  type Handle,
  type Mechanism,
} from '../../src/keys/pkcs11/cryptoki.ts'

export interface SoftKey {
  readonly label: string
  readonly id: string
  readonly value: string
}

export interface SoftFault {
  readonly code?: number
  /** Sleeps so long first. */
  readonly milliseconds?: number
  /** Never again after so many; always without. */
  times?: number
}

export interface SoftState {
  /** Numbers of slots with a token. */
  slots: number[]
  label: string
  pin: string
  tries: number
  loggedIn: boolean
  initialised: boolean
  /** Sessions of an earlier one are over. */
  epoch: number
  keys: SoftKey[]
  /** Flags by number. */
  mechanisms: Record<number, number>
  faults: Record<string, SoftFault>
  /** What wrong bytes are answered with. */
  broken: number
  /** Decrypts to so many bytes of something else. */
  confused?: number
}

/** By whose side the tests are. */
export class SoftToken {
  readonly path: string

  constructor(path: string, keys: readonly string[]) {
    this.path = path
    const both = CKF_WRAP | CKF_UNWRAP
    write(path, {
      slots: [7],
      label: 'vault',
      pin: '2468-pin',
      tries: 3,
      loggedIn: false,
      initialised: false,
      epoch: 0,
      keys: keys.map((label, i) => ({ label, id: `0${i}`, value: randomBytes(32).toString('hex') })),
      // As SoftHSM has them: plain data is encrypted by GCM alone.
      mechanisms: {
        [CKM_AES_GCM]: CKF_ENCRYPT | CKF_DECRYPT,
        [CKM_AES_KEY_WRAP]: both,
        [CKM_AES_KEY_WRAP_PAD]: both,
      },
      faults: {},
      broken: CKR.GENERAL_ERROR,
    })
    writeFileSync(`${path}.calls`, '')
  }

  get state(): SoftState {
    return read(this.path)
  }

  change(work: (state: SoftState) => void): void {
    const state = this.state
    work(state)
    write(this.path, state)
  }

  fault(call: string, fault: SoftFault): void {
    this.change(({ faults }) => {
      faults[call] = fault
    })
  }

  /** Takes the token out; `back` puts it in again. */
  remove(): void {
    this.change((state) => {
      Object.assign(state, { slots: [], loggedIn: false, epoch: state.epoch + 1 })
    })
  }

  back(): void {
    this.change((state) => {
      state.slots = [7]
    })
  }

  /** The calls so far, by name; of all threads. */
  get calls(): string[] {
    return this.#lines.map(([, name]) => name ?? '')
  }

  /** How many threads made them. */
  get threads(): number {
    return new Set(this.#lines.map(([thread]) => thread)).size
  }

  forgetCalls(): void {
    writeFileSync(`${this.path}.calls`, '')
  }

  get #lines(): string[][] {
    const text = readFileSync(`${this.path}.calls`, 'utf8')
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split(' '))
  }
}

function read(path: string): SoftState {
  return JSON.parse(readFileSync(path, 'utf8')) as SoftState
}

function write(path: string, state: SoftState): void {
  const draft = `${path}.${process.pid}-${threadId}`
  writeFileSync(draft, JSON.stringify(state))
  renameSync(draft, path)
}

/** As `pkcs11js` throws them. */
class Pkcs11Error extends Error {
  readonly code: number

  constructor(code: number) {
    super(`CKR_SOMETHING:${code}`)
    this.code = code
  }
}

const refuse = (code: number): never => {
  throw new Pkcs11Error(code)
}

const handle = (number: number): Handle => {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32LE(number)
  return bytes
}

const WRAPS: Readonly<Record<number, { readonly name: string; readonly iv: string }>> = {
  [CKM_AES_KEY_WRAP]: { name: 'id-aes256-wrap', iv: 'a6a6a6a6a6a6a6a6' },
  [CKM_AES_KEY_WRAP_PAD]: { name: 'id-aes256-wrap-pad', iv: 'a65959a6' },
}
const PASSING_HANDLE = 1_000

export class PKCS11 implements Cryptoki {
  #path = ''
  #next = 1
  readonly #sessions = new Map<number, number>()
  readonly #passing = new Map<number, Buffer>()
  #found: Handle[] = []
  #begun: { readonly mechanism: Mechanism; readonly key: Buffer } | undefined

  load(path: string): void {
    this.#path = path
    read(path)
  }

  C_Initialize(): void {
    const state = this.#enter('C_Initialize', { anyway: true })
    if (state.initialised) refuse(CKR.CRYPTOKI_ALREADY_INITIALIZED)
    write(this.#path, { ...state, initialised: true })
  }

  C_Finalize(): void {
    const state = this.#enter('C_Finalize')
    write(this.#path, { ...state, initialised: false, loggedIn: false, epoch: state.epoch + 1 })
  }

  C_GetSlotList(): Handle[] {
    return this.#enter('C_GetSlotList').slots.map(handle)
  }

  C_GetTokenInfo(slot: Handle) {
    const { label, tries, slots } = this.#enter('C_GetTokenInfo')
    const number = slot.readUInt32LE()
    if (!slots.includes(number)) refuse(CKR.TOKEN_NOT_PRESENT)
    const pinFlags = tries === 0 ? CKF_USER_PIN_LOCKED : tries === 1 ? CKF_USER_PIN_FINAL_TRY : 0
    return {
      label: label.padEnd(32),
      serialNumber: `S${number}`.padEnd(16),
      flags: CKF_LOGIN_REQUIRED | pinFlags,
    }
  }

  C_GetMechanismInfo(_slot: Handle, mechanism: number) {
    const flags = this.#enter('C_GetMechanismInfo').mechanisms[mechanism]
    return { flags: flags ?? refuse(CKR.MECHANISM_INVALID) }
  }

  C_OpenSession(slot: Handle): Handle {
    const { slots, epoch } = this.#enter('C_OpenSession')
    if (!slots.includes(slot.readUInt32LE())) refuse(CKR.TOKEN_NOT_PRESENT)
    this.#sessions.set(this.#next, epoch)
    return handle(this.#next++)
  }

  C_CloseSession(session: Handle): void {
    this.#within('C_CloseSession', session)
    this.#sessions.delete(session.readUInt32LE())
  }

  C_GetSessionInfo(session: Handle) {
    return { state: this.#within('C_GetSessionInfo', session).loggedIn ? 1 : 0 }
  }

  C_Login(session: Handle, _user: number, pin: string): void {
    const state = this.#within('C_Login', session)
    if (state.loggedIn) refuse(CKR.USER_ALREADY_LOGGED_IN)
    if (state.tries === 0) refuse(CKR.PIN_LOCKED)
    if (pin !== state.pin) {
      write(this.#path, { ...state, tries: state.tries - 1 })
      refuse(CKR.PIN_INCORRECT)
    }
    write(this.#path, { ...state, loggedIn: true, tries: 3 })
  }

  C_FindObjectsInit(session: Handle, template: Attribute[]): void {
    const { keys, loggedIn } = this.#within('C_FindObjectsInit', session)
    const wanted = (type: number): unknown => template.find((one) => one.type === type)?.value
    const [label, id] = [wanted(CKA_LABEL), wanted(CKA_ID)]
    this.#found = keys.flatMap((key, i) =>
      loggedIn &&
      (label === undefined || label === key.label) &&
      (id === undefined || (Buffer.isBuffer(id) && id.toString('hex') === key.id))
        ? [handle(i + 1)]
        : [],
    )
  }

  C_FindObjects(session: Handle, most: number): Handle[] {
    this.#within('C_FindObjects', session)
    return this.#found.slice(0, most)
  }

  C_FindObjectsFinal(session: Handle): void {
    this.#within('C_FindObjectsFinal', session)
  }

  C_GetAttributeValue(session: Handle, object: Handle, [attribute]: Attribute[]) {
    const state = this.#within('C_GetAttributeValue', session)
    const value = this.#passing.get(object.readUInt32LE())
    if (attribute?.type === CKA_VALUE) return [{ value: Buffer.from(value ?? refuse(CKR.ATTRIBUTE_SENSITIVE)) }]
    if (attribute?.type !== CKA_VALUE_LEN) return refuse(CKR.ATTRIBUTE_TYPE_INVALID)
    return [{ value: handle(this.#key(state, object).length) }]
  }

  C_CreateObject(session: Handle, template: Attribute[]): Handle {
    this.#within('C_CreateObject', session)
    return this.#passBy(template.find(({ type }) => type === CKA_VALUE)?.value as Buffer)
  }

  C_DestroyObject(session: Handle, object: Handle): void {
    this.#within('C_DestroyObject', session)
    this.#passing.delete(object.readUInt32LE())
  }

  C_EncryptInit(session: Handle, mechanism: Mechanism, key: Handle): void {
    this.#begun = { mechanism, key: this.#key(this.#within('C_EncryptInit', session), key) }
  }

  C_Encrypt(session: Handle, data: Buffer, out: Buffer): Buffer {
    this.#within('C_Encrypt', session)
    const { key, mechanism } = this.#begun ?? refuse(CKR.OPERATION_NOT_INITIALIZED)
    if (mechanism.mechanism !== CKM_AES_GCM) return wrap(mechanism, key, data, out)
    const { iv, aad } = mechanism.parameter as { iv: Buffer; aad: Buffer }
    const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(aad)
    return filled(out, cipher.update(data), cipher.final(), cipher.getAuthTag())
  }

  C_DecryptInit(session: Handle, mechanism: Mechanism, key: Handle): void {
    this.#begun = { mechanism, key: this.#key(this.#within('C_DecryptInit', session), key) }
  }

  C_Decrypt(session: Handle, data: Buffer, out: Buffer): Buffer {
    const { broken, confused } = this.#within('C_Decrypt', session)
    if (confused !== undefined) return filled(out, randomBytes(confused))
    const { key, mechanism } = this.#begun ?? refuse(CKR.OPERATION_NOT_INITIALIZED)
    if (mechanism.mechanism !== CKM_AES_GCM) return filled(out, unwrap(mechanism, key, data, broken))
    const { iv, aad } = mechanism.parameter as { iv: Buffer; aad: Buffer }
    const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: 16 })
    decipher.setAAD(aad).setAuthTag(data.subarray(-16))
    const plain = decipher.update(data.subarray(0, -16))
    try {
      decipher.final()
    } catch {
      refuse(broken)
    }
    return filled(out, plain)
  }

  C_WrapKey(session: Handle, mechanism: Mechanism, wrapping: Handle, key: Handle, out: Buffer): Buffer {
    const state = this.#within('C_WrapKey', session)
    const plain = this.#passing.get(key.readUInt32LE()) ?? refuse(CKR.KEY_UNEXTRACTABLE)
    return wrap(mechanism, this.#key(state, wrapping), plain, out)
  }

  C_UnwrapKey(session: Handle, mechanism: Mechanism, unwrapping: Handle, wrapped: Buffer): Handle {
    const state = this.#within('C_UnwrapKey', session)
    return this.#passBy(unwrap(mechanism, this.#key(state, unwrapping), wrapped, state.broken))
  }

  #passBy(value: Buffer): Handle {
    const number = PASSING_HANDLE + this.#next++
    this.#passing.set(number, Buffer.from(value))
    return handle(number)
  }

  #key({ keys }: SoftState, object: Handle): Buffer {
    const key = keys[object.readUInt32LE() - 1]
    return Buffer.from(key?.value ?? refuse(CKR.KEY_HANDLE_INVALID), 'hex')
  }

  /** What every call in a session begins with. */
  #within(call: string, session: Handle): SoftState {
    const state = this.#enter(call)
    const epoch = this.#sessions.get(session.readUInt32LE())
    if (epoch !== state.epoch) refuse(state.slots.length === 0 ? CKR.DEVICE_REMOVED : CKR.SESSION_HANDLE_INVALID)
    return state
  }

  /** What every call begins with. */
  #enter(call: string, { anyway = false } = {}): SoftState {
    appendFileSync(`${this.#path}.calls`, `${threadId} ${call}\n`)
    const state = read(this.#path)
    const fault = state.faults[call]
    if (fault !== undefined && fault.times !== 0) {
      if (fault.times !== undefined) fault.times -= 1
      write(this.#path, state)
      if (fault.milliseconds !== undefined) {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, fault.milliseconds)
      }
      if (fault.code !== undefined) refuse(fault.code)
    }
    if (!anyway && !state.initialised) refuse(CKR.CRYPTOKI_NOT_INITIALIZED)
    return state
  }
}

/** The package's own number; any will do. */
export const CK_PARAMS_GCM = 25

function wrap({ mechanism }: Mechanism, key: Buffer, plain: Buffer, out: Buffer): Buffer {
  const { name, iv } = WRAPS[mechanism] ?? refuse(CKR.MECHANISM_INVALID)
  const cipher = createCipheriv(name, key, Buffer.from(iv, 'hex'))
  return filled(out, cipher.update(plain), cipher.final())
}

function unwrap({ mechanism }: Mechanism, key: Buffer, wrapped: Buffer, broken: number): Buffer {
  const { name, iv } = WRAPS[mechanism] ?? refuse(CKR.MECHANISM_INVALID)
  try {
    const decipher = createDecipheriv(name, key, Buffer.from(iv, 'hex'))
    return Buffer.concat([decipher.update(wrapped), decipher.final()])
  } catch {
    return refuse(broken)
  }
}

function filled(out: Buffer, ...pieces: Buffer[]): Buffer {
  let at = 0
  for (const piece of pieces) at += piece.copy(out, at)
  return out.subarray(0, at)
}
