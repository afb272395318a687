/** Wrapping and unwrapping in one session: by AES-GCM, and by AES key wrap in whichever way the token can. */
import { KEY_BYTES } from '../../format/derive.ts'
import { ownCopy } from '../../secret-bytes.ts'
import {
  type Attribute,
  CKA_CLASS,
  CKA_EXTRACTABLE,
  CKA_KEY_TYPE,
  CKA_SENSITIVE,
  CKA_TOKEN,
  CKA_VALUE,
  CKF_DECRYPT,
  CKF_ENCRYPT,
  CKF_UNWRAP,
  CKF_WRAP,
  CKK_GENERIC_SECRET,
  CKM_AES_GCM,
  CKO_SECRET_KEY,
  CKR,
  type Cryptoki,
  type Handle,
  type Mechanism,
  type MechanismName,
} from './cryptoki.ts'
import { type Form, GCM_FORM, IV_BYTES, renderForm, TAG_BYTES, WRAP_FORMS } from './forms.ts'
import { TokenFault } from './messages.ts'

/** What a bucket key is inside the token for as long as one call takes: never stored, and readable, or it would be no use. */
const PASSING: Attribute[] = [
  { type: CKA_CLASS, value: CKO_SECRET_KEY },
  { type: CKA_KEY_TYPE, value: CKK_GENERIC_SECRET },
  { type: CKA_TOKEN, value: false },
  { type: CKA_SENSITIVE, value: false },
  { type: CKA_EXTRACTABLE, value: true },
]

/** Room for whatever a token adds to 32 bytes. */
const OUT_BYTES = 128

export interface SessionParts {
  readonly cryptoki: Cryptoki
  readonly gcmParams: number
  readonly slot: Handle
  readonly session: Handle
}

interface Secret {
  readonly key: Buffer
  readonly context: Buffer
  readonly iv: Buffer
}

export class Ciphers {
  readonly #parts: SessionParts
  /** Flags of mechanisms that were asked for: each question may be a way over the network. */
  readonly #flags = new Map<number, number>()

  constructor(parts: SessionParts) {
    this.#parts = parts
  }

  wrap(mechanism: MechanismName, master: Handle, { key, context, iv }: Secret): Buffer<ArrayBuffer> {
    if (mechanism === 'aes-gcm') {
      if (!this.#can(CKM_AES_GCM, CKF_ENCRYPT)) throw new TokenFault({ reason: 'mechanism' })
      const sealed = this.#encrypt(this.#gcm(iv, context), master, key)
      if (sealed.length !== KEY_BYTES + TAG_BYTES) throw new TokenFault({ reason: 'wrong answer' })
      return renderForm(GCM_FORM, iv, sealed)
    }
    for (const [form, { mechanism, lengths }] of WRAP_FORMS) {
      const wrapped = this.#wrapPlain({ mechanism }, master, key)
      if (wrapped === undefined) continue
      if (!lengths.includes(wrapped.length)) throw new TokenFault({ reason: 'wrong answer' })
      return renderForm(form, wrapped)
    }
    throw new TokenFault({ reason: 'mechanism' })
  }

  /** In memory of its own. Throws the library's fault, whatever it means. */
  unwrap({ form, body }: Form, master: Handle, context: Buffer): Buffer<ArrayBuffer> {
    const mechanism = WRAP_FORMS.get(form)?.mechanism
    const opened =
      mechanism === undefined
        ? this.#decrypt(this.#gcm(body.subarray(0, IV_BYTES), context), master, body.subarray(IV_BYTES))
        : this.#unwrapPlain({ mechanism }, master, body)
    try {
      if (opened.length !== KEY_BYTES) throw new TokenFault({ reason: 'broken' })
      return ownCopy(opened)
    } finally {
      opened.fill(0)
    }
  }

  /** `undefined` if the token does not know the mechanism. */
  #wrapPlain(mechanism: Mechanism, master: Handle, key: Buffer): Buffer | undefined {
    if (this.#can(mechanism.mechanism, CKF_ENCRYPT)) return this.#encrypt(mechanism, master, key)
    if (!this.#can(mechanism.mechanism, CKF_WRAP)) return undefined
    const { cryptoki, session } = this.#parts
    const object = cryptoki.C_CreateObject(session, [...PASSING, { type: CKA_VALUE, value: key }])
    try {
      return cryptoki.C_WrapKey(session, mechanism, master, object, Buffer.alloc(OUT_BYTES))
    } finally {
      cryptoki.C_DestroyObject(session, object)
    }
  }

  #unwrapPlain(mechanism: Mechanism, master: Handle, wrapped: Buffer): Buffer {
    if (this.#can(mechanism.mechanism, CKF_DECRYPT)) return this.#decrypt(mechanism, master, wrapped)
    if (!this.#can(mechanism.mechanism, CKF_UNWRAP)) throw new TokenFault({ reason: 'mechanism' })
    const { cryptoki, session } = this.#parts
    const object = cryptoki.C_UnwrapKey(session, mechanism, master, wrapped, PASSING)
    try {
      const [found] = cryptoki.C_GetAttributeValue(session, object, [{ type: CKA_VALUE }])
      return found?.value ?? Buffer.alloc(0)
    } finally {
      cryptoki.C_DestroyObject(session, object)
    }
  }

  #encrypt(mechanism: Mechanism, master: Handle, plain: Buffer): Buffer {
    const { cryptoki, session } = this.#parts
    cryptoki.C_EncryptInit(session, mechanism, master)
    return cryptoki.C_Encrypt(session, plain, Buffer.alloc(OUT_BYTES))
  }

  #decrypt(mechanism: Mechanism, master: Handle, sealed: Buffer): Buffer {
    const { cryptoki, session } = this.#parts
    cryptoki.C_DecryptInit(session, mechanism, master)
    return cryptoki.C_Decrypt(session, sealed, Buffer.alloc(OUT_BYTES))
  }

  #gcm(iv: Buffer, aad: Buffer): Mechanism {
    const type = this.#parts.gcmParams
    return { mechanism: CKM_AES_GCM, parameter: { type, iv, ivBits: IV_BYTES * 8, aad, tagBits: TAG_BYTES * 8 } }
  }

  #can(mechanism: number, flag: number): boolean {
    const { cryptoki, slot } = this.#parts
    let flags = this.#flags.get(mechanism)
    if (flags === undefined) {
      flags = flagsOf(() => cryptoki.C_GetMechanismInfo(slot, mechanism).flags)
      this.#flags.set(mechanism, flags)
    }
    return (flags & flag) !== 0
  }
}

/** None where the token does not know the mechanism. */
function flagsOf(ask: () => number): number {
  try {
    return ask()
  } catch (error) {
    if (error instanceof TokenFault && error.returned(CKR.MECHANISM_INVALID)) return 0
    throw error
  }
}
