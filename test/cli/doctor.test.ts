/** The doctor must be able to fail: stores and gateways that are not sound, each with the step that has to see it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Finding } from '../../src/cli/doctor/finding.ts'
import { prove } from '../../src/cli/doctor/proof.ts'
import { examineStore } from '../../src/cli/doctor/store.ts'
import { outermost, searchFolder } from '../../src/cli/doctor/search.ts'
import { S3Client } from '../../src/cli/s3-client.ts'
import { prepareData } from '../../src/cli/first-run.ts'
import { type Components, composeS3Server, openComponents } from '../../src/compose.ts'
import type { ObjectStore } from '../../src/backends/object-store.ts'
import { loadSettings } from '../../src/config/load.ts'
import type { Settings } from '../../src/config/settings.ts'
import type { StateStore } from '../../src/state/state-store.ts'

let folder = ''
let settings: Settings
let components: Components
let client: S3Client
let close: () => Promise<void>

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sealgate-test-'))
  settings = loadSettings({ env: { SEALGATE_DATA: folder }, readFile: () => '' })
  await prepareData(settings)
  components = await openComponents(settings)
  const app = composeS3Server(settings, components)
  client = new S3Client(settings, { endpoint: await app.listen({ host: '127.0.0.1', port: 0 }) })
  close = async () => {
    await client.close()
    app.server.closeAllConnections()
    await app.close()
    await components.close()
  }
})
afterEach(async () => {
  await close()
  rmSync(folder, { recursive: true, force: true })
})

/** What fails when the doctor sees these components in place of the real ones. */
async function failures(seen: Components = components, signal = new AbortController().signal): Promise<string[]> {
  const findings: Finding[] = []
  await prove({ settings, components: seen, client, tell: (finding) => findings.push(finding), signal })
  expect(findings.length).toBeGreaterThan(1)
  return findings.filter(({ state }) => state === 'failed').map(({ what }) => what)
}

/** The same object with some methods replaced. */
function changed<T extends object>(real: T, changes: Partial<T>): T {
  return new Proxy(real, {
    get: (target, name) => {
      const value: unknown = Reflect.get(changes, name) ?? Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

const withStore = (changes: Partial<ObjectStore>): Components => ({
  ...components,
  gateway: { ...components.gateway, store: changed(components.gateway.store, changes) },
})

test('a sound gateway passes, and nothing of the examination stays', async () => {
  expect(await failures()).toEqual([])
  expect(await components.gateway.store.listBuckets()).toEqual([])
})

test('plaintext at the backend is seen', async () => {
  const seen = withStore({
    get: async (bucket, key) => {
      const info = await components.gateway.store.head(bucket, key)
      if (info === undefined) throw new Error(`${key} was not written`)
      const { bytes } = await client.read({ method: 'GET', address: { bucket, key } })
      async function* body() {
        yield [bytes]
      }
      return { info, range: { first: 0, last: bytes.length - 1 }, body: body() }
    },
  })
  expect(await failures(seen)).toContain('the raw object large at the backend does not hold the text, nor its metadata')
})

test('plaintext in any file of the data folder is seen', async () => {
  mkdirSync(join(folder, 'somewhere', 'else'), { recursive: true })
  const real = client.read.bind(client)
  client.read = async (call) => {
    if (Buffer.isBuffer(call.body) && call.address?.key === 'small')
      writeFileSync(join(folder, 'somewhere', 'else', 'log'), call.body)
    return real(call)
  }
  expect(await failures()).toEqual([`no file below ${folder} holds the texts`])
})

test('a gateway that delivers changed objects is seen', async () => {
  const { store } = components.gateway
  // The flipped bit never arrives, as if nobody had looked at it.
  const seen = withStore({
    put: async (bucket, key, body, options) => {
      for await (const _ of body) continue
      return (await store.head(bucket, key)) ?? store.put(bucket, key, body, options)
    },
  })
  expect(await failures(seen)).toEqual([
    'one flipped bit in the stored body of small is refused by the gateway',
    'one flipped bit in the stored body of large is refused by the gateway',
  ])
})

test('a state store without conditional writes is seen', async () => {
  const real = components.state
  const careless: Partial<StateStore> = { put: (path, bytes) => real.put(path, bytes) }
  expect(await failures({ ...components, state: changed(real, careless) })).toEqual([
    'conditional writes are enforced in the state store',
  ])
})

test('a stop ends it between two steps, and what it wrote is removed', async () => {
  const stop = new AbortController()
  const real = client.read.bind(client)
  client.read = async (call) => {
    if (call.address?.key === 'large') stop.abort(new Error('stopped'))
    return real(call)
  }
  await expect(failures(components, stop.signal)).rejects.toThrow('stopped')
  expect(await components.gateway.store.listBuckets()).toEqual([])
})

test('the search sees texts across the borders of its blocks, and folders inside others once', () => {
  const block = 4 * 1024 * 1024
  const text = Buffer.from('a text that must not be there')
  for (const at of [0, block - 1, block - text.length, 2 * block - 2 * text.length]) {
    const bytes = Buffer.alloc(3 * block)
    text.copy(bytes, at)
    writeFileSync(join(folder, 'file'), bytes)
    expect(searchFolder(folder, [text, Buffer.from('never')]).found.get(text)).toEqual([join(folder, 'file')])
  }
  expect(outermost(['/a', '/a/b', '/ab', '/a/', '/a/..b'])).toEqual(['/a', '/ab'])
})

test.each([
  ['minio', 'the profile minio is believed'],
  ['generic', 'a CompleteMultipartUpload with If-Match or If-None-Match is answered 501'],
])('what a store of the profile %s did not tell is not called lacking', async (profile, then) => {
  const env = {
    SEALGATE_DATA: folder,
    SEALGATE_BACKEND_TYPE: 's3',
    SEALGATE_BACKEND_ENDPOINT: 'http://127.0.0.1:1',
    SEALGATE_BACKEND_PROFILE: profile,
  }
  const remote = loadSettings({ env, readFile: () => '' })
  const told = async (probeBackend: NonNullable<Components['probeBackend']>): Promise<Finding[]> => {
    const findings: Finding[] = []
    const signal = new AbortController().signal
    const seen = { ...components, probeBackend }
    await examineStore({
      components: seen,
      settings: remote,
      client,
      tell: (one) => findings.push(one),
      signal,
      bucket: 'b',
    })
    return findings
  }
  const [unknown] = await told(async () => [{ ability: 'conditionalComplete', found: 'unknown', detail: '403' }])
  expect(unknown).toMatchObject({
    what: 'the store did not tell whether it has conditionalComplete',
    detail: `403: ${then}`,
  })
  const [untried] = await told(async () => undefined)
  const believed = profile === 'generic' ? 'nothing is relied on' : 'the profile minio is believed'
  expect(untried?.detail).toContain(believed)
})
