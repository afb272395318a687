/** The audit log of a gateway: who, what, which key, and what waits for it. */
import {
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type AuditLogOptions, writeAuditLog } from '../../src/telemetry/audit-log.ts'
import { audit, linesLost, type LostLinesEvent, passage, requestDone } from '../../src/telemetry/channels.ts'
import { AuditFolder, FullableDisk } from '../helpers/audit-chain.ts'
import { ACCESS_KEY, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { AT, requestEvent } from '../helpers/request-event.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startGateway()
  await gateway.store.createBucket('one')
})
afterAll(() => gateway.close())

let folder: AuditFolder
let disk: FullableDisk
let end: () => Promise<void>
beforeEach(() => {
  folder = new AuditFolder()
  disk = new FullableDisk()
  end = async () => undefined
})
afterEach(async () => {
  await end()
  folder.remove()
})

async function begin(options: Partial<AuditLogOptions> = {}): Promise<void> {
  const stop = await writeAuditLog({
    folder: folder.path,
    chain: 'host-0',
    policy: 'block',
    reads: true,
    rotateAt: 1024 * 1024,
    sinks: [],
    buffer: 1024 * 1024,
    clock: () => AT,
    open: disk.open,
    ...options,
  })
  let ended: Promise<void> | undefined
  end = () => (ended ??= stop())
}

const told = (): Record<string, unknown>[] => folder.lines().filter(({ kind }) => kind === 'request')

const Bucket = 'one'
const Key = 'a key'
const put = (Body = 'hello') => gateway.client().send(new PutObjectCommand({ Bucket, Key, Body }))
const get = async (key = Key): Promise<string | undefined> => {
  const { Body } = await gateway.client().send(new GetObjectCommand({ Bucket, Key: key }))
  return Body?.transformToString()
}

describe('with the policy block', () => {
  test('who, what, which key and with what result is in the file before the answer', async () => {
    await begin()
    await put()
    expect(told()).toEqual([
      {
        n: 2,
        prev: expect.stringMatching(/^[0-9a-f]{64}$/),
        at: expect.stringMatching(/^20\d\d-.*Z$/),
        kind: 'request',
        requestId: expect.stringMatching(/^[0-9A-F]{16}$/),
        who: ACCESS_KEY,
        auth: 'AuthHeader',
        peer: '127.0.0.1',
        what: 'PutObject',
        bucket: Bucket,
        key: Key,
        sealedWith: { manager: 'main', kid: expect.stringMatching(/^[0-9a-f]{32}$/) },
        result: 'done',
        status: 200,
        objectBytes: 5,
        receivedBytes: 5,
        userAgent: expect.stringContaining('aws-sdk-js'),
      },
    ])
    await get()
    await gateway.client().send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/a%20key` }))
    await get('none').catch(() => undefined)
    await get('none').catch(() => undefined)
    await gateway.client().send(new DeleteObjectCommand({ Bucket, Key: 'copy' }))
    expect(told().map(({ what, result, status, code }) => [what, result, status, code])).toEqual([
      ['PutObject', 'done', 200, undefined],
      ['GetObject', 'done', 200, undefined],
      ['CopyObject', 'done', 200, undefined],
      ['GetObject', 'refused', 404, 'NoSuchKey'],
      ['GetObject', 'refused', 404, 'NoSuchKey'],
      ['DeleteObject', 'done', 204, undefined],
    ])
    expect(told()[1]).toMatchObject({ sealedWith: { manager: 'main' }, objectBytes: 5 })
  })

  test('many requests at once share writes, and each finds its line', async () => {
    await begin()
    await put()
    await Promise.all(Array.from({ length: 40 }, () => get()))
    expect(told()).toHaveLength(41)
  })

  test('a request whose line has no room fails with 503, and later ones before anything is done', async () => {
    await begin()
    await put('first')
    disk.full = true
    await expect(get()).rejects.toMatchObject({ name: 'ServiceUnavailable', $metadata: { httpStatusCode: 503 } })
    await expect(put('second')).rejects.toMatchObject({ name: 'ServiceUnavailable' })
    disk.full = false
    // It is tried every second.
    await expect.poll(() => get().catch(() => 'not yet'), { timeout: 5_000 }).toBe('first')
    expect(folder.lines().find(({ kind }) => kind === 'gap')).toMatchObject({ lost: expect.any(Number) })
  })

  test('reads are left out where they are not wanted, but not those that are refused', async () => {
    await begin({ reads: false })
    await put()
    await get()
    await get('none').catch(() => undefined)
    expect(told().map(({ what, status }) => [what, status])).toEqual([
      ['PutObject', 200],
      ['GetObject', 404],
    ])
  })

  test('an answer that broke off after its line has a second line', async () => {
    await begin()
    const event = requestEvent({ operation: 'GetObject' })
    const holds: Promise<void>[] = []
    passage.publish({ request: event, holdFor: (work) => void holds.push(work) })
    await Promise.all(holds)
    requestDone.publish({ ...event, disconnected: true })
    await end()
    expect(told().map(({ result }) => result)).toEqual(['done', 'broken-off'])
  })

  test('changes by administrators are in it, and wait for it', async () => {
    await begin()
    const holds: Promise<void>[] = []
    const event = { who: 'token ops', peer: '::1', what: 'rewrapKeys', target: 'main', result: 'begun' } as const
    audit.publish({ ...event, detail: { total: 3 }, holdFor: (work) => void holds.push(work) })
    expect(holds).toHaveLength(1)
    await Promise.all(holds)
    expect(folder.lines().at(-1)).toMatchObject({
      kind: 'admin',
      ...event,
      detail: { total: 3 },
      at: '2019-02-06T00:00:38.123Z',
    })
  })
})

describe('with the policy drop', () => {
  test('no request waits or fails when the disk is full, and what is lost is counted', async () => {
    const lost: LostLinesEvent[] = []
    const stop = linesLost.subscribe((event) => void lost.push(event))
    await begin({ policy: 'drop' })
    disk.full = true
    await put()
    expect(await get()).toBe('hello')
    await new Promise((resolve) => setTimeout(resolve, 150))
    expect(await get()).toBe('hello')
    await end()
    stop()
    expect(lost).toEqual([{ log: 'audit', sink: 'file', lines: 3 }])
  })

  test('what was sent is told too', async () => {
    await begin({ policy: 'drop' })
    await put()
    await get()
    await end()
    expect(told()[1]).toMatchObject({ what: 'GetObject', sentBytes: 5 })
  })
})

test('what a client wrote splits no line, and is bounded', async () => {
  await begin({ policy: 'drop' })
  const hostile = '\r\n{"n":1}\u001b[2J\u009b\u2028é'
  const client = { userAgent: hostile.repeat(100_000) }
  requestDone.publish(requestEvent({ key: hostile, bucket: hostile.repeat(100_000), accessKey: hostile, client }))
  await end()
  expect(told()).toHaveLength(1)
  expect(told()[0]).toMatchObject({ key: hostile, who: hostile })
  for (const line of folder.texts()) {
    expect(line).toMatch(/^[\x20-\x7e]+$/)
    expect(line.length).toBeLessThan(20_000)
  }
})

test('an upload and its parts are told with their key', async () => {
  await begin()
  await gateway.client().send(new CreateMultipartUploadCommand({ Bucket, Key }))
  expect(told()).toMatchObject([{ what: 'CreateMultipartUpload', result: 'done' }])
})
