/** The admin API of a gateway as a user runs it, in one process and in several. */
import { copyFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CreateMultipartUploadCommand, CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { childrenOf } from '../helpers/children.ts'
import { freePort, type Started, Workplace } from '../helpers/command.ts'
import { logLines } from '../helpers/command-output.ts'
import { pem, pemFile } from '../helpers/pem.ts'

const FIRST = 'first-token-of-this-test-0123456789abcdef'
const SECOND = 'second-token-of-this-test-0123456789abcdef'
const READ = 'the settings were read anew'

interface Line {
  readonly audit?: boolean
  readonly who?: string
  readonly what?: string
  readonly target?: string
  readonly result?: string
}

describe.each([1, 2])('with %i processes', (workers) => {
  const place = new Workplace({ SEALGATE_SERVER_WORKERS: String(workers), SEALGATE_BACKEND_TYPE: 'local' })
  let gateway: Started
  let admin: string

  const lines = (): Line[] => logLines(gateway.stderr())
  const audited = (): Line[] => lines().filter((line) => line.audit)
  const ask = (method: string, path: string, token: string, body?: unknown): Promise<Response> =>
    fetch(`${admin}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })

  beforeAll(async () => {
    const address = `127.0.0.1:${await freePort()}`
    admin = `http://${address}`
    writeFileSync(place.path('token'), `${FIRST}\n`)
    writeFileSync(place.path('robot'), 'robots-token-of-this-test-0123456789abcdef')
    writeFileSync(
      place.path('sealgate.yaml'),
      [
        'credentials: [{ accessKey: KEY, secretKey: quite-a-secret, allow: [{ buckets: ["*"], actions: read-write }] }]',
        `admin: { listen: "${address}", tokenFile: token, tokens: [{ name: robot, tokenFile: robot }] }`,
      ].join('\n'),
    )
    gateway = await place.serve({ SEALGATE_ADMIN_LISTEN: address })
    const s3 = new S3Client({
      endpoint: gateway.endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId: 'KEY', secretAccessKey: 'quite-a-secret' },
    })
    await s3.send(new CreateBucketCommand({ Bucket: 'bucket' }))
    await s3.send(new CreateMultipartUploadCommand({ Bucket: 'bucket', Key: 'key' }))
    s3.destroy()
  }, 120_000)
  afterAll(async () => {
    expect(await gateway.stop()).toBe(0)
    place.remove()
  }, 60_000)

  test('lets in whoever has a token, and nobody else', async () => {
    expect((await ask('GET', '/v1/keys', FIRST)).status).toBe(200)
    expect((await ask('GET', '/v1/keys', SECOND)).status).toBe(401)
    expect((await fetch(`${admin}/v1/keys`)).status).toBe(401)
    expect((await fetch(`${admin}/healthz`)).status).toBe(200)
    expect((await fetch(`${admin}/readyz`)).status).toBe(200)
  })

  test('tells the keyring and the uploads of the gateway', async () => {
    const keys = await (await ask('GET', '/v1/keys', FIRST)).json()
    expect(keys).toMatchObject({
      managers: [{ alias: 'local', type: 'local', active: true, health: 'ok', keys: { active: 1, retired: 0 } }],
      unreadable: 0,
    })
    const { uploads } = (await (await ask('GET', '/v1/uploads', FIRST)).json()) as { uploads: { id: string }[] }
    expect(uploads).toMatchObject([{ state: 'open', bucket: 'bucket', key: 'key' }])
    expect((await ask('DELETE', `/v1/uploads/${uploads[0]?.id}`, FIRST)).status).toBe(409)
    expect((await ask('GET', '/v1/openapi.json', FIRST)).status).toBe(200)
  })

  test('begins a run that the next request finds, and says who began it', async () => {
    const robot = 'robots-token-of-this-test-0123456789abcdef'
    const begun = await ask('POST', '/v1/keys/rewrap', robot, {})
    expect([begun.status, await begun.json()]).toMatchObject([202, { state: 'running', startedBy: 'token robot' }])
    const state = async (): Promise<unknown> => (await ask('GET', '/v1/keys/rewrap', FIRST)).json()
    await expect.poll(state, { timeout: 10_000 }).toMatchObject({ state: 'done', rewrapped: 1, failed: 0 })
    await expect
      .poll(() => audited().filter(({ what }) => what === 'rewrapKeyring'))
      .toMatchObject([
        { who: 'token robot', result: 'begun' },
        { who: 'token robot', result: 'done' },
      ])
  }, 20_000)

  test('takes a token that was exchanged, and no longer the old one', async () => {
    const before = gateway.stderr().split(READ).length
    writeFileSync(place.path('token'), SECOND)
    await expect.poll(() => gateway.stderr().split(READ).length, { timeout: 20_000 }).toBe(before + 1)
    expect((await ask('GET', '/v1/keys', SECOND)).status).toBe(200)
    expect((await ask('GET', '/v1/keys', FIRST)).status).toBe(401)
  }, 30_000)

  test.runIf(workers > 1)(
    'answers by another worker when one has died',
    async () => {
      const [first = 0] = childrenOf(gateway.process.pid ?? 0)
      process.kill(first, 'SIGKILL')
      await expect.poll(async () => (await ask('GET', '/v1/keys', SECOND)).status, { timeout: 10_000 }).toBe(200)
    },
    20_000,
  )

  test('never writes a token', async () => {
    expect(audited().length).toBeGreaterThan(3)
    expect(audited()).toContainEqual(
      expect.objectContaining({ who: 'nobody', what: 'authenticate', target: 'GET /v1/keys', result: 'refused' }),
    )
    for (const token of [FIRST, SECOND, 'robots-token']) expect(gateway.stderr()).not.toContain(token)
  })
})

