/** `keys rewrap --deep`, `re-encrypt` and `encrypt-bucket` as a user runs them, over the embedded store, as docs/keys.md and docs/operations.md tell them. */
import { readFileSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HeldBody } from '../../src/backends/body.ts'
import type { S3Client } from '../../src/cli/s3-client.ts'
import { type Ran, Workplace } from '../helpers/command.ts'
import { done, jsonLines } from '../helpers/command-output.ts'
import { through, withStore } from '../helpers/embedded.ts'
import { readStored } from '../helpers/tamper.ts'

let place: Workplace
beforeEach(() => {
  place = new Workplace()
})
afterEach(() => place.remove())

/** Processes take long to start on a busy machine. */
const PATIENCE = { timeout: 120_000 }

const KEYS = ['a', 'b', 'c']

const put = (client: S3Client, bucket: string, key = ''): Promise<unknown> => {
  const body = Buffer.from(key === '' ? '' : `contents of s3://${bucket}/${key}`)
  return client.read({ method: 'PUT', address: { bucket, key }, body })
}

const fill = (bucket = 'files'): Promise<void> =>
  through(place, async (client) => {
    await put(client, bucket)
    for (const key of KEYS) await put(client, bucket, key)
  })

/** Its report, and what it says behind that. */
async function job(...args: string[]): Promise<Record<string, unknown>[]> {
  const events = jsonLines(await done(place.run(args)))
  return events.slice(events.findIndex(({ event }) => event === 'end'))
}

const bodies = (bucket: string) =>
  withStore(place, async (store) => {
    const found = await Promise.all(KEYS.map((key) => readStored(store, bucket, key)))
    return found.map(({ bytes }) => bytes.toString('base64'))
  })

const readAll = (bucket: string): Promise<string[]> =>
  through(place, (client) =>
    Promise.all(
      KEYS.map(async (key) => (await client.read({ method: 'GET', address: { bucket, key } })).bytes.toString()),
    ),
  )

const contents = (bucket: string): string[] => KEYS.map((key) => `contents of s3://${bucket}/${key}`)

describe('sealgate keys rewrap --deep', PATIENCE, () => {
  const dropOldMaster = (): void => {
    const path = place.path('sealgate-data/master-keys.json')
    const file = JSON.parse(readFileSync(path, 'utf8')) as { active: string; keys: { id: string }[] }
    writeFileSync(path, JSON.stringify({ ...file, keys: file.keys.filter(({ id }) => id === file.active) }))
  }
  /** With the master key of now alone, without the keyring. */
  const decrypted = async (key: string, name: string): Promise<Ran> => {
    await done(place.run(['inspect', `s3://files/${key}`, '--export', name]))
    return place.run(['decrypt', name])
  }

  test('after a rotation each object and the new master key are enough', async () => {
    await fill()
    await done(place.run(['keys', 'generate', '--activate']))
    await done(place.run(['keys', 'rewrap']))
    const stored = await bodies('files')
    expect(await job('keys', 'rewrap', '--deep', '--dry-run')).toMatchObject([{ done: 3, bytes: 0, dryRun: true }])
    expect(await job('keys', 'rewrap', '--deep', '--prefix', 'a')).toMatchObject([{ done: 1, bytes: 0 }])
    dropOldMaster()
    expect((await decrypted('a', 'deep')).stdout).toBe('contents of s3://files/a')
    expect((await decrypted('b', 'shallow')).code).toBe(4)
    expect(await job('keys', 'rewrap', '--deep')).toMatchObject([
      { job: 'rewrap-deep', done: 2, unchanged: 1, reasons: { 'its envelope is up to date': 1 } },
    ])
    expect(await bodies('files')).toEqual(stored)
    expect((await decrypted('b', 'deep-too')).stdout).toBe('contents of s3://files/b')
    expect(await readAll('files')).toEqual(contents('files'))
  })

  test('options that choose among objects are refused without it', async () => {
    for (const option of [['--bucket', 'files'], ['--beside-locked']]) {
      const { code, stderr } = await place.run(['keys', 'rewrap', ...option])
      expect([code, stderr]).toEqual([2, expect.stringContaining(`${option[0]} is about objects`)])
    }
  })

  test('a key manager that is not there is refused', async () => {
    await fill()
    const { code, stderr } = await place.run(['keys', 'rewrap', '--deep', '--to', 'nobody'])
    expect([code, stderr]).toEqual([2, expect.stringContaining('there is no key manager "nobody"')])
  })
})

