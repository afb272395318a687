/** Settings that change while the gateway runs, in one process and in several. */
import { copyFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import { CreateBucketCommand, ListObjectsV2Command, ListBucketsCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { childrenOf } from '../helpers/children.ts'
import { type Started, Workplace } from '../helpers/command.ts'
import { logLines } from '../helpers/command-output.ts'
import { pem, pemFile } from '../helpers/pem.ts'

const CA = ['cert', 'other-cert'].map((name) => pem(name))
const READ = 'the settings were read anew'
const KEPT = 'the settings were not read anew: the old ones stay'

/** A line of the log. */
interface Line extends Record<string, unknown> {
  readonly msg: string
  readonly changed?: readonly string[]
  readonly settings?: readonly string[]
  readonly why?: string | readonly string[]
}

describe.each([1, 2])('with %i processes', (workers) => {
  const place = new Workplace({ SEALGATE_SERVER_WORKERS: String(workers), SEALGATE_BACKEND_TYPE: 'local' })
  let gateway: Started

  const write = (text: string): void => {
    writeFileSync(place.path('next.yaml'), text)
    renameSync(place.path('next.yaml'), place.path('sealgate.yaml'))
  }
  const settings = (keys: readonly string[], more = ''): string =>
    [
      'server: { tls: { certFile: cert.pem, keyFile: key.pem } }',
      'credentials:',
      ...keys.map(
        (key) => `  - { accessKey: ${key}, secretKeyFile: secret, allow: [{ buckets: ["*"], actions: read-write }] }`,
      ),
      more,
    ].join('\n')

  beforeAll(async () => {
    copyFileSync(pemFile('cert'), place.path('cert.pem'))
    copyFileSync(pemFile('key'), place.path('key.pem'))
    writeFileSync(place.path('secret'), 'first-secret')
    write(settings(['FIRST']))
    gateway = await place.serve()
  }, 60_000)
  afterAll(async () => {
    expect(await gateway.stop()).toBe(0)
    place.remove()
  }, 60_000)

  const lines = (): Line[] => logLines(gateway.stderr()) as Line[]
  const said = (msg: string): Line[] => lines().filter((line) => line.msg === msg)

  /** Does something, and waits for what the log says of it. */
  async function after(what: () => void, msg: string): Promise<Line> {
    const before = said(msg).length
    what()
    await expect.poll(() => said(msg).length, { timeout: 20_000 }).toBeGreaterThan(before)
    // Of two files that were written together one may be seen later than the other.
    await sleep(1_500)
    return said(msg)[before]!
  }
  const hangUp = (): void => void gateway.process.kill('SIGHUP')

  /** What a credential is answered, over as many new connections: every process is among those that take them. */
  async function answers(accessKeyId: string, secretAccessKey = 'first-secret'): Promise<string[]> {
    const names: string[] = []
    for (let times = 0; times < 4 * workers; times += 1) {
      const s3 = new S3Client({
        endpoint: gateway.endpoint,
        region: 'us-east-1',
        forcePathStyle: true,
        credentials: { accessKeyId, secretAccessKey },
        maxAttempts: 1,
        requestHandler: { httpsAgent: new Agent({ ca: CA, keepAlive: false }) },
      })
      names.push(
        await s3.send(new ListBucketsCommand({})).then(
          () => 'yes',
          ({ name }: Error) => name,
        ),
      )
      s3.destroy()
    }
    return [...new Set(names)]
  }

  test('SIGHUP: a new credential works, and one that is gone is refused', async () => {
    expect([await answers('FIRST'), await answers('SECOND')]).toEqual([['yes'], ['InvalidAccessKeyId']])
    // Before anybody has looked at the file.
    const line = await after(() => {
      write(settings(['SECOND']))
      hangUp()
    }, READ)
    expect(line).toMatchObject({ changed: ['credentials'], why: 'SIGHUP' })
    expect([await answers('SECOND'), await answers('FIRST')]).toEqual([['yes'], ['InvalidAccessKeyId']])
  }, 60_000)

  test('a file that has changed is read without being told to, also one that holds a secret', async () => {
    await after(() => write(settings(['SECOND', 'THIRD'])), READ)
    expect(await answers('THIRD')).toEqual(['yes'])
    const line = await after(() => writeFileSync(place.path('secret'), 'other-secret\n'), READ)
    expect(line).toMatchObject({ changed: ['credentials'], why: 'a file has changed' })
    expect(await answers('THIRD', 'other-secret')).toEqual(['yes'])
    expect(await answers('THIRD')).toEqual(['SignatureDoesNotMatch'])
    await after(() => writeFileSync(place.path('secret'), 'first-secret'), READ)
  }, 60_000)

  test('new connections get the new certificate, and open ones stay', async () => {
    const open = await secure()
    const [first, second] = CA.map(bytesOf)
    expect(certificateOf(open)).toBe(first)
    const line = await after(() => {
      copyFileSync(pemFile('other-cert'), place.path('cert.pem'))
      copyFileSync(pemFile('other-key'), place.path('key.pem'))
    }, READ)
    expect(line.changed).toEqual(['the certificate'])
    for (let times = 0; times < 4 * workers; times += 1) {
      const socket = await secure()
      expect(certificateOf(socket)).toBe(second)
      socket.destroy()
    }
    open.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
    const [answer] = await once(open)
    expect(answer).toContain('HTTP/1.1 403')
    open.destroy()
  }, 60_000)

  test('what is wrong changes nothing, and is said', async () => {
    const text = settings(['FOURTH'], 'limits: { connections: none }\nnothing: 1')
    const line = await after(() => write(text), KEPT)
    expect(JSON.stringify(line.why)).toMatch(/limits\.connections.*nothing/)
    expect([await answers('SECOND'), await answers('FOURTH')]).toEqual([['yes'], ['InvalidAccessKeyId']])
    await after(() => write('server: { tls: { certFile: cert.pem, keyFile: gone.pem } }'), KEPT)
    const { why } = await after(() => {
      copyFileSync(pemFile('key'), place.path('key.pem'))
      write(settings(['SECOND']))
    }, KEPT)
    expect(JSON.stringify(why)).toContain('is not that of the certificate')
    expect(gateway.stderr()).not.toContain('PRIVATE KEY')
    expect(await answers('SECOND')).toEqual(['yes'])
    await after(() => {
      copyFileSync(pemFile('other-key'), place.path('key.pem'))
      write(settings(['SECOND', 'FOURTH']))
    }, READ)
    expect(await answers('FOURTH')).toEqual(['yes'])
  }, 60_000)

  test('rules of buckets, the level of the log and limits take effect; what cannot is named', async () => {
    const more = [
      'buckets: [{ match: open, public: list }]',
      'log: { level: debug }',
      'limits: { gatherBytes: 20MiB }',
      'keys: { bucketKey: { lifetime: 2h } }',
      'uploads: { abandonedAfter: 1d }',
    ].join('\n')
    const line = await after(
      () => write(settings(['SECOND'], more)),
      'these settings have changed and wait for a restart',
    )
    expect(line.settings).toEqual(['uploads.abandonedAfter', 'keys.bucketKey.lifetime'])
    expect(said(READ).at(-1)?.changed).toEqual(['buckets', 'credentials', 'limits', 'log.level'])
    const s3 = new S3Client({
      endpoint: gateway.endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId: 'SECOND', secretAccessKey: 'first-secret' },
      requestHandler: { httpsAgent: new Agent({ ca: CA }) },
    })
    await s3.send(new CreateBucketCommand({ Bucket: 'open' }))
    s3.destroy()
    const socket = await secure()
    socket.write('GET /open HTTP/1.1\r\nhost: x\r\n\r\n')
    const [answer] = await once(socket)
    expect(answer).toContain('HTTP/1.1 200')
    socket.destroy()
    await expect.poll(() => said('request').length, { timeout: 5_000 }).toBeGreaterThan(0)
  }, 60_000)

  test('a file that appears in the folder of buckets is read, and one that goes is forgotten', async () => {
    mkdirSync(place.path('buckets.d'))
    await after(() => write(settings(['SECOND'], 'bucketsFolder: buckets.d')), READ)
    const file = place.path('buckets.d/tenant.yaml')
    const allowing = (operations: string): void => writeFileSync(file, `match: open\noperations: [${operations}]\n`)
    const line = await after(() => allowing('PutObject'), READ)
    expect(line.changed).toEqual(['buckets'])
    expect(await lists('open')).toBe('AccessDenied')
    await after(() => allowing('List*'), READ)
    expect(await lists('open')).toBe('yes')
    const { why } = await after(() => allowing('Fetch'), KEPT)
    expect(JSON.stringify(why)).toContain('there is no S3 operation')
    await after(() => rmSync(file), READ)
    expect(await lists('open')).toBe('yes')
  }, 60_000)

  async function lists(Bucket: string): Promise<string> {
    const s3 = new S3Client({
      endpoint: gateway.endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId: 'SECOND', secretAccessKey: 'first-secret' },
      requestHandler: { httpsAgent: new Agent({ ca: CA }) },
    })
    try {
      await s3.send(new ListObjectsV2Command({ Bucket }))
      return 'yes'
    } catch (error) {
      return error instanceof Error ? error.name : 'failed'
    } finally {
      s3.destroy()
    }
  }

  test.runIf(workers > 1)(
    'a process that is replaced begins with what is in effect, whatever the files say',
    async () => {
      await after(() => write('nonsense: ['), KEPT)
      const [first = 0] = childrenOf(gateway.process.pid ?? 0)
      await after(() => process.kill(first, 'SIGKILL'), 'a worker ended; starting another')
      const running = (): number[] => childrenOf(gateway.process.pid ?? 0).filter((pid) => pid !== first)
      await expect.poll(() => running().length, { timeout: 10_000 }).toBe(2)
      // One that cannot begin would have ended by now.
      await sleep(4_000)
      expect([running().length, said('a worker ended; starting another').length]).toEqual([2, 1])
      expect(await answers('SECOND')).toEqual(['yes'])
    },
    60_000,
  )

  async function secure(): Promise<TLSSocket> {
    const { port } = new URL(gateway.endpoint)
    const socket = connect({ port: Number(port), host: '127.0.0.1', ca: CA })
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
    return socket
  }
})

