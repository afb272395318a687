/** Stores whose bodies break off, stall, say too much or change under the reader: never a wrong byte, never a torn object taken for whole, and memory stays bounded. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { LocalStore } from '../../src/backends/local.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import type { Body } from '../../src/backends/body.ts'
import type { GetResult, ObjectStore } from '../../src/backends/object-store.ts'
import { Unavailable } from '../../src/errors.ts'
import { alarm, type AlarmEvent, requestDone, type RequestEvent } from '../../src/telemetry/channels.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { head, RawConnection } from '../helpers/raw-connection.ts'
import { codeOf, send, type SignedAnswer, signedHeaders } from '../helpers/signed-request.ts'

const MIB = 1024 * 1024
const CHUNK = 65_536

/** What becomes of the next body that the store gives. */
let changed: ((body: Body) => Body) | undefined
let stalled: (() => Promise<void>) | undefined
/** How many bodies were opened and not yet left. */
let open = 0

function playing(inner: ObjectStore): ObjectStore {
  const methods: Partial<ObjectStore> = {
    get: async (bucket, key, options): Promise<GetResult> => {
      const result = await inner.get(bucket, key, options)
      const change = changed ?? ((body: Body) => body)
      return { ...result, body: counted(change(result.body)) }
    },
    put: async (bucket, key, body, options) => {
      await stalled?.()
      return inner.put(bucket, key, body, options)
    },
  }
  return new Proxy(inner, {
    get(target, name) {
      const value: unknown = Reflect.get(methods, name) ?? Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

async function* counted(body: Body): Body {
  open += 1
  try {
    yield* body
  } finally {
    open -= 1
  }
}

/** Breaks off after `bytes`, silently or with an error. */
const cut = (bytes: number, error?: Error) =>
  async function* (body: Body): Body {
    let left = bytes
    for await (const batch of body) {
      for (const piece of batch) {
        if (left > 0) yield [piece.subarray(0, left)]
        left -= piece.length
        if (left > 0) continue
        if (error !== undefined) throw error
        return
      }
    }
  }
async function* tooMuch(body: Body): Body {
  yield* body
  yield [Buffer.alloc(100, 0x41)]
}
async function* crumbs(body: Body): Body {
  for await (const batch of body)
    for (const piece of batch)
      for (let at = 0; at < piece.length; at += 9_973) yield [Buffer.alloc(0), piece.subarray(at, at + 9_973)]
}

let running: TestGateway
let events: RequestEvent[] = []
const alarms: AlarmEvent[] = []
const stops = [
  requestDone.subscribe((event) => void events.push(event)),
  alarm.subscribe((event) => void alarms.push(event)),
]
const plain = { small: randomBytes(1_000), chunks: randomBytes(3 * CHUNK + 500), large: randomBytes(6 * MIB) }

const call = (
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: Buffer,
): Promise<SignedAnswer> => send(running, { method, path, headers, ...(body === undefined ? {} : { body }) })

beforeAll(async () => {
  running = await startGateway({
    store: playing(new MemoryStore()),
    rules: (bucket) => ({ namespace: bucket, copy: 'rekey' }),
    server: { idleTimeout: 1_000 },
  })
  await call('PUT', '/streams', {}, Buffer.alloc(0))
  for (const [key, body] of Object.entries(plain)) await call('PUT', `/streams/${key}`, {}, body)
})
afterAll(async () => {
  for (const stop of stops) stop()
  await running.close()
})

/** An error before any byte, or a torn, correct and strictly shorter beginning. */
function expectTorn(answer: SignedAnswer, expected: Buffer, status: number): void {
  if (answer.status >= 400) {
    expect(answer.status).toBe(status)
    return
  }
  expect(answer.torn).toBe(true)
  expect(answer.bytes.length).toBeLessThan(expected.length)
  expect(answer.bytes.equals(expected.subarray(0, answer.bytes.length))).toBe(true)
}

describe.each(['small', 'chunks', 'large'] as const)('a read of %s', (key) => {
  const path = `/streams/${key}`
  const ranges: [string, Record<string, string>, Buffer][] = [
    ['whole', {}, plain[key]],
    ['by a range', { range: 'bytes=10-900' }, plain[key].subarray(10, 901)],
    ['to its end', { range: 'bytes=-700' }, plain[key].subarray(-700)],
  ]
  test.each(ranges)('whose body ends early is torn or refused: %s', async (_what, headers, expected) => {
    const stored = 64 + plain[key].length
    for (const bytes of [1, 63, 64, 100, CHUNK, CHUNK + 16 + 64, Math.floor(stored / 2), stored - 1]) {
      for (const error of [undefined, new Unavailable('the store broke off')]) {
        events = []
        let reached = false
        changed = async function* (body) {
          const seen = { bytes: 0 }
          for await (const batch of cut(bytes, error)(body)) {
            for (const piece of batch) seen.bytes += piece.length
            yield batch
          }
          reached = seen.bytes === bytes
        }
        const answer = await call('GET', path, headers)
        const whole = !answer.torn && answer.status < 300
        // A range that lies before the break is whole; nothing else may be.
        if (whole)
          expect([reached && headers.range === undefined, answer.bytes.equals(expected)]).toEqual([false, true])
        else expectTorn(answer, expected, error === undefined ? 500 : 503)
        await expect.poll(() => events.length).toBe(1)
        if (!whole)
          expect(events[0]).toMatchObject({
            disconnected: false,
            cause: { name: error === undefined ? 'Integrity' : 'Unavailable' },
          })
      }
    }
    changed = undefined
    await expect.poll(() => open).toBe(0)
  })

  test.each(ranges)('whose body says too much is never longer than promised: %s', async (_what, headers, expected) => {
    changed = tooMuch
    const answer = await call('GET', path, headers)
    changed = undefined
    if (headers.range === undefined) expectTorn(answer, expected, 500)
    else expect(answer.bytes.equals(expected)).toBe(true)
  })

  test.each(ranges)('whose body comes in crumbs is the same: %s', async (_what, headers, expected) => {
    changed = crumbs
    const answer = await call('GET', path, headers)
    changed = undefined
    expect([answer.status < 300, answer.torn, answer.bytes.equals(expected)]).toEqual([true, false, true])
  })
})

describe('copies whose source breaks off', () => {
  const bodies: [string, () => (body: Body) => Body, number][] = [
    ['silently', () => cut(1_000), 500],
    ['with an error', () => cut(1_000, new Unavailable('the store broke off')), 503],
    ['at its end', () => cut(3 * CHUNK + 400), 500],
  ]
  test.each(bodies)('leave no object: %s', async (_what, change, status) => {
    for (const key of ['chunks', 'large']) {
      changed = change()
      const answer = await call('PUT', '/streams/copy', { 'x-amz-copy-source': `/streams/${key}` })
      changed = undefined
      expect(answer.status).toBe(status)
      expect(await running.store.head('streams', 'copy')).toBeUndefined()
    }
  })

  test.each(bodies)('leave no part: %s', async (_what, change, status) => {
    const create = await call('POST', '/streams/parts?uploads')
    const id = /<UploadId>([^<]+)</.exec(create.bytes.toString())?.[1] ?? ''
    for (const key of ['chunks', 'large']) {
      changed = change()
      const answer = await call('PUT', `/streams/parts?partNumber=1&uploadId=${id}`, {
        'x-amz-copy-source': `/streams/${key}`,
      })
      changed = undefined
      expect(answer.status).toBe(status)
      expect((await call('GET', `/streams/parts?uploadId=${id}`)).bytes.toString()).not.toContain('<Part>')
    }
    const state = await running.state.list('sealgate-state', { prefix: 'uploads/', limit: 100 })
    expect(state.objects.filter(({ key }) => !key.endsWith('/create'))).toEqual([])
    await call('DELETE', `/streams/parts?uploadId=${id}`)
  })
})

describe('a store that falls silent', () => {
  test('before an answer: ServiceUnavailable, not the client’s fault, and an alarm', async () => {
    alarms.length = 0
    let release = (): void => {}
    stalled = () => new Promise((resolve) => (release = resolve))
    const answer = await call('PUT', '/streams/stalled', {}, Buffer.from('x'))
    expect([answer.status, codeOf(answer)]).toEqual([503, 'ServiceUnavailable'])
    expect(alarms).toHaveLength(1)
    stalled = undefined
    release()
  })

  test('in the midst of an upload: the same', async () => {
    let release = (): void => {}
    stalled = () => new Promise((resolve) => (release = resolve))
    const connection = await RawConnection.open(running.port)
    const path = '/streams/stalled-midway'
    const body = Buffer.alloc(4 * MIB)
    connection.write(head('PUT', path, signedHeaders(running, { method: 'PUT', path, body })))
    connection.write(body.subarray(0, 2 * MIB))
    const answer = await connection.answer(5_000)
    expect([answer?.status, /<Code>(\w+)</.exec(answer?.body ?? '')?.[1]]).toEqual([503, 'ServiceUnavailable'])
    stalled = undefined
    release()
    await expect.poll(() => connection.closed).toBe(true)
    expect(await running.store.head('streams', 'stalled-midway')).toBeUndefined()
  })

  test('in the midst of a download: torn', async () => {
    let release = (): void => {}
    changed = async function* (body) {
      let bytes = 0
      for await (const batch of body) {
        yield batch
        bytes += batch.reduce((sum, piece) => sum + piece.length, 0)
        if (bytes > MIB) await new Promise<void>((resolve) => (release = resolve))
      }
    }
    const answer = await call('GET', '/streams/large')
    changed = undefined
    release()
    expect([answer.status, answer.torn]).toEqual([200, true])
    expect(answer.bytes.equals(plain.large.subarray(0, answer.bytes.length))).toBe(true)
  })
})

test('a reader among writers gets one version, whole and in all its headers', async () => {
  const versions = [1, 2, 3, 4].map((n) => Buffer.alloc(300_000 + n * 70_000, n))
  const etags = versions.map((body) => `"${createHash('md5').update(body).digest('hex')}"`)
  const path = '/streams/contended'
  await call('PUT', path, {}, versions[0])
  const writing = new AbortController()
  const writer = (async () => {
    for (let n = 0; !writing.signal.aborted; n += 1)
      await call('PUT', path, n % 3 === 0 ? { 'transfer-encoding': 'chunked' } : {}, versions[n % versions.length])
  })()
  for (let n = 0; n < 150; n += 1) {
    const answer = await call('GET', path, n % 2 === 0 ? { range: 'bytes=65000-290000' } : {})
    if (answer.status === 503) continue
    expect([answer.status < 300, codeOf(answer)]).toEqual([true, undefined])
    const version = versions[etags.indexOf(String(answer.headers.etag))]
    expect(version).toBeDefined()
    expect(answer.bytes.equals(n % 2 === 0 ? version!.subarray(65_000, 290_001) : version!)).toBe(true)
    if (n % 2 === 0) expect(answer.headers['content-range']).toBe(`bytes 65000-290000/${version!.length}`)
  }
  writing.abort()
  await writer
})

describe('slow clients', () => {
  let folder = ''
  let local: LocalStore
  let gateway: TestGateway
  let pulled = 0
  const size = 200 * MIB

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sealgate-slow-'))
    local = await LocalStore.open({ folder })
    const store = new Proxy<ObjectStore>(local, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        if (name !== 'get') return typeof value === 'function' ? value.bind(target) : value
        return async (...args: Parameters<ObjectStore['get']>): Promise<GetResult> => {
          const result = await target.get(...args)
          return { ...result, body: watched(result.body) }
        }
      },
    })
    gateway = await startGateway({ store })
    await send(gateway, { method: 'PUT', path: '/slow', body: Buffer.alloc(0) })
    expect((await send(gateway, { method: 'PUT', path: '/slow/large', body: Buffer.alloc(size) })).status).toBe(200)
  })
  afterAll(async () => {
    await gateway.close()
    await local.close()
    await rm(folder, { recursive: true })
  })

  async function* watched(body: Body): Body {
    for await (const batch of body) {
      for (const piece of batch) pulled += piece.length
      yield batch
    }
  }

  test('do not make the gateway read ahead: memory stays bounded', async () => {
    pulled = 0
    const socket = connect(gateway.port, '127.0.0.1')
    let received = 0
    const before = process.memoryUsage().rss
    let most = 0
    const sample = (): void => {
      most = Math.max(most, process.memoryUsage().rss - before)
    }
    socket.write(head('GET', '/slow/large', signedHeaders(gateway, { method: 'GET', path: '/slow/large' })))
    socket.on('data', (piece: Buffer) => {
      received += piece.length
      sample()
      // The pace of a slow line for the first 20 MiB.
      if (received < 20 * MIB) {
        socket.pause()
        setTimeout(() => socket.resume(), 2)
      }
    })
    await vi.waitFor(() => expect(received).toBeGreaterThan(2 * MIB), 10_000)
    socket.pause()
    await new Promise((resolve) => setTimeout(resolve, 700))
    sample()
    // What both sockets hold, and no more.
    expect(pulled - received).toBeLessThan(16 * MIB)
    socket.resume()
    await vi.waitFor(() => expect(received).toBeGreaterThan(size), 20_000)
    socket.destroy()
    expect(most).toBeLessThan(40 * MIB)
  })
})
