/** The key manager whose master key is in an HSM, or in whatever else speaks PKCS#11. The key never leaves it. */
import { Integrity } from '../errors.ts'
import { drawn, type RandomSource } from '../format/derive.ts'
import type { GeneratedKey, KeyContext, KeyManager } from './key-manager.ts'
import { encodeContext, generateByWrapping } from './local-wrap.ts'
import { IV_BYTES } from './pkcs11/forms.ts'
import type { Ask, Bytes } from './pkcs11/messages.ts'
import { bytesOf, type PoolParts, TokenPool } from './pkcs11/pool.ts'

export interface Pkcs11Parts extends PoolParts {
  readonly random: RandomSource
}

/** Provider tag `p`. A key by AES-GCM is bound to its context, one by AES key wrap is not (docs/keys.md). */
export class Pkcs11KeyManager implements KeyManager {
  readonly tag = 'p'
  readonly alias: string
  readonly #random: RandomSource
  readonly #pool: TokenPool

  constructor({ random, ...parts }: Pkcs11Parts) {
    this.alias = parts.alias
    this.#random = random
    this.#pool = new TokenPool(parts)
  }

  async generate(context: KeyContext): Promise<GeneratedKey> {
    return generateByWrapping(this, this.#random, context)
  }

  async wrap(key: Buffer, context: KeyContext): Promise<Buffer> {
    return this.#bytes(() => ({ op: 'wrap', key: bytesOf(key), context: this.#context(context), iv: this.#iv() }))
  }

  async unwrap(wrapped: Buffer, context: KeyContext): Promise<Buffer> {
    return this.#bytes(() => ({ op: 'unwrap', ...this.#opening(wrapped, context) }))
  }

  async rewrap(wrapped: Buffer, context: KeyContext): Promise<Buffer> {
    return this.#bytes(() => ({ op: 'rewrap', ...this.#opening(wrapped, context) }))
  }

  async health(): Promise<void> {
    await this.#pool.run(() => ({ op: 'check', iv: this.#iv() }))
  }

  close(): Promise<void> {
    return this.#pool.close()
  }

  async #bytes(make: () => Ask): Promise<Buffer> {
    const value = await this.#pool.run(make)
    if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length)
    throw new Integrity('unwrap failure', `key manager ${this.alias}: the token gave nothing`)
  }

  #opening(wrapped: Buffer, context: KeyContext) {
    return { wrapped: bytesOf(wrapped), context: this.#context(context), iv: this.#iv() }
  }

  #context(context: KeyContext): Bytes {
    return bytesOf(encodeContext(context))
  }

  #iv(): Bytes {
    return bytesOf(drawn(this.#random, IV_BYTES))
  }
}
