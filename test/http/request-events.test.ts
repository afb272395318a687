/** What the end of a request tells of it. */
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { redactTarget } from '../../src/http/client-facts.ts'
import { requestDone, type RequestEvent, storeCall, type StoreCallEvent } from '../../src/telemetry/channels.ts'
import { ACCESS_KEY, startGateway, type TestGateway } from '../helpers/gateway.ts'

const body = Buffer.alloc(100_000, 'x')
let gateway: TestGateway
const events: RequestEvent[] = []
const calls: StoreCallEvent[] = []
const stops = [
  requestDone.subscribe((event) => void events.push(event)),
  storeCall.subscribe((event) => void calls.push(event)),
]
beforeAll(async () => {
  gateway = await startGateway()
  await gateway.store.createBucket('one')
})
afterAll(async () => {
  for (const stop of stops) stop()
  await gateway.close()
})
beforeEach(() => {
  events.length = 0
  calls.length = 0
})

const Bucket = 'one'
const Key = 'k'

async function told(): Promise<RequestEvent> {
  await expect.poll(() => events.length).toBe(1)
  return events[0]!
}

describe('the end of a request', () => {
  test('of a write tells bytes of client and store, and the key', async () => {
    await gateway.client().send(new PutObjectCommand({ Bucket, Key, Body: body }))
    const event = await told()
    expect(event).toMatchObject({
      operation: 'PutObject',
      bucket: Bucket,
      key: Key,
      accessKey: ACCESS_KEY,
      auth: 'AuthHeader',
      status: 200,
      objectBytes: body.length,
      meter: {
        receivedBytes: body.length,
        sentBytes: 0,
        storeReadBytes: 0,
        storeCalls: 2,
        key: { manager: 'main', kid: expect.stringMatching(/^[0-9a-f]{32}$/) },
      },
    })
    const { meter, at, milliseconds, firstByteMilliseconds = 0 } = event
    expect(meter.storeWrittenBytes).toBeGreaterThan(body.length)
    expect(meter.cipherMilliseconds).toBeGreaterThan(0)
    expect(meter.storeMilliseconds + meter.cipherMilliseconds).toBeLessThanOrEqual(milliseconds)
    expect(firstByteMilliseconds).toBeGreaterThan(0)
    expect(Math.abs(Date.now() - at)).toBeLessThan(60_000)
    expect(calls).toMatchObject([
      { store: 'backend', call: 'headBucket', outcome: 'ok' },
      { store: 'backend', call: 'put', outcome: 'ok' },
    ])
    for (const call of calls) expect(call.meter).toBe(meter)
  })

  test('of a range tells what was sent, and the bytes of the whole object', async () => {
    await (
      await gateway.client().send(new GetObjectCommand({ Bucket, Key, Range: 'bytes=1-10' }))
    ).Body?.transformToByteArray()
    const { meter, objectBytes, status } = await told()
    expect([status, objectBytes, meter.sentBytes, meter.receivedBytes]).toEqual([206, body.length, 10, 0])
    expect(meter.storeReadBytes).toBeGreaterThan(10)
  })

  test('of a HEAD has sent nothing', async () => {
    await gateway.client().send(new HeadObjectCommand({ Bucket, Key }))
    const { meter, objectBytes } = await told()
    expect([objectBytes, meter.sentBytes]).toEqual([body.length, 0])
  })

  test('what a store refuses is told as refused, and the document is counted', async () => {
    await expect(gateway.client().send(new GetObjectCommand({ Bucket, Key: 'missing' }))).rejects.toThrow()
    const { status, code, meter } = await told()
    expect([status, code]).toEqual([404, 'NoSuchKey'])
    expect(meter.sentBytes).toBeGreaterThan(100)
    expect(calls.map(({ outcome }) => outcome)).toEqual(['refused'])
  })

  test('tells who asked, and nothing by which a signed URL could be used', async () => {
    const url = await getSignedUrl(gateway.client(), new GetObjectCommand({ Bucket, Key }))
    await (await fetch(url, { headers: { 'user-agent': 'a tool', referer: 'https://from' } })).arrayBuffer()
    const event = await told()
    const { address, target, host, userAgent, referer, httpVersion, tls } = event.client()
    expect({ address, host, userAgent, referer, httpVersion, tls }).toEqual({
      address: '127.0.0.1',
      host: `${gateway.host}:${gateway.port}`,
      userAgent: 'a tool',
      referer: 'https://from',
      httpVersion: '1.1',
      tls: undefined,
    })
    expect(event.auth).toBe('QueryString')
    expect(target).toContain('/one/k?')
    expect(target).toContain('X-Amz-Signature=REDACTED')
    expect(target).not.toContain(new URL(url).searchParams.get('X-Amz-Signature'))
  })
})

test.each([
  ['/b/k', '/b/k'],
  ['/b/k?x-id=GetObject', '/b/k?x-id=GetObject'],
  ['/b/k?X-Amz-Signature=abc&a=1', '/b/k?X-Amz-Signature=REDACTED&a=1'],
  ['/b/k?%58-Amz-Signature=abc', '/b/k?%58-Amz-Signature=REDACTED'],
  ['/b/k?AWSAccessKeyId=me&Signature=abc%3D', '/b/k?AWSAccessKeyId=me&Signature=REDACTED'],
  ['/b/k?x-amz-security-token=t', '/b/k?x-amz-security-token=REDACTED'],
  ['/b/k?%zz=1&', '/b/k?%zz=1&'],
])('%s is written down as %s', (target, written) => {
  expect(redactTarget(target)).toBe(written)
})
