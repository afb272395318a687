/** The S3 backend before a server that says strange things: wrong ranges and lengths, errors inside a 200, other documents; and what is left open afterwards. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { HeldBody } from '../../src/backends/body.ts'
import { type CopyOptions, StoreError } from '../../src/backends/object-store.ts'
import type { Profile } from '../../src/backends/s3/profiles.ts'
import { Denied, Invalid, Unavailable } from '../../src/errors.ts'
import { StateStore } from '../../src/state/state-store.ts'
import { bodyOf, bytes, collect, putOptions } from '../contract/object-store/bench.ts'
import {
  answer,
  type Answer,
  drip,
  hang,
  refuse,
  ScriptedServer,
  type Step,
  truncated,
} from '../helpers/scripted-server.ts'
import { s3Store, type S3StoreOptions } from '../helpers/s3-store.ts'

let server: ScriptedServer
const opened: { close: () => Promise<void> }[] = []
beforeAll(async () => {
  server = await ScriptedServer.start()
})
afterAll(() => server.close())
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
  try {
    await expect.poll(() => server.open, { timeout: 2_000, interval: 5 }).toBe(0)
  } finally {
    server.clear()
  }
})

function open(options: Partial<S3StoreOptions> = {}) {
  const store = s3Store({ endpoint: server.endpoint, idleTimeout: 1_000, ...options })
  opened.push(store)
  return store
}

const object = (status: number, headers: Record<string, string>, more: Partial<Answer> = {}): Step =>
  answer(status, { headers: { etag: '"e"', ...headers }, body: bytes(100), ...more })

describe('ranges', () => {
  const range = { first: 100, last: 199 }

  test.each<[string, Record<string, string>, number, Partial<Answer>]>([
    ['other bytes', { 'content-range': 'bytes 0-99/1000' }, 206, {}],
    ['fewer bytes', { 'content-range': 'bytes 100-150/1000' }, 206, { body: bytes(51) }],
    ['more bytes', { 'content-range': 'bytes 100-200/1000' }, 206, { body: bytes(101) }],
    ['the range and another length', { 'content-range': 'bytes 100-199/1000' }, 206, { body: bytes(99) }],
    ['no range', {}, 206, {}],
    ['a range of an unknown size', { 'content-range': 'bytes 100-199/*' }, 206, {}],
    ['a range beyond its own end', { 'content-range': 'bytes 100-199/150' }, 206, {}],
    ['several ranges', { 'content-type': 'multipart/byteranges' }, 206, {}],
    ['the whole object', {}, 200, { body: bytes(1_000) }],
  ])('%s in place of what was asked for is an outage', async (_what, headers, status, more) => {
    const store = open()
    server.otherwise(object(status, headers, more))
    await expect(store.get('b', 'k', { range })).rejects.toThrow(Unavailable)
  })

  test('the whole object in place of its first bytes is one too', async () => {
    const store = open()
    server.otherwise(object(200, {}, { body: bytes(1_000) }))
    await expect(store.get('b', 'k', { range: { first: 0, last: 9 } })).rejects.toThrow(Unavailable)
  })

  test('are clamped to the end', async () => {
    const store = open()
    server.otherwise(object(206, { 'content-range': 'bytes 100-199/200' }))
    const got = await store.get('b', 'k', { range: { first: 100, last: 5_000 } })
    expect([got.range, got.info.size]).toEqual([{ first: 100, last: 199 }, 200])
    expect((await collect(got.body)).equals(bytes(100))).toBe(true)
  })

  test('behind the end are refused with the size', async () => {
    const store = open()
    server.otherwise(refuse(416, 'InvalidRange', { 'content-range': 'bytes */50' }))
    await expect(store.get('b', 'k', { range })).rejects.toMatchObject({ refusal: 'range-not-satisfiable', size: 50 })
  })
})

