/** An object that is overwritten between the requests of one read: the answer is one version, whole and in all its headers. And a torn answer ends its connection at once. */
import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MemoryStore } from '../../src/backends/memory.ts'
import type { Body } from '../../src/backends/body.ts'
import type { ObjectStore } from '../../src/backends/object-store.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { head, RawConnection } from '../helpers/raw-connection.ts'
import { send, type SignedAnswer, signedHeaders } from '../helpers/signed-request.ts'

const MIB = 1024 * 1024
let running: TestGateway
/** Runs after each `get` and `head` of the store, before its answer is used. */
let meanwhile: (() => Promise<void>) | undefined
let changed: ((body: Body) => Body) | undefined

function interrupted(inner: ObjectStore): ObjectStore {
  const methods: Partial<ObjectStore> = {
    get: async (...args) => {
      const result = await inner.get(...args)
      await meanwhile?.()
      return changed === undefined ? result : { ...result, body: changed(result.body) }
    },
    head: async (...args) => {
      const result = await inner.head(...args)
      await meanwhile?.()
      return result
    },
  }
  return new Proxy(inner, {
    get(target, name) {
      const value: unknown = Reflect.get(methods, name) ?? Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** Both in parts of the gateway's own, so that a read needs the tail beside the body; of different sizes. */
const versions = [randomBytes(9 * MIB), randomBytes(8 * MIB + 70_000)] as const
const etags = versions.map((body) => `"${createHash('md5').update(body).digest('hex')}"`)
const PATH = '/overwritten/key'

const put = async (n: 0 | 1): Promise<void> => {
  const headers = { 'transfer-encoding': 'chunked' }
  expect((await send(running, { method: 'PUT', path: PATH, body: versions[n], headers })).status).toBe(200)
}

beforeAll(async () => {
  running = await startGateway({
    store: interrupted(new MemoryStore()),
    rules: (bucket) => ({ namespace: bucket, copy: 'rekey' }),
  })
  await send(running, { method: 'PUT', path: '/overwritten', body: Buffer.alloc(0) })
})
afterAll(() => running.close())

/** Reads while the object is overwritten, by a larger one, after the nth request to the store: every range of the first exists in the second too. */
async function overwrittenAfter(n: number, act: () => Promise<SignedAnswer>): Promise<SignedAnswer> {
  await put(1)
  let calls = 0
  meanwhile = async () => {
    calls += 1
    if (calls !== n) return
    const again = meanwhile
    meanwhile = undefined
    await put(0)
    meanwhile = again
  }
  const answer = await act()
  meanwhile = undefined
  return answer
}

describe.each([1, 2, 3, 4])('overwritten after request %i to the store', (n) => {
  test.each([
    ['whole', undefined],
    ['a range', 'bytes=4000000-4200000'],
    ['the end', 'bytes=-100000'],
  ])('GET of %s', async (_what, range) => {
    const headers: Record<string, string> = range === undefined ? {} : { range }
    const answer = await overwrittenAfter(n, () => send(running, { method: 'GET', path: PATH, headers }))
    const at = etags.indexOf(String(answer.headers.etag))
    expect([answer.status, answer.torn, at >= 0]).toEqual([range === undefined ? 200 : 206, false, true])
    const version = versions[at as 0 | 1]
    const first = range === undefined ? 0 : range === 'bytes=-100000' ? version.length - 100_000 : 4_000_000
    const last = range === 'bytes=4000000-4200000' ? 4_200_000 : version.length - 1
    expect(answer.bytes.equals(version.subarray(first, last + 1))).toBe(true)
    if (range !== undefined) expect(answer.headers['content-range']).toBe(`bytes ${first}-${last}/${version.length}`)
  })

  test('HEAD of a part', async () => {
    const answer = await overwrittenAfter(n, () => send(running, { method: 'HEAD', path: `${PATH}?partNumber=1` }))
    const at = etags.indexOf(String(answer.headers.etag))
    expect([answer.status, answer.headers['content-length']]).toEqual([206, String(versions[at as 0 | 1].length)])
  })

  test('a copy, and a copied part', async () => {
    const source = { 'x-amz-copy-source': PATH }
    const copied = await overwrittenAfter(n, () =>
      send(running, { method: 'PUT', path: '/overwritten/copy', headers: source }),
    )
    expect(copied.status).toBe(200)
    const back = await send(running, { method: 'GET', path: '/overwritten/copy' })
    expect(versions.some((version) => version.equals(back.bytes))).toBe(true)
    expect(copied.bytes.toString()).toContain(String(back.headers.etag).replaceAll('"', ''))

    const create = await send(running, { method: 'POST', path: '/overwritten/parts?uploads' })
    const id = /<UploadId>([^<]+)</.exec(create.bytes.toString())?.[1] ?? ''
    const part = await overwrittenAfter(n, () =>
      send(running, { method: 'PUT', path: `/overwritten/parts?partNumber=1&uploadId=${id}`, headers: source }),
    )
    expect(part.status).toBe(200)
    expect(etags.map((etag) => etag.replaceAll('"', ''))).toContain(
      /<ETag>&quot;(\w+)&/.exec(part.bytes.toString())?.[1],
    )
  })
})

test('a torn answer ends its connection at once: nothing of the next is taken for its rest', async () => {
  await send(running, { method: 'PUT', path: '/overwritten/large', body: versions[1] })
  await send(running, { method: 'PUT', path: '/overwritten/small', body: Buffer.from('small') })
  const breaks = async function* (body: Body): Body {
    let bytes = 0
    for await (const batch of body) {
      bytes += batch.reduce((sum, piece) => sum + piece.length, 0)
      if (bytes > 2 * MIB) return
      yield batch
    }
  }
  changed = breaks
  const connection = await RawConnection.open(running.port)
  const get = (path: string): string => head('GET', path, signedHeaders(running, { method: 'GET', path }))
  const started = Date.now()
  connection.write(get('/overwritten/large') + get('/overwritten/small'))
  const received = await connection.rest(5_000)
  changed = undefined
  expect(Date.now() - started).toBeLessThan(3_000)
  const body = received.subarray(received.indexOf('\r\n\r\n') + 4)
  expect(body.length).toBeGreaterThan(0)
  expect(body.length).toBeLessThan(versions[1].length)
  expect(body.equals(versions[1].subarray(0, body.length))).toBe(true)
})
