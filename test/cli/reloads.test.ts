/** Settings that change while many requests run: none of them may notice. */
import { renameSync, writeFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { signRequest } from '../../src/s3/auth/sign.ts'
import { Workplace } from '../helpers/command.ts'
import { logLines } from '../helpers/command-output.ts'
import { minted } from '../helpers/outputs.ts'

const REQUESTS = 10_000
const RELOADS = 100
const AT_ONCE = 8
const SECRET = minted('the secret of reloads', 'secret-of-all-reloads')

test('of 10,000 requests across 100 reloads of two processes none fails', async () => {
  const place = new Workplace({ SEALGATE_SERVER_WORKERS: '2' })
  const write = (round: number): void => {
    const allow = [{ buckets: ['*'], actions: 'read-write' }]
    const credentials = ['STAYS', `CHANGES${round}`].map((accessKey) => ({ accessKey, secretKey: SECRET, allow }))
    const limits = { connections: 1_000 + round }
    const buckets = [{ match: `other-${round}`, public: 'read' }]
    writeFileSync(place.path('next.yaml'), JSON.stringify({ credentials, limits, buckets }))
    renameSync(place.path('next.yaml'), place.path('sealgate.yaml'))
  }
  write(0)
  const gateway = await place.serve()
  const read = (): number =>
    logLines(gateway.stderr()).filter(({ msg }) => msg === 'the settings were read anew').length
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
  const url = `${gateway.endpoint}/one/k`
  const statuses = new Map<number | string, number>()
  const once = (accessKey: string): Promise<void> =>
    new Promise((resolve) => {
      const end = (status: number | string): void => {
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        resolve()
      }
      const credentials = { accessKey, secret: SECRET }
      const signed = { method: 'GET', url, headers: {}, credentials, region: 'us-east-1', now: new Date() }
      const headers = signRequest({ ...signed, payloadHash: 'UNSIGNED-PAYLOAD' })
      get(url, { agent, headers }, (res) => {
        res.resume().on('end', () => end(res.statusCode ?? 0))
      }).on('error', ({ message }) => end(message))
    })
  try {
    const s3 = new S3Client({
      endpoint: gateway.endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId: 'STAYS', secretAccessKey: SECRET },
    })
    await s3.send(new CreateBucketCommand({ Bucket: 'one' }))
    await s3.send(new PutObjectCommand({ Bucket: 'one', Key: 'k', Body: 'body' }))
    s3.destroy()
    let sent = 0
    const reloading = new AbortController()
    const reader = async (): Promise<void> => {
      while (!reloading.signal.aborted || sent < REQUESTS) {
        sent += 1
        await once('STAYS')
      }
    }
    const readers = Array.from({ length: AT_ONCE }, reader)
    for (let round = 1; round <= RELOADS; round += 1) {
      const before = read()
      write(round)
      gateway.process.kill('SIGHUP')
      await expect.poll(read, { timeout: 20_000, interval: 20 }).toBeGreaterThan(before)
      // The log says so when every process has heard.
      await Promise.all(Array.from({ length: 4 }, () => once(`CHANGES${round}`)))
    }
    reloading.abort()
    await Promise.all(readers)
    expect([...statuses.keys()]).toEqual([200])
    expect(sent).toBeGreaterThanOrEqual(REQUESTS)
  } finally {
    agent.destroy()
    await gateway.stop()
    place.remove()
  }
}, 180_000)
