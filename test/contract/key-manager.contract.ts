/** What every key manager promises (src/keys/key-manager.ts). A provider's test calls this with a way to make one. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { KeyContext, KeyManager, ProviderTag } from '../../src/keys/key-manager.ts'

export interface KeyManagerUnderTest {
  readonly tag: ProviderTag
  readonly create: (alias: string) => Promise<KeyManager>
  /** A manager that holds other master keys. */
  readonly stranger: (alias: string) => Promise<KeyManager>
  /** Whether wrapped keys are bound to namespace and day. */
  readonly bindsContext: boolean
  /** Whether one key has another wrapped form each time; AES key wrap has one. */
  readonly wrapsAtRandom: boolean
}

const CONTEXT: KeyContext = { namespace: 'backups', day: 20_417 }

export function keyManagerContract(name: string, under: KeyManagerUnderTest): void {
  describe(`the key manager contract, ${name}`, () => {
    let manager: KeyManager

    beforeEach(async () => {
      manager = await under.create('main')
    })

    afterEach(async () => {
      await manager.close()
    })

    it('is known by its alias and its provider tag', () => {
      expect(manager.alias).toBe('main')
      expect(manager.tag).toBe(under.tag)
    })

    it('unwraps what it generated to the same 32 bytes', async () => {
      const { key, wrapped } = await manager.generate(CONTEXT)
      expect(key).toHaveLength(32)
      expect((await manager.unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
    })

    it('generates another key and another wrapped form each time', async () => {
      const [a, b] = [await manager.generate(CONTEXT), await manager.generate(CONTEXT)]
      expect(a.key.equals(b.key)).toBe(false)
      expect(a.wrapped.equals(b.wrapped)).toBe(false)
    })

    it('wraps a key that is there already, another form each time', async () => {
      const key = Buffer.alloc(32, 7)
      const [a, b] = [await manager.wrap(key, CONTEXT), await manager.wrap(key, CONTEXT)]
      expect(key.equals(Buffer.alloc(32, 7))).toBe(true)
      expect(a.equals(b)).toBe(!under.wrapsAtRandom)
      for (const wrapped of [a, b]) expect((await manager.unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
    })

    it('rewraps to the same key, and refuses to rewrap what it would not unwrap', async () => {
      const { key, wrapped } = await manager.generate(CONTEXT)
      const again = await manager.rewrap(wrapped, CONTEXT)
      expect((await manager.unwrap(again, CONTEXT)).equals(key)).toBe(true)
      const damaged = Buffer.from(wrapped)
      damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1
      await expect(manager.rewrap(damaged, CONTEXT)).rejects.toMatchObject({ layer: 'unwrap failure' })
      const other = { ...CONTEXT, day: 20_418 }
      if (under.bindsContext) {
        await expect(manager.rewrap(wrapped, other)).rejects.toMatchObject({ layer: 'unwrap failure' })
      }
    })

    it('does not show the key in its wrapped form', async () => {
      const { key, wrapped } = await manager.generate(CONTEXT)
      expect(wrapped.includes(key)).toBe(false)
    })

    it('refuses a wrapped key with any byte changed as an unwrap failure', async () => {
      const { wrapped } = await manager.generate(CONTEXT)
      for (let at = 0; at < wrapped.length; at++) {
        const damaged = Buffer.from(wrapped)
        damaged[at] = (damaged[at] ?? 0) ^ 1
        await expect(manager.unwrap(damaged, CONTEXT), `byte ${at}`).rejects.toMatchObject({ layer: 'unwrap failure' })
      }
    })

    it('refuses a wrapped key of any shorter or greater length as an unwrap failure', async () => {
      const { wrapped } = await manager.generate(CONTEXT)
      for (let length = 0; length < wrapped.length; length++) {
        const cut = wrapped.subarray(0, length)
        await expect(manager.unwrap(cut, CONTEXT), `${length} bytes`).rejects.toMatchObject({ layer: 'unwrap failure' })
      }
      const longer = Buffer.concat([wrapped, Buffer.alloc(1)])
      await expect(manager.unwrap(longer, CONTEXT)).rejects.toMatchObject({ layer: 'unwrap failure' })
    })

    it.runIf(under.bindsContext)('refuses a wrapped key under another namespace or another day', async () => {
      const { wrapped } = await manager.generate(CONTEXT)
      for (const other of [
        { ...CONTEXT, namespace: 'backup' },
        { ...CONTEXT, namespace: '' },
        { ...CONTEXT, day: 20_418 },
      ]) {
        await expect(manager.unwrap(wrapped, other)).rejects.toMatchObject({ layer: 'unwrap failure' })
      }
    })

    it('refuses what a manager with other master keys wrapped', async () => {
      const stranger = await under.stranger('main')
      const { wrapped } = await stranger.generate(CONTEXT)
      await expect(manager.unwrap(wrapped, CONTEXT)).rejects.toMatchObject({ layer: 'unwrap failure' })
      await stranger.close()
    })

    it('takes namespaces of any Unicode text', async () => {
      const context = { namespace: 'Ünïcode/ 日本 \u{1F512}', day: 0 }
      const { key, wrapped } = await manager.generate(context)
      expect((await manager.unwrap(wrapped, context)).equals(key)).toBe(true)
    })

    it('gives no holder a buffer that another one shares', async () => {
      const { key, wrapped } = await manager.generate(CONTEXT)
      const copy = Buffer.from(key)
      key.fill(0)
      expect((await manager.unwrap(wrapped, CONTEXT)).equals(copy)).toBe(true)
    })

    it('is healthy while it is open', async () => {
      await expect(manager.health()).resolves.toBeUndefined()
    })

    it('is unavailable after it was closed, for everything', async () => {
      const { wrapped } = await manager.generate(CONTEXT)
      await manager.close()
      await expect(manager.generate(CONTEXT)).rejects.toMatchObject({ kind: 'unavailable' })
      await expect(manager.unwrap(wrapped, CONTEXT)).rejects.toMatchObject({ kind: 'unavailable' })
      await expect(manager.wrap(Buffer.alloc(32), CONTEXT)).rejects.toMatchObject({ kind: 'unavailable' })
      await expect(manager.rewrap(wrapped, CONTEXT)).rejects.toMatchObject({ kind: 'unavailable' })
      await expect(manager.health()).rejects.toMatchObject({ kind: 'unavailable' })
    })
  })
}
