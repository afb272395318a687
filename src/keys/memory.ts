/** A key manager for tests and throw-away stores: its master key lives and dies with the process. */
import { Unavailable } from '../errors.ts'
import { drawn, KEY_BYTES, type RandomSource } from '../format/derive.ts'
import { takeSecret } from '../secret-bytes.ts'
import type { GeneratedKey, KeyContext, KeyManager } from './key-manager.ts'
import { generateByWrapping, rewrapByOpening, unwrapLocal, wrapLocal } from './local-wrap.ts'
import { type MasterKey, masterIdOf } from './master-keys.ts'

/** Provider tag `m`. What it wrapped cannot be unwrapped after `close` or by another instance. */
export class MemoryKeyManager implements KeyManager {
  readonly tag = 'm'
  readonly alias: string
  readonly #random: RandomSource
  #master: MasterKey | undefined

  constructor({ alias, random }: { alias: string; random: RandomSource }) {
    this.alias = alias
    this.#random = random
    const key = takeSecret(drawn(random, KEY_BYTES))
    this.#master = { id: masterIdOf(key), key, created: '' }
  }

  async generate(context: KeyContext): Promise<GeneratedKey> {
    return generateByWrapping(this, this.#random, context)
  }

  async wrap(key: Buffer, context: KeyContext): Promise<Buffer> {
    return wrapLocal(this.#open(), context, key, this.#random)
  }

  async unwrap(wrapped: Buffer, context: KeyContext): Promise<Buffer> {
    const master = this.#open()
    return unwrapLocal(new Map([[master.id.toString('hex'), master]]), wrapped, context)
  }

  rewrap(wrapped: Buffer, context: KeyContext): Promise<Buffer> {
    return rewrapByOpening(this, wrapped, context)
  }

  async health(): Promise<void> {
    this.#open()
  }

  async close(): Promise<void> {
    this.#master?.key.dispose()
    this.#master = undefined
  }

  #open(): MasterKey {
    if (this.#master === undefined) throw new Unavailable(`key manager ${this.alias} is closed`)
    return this.#master
  }
}
