/** What the PKCS#11 key manager promises, with a real package, library and token: certification says where they are. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KeyChoice } from '../../src/keys/pkcs11/messages.ts'
import { Pkcs11KeyManager } from '../../src/keys/pkcs11.ts'
import { keyManagerContract } from '../contract/key-manager.contract.ts'
import { type Pkcs11Files, pkcs11Files } from '../helpers/pkcs11-files.ts'

const CONTEXT = { namespace: 'backups', day: 20_417 }
const given = process.env.SEALGATE_TEST_PKCS11

interface Given {
  readonly package: string
  readonly library: string
  readonly label: string
  readonly pin: string
}

/** The token has keys of the labels `main` and `other`. */
describe.skipIf(given === undefined)('with a real token', () => {
  const { package: path, library: module, label, pin } = JSON.parse(given ?? '{}') as Given
  let files: Pkcs11Files
  beforeAll(async () => {
    files = await pkcs11Files()
  })
  afterAll(() => files.remove())

  const start = (keys: readonly [KeyChoice, ...KeyChoice[]], alias = 'main'): Pkcs11KeyManager =>
    new Pkcs11KeyManager({
      alias,
      worker: files.worker,
      settings: { package: path, module, token: { label }, keys },
      pin,
      sessions: 2,
      timeout: 10_000,
      random: randomBytes,
    })

  for (const mechanism of ['aes-gcm', 'aes-key-wrap'] as const) {
    keyManagerContract(`PKCS#11, ${mechanism}`, {
      tag: 'p',
      create: async (alias) => start([{ label: 'main', mechanism }], alias),
      stranger: async (alias) => start([{ label: 'other', mechanism }], alias),
      bindsContext: mechanism === 'aes-gcm',
      wrapsAtRandom: mechanism === 'aes-gcm',
    })

    it(`a former key opens, and another one takes its place, ${mechanism}`, async () => {
      const [before, after] = [
        start([{ label: 'other', mechanism }]),
        start([
          { id: '01', mechanism: 'aes-gcm' },
          { label: 'other', mechanism },
        ]),
      ]
      const { key, wrapped } = await before.generate(CONTEXT)
      expect((await after.unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
      await before.close()
      const again = await after.rewrap(wrapped, CONTEXT)
      expect((await after.unwrap(again, CONTEXT)).equals(key)).toBe(true)
      await after.close()
    })
  }

  it('many calls at once share the sessions', async () => {
    const manager = start([{ label: 'main', mechanism: 'aes-gcm' }])
    const made = await Promise.all(Array.from({ length: 200 }, () => manager.generate(CONTEXT)))
    const opened = await Promise.all(made.map(({ wrapped }) => manager.unwrap(wrapped, CONTEXT)))
    expect(opened.every((key, i) => key.equals(made[i]!.key))).toBe(true)
    await manager.close()
  })
})