describe('lengths', () => {
  test.each<[string, Step]>([
    ['fewer bytes than were announced', truncated(200, { headers: { etag: '"e"' }, body: bytes(99), announced: 100 })],
    [
      'chunks that end before their range',
      async (exchange) => {
        await exchange.complete()
        const head = 'HTTP/1.1 206 X\r\netag: "e"\r\ncontent-range: bytes 0-9/10\r\ntransfer-encoding: chunked\r\n\r\n'
        exchange.socket.write(`${head}5\r\n12345\r\n0\r\n\r\n`)
      },
    ],
    [
      'chunks that go on behind their range',
      async (exchange) => {
        await exchange.complete()
        const head = 'HTTP/1.1 206 X\r\netag: "e"\r\ncontent-range: bytes 0-9/10\r\ntransfer-encoding: chunked\r\n\r\n'
        exchange.socket.write(`${head}b\r\n12345678901\r\n0\r\n\r\n`)
      },
    ],
  ])('%s are never an object', async (_what, step) => {
    const store = open()
    server.otherwise(step)
    const read = store.get('b', 'k').then(({ body }) => collect(body))
    await expect(read).rejects.toThrow(Unavailable)
  })

  test('a 404 of whatever stands before the store is an outage, never a missing object', async () => {
    const store = open()
    server.otherwise(answer(404, { headers: { 'content-type': 'text/plain' }, body: '404 page not found' }))
    const state = new StateStore(store, 'b')
    const outcomes = await Promise.allSettled([
      store.get('b', 'k'),
      store.list('b', { prefix: '', limit: 1 }),
      store.delete('b', 'k'),
      store.deleteBucket('b'),
      store.put('b', 'k', bodyOf(bytes(9)), putOptions({ length: 9 })),
      store.abortUpload({ bucket: 'b', key: 'k', uploadId: 'u' }),
      state.get('keyring/k'),
    ])
    const reasons = outcomes.map((one) => (one.status === 'rejected' ? (one.reason as unknown) : one.value))
    expect(reasons.filter((reason) => !(reason instanceof Unavailable))).toEqual([])
    // Of HEAD there is no more to say.
    expect(await store.head('b', 'k')).toBeUndefined()
  })

  test.each([['<LastModified>Mon Jan 99</LastModified>'], ['']])(
    'a state record whose age nobody can read (%s) is an outage, and not abandoned',
    async (modified) => {
      const body = `<ListBucketResult><Contents><Key>k</Key><Size>1</Size>${modified}</Contents></ListBucketResult>`
      server.otherwise(answer(200, { body }))
      await expect(new StateStore(open(), 'b').list('')).rejects.toThrow(Unavailable)
    },
  )

  test('an object without a length is an outage', async () => {
    const store = open()
    server.otherwise(({ socket }) => void socket.write('HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'))
    await expect(store.get('b', 'k')).rejects.toThrow(Unavailable)
    await expect(store.head('b', 'k')).rejects.toThrow(Unavailable)
  })

  test('bytes behind the announced ones are not part of an object', async () => {
    const store = open()
    server.otherwise(object(200, {}, { announced: 60 }))
    expect((await collect((await store.get('b', 'k')).body)).equals(bytes(100).subarray(0, 60))).toBe(true)
    // And they spoil no other answer.
    server.otherwise(answer(404))
    expect(await store.head('b', 'k')).toBeUndefined()
  })

  test.each([[99], [101]])('a streamed body of %i bytes where 100 were announced is refused', async (length) => {
    const store = open()
    server.otherwise(answer(200, { headers: { etag: '"e"' } }))
    const put = store.put('b', 'k', bodyOf(bytes(length)), putOptions({ length: 100 }))
    await expect(put).rejects.toThrow(Invalid)
    expect(server.requests.every(({ body }) => body.length < 100)).toBe(true)
  })

  test('a write without an ETag is an outage', async () => {
    const store = open()
    server.otherwise(answer(200))
    const body = new HeldBody([bytes(9)])
    await expect(store.put('b', 'k', body, putOptions())).rejects.toThrow(Unavailable)
    await expect(store.putPart({ bucket: 'b', key: 'k', uploadId: 'u' }, 1, body, {})).rejects.toThrow(Unavailable)
  })
})

