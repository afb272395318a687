import { randomBytes } from 'node:crypto'
import type { GeneratedKey, KeyContext, KeyManager } from '../../src/keys/key-manager.ts'
import { MemoryKeyManager } from '../../src/keys/memory.ts'

/** A memory key manager that counts and can fail. */
export class CountingManager implements KeyManager {
  readonly tag = 'm'
  readonly alias: string
  readonly #inner: KeyManager
  generated = 0
  unwrapped = 0
  failure: Error | undefined

  constructor(alias: string) {
    this.alias = alias
    this.#inner = new MemoryKeyManager({ alias, random: randomBytes })
  }

  async generate(context: KeyContext): Promise<GeneratedKey> {
    this.generated++
    if (this.failure !== undefined) throw this.failure
    return this.#inner.generate(context)
  }

  async unwrap(wrapped: Buffer, context: KeyContext): Promise<Buffer> {
    this.unwrapped++
    await new Promise((resolve) => setImmediate(resolve))
    if (this.failure !== undefined) throw this.failure
    return this.#inner.unwrap(wrapped, context)
  }

  wrap = (key: Buffer, context: KeyContext): Promise<Buffer> => this.#inner.wrap(key, context)
  rewrap = (wrapped: Buffer, context: KeyContext): Promise<Buffer> => this.#inner.rewrap(wrapped, context)
  health = (): Promise<void> => Promise.resolve()
  close = (): Promise<void> => this.#inner.close()
}
