/** The key manager whose master keys this process holds itself. */
import { Integrity, Unavailable } from '../errors.ts'
import type { RandomSource } from '../format/derive.ts'
import type { GeneratedKey, KeyContext, KeyManager } from './key-manager.ts'
import { generateByWrapping, rewrapByOpening, unwrapLocal, wrapLocal } from './local-wrap.ts'
import { endMasterKeys, type MasterKeys } from './master-keys.ts'

export interface LocalKeyManagerParts {
  readonly alias: string
  readonly masterKeys: MasterKeys
  readonly random: RandomSource
  /** Where they came from, read anew; `undefined` if nothing has changed there. */
  readonly read?: () => Promise<MasterKeys | undefined>
}

/** Provider tag `l`. Owns the master keys it is given: `close` wipes them. */
export class LocalKeyManager implements KeyManager {
  readonly tag = 'l'
  readonly alias: string
  readonly #random: RandomSource
  readonly #read: () => Promise<MasterKeys | undefined>
  #masterKeys: MasterKeys
  #reading: Promise<void> | undefined
  #closed = false

  constructor({ alias, masterKeys, random, read = async () => undefined }: LocalKeyManagerParts) {
    this.alias = alias
    this.#masterKeys = masterKeys
    this.#random = random
    this.#read = read
  }

  async generate(context: KeyContext): Promise<GeneratedKey> {
    return generateByWrapping(this, this.#random, context)
  }

  async wrap(key: Buffer, context: KeyContext): Promise<Buffer> {
    this.#open()
    return wrapLocal(this.#masterKeys.active, context, key, this.#random)
  }

  async unwrap(wrapped: Buffer, context: KeyContext): Promise<Buffer> {
    this.#open()
    try {
      return unwrapLocal(this.#masterKeys.all, wrapped, context)
    } catch (error) {
      // Another replica may have been given its new master key before us.
      const before = this.#masterKeys
      if (error instanceof Integrity) await this.#readAgain().catch(() => undefined)
      if (this.#masterKeys === before) throw error
      this.#open()
      return unwrapLocal(this.#masterKeys.all, wrapped, context)
    }
  }

  async reload(): Promise<string> {
    this.#open()
    await this.#readAgain()
    return this.#masterKeys.active.id.toString('hex')
  }

  rewrap(wrapped: Buffer, context: KeyContext): Promise<Buffer> {
    return rewrapByOpening(this, wrapped, context)
  }

  async health(): Promise<void> {
    this.#open()
  }

  async close(): Promise<void> {
    this.#closed = true
    endMasterKeys(this.#masterKeys)
  }

  /** One reading at a time: it may derive keys, which takes a gigabyte at worst. */
  async #readAgain(): Promise<void> {
    this.#reading ??= this.#exchange().finally(() => (this.#reading = undefined))
    return this.#reading
  }

  async #exchange(): Promise<void> {
    const found = await this.#read()
    if (found === undefined) return
    if (this.#closed) {
      endMasterKeys(found)
      return
    }
    const old = this.#masterKeys
    this.#masterKeys = found
    // Safe: nothing outside holds them, and every use of them is within one synchronous step.
    endMasterKeys(old)
  }

  #open(): void {
    if (this.#closed) throw new Unavailable(`key manager ${this.alias} is closed`)
  }
}
