/** From settings to a store: whom it trusts, what it shows of itself, through which proxy it goes, and whose credentials it takes. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { rootCertificates } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { openS3Store } from '../../src/compose/s3-store.ts'
import type { S3StoreSettings } from '../../src/config/store-settings.ts'
import { Denied, Invalid, Unavailable } from '../../src/errors.ts'
import { type AlarmEvent, alarm } from '../../src/telemetry/channels.ts'
import { type ConnectProxy, startConnectProxy } from '../helpers/connect-proxy.ts'
import { ACCESS_KEY, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { pem, pemFile } from '../helpers/pem.ts'
import { answer, ScriptedServer } from '../helpers/scripted-server.ts'
import { storeSettings } from '../helpers/store-settings.ts'

const CERT = pemFile('cert')
const KEY = pemFile('key')

let folder = ''
let alarms: AlarmEvent[] = []
let unsubscribe = (): void => undefined
const opened: { close: () => Promise<void> }[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sealgate-s3-store-'))
  alarms = []
  unsubscribe = alarm.subscribe((event) => alarms.push(event))
})
afterEach(async () => {
  unsubscribe()
  for (const store of opened.splice(0)) await store.close()
  rmSync(folder, { recursive: true })
  vi.unstubAllEnvs()
})

function open(more: Partial<S3StoreSettings> & { readonly endpoint: string }, ownCredentials?: string) {
  const store = openS3Store(storeSettings(more), {
    role: 'backend',
    ownCredentials,
    clock: () => Date.now(),
    random: (bytes) => randomBytes(bytes),
  })
  opened.push(store)
  return store
}

test('every request names the owner of the bucket where the settings do, but those that have none yet', async () => {
  const server = await ScriptedServer.start()
  try {
    server.otherwise(answer(200, { headers: { etag: '"e"' } }))
    const store = open({ endpoint: server.endpoint, bucketOwner: '123456789012' })
    await store.head('b', 'k')
    await store.delete('b', 'k', { attributes: { 'x-amz-expected-bucket-owner': '000000000000' } })
    await store
      .copy({ bucket: 'b', key: 'k' }, { bucket: 'b', key: 'l' }, { sourceIfMatch: 'e', size: 1, metadata: {} })
      .catch(() => undefined)
    await store.createBucket('b')
    await store.listBuckets().catch(() => undefined)
    const owners = server.requests.map(({ headers }) => [
      headers['x-amz-expected-bucket-owner'],
      headers['x-amz-source-expected-bucket-owner'],
    ])
    const owner = '123456789012'
    const none = [undefined, undefined]
    expect(owners).toEqual([[owner, undefined], [owner, undefined], [owner, owner], none, none])
  } finally {
    await server.close()
  }
})

describe('towards a store that speaks TLS', () => {
  let server: Server
  let endpoint = ''
  /** Whether each request came with a certificate that the store trusts. */
  const known: boolean[] = []

  beforeAll(async () => {
    const [cert, key] = [pem('cert'), pem('key')]
    server = createServer({ cert, key, ca: cert, requestCert: true, rejectUnauthorized: false }, (req, res) => {
      known.push((req.socket as TLSSocket).authorized)
      res.end('<ListAllMyBucketsResult/>')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    endpoint = `https://localhost:${(server.address() as AddressInfo).port}`
  })
  beforeEach(() => known.splice(0))
  afterAll(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  test('an authority of the settings is trusted', async () => {
    expect(await open({ endpoint, tls: { caFile: CERT, insecure: false } }).listBuckets()).toEqual([])
    expect([known, alarms]).toEqual([[false], []])
  })

  test('one that is not known is not, nor is another one', async () => {
    await expect(open({ endpoint }).listBuckets()).rejects.toThrow(Unavailable)
    const caFile = join(folder, 'other.pem')
    writeFileSync(caFile, rootCertificates[0] ?? '')
    await expect(open({ endpoint, tls: { caFile, insecure: false } }).listBuckets()).rejects.toThrow(Unavailable)
    expect(known).toEqual([])
  })

  test('nor is a certificate for another name', async () => {
    const { port } = server.address() as AddressInfo
    const other = `https://127.0.0.2:${port}`
    await expect(open({ endpoint: other, tls: { caFile: CERT, insecure: false } }).listBuckets()).rejects.toThrow(
      Unavailable,
    )
  })

  test('anything is accepted where the settings say so, said aloud', async () => {
    expect(await open({ endpoint, tls: { insecure: true } }).listBuckets()).toEqual([])
    expect(alarms).toMatchObject([{ what: expect.stringContaining('NOT VERIFIED'), detail: { endpoint } }])
  })

  test('a certificate of ours is shown', async () => {
    const tls = { caFile: CERT, certFile: CERT, keyFile: KEY, insecure: false }
    await open({ endpoint, tls }).listBuckets()
    expect(known).toEqual([true])
  })

  test('all the same through a proxy, which sees none of it', async () => {
    const proxy = await startConnectProxy((server.address() as AddressInfo).port)
    try {
      const tls = { caFile: CERT, certFile: CERT, keyFile: KEY, insecure: false }
      const store = open({ endpoint, tls, proxy: proxy.url })
      await store.listBuckets()
      expect([proxy.asked, known]).toEqual([[new URL(endpoint).host], [true]])
      await expect(open({ endpoint, proxy: proxy.url }).listBuckets()).rejects.toThrow(Unavailable)
    } finally {
      await proxy.close()
    }
  })

  test.each([['caFile'], ['certFile'], ['keyFile']])('a %s that cannot be read is told by its setting', (name) => {
    const tls = { insecure: false, [name]: join(folder, 'missing.pem') }
    expect(() => open({ endpoint, tls })).toThrow(Invalid)
    expect(() => open({ endpoint, tls })).toThrow(`backend.tls.${name}`)
  })
})

describe('through a proxy', () => {
  let gateway: TestGateway
  let proxy: ConnectProxy
  beforeAll(async () => {
    gateway = await startGateway({ domains: ['s3.example'] })
    await gateway.store.createBucket('hosted')
    proxy = await startConnectProxy(gateway.port)
  })
  beforeEach(() => {
    proxy.answer = 'open'
    proxy.asked.length = 0
    proxy.authorised.length = 0
  })
  afterAll(async () => {
    await proxy.close()
    await gateway.close()
  })

  test('a bucket in the host name is found and signed for that host', async () => {
    const store = open({ endpoint: 'http://s3.example', pathStyle: false, proxy: proxy.url })
    expect((await store.listBuckets()).map(({ name }) => name)).toEqual(['hosted'])
    expect(await store.headBucket('hosted')).toMatchObject({ name: 'hosted' })
    expect(await store.head('hosted', 'a/b c')).toBeUndefined()
    expect(new Set(proxy.asked)).toEqual(new Set(['s3.example:80', 'hosted.s3.example:80']))
  })

  test('that wants to know us', async () => {
    const store = open({ endpoint: 'http://s3.example', proxy: proxy.url.replace('://', '://me:p%40ss@') })
    await store.listBuckets()
    expect(proxy.authorised).toEqual([`Basic ${Buffer.from('me:p@ss').toString('base64')}`])
  })

  test.each(['refuse', 'hang'] as const)('that does not let us (%s) there is an outage, and soon', async (answer) => {
    proxy.answer = answer
    const started = Date.now()
    await expect(open({ endpoint: 'http://s3.example', proxy: proxy.url }).listBuckets()).rejects.toThrow(Unavailable)
    expect(Date.now() - started).toBeLessThan(5_000)
  })

  test('that is not there', async () => {
    const store = open({ endpoint: 'http://s3.example', proxy: 'http://127.0.0.1:1' })
    await expect(store.listBuckets()).rejects.toThrow(Unavailable)
  })
})

describe('credentials', () => {
  const file = (key: string): string => {
    const path = join(folder, `${key}.ini`)
    const entry = `aws_access_key_id = ${key}\naws_secret_access_key = secret-of-${key}\n`
    writeFileSync(path, `[sealgate]\n${entry}[default]\n${entry}`)
    return path
  }
  beforeEach(() => {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE']) vi.stubEnv(name, undefined)
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
  })
  const without = { endpoint: 'http://127.0.0.1:1', accessKeyId: undefined, secretAccessKey: undefined }

  test("of our own clients are not taken for the store's", async () => {
    const own = file('OWN')
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', own)
    await expect(open(without, own).listBuckets()).rejects.toThrow(Denied)
    await expect(open(without, own).listBuckets()).rejects.toThrow(own)
  })

  test('of somebody else are, whatever file of ours there is', async () => {
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', file('THEIRS'))
    for (const own of [file('OWN'), join(folder, 'missing'), undefined]) {
      await expect(open(without, own).listBuckets()).rejects.toThrow(Unavailable)
    }
  })

  test('of the settings are taken as they are', async () => {
    const own = file(ACCESS_KEY)
    await expect(open({ endpoint: 'http://127.0.0.1:1' }, own).listBuckets()).rejects.toThrow(Unavailable)
  })
})