describe('sealgate re-encrypt', PATIENCE, () => {
  test('rewrites every object beside the running gateway, once', async () => {
    await fill()
    const before = new Date().toISOString()
    const stored = await bodies('files')
    expect(await job('re-encrypt', '--bucket', 'files', '--dry-run')).toMatchObject([{ done: 3, bytes: 72 }])
    expect(await bodies('files')).toEqual(stored)
    await through(place, async () => {
      expect(await job('re-encrypt', '--bucket', 'files')).toMatchObject([{ job: 're-encrypt', done: 3, bytes: 72 }])
    })
    const now = await bodies('files')
    for (const [i, bytes] of now.entries()) expect(bytes).not.toBe(stored[i])
    expect(await readAll('files')).toEqual(contents('files'))
    expect(await job('re-encrypt', '--before', before)).toMatchObject([{ done: 0, unchanged: 3 }])
  })

  test('refuses a time that is none', async () => {
    const { code, stderr } = await place.run(['re-encrypt', '--before', 'yesterday'])
    expect([code, stderr]).toEqual([2, expect.stringContaining('--before yesterday: write a day or a time')])
  })
})

describe('sealgate encrypt-bucket', PATIENCE, () => {
  const declare = (contentsOf: 'mixed' | 'sealed'): void =>
    writeFileSync(place.path('sealgate.yaml'), JSON.stringify({ buckets: [{ match: 'media', contents: contentsOf }] }))
  const plant = () =>
    withStore(place, async (store) => {
      for (const key of KEYS) {
        const body = new HeldBody([Buffer.from(`contents of s3://media/${key}`)])
        await store.put('media', key, body, { metadata: {}, commit: async () => ({}) })
      }
    })
  const plain = () =>
    withStore(place, async (store) => (await store.head('media', 'a'))?.metadata['sg-e'] === undefined)

  test('seals what lies in plaintext where contents are declared mixed, and says what the settings may say then', async () => {
    await fill('media')
    await plant()
    const refused = await place.run(['encrypt-bucket', 'media'])
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('`contents: mixed`')])
    expect(await plain()).toBe(true)
    declare('mixed')
    expect(await job('encrypt-bucket', 'media', '--dry-run')).toMatchObject([{ done: 3 }])
    expect(await plain()).toBe(true)
    const [report, advice] = await job('encrypt-bucket', 'media')
    expect(report).toMatchObject({ job: 'encrypt-bucket', done: 3, failed: 0 })
    expect(advice).toEqual({ event: 'advice', bucket: 'media', sealedSince: report?.['begun'], nothingLeft: true })
    expect(await plain()).toBe(false)
    declare('sealed')
    expect(await readAll('media')).toEqual(contents('media'))
  })

  test('never says that nothing is left where its plaintext stays as an earlier version', async () => {
    await fill('media')
    await withStore(place, (store) => store.updateBucket('media', { versioning: 'Enabled' }))
    await plant()
    declare('mixed')
    const [report, advice] = await job('encrypt-bucket', 'media')
    expect([report, advice]).toMatchObject([{ done: 3 }, { event: 'advice', nothingLeft: false }])
  })

  test('or into another bucket, beside what was sealed already', async () => {
    await fill('media')
    await plant()
    declare('mixed')
    await through(place, async (client) => {
      await put(client, 'media', 'sealed')
      await put(client, 'private')
    })
    for (const target of ['nowhere', 'media']) {
      const { code, stderr } = await place.run(['encrypt-bucket', 'media', '--into', target])
      expect([code, stderr]).toEqual([2, expect.stringContaining(`--into ${target}`)])
    }
    expect(await job('encrypt-bucket', 'media', '--into', 'private')).toMatchObject([{ done: 4, failed: 0 }])
    expect(await plain()).toBe(true)
    expect(await readAll('private')).toEqual(contents('media'))
    expect(await job('encrypt-bucket', 'media', '--into', 'private')).toMatchObject([{ done: 0, unchanged: 4 }])
  })
})
