/** The key manager whose master keys this process holds itself. */
import { Unavailable } from '../errors.ts'
import { drawn, KEY_BYTES, type RandomSource } from '../format/derive.ts'
import type { GeneratedKey, KeyContext, KeyManager } from './key-manager.ts'
import { rewrapByOpening, unwrapLocal, wrapLocal } from './local-wrap.ts'
import type { MasterKeys } from './master-keys.ts'

/** Provider tag `l`. Owns the master keys it is given: `close` wipes them. */
export class LocalKeyManager implements KeyManager {
  readonly tag = 'l'
  readonly alias: string
  readonly #masterKeys: MasterKeys
  readonly #random: RandomSource
  #closed = false

  constructor({ alias, masterKeys, random }: { alias: string; masterKeys: MasterKeys; random: RandomSource }) {
    this.alias = alias
    this.#masterKeys = masterKeys
    this.#random = random
  }

  async generate(context: KeyContext): Promise<GeneratedKey> {
    const key = drawn(this.#random, KEY_BYTES)
    return { key, wrapped: await this.wrap(key, context) }
  }

  async wrap(key: Buffer, context: KeyContext): Promise<Buffer> {
    this.#open()
    return wrapLocal(this.#masterKeys.active, context, key, this.#random)
  }

  async unwrap(wrapped: Buffer, context: KeyContext): Promise<Buffer> {
    this.#open()
    return unwrapLocal(this.#masterKeys.all, wrapped, context)
  }

  rewrap(wrapped: Buffer, context: KeyContext): Promise<Buffer> {
    return rewrapByOpening(this, wrapped, context)
  }

  async health(): Promise<void> {
    this.#open()
  }

  async close(): Promise<void> {
    this.#closed = true
    // Safe: nothing outside this manager holds these buffers, and every use of them is within one synchronous step.
    for (const { key } of this.#masterKeys.all.values()) key.dispose()
  }

  #open(): void {
    if (this.#closed) throw new Unavailable(`key manager ${this.alias} is closed`)
  }
}
