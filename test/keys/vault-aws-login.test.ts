/** The login to Vault by an AWS identity, where what gives AWS credentials is away. */
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { managerOf } from '../helpers/managers-of.ts'

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
  const login = { method: 'aws', auth }
  const where = { type: 'vault-transit', address: 'http://127.0.0.1:1', keyName: 'main' }
  const manager = await managerOf({ ...where, login, timeout: '200ms' })
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
