/** The login to Vault by an AWS identity, where what gives AWS credentials is away. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { openManagers } from '../../src/compose/key-managers.ts'
import { loadSettings } from '../../src/config/load.ts'

it.each([
  ['does not answer', 'web-identity'],
  ['has none', 'environment'],
])('is an outage where it %s, and nobody waits longer than the timeout', async (_what, auth) => {
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const folder = await mkdtemp(join(tmpdir(), 'sealgate-sts-'))
  await writeFile(join(folder, 'token'), 'a.b.c')
  vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', join(folder, 'token'))
  vi.stubEnv('AWS_ROLE_ARN', 'arn:aws:iam::111122223333:role/gateway')
  vi.stubEnv('AWS_REGION', 'eu-central-1')
  vi.stubEnv('AWS_ENDPOINT_URL_STS', `http://127.0.0.1:${(silent.address() as AddressInfo).port}`)
  vi.stubEnv('AWS_ACCESS_KEY_ID', undefined)
  const main = {
    type: 'vault-transit',
    address: 'http://127.0.0.1:1',
    keyName: 'main',
    login: { method: 'aws', auth },
    timeout: '200ms',
    retry: { attempts: 1 },
  }
  const text = JSON.stringify({ keys: { active: 'main', managers: { main } } })
  const settings = loadSettings({ configPath: 'sealgate.yaml', env: {}, readFile: () => text })
  const timing = { now: Date.now, random: () => 0, sleep: async () => undefined }
  const manager = (await openManagers(settings, { random: randomBytes, timing })).get('main')!
  try {
    const hung = new Promise((resolve) => setTimeout(() => resolve('it hangs'), 3_000).unref())
    const found: unknown = await Promise.race([manager.health().catch((error: unknown) => error), hung])
    expect(found).toMatchObject({ kind: 'unavailable', message: expect.stringContaining('AWS credentials') as string })
  } finally {
    await manager.close()
    silent.close()
    vi.unstubAllEnvs()
    await rm(folder, { recursive: true })
  }
})
