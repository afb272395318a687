import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { awsProvider, type ProvidedCredentials, StoreCredentials } from '../../../src/backends/s3/credentials.ts'
import { Denied, Unavailable } from '../../../src/errors.ts'

const MINUTE = 60_000
let now = 0
let fetches = 0
let fetch: () => Promise<ProvidedCredentials>
let checked: string[] = []

const lasting = (name: string, minutes?: number): ProvidedCredentials => ({
  accessKeyId: name,
  secretAccessKey: `${name}-secret`,
  ...(minutes === undefined ? {} : { sessionToken: `${name}-token`, expiration: new Date(now + minutes * MINUTE) }),
})

function open(check: (found: ProvidedCredentials) => void = () => undefined): StoreCredentials {
  now = 1_700_000_000_000
  fetches = 0
  checked = []
  return new StoreCredentials({
    provider: async () => {
      fetches += 1
      return fetch()
    },
    check: (found) => {
      checked.push(found.accessKeyId)
      check(found)
    },
    now: () => now,
  })
}

const idle = () => new Promise((resolve) => setImmediate(resolve))

test('credentials without an end are fetched once, however many ask at once', async () => {
  const credentials = open()
  fetch = async () => lasting('one')
  const all = await Promise.all(Array.from({ length: 50 }, () => credentials.get()))
  expect(new Set(all.map(({ accessKey }) => accessKey))).toEqual(new Set(['one']))
  now += 1e12
  expect(await credentials.get()).toEqual({ accessKey: 'one', secret: 'one-secret' })
  expect(fetches).toBe(1)
})

test('are renewed ahead of their end while nobody waits', async () => {
  const credentials = open()
  fetch = async () => lasting('old', 60)
  expect(await credentials.get()).toEqual({ accessKey: 'old', secret: 'old-secret', sessionToken: 'old-token' })
  now += 54 * MINUTE
  await credentials.get()
  expect(fetches).toBe(1)
  let finish: ((renewed: ProvidedCredentials) => void) | undefined
  fetch = () => new Promise((resolve) => (finish = resolve))
  now += 2 * MINUTE
  const served = await Promise.all(Array.from({ length: 20 }, () => credentials.get()))
  expect([served.every(({ accessKey }) => accessKey === 'old'), fetches]).toEqual([true, 2])
  finish?.(lasting('new', 60))
  await idle()
  expect((await credentials.get()).accessKey).toBe('new')
  expect(checked).toEqual(['old', 'new'])
})

test('a renewal that fails, or brings nothing newer, keeps the old ones while they are good and is tried again in a while', async () => {
  for (const fails of [true, false]) {
    const credentials = open()
    const old = lasting('old', 4)
    fetch = async () => old
    await credentials.get()
    if (fails) fetch = async () => Promise.reject(new Error('no network'))
    now += MINUTE
    for (let at = 0; at < 5; at += 1) {
      expect((await credentials.get()).accessKey).toBe('old')
      await idle()
    }
    expect(fetches).toBe(2)
    now += 11_000
    await credentials.get()
    await idle()
    expect(fetches).toBe(3)
  }
})

test('after their end there is no answer without new ones', async () => {
  const credentials = open()
  fetch = async () => lasting('old', 10)
  await credentials.get()
  now += 10 * MINUTE
  fetch = async () => Promise.reject(new Error('no network'))
  await expect(credentials.get()).rejects.toThrow(Unavailable)
  fetch = async () => lasting('new', 10)
  expect((await credentials.get()).accessKey).toBe('new')
})

test('what is forgotten is fetched anew, unless it was replaced meanwhile', async () => {
  const credentials = open()
  const names = ['one', 'two', 'three']
  fetch = async () => lasting(names.shift() ?? 'end', 60)
  const one = await credentials.get()
  credentials.forget(one)
  const two = await credentials.get()
  credentials.forget(one)
  credentials.forget(undefined)
  credentials.forget({ accessKey: two.accessKey, secret: two.secret, sessionToken: 'another' })
  expect((await credentials.get()).accessKey).toBe('two')
  credentials.forget(two)
  expect((await credentials.get()).accessKey).toBe('three')
})

test('those that may not be used are refused, and never kept', async () => {
  const credentials = open(({ accessKeyId }) => {
    if (accessKeyId === 'own') throw new Denied('these are for our clients')
  })
  fetch = async () => lasting('own')
  await expect(credentials.get()).rejects.toThrow(Denied)
  await expect(credentials.get()).rejects.toThrow(Denied)
  fetch = async () => lasting('other')
  expect((await credentials.get()).accessKey).toBe('other')
})

describe('the sources of the AWS SDK', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sealgate-credentials-'))
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE']) {
      vi.stubEnv(name, undefined)
    }
    vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'config'))
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'credentials'))
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
  })
  afterEach(() => {
    vi.unstubAllEnvs()
    rmSync(folder, { recursive: true })
  })
  const write = (profile: string, key: string): void =>
    writeFileSync(
      join(folder, 'credentials'),
      `[${profile}]\naws_access_key_id = ${key}\naws_secret_access_key = s-${key}\n`,
    )

  test.each(['profile', 'default'] as const)('%s reads a file that was rotated anew', async (source) => {
    const provider = awsProvider(source, 'mine')
    write('mine', 'FIRST')
    expect(await provider()).toMatchObject({ accessKeyId: 'FIRST', secretAccessKey: 's-FIRST' })
    write('mine', 'SECOND')
    expect(await provider()).toMatchObject({ accessKeyId: 'SECOND' })
  })

  test('environment', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'ENV')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
    expect(await awsProvider('environment', undefined)()).toMatchObject({ accessKeyId: 'ENV' })
  })

  test('none is an outage', async () => {
    const credentials = new StoreCredentials({
      provider: awsProvider('default', undefined),
      check: () => undefined,
      now: () => Date.now(),
    })
    await expect(credentials.get()).rejects.toThrow(Unavailable)
  })
})