describe('an object that drips', () => {
  test('is read however long it takes', async () => {
    const store = open({ idleTimeout: 200 })
    const pieces = Array.from({ length: 10 }, (_, at) => bytes(7, at))
    server.otherwise(drip(200, pieces, 150, { etag: '"e"' }))
    expect((await collect((await store.get('b', 'k')).body)).equals(Buffer.concat(pieces))).toBe(true)
  })

  test('and then is silent is an outage', async () => {
    const store = open({ idleTimeout: 200 })
    server.otherwise(async (exchange) => {
      await exchange.complete()
      exchange.head(200, { etag: '"e"' }, 100)
      exchange.socket.write(bytes(50))
    })
    await expect(collect((await store.get('b', 'k')).body)).rejects.toThrow(Unavailable)
  })

  test('into a slow reader is not silent', async () => {
    const store = open({ idleTimeout: 200 })
    const content = bytes(4 * 1024 * 1024)
    server.otherwise(answer(200, { headers: { etag: '"e"' }, body: content }))
    const { body } = await store.get('b', 'k')
    const pieces: Buffer[] = []
    let slept = false
    for await (const batch of body) {
      pieces.push(...batch)
      if (!slept) await new Promise((resolve) => setTimeout(resolve, 1_500))
      slept = true
    }
    expect(Buffer.concat(pieces).equals(content)).toBe(true)
  })

  test('from a slow writer is not silent, and the store may be silent no longer than that', async () => {
    const store = open({ idleTimeout: 200 })
    const slow = async function* () {
      yield [bytes(20)]
      await new Promise((resolve) => setTimeout(resolve, 1_500))
      yield [bytes(20)]
    }
    const put = (key: string) => store.put('b', key, slow(), putOptions({ length: 40 }))
    server.otherwise((exchange) =>
      exchange.request.path === '/b/silent' ? undefined : answer(200, { headers: { etag: '"e"' } })(exchange),
    )
    const silent = expect(put('silent')).rejects.toThrow(Unavailable)
    expect((await put('k')).etag).toBe('e')
    await silent
  })
})

const errorIn200 = (code: string): Step => answer(200, { body: `<Error><Code>${code}</Code></Error>` })
const COPIED = answer(200, { body: '<CopyObjectResult><ETag>"c"</ETag></CopyObjectResult>' })
const copyOptions = (size: number): CopyOptions => ({ sourceIfMatch: 'e', size, metadata: {} })

