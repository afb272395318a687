/** A master key by each mechanism: it seals and opens bucket keys. */
import { createDecipheriv } from 'node:crypto'
import {
  drawn,
  KEY_BYTES,
  NONCE_BYTES,
  openSmall,
  type RandomSource,
  sameBytes,
  sealSmall,
} from '../../format/derive.ts'
import type { SecretBytes } from '../../secret-bytes.ts'
import { type KmipClient, type Sealed, TAG_BYTES } from './client.ts'
import { KmipFault } from './fault.ts'
import { joinSealed, type MechanismName, splitSealed } from './forms.ts'
import type { KeyObject } from './key-object.ts'
import { MAY_DECRYPT, MAY_ENCRYPT, type Operation, REASON } from './protocol.ts'

/** What it throws is a `KmipFault`. `context` is what a bucket key is bound to. */
export interface MasterKey {
  readonly mechanism: MechanismName
  readonly object: KeyObject
  /** Operations that the server must have. */
  readonly operations: readonly Operation[]
  seal(key: Buffer, context: Buffer, signal: AbortSignal): Promise<Buffer>
  /** Throws the fault `broken` if the bytes are not its own under this context. */
  open(body: Buffer, context: Buffer, signal: AbortSignal): Promise<Buffer>
}

/** What servers say of bytes that do not open, and of troubles of their own. PyKMIP, for one, has a general failure for a wrong tag. */
const VAGUE = [REASON.CryptographicFailure, REASON.GeneralFailure, REASON.InvalidField, REASON.InvalidMessage]

/** The server's key, used there: it never leaves. */
export class EncryptingKey implements MasterKey {
  readonly mechanism = 'encrypt'
  readonly operations = ['Encrypt', 'Decrypt'] as const
  readonly object: KeyObject
  readonly #client: KmipClient
  readonly #random: RandomSource
  /** That the server holds bytes and context together, and looks at the tag. */
  #binds = false

  constructor(object: KeyObject, client: KmipClient, random: RandomSource) {
    this.object = object
    this.#client = client
    this.#random = random
  }

