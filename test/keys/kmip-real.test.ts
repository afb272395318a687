/** What the KMIP key manager promises, with a real server: certification says where it is. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { KmipKeyManager, type KmipParts } from '../../src/keys/kmip.ts'
import { takeSecret } from '../../src/secret-bytes.ts'
import { keyManagerContract } from '../contract/key-manager.contract.ts'
import { by } from '../helpers/kmip-world.ts'

const CONTEXT = { namespace: 'backups', day: 20_417 }
const given = process.env.SEALGATE_TEST_KMIP

interface Given {
  readonly port: number
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
  readonly wrapping: string
}

/** The server has keys of the names `main`, `other` and `wrapping`. */
describe.skipIf(given === undefined)('with a real server', () => {
  const { port, caFile, certFile, keyFile, wrapping } = JSON.parse(given ?? '{}') as Given

  const start = (keys: KmipParts['keys'], alias = 'main', connections = 2): KmipKeyManager =>
    new KmipKeyManager({
      alias,
      place: { host: '127.0.0.1', port },
      tls: async () => ({
        ca: readFileSync(caFile, 'utf8'),
        cert: readFileSync(certFile, 'utf8'),
        key: readFileSync(keyFile, 'utf8'),
      }),
      wrapping: { name: 'wrapping', key: takeSecret(Buffer.from(wrapping, 'hex')) },
      keys,
      connections,
      timeout: 10_000,
      random: randomBytes,
    })

  for (const mechanism of ['encrypt', 'get'] as const) {
    keyManagerContract(`KMIP, ${mechanism}`, {
      tag: 'k',
      create: async (alias) => start(by(mechanism, 'main'), alias),
      stranger: async (alias) => start(by(mechanism, 'other'), alias),
      bindsContext: true,
      wrapsAtRandom: true,
    })

    it(`a former key opens, and another one takes its place, ${mechanism}`, async () => {
      const [before, after] = [
        start(by(mechanism, 'other')),
        start([...by('encrypt', 'main'), ...by(mechanism, 'other')]),
      ]
      const { key, wrapped } = await before.generate(CONTEXT)
      expect((await after.unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
      const again = await after.rewrap(wrapped, CONTEXT)
      expect((await after.unwrap(again, CONTEXT)).equals(key)).toBe(true)
      await before.close()
      await after.close()
    })
  }

  it('many calls at once share the connections', async () => {
    const manager = start(by('encrypt', 'main'), 'main', 4)
    const made = await Promise.all(Array.from({ length: 100 }, () => manager.generate(CONTEXT)))
    const opened = await Promise.all(made.map(({ wrapped }) => manager.unwrap(wrapped, CONTEXT)))
    expect(opened.every((key, i) => key.equals(made[i]!.key))).toBe(true)
    await manager.close()
  })
})
