import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import type { KeyManager } from '../../src/keys/key-manager.ts'
import { makeBucketKey } from '../../src/keys/make-bucket-key.ts'
import { MemoryKeyManager } from '../../src/keys/memory.ts'
import { outstandingSecrets } from '../../src/secret-bytes.ts'

const CONTEXT = { namespace: 'backups', day: 20_417 }
const good = new MemoryKeyManager({ alias: 'main', random: randomBytes })

const managerWith = (other: Partial<Pick<KeyManager, 'generate' | 'unwrap'>>): KeyManager => ({
  alias: good.alias,
  tag: good.tag,
  generate: (context) => good.generate(context),
  wrap: (key, context) => good.wrap(key, context),
  unwrap: (wrapped, context) => good.unwrap(wrapped, context),
  rewrap: (wrapped, context) => good.rewrap(wrapped, context),
  health: () => good.health(),
  close: () => good.close(),
  ...other,
})

it.each<[string, Partial<Pick<KeyManager, 'generate' | 'unwrap'>>, string]>([
  ['that is opened to something else', { unwrap: async () => randomBytes(32) }, 'unavailable'],
  ['of another length', { generate: async () => ({ key: randomBytes(16), wrapped: randomBytes(48) }) }, 'internal'],
])('a key %s is not used, and ended', async (_what, other, kind) => {
  const before = outstandingSecrets()
  await expect(makeBucketKey(managerWith(other), CONTEXT)).rejects.toMatchObject({ kind })
  expect(outstandingSecrets()).toBeLessThanOrEqual(before)
  const { key } = await makeBucketKey(managerWith({}), CONTEXT)
  expect(key).toHaveLength(32)
})
