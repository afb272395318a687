/** What Vault itself decides: which keys are right, which versions open, and that our remedies are commands it takes. Over the stand-in, and over a real Vault in certification. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KeyManager } from '../../src/keys/key-manager.ts'
import { keyManagerContract } from '../contract/key-manager.contract.ts'
import { failureOf } from '../helpers/failure-of.ts'
import { openVaultWorld, type VaultWorld } from '../helpers/vault-world.ts'

const CONTEXT = { namespace: 'backups', day: 20_417 }
const RIGHT = 'type=aes256-gcm96 derived=true'
let vault: VaultWorld
const opened: KeyManager[] = []

beforeAll(async () => {
  vault = await openVaultWorld()
  for (const name of ['contract-main', 'contract-other'])
    await vault.run(`vault write -f transit/keys/${name} ${RIGHT}`)
})
afterAll(async () => {
  for (const manager of opened) await manager.close()
  await vault.close()
})

keyManagerContract('Vault Transit', {
  tag: 'v',
  create: async (alias) => vault.open('contract-main', { alias }),
  stranger: async (alias) => vault.open('contract-other', { alias }),
  bindsContext: true,
  wrapsAtRandom: true,
})

const open = (name: string, mount?: string): KeyManager => {
  const manager = vault.open(name, mount === undefined ? {} : { mount })
  opened.push(manager)
  return manager
}

const fresh = (): string => `key-${randomUUID()}`

async function make(kind = RIGHT): Promise<string> {
  const name = fresh()
  await vault.run(`vault write -f transit/keys/${name} ${kind}`)
  return name
}

/** The message of a refusal, and the command in it. */
async function refusal(call: Promise<unknown>): Promise<{ message: string; command: string }> {
  const error = await failureOf(call)
  expect(error).toMatchObject({ kind: 'denied' })
  const { message } = error
  return { message, command: /vault (?:write|secrets) .*$/.exec(message)?.[0] ?? '' }
}

describe('a Transit key', () => {
  it.each([
    ['that is not derived', 'type=aes256-gcm96', 'aes256-gcm96, not derived'],
    ['that is convergent', `${RIGHT} convergent_encryption=true`, 'aes256-gcm96, derived, convergent'],
    ['of another type', 'type=chacha20-poly1305 derived=true', 'chacha20-poly1305, derived'],
    ['of another kind', 'type=rsa-2048', 'rsa-2048, not derived'],
  ])('%s is refused for everything, and the command that is told makes a right one', async (_what, kind, found) => {
    const name = await make(kind)
    const { wrapped } = await open('contract-main').generate(CONTEXT)
    const manager = open(name)
    for (const call of [
      () => manager.generate(CONTEXT),
      () => manager.wrap(Buffer.alloc(32), CONTEXT),
      () => manager.unwrap(wrapped, CONTEXT),
      () => manager.rewrap(wrapped, CONTEXT),
    ]) {
      await refusal(call())
    }
    const { message, command } = await refusal(manager.health())
    expect(message).toContain(found)
    await vault.run(command)
    await expect(open(`${name}-derived`).health()).resolves.toBeUndefined()
  })

  it('that is not there is refused and never made by wrapping; the command that is told makes it', async () => {
    const manager = open(fresh())
    await refusal(manager.wrap(Buffer.alloc(32), CONTEXT))
    const { command } = await refusal(manager.health())
    await vault.run(command)
    const { key, wrapped } = await manager.generate(CONTEXT)
    expect(await manager.unwrap(wrapped, CONTEXT)).toEqual(key)
  })

  it('where no secrets engine is mounted: the command that is told mounts one', async () => {
    const manager = open('main', fresh())
    const { command } = await refusal(manager.health())
    await vault.run(command)
    await vault.run((await refusal(manager.health())).command)
    await expect(manager.health()).resolves.toBeUndefined()
  })

  it('that was deleted and made anew of another kind is looked at again', async () => {
    const name = await make()
    const manager = open(name)
    await manager.generate(CONTEXT)
    await vault.run(`vault write transit/keys/${name}/config deletion_allowed=true`)
    await vault.run(`vault delete transit/keys/${name}`)
    await refusal(manager.generate(CONTEXT))
    await vault.run(`vault write -f transit/keys/${name} type=aes256-gcm96`)
    expect((await refusal(manager.generate(CONTEXT))).message).toContain('not derived')
  })

  it('after a rotation wraps by its new version, rewraps to it, and opens what the old one wrapped', async () => {
    const name = await make()
    const manager = open(name)
    const old = await manager.generate(CONTEXT)
    await vault.run(`vault write -f transit/keys/${name}/rotate`)
    const again = await manager.rewrap(old.wrapped, CONTEXT)
    expect(again.toString()).toMatch(/^vault:v2:/)
    for (const wrapped of [old.wrapped, again]) expect(await manager.unwrap(wrapped, CONTEXT)).toEqual(old.key)
    expect((await manager.generate(CONTEXT)).wrapped.toString()).toMatch(/^vault:v2:/)
    const misread = Buffer.from(old.wrapped.toString().replace(':v1:', ':v2:'))
    await expect(manager.unwrap(misread, CONTEXT)).rejects.toMatchObject({ layer: 'unwrap failure' })
  })

  it('does not open what is below min_decryption_version until the command that is told was run; what was trimmed never', async () => {
    const name = await make()
    const manager = open(name)
    const { key, wrapped } = await manager.generate(CONTEXT)
    const limits = (limit: string): Promise<void> => vault.run(`vault write transit/keys/${name}/config ${limit}`)
    await vault.run(`vault write -f transit/keys/${name}/rotate`)
    await limits('min_decryption_version=2')
    await refusal(manager.rewrap(wrapped, CONTEXT))
    const { command } = await refusal(manager.unwrap(wrapped, CONTEXT))
    await vault.run(command)
    expect(await manager.unwrap(wrapped, CONTEXT)).toEqual(key)
    await limits('min_decryption_version=2 min_encryption_version=2')
    await vault.run(`vault write transit/keys/${name}/trim min_available_version=2`)
    await refusal(manager.unwrap(wrapped, CONTEXT))
  })
})
