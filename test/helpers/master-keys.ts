/** Master keys as a local key manager has them. */
import { randomBytes } from 'node:crypto'
import { type MasterKey, masterIdOf, type MasterKeys } from '../../src/keys/master-keys.ts'
import { takeSecret } from '../../src/secret-bytes.ts'

export function newMaster(bytes = randomBytes(32)): MasterKey {
  const key = takeSecret(bytes)
  return { id: masterIdOf(key), key, created: '2026-01-01T00:00:00Z' }
}

/** Copies: each manager wipes its own. */
export function masterKeysOf(active: MasterKey, ...others: MasterKey[]): MasterKeys {
  const all = [active, ...others].map((one) => ({ ...one, key: takeSecret(Buffer.from(one.key)) }))
  return { active: all[0]!, all: new Map(all.map((one) => [one.id.toString('hex'), one])) }
}