  /** Opened at once, so that no key is used that the server would not give back. */
  async seal(key: Buffer, context: Buffer, signal: AbortSignal): Promise<Buffer> {
    await this.#requireAad(signal)
    const iv = drawn(this.#random, NONCE_BYTES)
    const sealed = await this.object.use((id) => this.#client.encrypt(id, key, iv, context, signal), signal)
    const { ciphertext, tag } = sealed
    if (ciphertext.length !== KEY_BYTES || tag.length !== TAG_BYTES || ciphertext.equals(key)) {
      throw new KmipFault({ reason: 'wrong answer' })
    }
    const body = joinSealed(sealed)
    const opened = await this.open(body, context, signal).catch((error: unknown) => {
      throw error instanceof KmipFault && error.is('broken') ? new KmipFault({ reason: 'wrong answer' }) : error
    })
    const same = sameBytes(opened, key)
    opened.fill(0)
    if (!same) throw new KmipFault({ reason: 'wrong answer' })
    return body
  }

  async open(body: Buffer, context: Buffer, signal: AbortSignal): Promise<Buffer> {
    await this.#requireAad(signal)
    const sealed = splitSealed(body)
    const key = await this.#decrypt(sealed, context, signal)
    try {
      if (key.length !== KEY_BYTES) throw new KmipFault({ reason: 'broken' })
      if (!this.#binds) await this.#proveBinding(sealed, context, signal)
      return key
    } catch (error) {
      key.fill(0)
      throw error
    }
  }

  /** The key may do what is asked of it. */
  async requireUsage(signal: AbortSignal): Promise<void> {
    const { usage = 0 } = await this.object.inspect(['Active'], signal)
    const needed = MAY_ENCRYPT | MAY_DECRYPT
    if ((usage & needed) !== needed) throw new KmipFault({ reason: 'usage', key: this.object.setting })
  }

  async #decrypt(sealed: Sealed, context: Buffer, signal: AbortSignal): Promise<Buffer> {
    try {
      return await this.object.use((id) => this.#client.decrypt(id, sealed, context, signal), signal)
    } catch (error) {
      throw error instanceof KmipFault && error.returned(...VAGUE) ? new KmipFault({ reason: 'broken' }) : error
    }
  }

  /** A server may take associated data and ignore them: bucket keys would open for any bucket. One that does opens these bytes for another one. */
  async #proveBinding(sealed: Sealed, context: Buffer, signal: AbortSignal): Promise<void> {
    const other = Buffer.from(context)
    const last = other.length - 1
    other.writeUInt8(other.readUInt8(last) ^ 1, last)
    try {
      const key = await this.#decrypt(sealed, other, signal)
      key.fill(0)
    } catch (error) {
      if (!(error instanceof KmipFault && error.is('broken'))) throw error
      this.#binds = true
      return
    }
    throw new KmipFault({ reason: 'unbound', key: this.object.setting })
  }

  async #requireAad(signal: AbortSignal): Promise<void> {
    if (await this.#client.speaksAad(signal)) return
    throw new KmipFault({ reason: 'no associated data', key: this.object.setting })
  }
}

/** The key that the server wraps others by on their way here, and we open them. */
export interface WrappingKey {
  readonly object: KeyObject
  readonly key: SecretBytes
}

const LABEL = 'sealgate/v1/kmip'
const KEY_WRAP = 'id-aes256-wrap'
/** Of RFC 3394: what a wrapped key must open to. */
const KEY_WRAP_IV = Buffer.alloc(8, 0xa6)
const KEY_WRAP_BYTES = KEY_BYTES + 8

/** The server's key, fetched for each call and wiped after it; used here. */
export class FetchedKey implements MasterKey {
  readonly mechanism = 'get'
  readonly operations = ['Get'] as const
  readonly object: KeyObject
  readonly #states: Parameters<KeyObject['inspect']>[0]
  readonly #client: KmipClient
  readonly #wrapping: WrappingKey
  readonly #random: RandomSource

  /** The states are those in which it is used: a server gives a key away in any. */
  constructor(
    object: KeyObject,
    states: Parameters<KeyObject['inspect']>[0],
    client: KmipClient,
    wrapping: WrappingKey,
    random: RandomSource,
  ) {
    this.object = object
    this.#states = states
    this.#client = client
    this.#wrapping = wrapping
    this.#random = random
  }

  async seal(key: Buffer, context: Buffer, signal: AbortSignal): Promise<Buffer> {
    return this.#with(signal, (master) => sealSmall(master, LABEL, context, key, this.#random))
  }

  async open(body: Buffer, context: Buffer, signal: AbortSignal): Promise<Buffer> {
    const key = await this.#with(signal, (master) => openSmall(master, LABEL, context, body))
    if (key?.length !== KEY_BYTES) throw new KmipFault({ reason: 'broken' })
    return key
  }

  async #with<T>(signal: AbortSignal, work: (master: Buffer) => T): Promise<T> {
    const { object, key } = this.#wrapping
    await this.object.inspect(this.#states, signal)
    const wrapped = await this.object.use(
      (id) => object.use((wrappingId) => this.#client.getWrapped(id, wrappingId, signal), signal),
      signal,
    )
    // The manager was closed meanwhile, and has ended it.
    if (key.length === 0) throw new KmipFault({ reason: 'closed' })
    const master = unwrapKey(key, wrapped)
    if (master === undefined) throw new KmipFault({ reason: 'wrapping key' })
    try {
      return work(master)
    } finally {
      master.fill(0)
    }
  }
}

/** `undefined` if the bytes are not a key of ours that this key has wrapped. */
function unwrapKey(key: Buffer, wrapped: Buffer): Buffer | undefined {
  if (wrapped.length !== KEY_WRAP_BYTES) return undefined
  const decipher = createDecipheriv(KEY_WRAP, key, KEY_WRAP_IV)
  try {
    const opened = decipher.update(wrapped)
    return opened.length === KEY_BYTES ? opened : undefined
  } catch {
    return undefined
  }
}