const once = (socket: TLSSocket): Promise<string[]> =>
  new Promise((resolve) => socket.once('data', (bytes: Buffer) => resolve([bytes.toString()])))
const certificateOf = (socket: TLSSocket): string => socket.getPeerCertificate().raw.toString('base64')
const bytesOf = (pem: string): string => pem.replace(/-----[A-Z ]+-----|\s/g, '')

test('a file that is a link into a folder which is exchanged, as Kubernetes mounts them, is read anew', async () => {
  const place = new Workplace()
  const version = (name: string, level: string): void => {
    mkdirSync(place.path(name))
    writeFileSync(place.path(`${name}/sealgate.yaml`), `log: { level: ${level} }`)
    symlinkSync(name, place.path('..next'))
    renameSync(place.path('..next'), place.path('..data'))
  }
  version('..one', 'info')
  symlinkSync('..data/sealgate.yaml', place.path('sealgate.yaml'))
  const gateway = await place.serve()
  version('..two', 'debug')
  rmSync(place.path('..one'), { recursive: true })
  await expect.poll(() => gateway.stderr(), { timeout: 15_000 }).toContain('"changed":["log.level"]')
  version('..three', 'info')
  await expect.poll(() => gateway.stderr().split(READ).length, { timeout: 15_000 }).toBe(3)
  await gateway.stop()
  place.remove()
}, 60_000)
