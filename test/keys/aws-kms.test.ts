/** The AWS KMS key manager, by the real SDK, against a stand-in for the service; moto is tried in certification. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { AwsKmsKeyManager } from '../../src/keys/aws-kms.ts'
import { keyManagerContract } from '../contract/key-manager.contract.ts'
import { KmsServer } from '../helpers/kms-server.ts'
import { managerOf } from '../helpers/managers-of.ts'

const CONTEXT = { namespace: 'backups', day: 20_417 }
const server = new KmsServer()
let endpoint = ''

beforeAll(async () => {
  endpoint = await server.start()
  server.createKey('alias/main')
  server.createKey('alias/other')
})
afterAll(() => server.stop())

interface Options {
  readonly formerKeyIds?: readonly string[]
  readonly timeout?: number
}

function open(keyId: string, { formerKeyIds = [], timeout = 2_000 }: Options = {}, alias = 'main'): AwsKmsKeyManager {
  const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'kms-test-secret' }
  const kms = new KMS({ endpoint, region: 'eu-central-1', credentials, maxAttempts: 1 })
  return new AwsKmsKeyManager({ alias, kms, keyId, formerKeyIds, timeout })
}

keyManagerContract('AWS KMS', {
  tag: 'a',
  create: async (alias) => open('alias/main', {}, alias),
  stranger: async (alias) => open('alias/other', {}, alias),
  bindsContext: true,
  wrapsAtRandom: true,
})

describe('the AWS KMS key manager', () => {
  beforeEach(() => {
    server.fault = undefined
    server.calls.length = 0
  })

  it('makes one call for a new key, signed for KMS', async () => {
    await open('alias/main').generate(CONTEXT)
    expect(server.calls).toEqual(['GenerateDataKey'])
    expect(server.headers.authorization).toContain('/eu-central-1/kms/aws4_request')
  })

  it('does not open what a key that it does not name has wrapped, although its credentials may use that key', async () => {
    const { wrapped } = await open('alias/other').generate(CONTEXT)
    await expect(open('alias/main').unwrap(wrapped, CONTEXT)).rejects.toMatchObject({ layer: 'unwrap failure' })
    await expect(open('alias/main').rewrap(wrapped, CONTEXT)).rejects.toMatchObject({ layer: 'unwrap failure' })
  })

  it('opens and rewraps what a former key has wrapped', async () => {
    const { key, wrapped } = await open('alias/other').generate(CONTEXT)
    const manager = open('alias/main', { formerKeyIds: ['alias/other'] })
    expect((await manager.unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
    const again = await manager.rewrap(wrapped, CONTEXT)
    expect((await open('alias/main').unwrap(again, CONTEXT)).equals(key)).toBe(true)
  })

  it('asks anew which key an alias stands for before it calls another a stranger', async () => {
    const first = server.createKey('alias/moves')
    const manager = open('alias/moves', { formerKeyIds: [first] })
    const old = await manager.generate(CONTEXT)
    await manager.unwrap(old.wrapped, CONTEXT)
    server.createKey('alias/moves')
    const fresh = await manager.generate(CONTEXT)
    expect((await manager.unwrap(fresh.wrapped, CONTEXT)).equals(fresh.key)).toBe(true)
    expect((await manager.unwrap(old.wrapped, CONTEXT)).equals(old.key)).toBe(true)
  })

  it('opens what the others have wrapped although one of its former keys is gone, and says so only where it may be that one', async () => {
    const manager = open('alias/main', { formerKeyIds: ['alias/gone'] })
    const { key, wrapped } = await manager.generate(CONTEXT)
    expect((await manager.unwrap(wrapped, CONTEXT)).equals(key)).toBe(true)
    const foreign = await open('alias/other').generate(CONTEXT)
    await expect(manager.unwrap(foreign.wrapped, CONTEXT)).rejects.toMatchObject({ kind: 'denied', key: 'missing' })
  })

  it.each([
    ['AccessDeniedException', 400, 'denied'],
    ['NotFoundException', 400, 'denied'],
    ['UnrecognizedClientException', 400, 'denied'],
    ['ThrottlingException', 400, 'unavailable'],
    ['ExpiredTokenException', 400, 'unavailable'],
    ['KMSInternalException', 500, 'unavailable'],
    ['DependencyTimeoutException', 503, 'unavailable'],
  ])('%s is told by its name alone: AWS quotes ARNs', async (name, status, kind) => {
    const manager = open('alias/main')
    const { wrapped } = await manager.generate(CONTEXT)
    server.fault = { name, status }
    for (const call of [
      () => manager.generate(CONTEXT),
      () => manager.unwrap(wrapped, CONTEXT),
      () => manager.health(),
    ]) {
      const error: unknown = await call().catch((caught: unknown) => caught)
      expect(error).toMatchObject({ kind, message: expect.stringContaining(name) as string })
      expect(String(error instanceof Error ? error.stack : error)).not.toContain('arn:aws')
      expect(error).not.toHaveProperty('cause')
    }
  })

  it.each([
    ['Disabled', 'DisabledException'],
    ['PendingDeletion', 'KMSInvalidStateException'],
  ] as const)('a key that is %s is denied, for everything', async (state, name) => {
    const arn = server.createKey(`alias/${state}`)
    const manager = open(`alias/${state}`)
    const { wrapped } = await manager.generate(CONTEXT)
    server.setState(arn, state)
    await expect(manager.generate(CONTEXT)).rejects.toMatchObject({ kind: 'denied' })
    await expect(manager.unwrap(wrapped, CONTEXT)).rejects.toThrow(name)
    await expect(manager.health()).rejects.toThrow(state)
  })

  it('bytes that name no key are an unwrap failure only where nothing else can be the cause', async () => {
    const former = server.createKey('alias/former')
    const manager = open('alias/main', { formerKeyIds: ['alias/former'] })
    const { wrapped } = await manager.generate(CONTEXT)
    wrapped[0] = 0xff
    for (const work of [() => manager.unwrap(wrapped, CONTEXT), () => manager.rewrap(wrapped, CONTEXT)]) {
      await expect(work()).rejects.toMatchObject({ layer: 'unwrap failure' })
    }
    server.setState(former, 'Disabled')
    await expect(manager.unwrap(wrapped, CONTEXT)).rejects.toMatchObject({ kind: 'denied' })
  })

  it.each(['ReEncrypt', 'Decrypt', 'Encrypt'])(
    'a missing permission for %s is no fault of the bytes',
    async (action) => {
      const manager = open('alias/main')
      const { wrapped } = await manager.generate(CONTEXT)
      const strange = Buffer.from(wrapped)
      strange[0] = 0xff
      server.denied = [action]
      const bytes = action === 'Encrypt' ? strange : wrapped
      const work = action === 'ReEncrypt' ? manager.rewrap(bytes, CONTEXT) : manager.unwrap(bytes, CONTEXT)
      await expect(work).rejects.toMatchObject({ kind: 'denied' })
      server.denied = []
    },
  )

  it('does not wait longer than its time', async () => {
    server.fault = 'silence'
    await expect(open('alias/main', { timeout: 100 }).generate(CONTEXT)).rejects.toMatchObject({ kind: 'unavailable' })
  })

  it('does not wait longer than its time for credentials, and without any it is unavailable', async () => {
    const none = Object.assign(new Error('profile secret-profile'), { name: 'CredentialsProviderError' })
    for (const credentials of [() => new Promise<never>(() => undefined), () => Promise.reject(none)]) {
      const kms = new KMS({ endpoint, region: 'eu-central-1', maxAttempts: 1, credentials })
      const manager = new AwsKmsKeyManager({ alias: 'main', kms, keyId: 'alias/main', timeout: 200 })
      const error: unknown = await manager.generate(CONTEXT).catch((caught: unknown) => caught)
      expect(error).toMatchObject({ kind: 'unavailable' })
      expect(String(error)).not.toContain('secret-profile')
    }
  })

  it('a name of an error that is none is not told', async () => {
    server.fault = { name: 'look at key/1234', status: 400 }
    await expect(open('alias/main').generate(CONTEXT)).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.not.stringContaining('1234') as string,
    })
  })

  it('takes other credentials from its file without a new start', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sealgate-kms-'))
    const file = join(folder, 'credentials')
    const write = (id: string): Promise<void> =>
      writeFile(file, `[default]\naws_access_key_id = ${id}\naws_secret_access_key = kms-test-secret\n`)
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', file)
    await write('AKIDFIRST')
    const settings = { type: 'aws-kms', keyId: 'alias/main', region: 'eu-central-1', endpoint, auth: 'profile' }
    // A minute later, as the SDK sees it.
    const manager = await managerOf(settings, 'main', { clock: () => Date.now() - 61_000 })
    await manager.health()
    expect(server.headers.authorization).toContain('AKIDFIRST')
    await write('AKIDSECOND')
    await manager.health()
    expect(server.headers.authorization).toContain('AKIDSECOND')
    await manager.close()
    vi.unstubAllEnvs()
    await rm(folder, { recursive: true })
  })

  it('is unavailable where nobody listens', async () => {
    const kms = new KMS({
      endpoint: 'http://127.0.0.1:1',
      region: 'eu-central-1',
      maxAttempts: 1,
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    })
    const manager = new AwsKmsKeyManager({ alias: 'main', kms, keyId: 'alias/main', timeout: 2_000 })
    await expect(manager.generate(CONTEXT)).rejects.toMatchObject({ kind: 'unavailable' })
  })
})