describe('an error inside a 200', () => {
  const calls: readonly (readonly [string, (store: ReturnType<typeof open>) => Promise<unknown>, Step])[] = [
    [
      'of CopyObject',
      (store) => store.copy({ bucket: 'b', key: 'k' }, { bucket: 'b', key: 'l' }, copyOptions(5)),
      COPIED,
    ],
    [
      'of CompleteMultipartUpload',
      (store) =>
        store.completeUpload({ bucket: 'b', key: 'k', uploadId: 'u' }, { parts: [{ partNumber: 1, etag: 'p' }] }),
      answer(200, { body: '<CompleteMultipartUploadResult><ETag>"c-1"</ETag></CompleteMultipartUploadResult>' }),
    ],
  ]

  describe.each(calls)('%s', (_what, call, success) => {
    test.each([['InternalError'], ['SlowDown'], ['ServiceUnavailable']])('%s is passing', async (code) => {
      const store = open()
      server.next(errorIn200(code), errorIn200(code), success)
      expect(await call(store)).toMatchObject({ etag: expect.stringMatching(/^c/) })
      expect(server.requests).toHaveLength(3)
    })

    test.each([
      ['AccessDenied', Denied],
      ['PreconditionFailed', StoreError],
      ['NoSuchUpload', StoreError],
      ['NotImplemented', StoreError],
      ['SomethingNobodyKnows', Invalid],
      ['SignatureDoesNotMatch', Unavailable],
    ])('%s is a refusal', async (code, kind) => {
      const store = open()
      server.otherwise(errorIn200(code))
      await expect(call(store)).rejects.toThrow(kind)
      expect(server.requests).toHaveLength(1)
    })

    test.each<[string, Step]>([
      ['nothing', answer(200)],
      ['white space and then the end', truncated(200, { body: '   \n', announced: 500 })],
      ['another document', answer(200, { body: '<html><body>Welcome</body></html>' })],
    ])('and %s is no success', async (_body, step) => {
      const store = open({ retry: { attempts: 2 } })
      server.otherwise(step)
      await expect(call(store)).rejects.toThrow(Unavailable)
      expect(server.requests).toHaveLength(2)
    })
  })

  describe('of UploadPartCopy', () => {
    const MIB = 1024 * 1024
    const source = { etag: 'source' }
    const route = (part: Step[]): Step => {
      return (exchange) => {
        const { method, path } = exchange.request
        const result = (body: string) => answer(200, { body })
        if (method === 'HEAD') return answer(200, { headers: { etag: `"${source.etag}"` } })(exchange)
        if (path.includes('uploads=')) return result('<R><UploadId>u</UploadId></R>')(exchange)
        if (path.includes('partNumber=2')) return (part.shift() ?? result('<R><ETag>"p2"</ETag></R>'))(exchange)
        if (method === 'PUT') return result('<R><ETag>"p"</ETag></R>')(exchange)
        if (method === 'POST') return result('<R><ETag>"done-3"</ETag></R>')(exchange)
        return answer(204)(exchange)
      }
    }
    const copy = (metadata = {}, more: Partial<CopyOptions> = {}, profile: Partial<Profile> = {}) =>
      open({ copyRequestLimit: 5 * MIB, profile: { tags: false, ...profile } }).copy(
        { bucket: 'b', key: 'k' },
        { bucket: 'b', key: 'l' },
        { ...copyOptions(12 * MIB), sourceIfMatch: 'source', metadata, ...more },
      )
    beforeEach(() => {
      source.etag = 'source'
    })

    test('a passing one is tried again', async () => {
      server.otherwise(route([errorIn200('InternalError')]))
      expect(await copy()).toMatchObject({ etag: 'done-3' })
      const complete = server.requests.find(({ method, path }) => method === 'POST' && path.includes('uploadId'))
      expect(complete?.body.toString()).toMatch(/1<.*"p&quot;|p2/)
    })

    test('a Complete whose answer was lost is found out by what is there', async () => {
      const complete: Step[] = [({ socket }) => void socket.destroy(), refuse(404, 'NoSuchUpload')]
      const routed = route([])
      const there = (mark: string): Step => answer(200, { headers: { etag: '"there"', 'x-amz-meta-mark': mark } })
      const serve = (mark: string) =>
        server.otherwise((exchange) => {
          const { method, path } = exchange.request
          if (method === 'HEAD' && path === '/b/l') return there(mark)(exchange)
          if (method === 'POST' && path.includes('uploadId')) return (complete.shift() ?? routed)(exchange)
          return routed(exchange)
        })
      serve('mine')
      expect(await copy({ mark: 'mine' })).toMatchObject({ etag: 'there' })
      complete.push(({ socket }) => void socket.destroy(), refuse(404, 'NoSuchUpload'))
      serve('of another')
      await expect(copy({ mark: 'mine' })).rejects.toMatchObject({ refusal: 'no-such-upload' })
    })

    test('of a source that was overwritten meanwhile nothing comes, also where the store does not look', async () => {
      server.otherwise(route([]))
      source.etag = 'another'
      await expect(copy()).rejects.toMatchObject({ refusal: 'precondition-failed' })
      expect(server.requests.filter(({ method, path }) => method === 'POST' && path.includes('uploadId'))).toEqual([])
      expect(server.requests.at(-1)?.method).toBe('DELETE')
    })

    test('a condition on the target needs a store that decides it on Complete', async () => {
      server.otherwise(route([]))
      const condition = { ifNoneMatch: '*' as const }
      await expect(copy({}, { condition }, { conditionalComplete: false })).rejects.toMatchObject({
        refusal: 'not-supported',
      })
      expect(server.requests).toEqual([])
      await copy({}, { condition }, { conditionalComplete: true })
      const complete = server.requests.find(({ method, path }) => method === 'POST' && path.includes('uploadId'))
      expect(complete?.headers['if-none-match']).toBe('*')
    })

    test('another one, and a part without an ETag, end the upload', async () => {
      for (const step of [errorIn200('AccessDenied'), answer(200, { body: '<R/>' })]) {
        server.clear()
        server.otherwise(route(Array<Step>(9).fill(step)))
        await expect(copy()).rejects.toThrow(Error)
        expect(server.requests.filter(({ method, path }) => method === 'POST' && path.includes('uploadId'))).toEqual([])
        expect(server.requests.at(-1)?.method).toBe('DELETE')
      }
    })
  })
})

test.each<[string, (store: ReturnType<typeof open>) => Promise<unknown>]>([
  ['buckets', (store) => store.listBuckets()],
  ['objects', (store) => store.list('b', { prefix: '', limit: 9 })],
  ['parts', (store) => store.listParts({ bucket: 'b', key: 'k', uploadId: 'u' }, { after: 0, limit: 9 })],
  ['uploads', (store) => store.listUploads('b', { prefix: '', limit: 9 })],
])('a 200 with another document is no empty list of %s', async (_what, call) => {
  const store = open({ retry: { attempts: 1 } })
  for (const body of ['<html><body>Log in</body></html>', '', 'not XML', '<Error><Code>InternalError</Code></Error>']) {
    server.otherwise(answer(200, { body }))
    await expect(call(store)).rejects.toThrow(Unavailable)
  }
})

describe('nothing is left open', () => {
  const sockets = () => process.getActiveResourcesInfo().filter((one) => one === 'TCPSocketWrap').length

  test('by answers that are left half read, refused, or come early', async () => {
    const before = sockets()
    const store = open({ retry: { attempts: 1 } })
    const large = bytes(400_000)
    for (let at = 0; at < 10; at += 1) {
      server.next(
        object(200, {}, { body: large }),
        object(206, {}),
        refuse(503, 'SlowDown'),
        answer(503, { early: true }),
      )
      for await (const batch of (await store.get('b', 'k')).body) {
        expect(batch.length).toBeGreaterThan(0)
        break
      }
      await expect(store.get('b', 'k', { range: { first: 5 } })).rejects.toThrow(Unavailable)
      await expect(store.put('b', 'k', bodyOf(large), putOptions({ length: large.length }))).rejects.toThrow(
        Unavailable,
      )
      await expect(store.put('b', 'k', bodyOf(large), putOptions({ length: large.length }))).rejects.toThrow(
        Unavailable,
      )
    }
    await expect.poll(() => server.open).toBeLessThanOrEqual(2)
    // Both ends of each connection are in this process.
    expect(sockets() - before).toBeLessThanOrEqual(4)
  })

  test('by clients that leave: before a connection, before the answer, within it', async () => {
    const store = open({ connections: 2 })
    const leaving = new AbortController()
    const { signal } = leaving
    server.otherwise(hang)
    const waiting = Array.from({ length: 50 }, (_, at) =>
      at % 2 === 0
        ? store.get('b', 'k', { signal })
        : store.put('b', 'k', bodyOf(bytes(99)), putOptions({ length: 99, signal })),
    )
    await expect.poll(() => server.requests.length).toBeGreaterThan(0)
    const gone = new Error('the client left')
    leaving.abort(gone)
    const outcomes = await Promise.allSettled(waiting)
    expect(outcomes.every((one) => one.status === 'rejected' && one.reason === gone)).toBe(true)
    await expect.poll(() => server.open, { timeout: 2_000 }).toBeLessThanOrEqual(2)
    server.otherwise(object(200, {}, { body: bytes(9_000_000) }))
    const reading = new AbortController()
    const { body } = await store.get('b', 'k', { signal: reading.signal })
    reading.abort(gone)
    await expect(collect(body)).rejects.toBe(gone)
    server.otherwise(answer(404))
    expect(await store.head('b', 'k')).toBeUndefined()
  })
})
