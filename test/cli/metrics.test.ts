/** Metrics of two processes behind one listener: through a reload, a bad one, and the end of a worker. */
import { X509Certificate } from 'node:crypto'
import { copyFileSync, renameSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:https'
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { childrenOf } from '../helpers/children.ts'
import { freePort, type Started, Workplace } from '../helpers/command.ts'
import { valueOf } from '../helpers/metrics.ts'
import { pem, pemFile } from '../helpers/pem.ts'

const place = new Workplace({ SEALGATE_SERVER_WORKERS: '2', SEALGATE_BACKEND_TYPE: 'local' })
let gateway: Started
let admin: string
let s3: S3Client

function write(more: string): void {
  const text = [
    'server: { tls: { certFile: cert.pem, keyFile: key.pem } }',
    'credentials:',
    '  - { accessKey: FIRST, secretKey: first-secret, allow: [{ buckets: ["*"], actions: read-write }] }',
    more,
  ]
  writeFileSync(place.path('next.yaml'), text.join('\n'))
  renameSync(place.path('next.yaml'), place.path('sealgate.yaml'))
}

async function lines(accept = 'text/plain'): Promise<string[]> {
  const answer = await fetch(`http://${admin}/metrics`, { headers: { accept } })
  expect(answer.headers.get('content-type')).toContain(accept)
  return (await answer.text()).split('\n')
}
const value = async (name: string): Promise<number | undefined> => valueOf(await lines(), name)
const put = async (Bucket: string, times: number): Promise<void> => {
  for (let i = 0; i < times; i += 1) await s3.send(new PutObjectCommand({ Bucket, Key: `k${i}`, Body: 'x' }))
}
const puts = (bucket: string): string =>
  `sealgate_requests_total{operation="PutObject",bucket="${bucket}",status="200",code="none"}`

beforeAll(async () => {
  admin = `127.0.0.1:${await freePort()}`
  copyFileSync(pemFile('cert'), place.path('cert.pem'))
  copyFileSync(pemFile('key'), place.path('key.pem'))
  write('buckets: [{ match: named }, { match: "many-*" }]')
  gateway = await place.serve({ SEALGATE_ADMIN_LISTEN: admin })
  s3 = new S3Client({
    endpoint: gateway.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'FIRST', secretAccessKey: 'first-secret' },
    // A connection for each request: both workers get some.
    requestHandler: { httpsAgent: new Agent({ ca: pem('cert'), keepAlive: false }) },
  })
  for (const Bucket of ['named', 'many-1', 'later']) await s3.send(new CreateBucketCommand({ Bucket }))
}, 60_000)
afterAll(async () => {
  s3.destroy()
  expect(await gateway.stop()).toBe(0)
  place.remove()
}, 60_000)

test('requests of both workers are one sum, by name where the settings name the bucket', async () => {
  await put('named', 6)
  await put('many-1', 2)
  const found = await lines('application/openmetrics-text')
  expect(valueOf(found, puts('named'))).toBe(6)
  expect(valueOf(found, puts('other'))).toBe(2)
  expect(valueOf(found, 'sealgate_workers{state="answered"}')).toBe(2)
  expect(found.filter((line) => line.startsWith('sealgate_build_info{'))).toHaveLength(1)
  expect(valueOf(found, 'process_resident_memory_bytes')).toBeGreaterThan(50e6)
  const end = Date.parse(new X509Certificate(pem('cert')).validTo) / 1_000
  expect(valueOf(found, 'sealgate_expiry_timestamp_seconds{what="certificate",name="s3"}')).toBe(end)
})

test('a reload names further buckets; one that is refused is told until the next that is not', async () => {
  write('buckets: [{ match: named }, { match: later }]')
  await expect.poll(() => value('sealgate_config_reloads_total{outcome="applied"}'), { timeout: 20_000 }).toBe(1)
  await put('later', 2)
  expect(await value(puts('later'))).toBe(2)
  expect(await value('sealgate_config_last_reload_successful')).toBe(1)
  write('bucket: []')
  await expect.poll(() => value('sealgate_config_last_reload_successful'), { timeout: 20_000 }).toBe(0)
  write('buckets: [{ match: named }, { match: later }]')
  await expect.poll(() => value('sealgate_config_last_reload_successful'), { timeout: 20_000 }).toBe(1)
}, 60_000)

test('what a worker had counted that was killed stays counted', async () => {
  const before = await value(puts('named'))
  const [worker] = childrenOf(gateway.process.pid!)
  process.kill(worker!, 'SIGKILL')
  await expect.poll(() => value('sealgate_workers{state="answered"}'), { timeout: 20_000 }).toBe(1)
  expect(await value(puts('named'))).toBe(before)
  await expect.poll(() => value('sealgate_workers{state="answered"}'), { timeout: 20_000 }).toBe(2)
  await put('named', 4)
  expect(await value(puts('named'))).toBe(before! + 4)
}, 60_000)

test('of a thousand scrapes at once those that find a connection are answered alike, while requests are served', async () => {
  const scrapes = Promise.allSettled(
    Array.from({ length: 1_000 }, async () => valueOf(await lines(), 'sealgate_workers{state="answered"}')),
  )
  await put('named', 2)
  const answered = (await scrapes).flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  // The listener has room for 512 connections, and one of an earlier request may be among them.
  expect(answered.length).toBeGreaterThanOrEqual(500)
  expect(new Set(answered)).toEqual(new Set([2]))
  expect(await value('sealgate_workers{state="answered"}')).toBe(2)
}, 60_000)
