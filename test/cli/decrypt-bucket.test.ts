/** `sealgate decrypt-bucket` as a user runs it: the way out, over the embedded store. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { LocalStore } from '../../src/backends/local.ts'
import type { S3Client } from '../../src/cli/s3-client.ts'
import { md5 } from '../../src/format/hash.ts'
import { type Ran, Workplace } from '../helpers/command.ts'
import { jsonLines } from '../helpers/command-output.ts'
import { through, withStore } from '../helpers/embedded.ts'
import { flip, once, readStored, writeStored } from '../helpers/tamper.ts'

let place: Workplace
beforeEach(() => {
  place = new Workplace()
})
afterEach(() => place.remove())

const PATIENCE = { timeout: 120_000 }
const bucket = 'files'
const customerKey = Buffer.alloc(32, 7)

interface Line {
  readonly key: string
  readonly path: string
  readonly bytes: number
  readonly headers: Readonly<Record<string, string>>
  readonly versionId?: string
  readonly latest?: boolean
}

const put = (client: S3Client, key: string, body: string, headers: Record<string, string> = {}): Promise<unknown> =>
  client.read({ method: 'PUT', address: { bucket, key }, body: Buffer.from(body), headers })

async function plant(store: LocalStore, key: string, text: string): Promise<void> {
  const bytes = Buffer.from(text)
  await store.put(bucket, key, once(bytes), { length: bytes.length, metadata: {}, commit: async () => ({}) })
}

const decrypt = (...args: string[]): Promise<Ran> => place.run(['decrypt-bucket', bucket, '--out', 'plain', ...args])
const eventsOf = ({ stdout }: Ran): Record<string, unknown>[] => jsonLines(stdout)
const index = (name = 'index.jsonl'): Line[] =>
  jsonLines(readFileSync(place.path(`plain/${name}`), 'utf8')) as unknown as Line[]
const contentsOf = ({ path }: Pick<Line, 'path'>): string => readFileSync(place.path(`plain/${path}`), 'utf8')

describe('sealgate decrypt-bucket', PATIENCE, () => {
  test('writes each object under its key, and what it is into the index; nothing leaves the folder', async () => {
    // Clients take a way up out of an address themselves; whoever writes to the store does not.
    const plain = ['../../escaped', 'x/../y', '/etc/passwd']
    const keys = ['a', 'a/b', 'a/', 'A', `${'long'.repeat(70)}/z`, 'bad\nname\\', ...plain]
    writeFileSync(place.path('sealgate.yaml'), JSON.stringify({ buckets: [{ match: bucket, contents: 'mixed' }] }))
    await through(place, async (client) => {
      await put(client, '', '')
      for (const key of keys.filter((one) => !plain.includes(one))) await put(client, key, `contents of ${key}`)
      await put(client, 'empty', '', { 'content-type': 'text/plain', 'x-amz-meta-owner': 'Ann' })
      await put(client, 'large', 'x'.repeat(12 * 1024 * 1024))
    })
    await withStore(place, async (store) => {
      for (const key of plain) await plant(store, key, `contents of ${key}`)
    })
    expect(eventsOf(await decrypt('--dry-run')).at(-1)).toMatchObject({ done: keys.length + 2, dryRun: true })
    expect(existsSync(place.path('plain'))).toBe(false)
    const ran = await decrypt()
    expect([ran.code, ran.stderr]).toEqual([0, ''])
    expect(eventsOf(ran).at(-1)).toMatchObject({ job: 'decrypt-bucket', done: keys.length + 2, failed: 0 })
    const lines = index()
    expect(lines.map(({ key }) => key).sort()).toEqual([...keys, 'empty', 'large'].sort())
    expect(new Set(lines.map(({ path }) => path)).size).toBe(lines.length)
    for (const line of lines.filter(({ key }) => keys.includes(key)))
      expect(contentsOf(line)).toBe(`contents of ${line.key}`)
    const paths = new Map(lines.map(({ key, path }) => [key, path]))
    expect([paths.get('A'), paths.get('../../escaped')]).toEqual(['objects/A', 'objects/%2e%2e/%2e%2e/escaped'])
    for (const key of [`${'long'.repeat(70)}/z`]) expect(paths.get(key)).toMatch(/^unnamed\/[0-9a-f]{64}$/)
    // A name cannot be a file and a folder: whoever comes second has none.
    expect([paths.get('a'), paths.get('a/b')].filter((path) => path?.startsWith('unnamed/'))).toHaveLength(1)
    const empty = lines.find(({ key }) => key === 'empty')
    expect(empty).toMatchObject({ bytes: 0, headers: { 'content-type': 'text/plain', 'x-amz-meta-owner': 'Ann' } })
    expect(contentsOf({ path: 'objects/large' })).toBe('x'.repeat(12 * 1024 * 1024))
    expect(readdirSync(place.path('plain')).sort()).toEqual([
      'decrypted-bucket.json',
      'index.jsonl',
      'objects',
      'unnamed',
    ])
    expect(statSync(place.path('plain')).mode & 0o077).toBe(0)
    expect(readdirSync(place.folder).sort()).toEqual(['plain', 'sealgate-data', 'sealgate.yaml'])
  })

  test('what is damaged, planted or under a key of its client is not written, and is told', async () => {
    const headers = {
      'x-amz-server-side-encryption-customer-algorithm': 'AES256',
      'x-amz-server-side-encryption-customer-key': customerKey.toString('base64'),
      'x-amz-server-side-encryption-customer-key-md5': md5(customerKey).toString('base64'),
    }
    writeFileSync(place.path('sealgate.yaml'), JSON.stringify({ server: { customerKeysOverHttp: true } }))
    await through(place, async (client) => {
      await put(client, '', '')
      await put(client, 'good', 'contents')
      await put(client, 'damaged', 'y'.repeat(200_000))
      await put(client, 'customers', 'contents', headers)
    })
    await withStore(place, async (store) => {
      const before = await readStored(store, bucket, 'damaged')
      await writeStored(store, bucket, 'damaged', { ...before, bytes: flip(before.bytes, 150_000) })
      await plant(store, 'planted', 'x')
    })
    const ran = await decrypt()
    expect(ran.code).toBe(4)
    expect(eventsOf(ran).at(-1)).toMatchObject({ done: 1, damaged: 2, untouchable: 1 })
    expect(index().map(({ key }) => key)).toEqual(['good'])
    expect(readdirSync(place.path('plain/objects'))).toEqual(['good'])
    expect(readdirSync(place.path('plain/partial'))).toEqual([])
    const failed = eventsOf(ran).filter(({ event }) => event === 'failed')
    expect(failed.map(({ key, layer }) => `${String(key)}: ${String(layer)}`).sort()).toEqual([
      'damaged: payload failure',
      'planted: envelope failure',
    ])
  })

  test('refuses a folder that has something else in it, or another bucket', async () => {
    await through(place, async (client) => {
      await put(client, '', '')
      await client.read({ method: 'PUT', address: { bucket: 'others', key: '' }, body: Buffer.alloc(0) })
      await put(client, 'a', 'contents')
    })
    mkdirSync(place.path('full'))
    writeFileSync(place.path('full/letter'), 'mine')
    const full = await place.run(['decrypt-bucket', bucket, '--out', 'full'])
    expect([full.code, full.stderr]).toEqual([2, expect.stringContaining('has something else in it')])
    expect(readdirSync(place.path('full'))).toEqual(['letter'])
    const missing = await place.run(['decrypt-bucket', 'nowhere', '--out', 'plain'])
    expect([missing.code, existsSync(place.path('plain'))]).toEqual([2, false])
    expect((await decrypt()).code).toBe(0)
    const other = await place.run(['decrypt-bucket', 'others', '--out', 'plain'])
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('has the objects of the bucket "files"')])
  })

  test('one that was killed is gone on with, and a broken line of the index is dropped', async () => {
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}`)
    await through(place, async (client) => {
      await put(client, '', '')
      for (const key of keys) await put(client, key, `contents of ${key}`)
    })
    const running = place.begin(['decrypt-bucket', bucket, '--out', 'plain', '--objects-per-second', '8'])
    while (!running.stdout().includes('"begin"')) await sleep(20)
    await sleep(2_500)
    running.process.kill('SIGKILL')
    await running.ended
    const before = index().length
    expect(before).toBeGreaterThan(0)
    expect(before).toBeLessThan(keys.length)
    writeFileSync(place.path('plain/index.jsonl'), '{"key":"k0","pa', { flag: 'a' })
    writeFileSync(place.path('plain/partial/left'), 'half')
    const second = await decrypt()
    expect([second.code, second.stderr]).toEqual([0, ''])
    expect(eventsOf(second).find(({ event }) => event === 'begin')).toMatchObject({ resumed: true })
    expect(existsSync(place.path('plain/partial'))).toBe(false)
    expect([...new Set(index().map(({ key }) => key))].sort()).toEqual([...keys].sort())
    for (const line of index()) expect(contentsOf(line)).toBe(`contents of ${line.key}`)
    // What is in a folder is known by the folder: another one begins at the beginning.
    const elsewhere = await place.run(['decrypt-bucket', bucket, '--out', 'elsewhere'])
    expect(eventsOf(elsewhere).at(-1)).toMatchObject({ done: keys.length, resumed: false })
  })

  test('shards fill one folder, each with an index of its own', async () => {
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`)
    await through(place, async (client) => {
      await put(client, '', '')
      for (const key of keys) await put(client, key, `contents of ${key}`)
    })
    const ran = await Promise.all(['0/2', '1/2'].map((shard) => decrypt('--shard', shard)))
    expect(ran.map(({ code, stderr }) => [code, stderr])).toEqual([
      [0, ''],
      [0, ''],
    ])
    const lines = ['index-0-of-2.jsonl', 'index-1-of-2.jsonl'].flatMap((name) => index(name))
    expect(lines.map(({ key }) => key).sort()).toEqual([...keys].sort())
  })

  test('earlier versions lie beside, where they are asked for', async () => {
    await through(place, async (client) => {
      await put(client, '', '')
      const body = Buffer.from('<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>')
      await client.read({ method: 'PUT', address: { bucket, key: '' }, query: { versioning: '' }, body })
      for (const text of ['one', 'two', 'three']) await put(client, 'a', text)
    })
    expect((await decrypt('--all-versions')).code).toBe(0)
    const found = index().map((line) => `${contentsOf(line)} ${line.latest ?? true} ${line.path.split('/')[0]}`)
    expect(found.sort()).toEqual(['one false unnamed', 'three true objects', 'two false unnamed'])
  })
})
