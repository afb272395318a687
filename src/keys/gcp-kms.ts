/** The key manager whose master key is in Google Cloud KMS, and never leaves it. */
import type { protos } from '@google-cloud/kms'
import { crc32 } from 'hash-wasm'
import { Denied, Integrity, Unavailable } from '../errors.ts'
import { KEY_BYTES, type RandomSource } from '../format/derive.ts'
import { takeCopy } from '../secret-bytes.ts'
import { withinTime } from './deadline.ts'
import { gcpFailure, isBroken } from './gcp-kms/errors.ts'
import type { GeneratedKey, KeyContext, KeyManager } from './key-manager.ts'
import { encodeContext, generateByWrapping, rewrapByOpening } from './local-wrap.ts'

type EncryptRequest = protos.google.cloud.kms.v1.IEncryptRequest
type DecryptRequest = protos.google.cloud.kms.v1.IDecryptRequest
type Encrypted = protos.google.cloud.kms.v1.IEncryptResponse
type Decrypted = protos.google.cloud.kms.v1.IDecryptResponse
interface CallOptions {
  readonly timeout: number
}

/** The calls of the SDK that are made, each once. */
export interface GcpCalls {
  readonly encrypt: (request: EncryptRequest, options: CallOptions) => Promise<Encrypted>
  readonly decrypt: (request: DecryptRequest, options: CallOptions) => Promise<Decrypted>
  readonly close: () => Promise<void>
}

export interface GcpKmsParts {
  readonly alias: string
  readonly kms: GcpCalls
  /** `projects/…/cryptoKeys/…` */
  readonly keyName: string
  /** Keys that bucket keys were wrapped by before. */
  readonly formerKeyNames: readonly string[]
  /** Milliseconds for one call. */
  readonly timeout: number
  readonly random: RandomSource
}

/** The service wraps 32 bytes in about 113, which name the version of the key. */
const MAX_WRAPPED_BYTES = 1_024
/** What is wrapped to see whether that is permitted; no key. */
const PROBE = Buffer.from('sealgate')
const CASTAGNOLI = 0x82f63b78

/** Provider tag `g`. Bound to its context as additional authenticated data. */
export class GcpKmsKeyManager implements KeyManager {
  readonly tag = 'g'
  readonly alias: string
  readonly #parts: GcpKmsParts
  #closed = false

  constructor(parts: GcpKmsParts) {
    this.alias = parts.alias
    this.#parts = parts
  }

  async generate(context: KeyContext): Promise<GeneratedKey> {
    return generateByWrapping(this, this.#parts.random, context)
  }

  async wrap(key: Buffer, context: KeyContext): Promise<Buffer> {
    const request = await this.#sums({ plaintext: key, additionalAuthenticatedData: encodeContext(context) })
    const name = this.#parts.keyName
    const made = await this.#ask('encrypt', (options) => this.#parts.kms.encrypt({ name, ...request }, options))
    if (!made.verifiedPlaintextCrc32c || !made.verifiedAdditionalAuthenticatedDataCrc32c) throw this.#damaged()
    const wrapped = await this.#checked(made.ciphertext, made.ciphertextCrc32c)
    if (wrapped.length > MAX_WRAPPED_BYTES) throw this.#damaged()
    return wrapped
  }

  async unwrap(wrapped: Buffer, context: KeyContext): Promise<Buffer> {
    if (wrapped.length === 0 || wrapped.length > MAX_WRAPPED_BYTES) {
      throw new Integrity('unwrap failure', `${wrapped.length} bytes are no ciphertext of Google Cloud KMS`)
    }
    const request = await this.#sums({ ciphertext: wrapped, additionalAuthenticatedData: encodeContext(context) })
    let refusal: Denied | undefined
    for (const name of [this.#parts.keyName, ...this.#parts.formerKeyNames]) {
      try {
        const opened = await this.#decrypt({ name, ...request })
        if (opened !== undefined) return opened
      } catch (error) {
        // A key that may not be used says nothing about the others.
        if (!(error instanceof Denied)) throw error
        refusal ??= error
      }
    }
    throw (
      refusal ??
      new Integrity(
        'unwrap failure',
        `no key of key manager ${this.alias} wrapped these bytes for this namespace and day`,
      )
    )
  }

  async rewrap(wrapped: Buffer, context: KeyContext): Promise<Buffer> {
    return rewrapByOpening(this, wrapped, context)
  }

  async health(): Promise<void> {
    await this.wrap(PROBE, { namespace: '', day: 0 })
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#parts.kms.close()
  }

  /** `undefined` if the key of that name did not wrap these bytes, for this context. */
  async #decrypt(request: DecryptRequest): Promise<Buffer | undefined> {
    const opened = await this.#ask('decrypt', (options) =>
      this.#parts.kms.decrypt(request, options).catch((error: unknown) => {
        if (isBroken(error)) return undefined
        throw error
      }),
    )
    if (opened === undefined) return undefined
    const key = await this.#checked(opened.plaintext, opened.plaintextCrc32c)
    if (key.length === KEY_BYTES) return key
    key.fill(0)
    throw new Integrity('unwrap failure', `Google Cloud KMS opened ${key.length} bytes, which are no bucket key`)
  }

  /** With the checksum of each field: the service refuses what was damaged on the way. */
  async #sums<T extends Readonly<Record<string, Buffer>>>(fields: T): Promise<T & Record<string, object>> {
    const sums: Record<string, object> = {}
    for (const [name, bytes] of Object.entries(fields)) sums[`${name}Crc32c`] = { value: await crc32c(bytes) }
    return { ...fields, ...sums }
  }

  /** A copy in a buffer of its own, if it is what the service sent; what came is wiped. */
  async #checked(found: Decrypted['plaintext'], sum: Decrypted['plaintextCrc32c']): Promise<Buffer> {
    const came = typeof found === 'string' ? Buffer.from(found, 'base64') : (found ?? new Uint8Array())
    const own = takeCopy(came)
    if (own.length > 0 && String(sum?.value) === String(await crc32c(own))) return own
    own.fill(0)
    throw this.#damaged()
  }

  #damaged(): Unavailable {
    return new Unavailable(
      `Google Cloud KMS, key manager ${this.alias}: what was sent or answered was damaged on the way`,
    )
  }

  async #ask<T>(operation: string, call: (options: CallOptions) => Promise<T>): Promise<T> {
    if (this.#closed) throw new Unavailable(`key manager ${this.alias} is closed`)
    const { timeout } = this.#parts
    try {
      return await withinTime(timeout, () => call({ timeout }))
    } catch (error) {
      throw gcpFailure(this.alias, operation, error)
    }
  }
}

const crc32c = async (bytes: Buffer): Promise<number> => Number.parseInt(await crc32(bytes, CASTAGNOLI), 16)