test('with certificates it lets in whoever has one by the authority, and health needs none', async () => {
  const port = await freePort()
  const place = new Workplace({ SEALGATE_ADMIN_LISTEN: `127.0.0.1:${port}` })
  for (const name of ['cert', 'key']) copyFileSync(pemFile(name), place.path(`${name}.pem`))
  copyFileSync(pemFile('authority-cert', 'admin-tls'), place.path('ca.pem'))
  writeFileSync(
    place.path('sealgate.yaml'),
    'admin: { tls: { certFile: cert.pem, keyFile: key.pem, clientCaFile: ca.pem } }',
  )
  const gateway = await place.serve()
  const status = (path: string, name?: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const own =
        name === undefined ? {} : { cert: pem(`${name}-cert`, 'admin-tls'), key: pem(`${name}-key`, 'admin-tls') }
      const to = {
        host: '127.0.0.1',
        port,
        path,
        ca: pem('cert'),
        servername: 'localhost',
        agent: false as const,
      }
      request({ ...to, ...own }, (answer) => resolve(answer.resume().statusCode ?? 0))
        .on('error', reject)
        .end()
    })
  expect(await status('/v1/keys', 'alice')).toBe(200)
  expect(await status('/v1/keys', 'mallory')).toBe(401)
  expect(await status('/v1/keys')).toBe(401)
  expect(await status('/readyz')).toBe(200)
  copyFileSync(pemFile('other-authority-cert', 'admin-tls'), place.path('ca.pem'))
  await expect.poll(() => gateway.stderr(), { timeout: 20_000 }).toContain('the certificates of the admin listener')
  expect([await status('/v1/keys', 'alice'), await status('/v1/keys', 'mallory')]).toEqual([401, 200])
  // An authority that is none would let in everybody whom a public one has certified.
  writeFileSync(place.path('ca.pem'), '')
  await expect.poll(() => gateway.stderr(), { timeout: 20_000 }).toContain('holds no certificate of an authority')
  expect([await status('/v1/keys', 'alice'), await status('/v1/keys', 'mallory')]).toEqual([401, 200])
  expect(await gateway.stop()).toBe(0)
  place.remove()
}, 120_000)

test('without any of it the API is off, and a token beyond loopback needs TLS', async () => {
  const port = await freePort()
  const place = new Workplace({ SEALGATE_ADMIN_LISTEN: `127.0.0.1:${port}` })
  const gateway = await place.serve()
  const answer = await fetch(`http://127.0.0.1:${port}/v1/keys`, { headers: { authorization: `Bearer ${FIRST}` } })
  expect(answer.status).toBe(403)
  expect(await answer.text()).toContain('admin.tokenFile')
  expect(await gateway.stop()).toBe(0)
  const { code, stderr } = await place.run(['serve'], {
    SEALGATE_ADMIN_LISTEN: `0.0.0.0:${port}`,
    SEALGATE_ADMIN_TOKEN: FIRST,
  })
  expect([code, stderr.includes('set admin.tls, or listen on 127.0.0.1'), stderr.includes(FIRST)]).toEqual([
    2,
    true,
    false,
  ])
  place.remove()
}, 60_000)
