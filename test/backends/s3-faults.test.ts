/** The S3 backend before a server that fails: what is sent again, after which wait, and what is never sent again. */
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Body, HeldBody } from '../../src/backends/body.ts'
import { StoreError } from '../../src/backends/object-store.ts'
import { StoreCredentials } from '../../src/backends/s3/credentials.ts'
import { Denied, Unavailable } from '../../src/errors.ts'
import { bodyOf, bytes, collect, putOptions } from '../contract/object-store/bench.ts'
import {
  answer,
  hang,
  refuse,
  reset,
  resetAtHead,
  ScriptedServer,
  stall,
  type Step,
  thenClose,
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
  server.release()
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

/** Waits that are recorded and not waited for, on a clock that they move. */
function instant(random = 0.5) {
  const waits: number[] = []
  let now = Date.now()
  const timing = {
    now: () => now,
    random: () => random,
    sleep: async (milliseconds: number) => {
      waits.push(milliseconds)
      now += milliseconds
    },
  }
  return { waits, timing }
}

const WRITTEN = answer(200, { headers: { etag: '"e1"' } })
const EMPTY_LIST = '<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>'
const LISTED = answer(200, { body: EMPTY_LIST })
const held = (content: Buffer) => new HeldBody([content.subarray(0, 10), content.subarray(10)])

const PASSING: readonly (readonly [string, Step])[] = [
  ['500', refuse(500, 'InternalError')],
  ['502 without a document', answer(502)],
  ['503', refuse(503, 'SlowDown')],
  ['504 with a document that is none', answer(504, { body: '<html><body>Gateway' })],
  ['429', refuse(429, 'TooManyRequests')],
  ['RequestTimeout', refuse(400, 'RequestTimeout')],
  ['damage of the body on the way', refuse(400, 'BadDigest')],
  ['an early refusal', answer(503, { early: true })],
  ['a reset', reset],
  ['a reset at the head', resetAtHead],
  ['an end in place of an answer', ({ socket }) => void socket.end()],
  ['silence', hang],
  ['a server that reads no more', stall],
  ['an answer that is no HTTP', ({ socket }) => void socket.write('SSH-2.0-OpenSSH\r\n\r\n')],
]

describe.each(PASSING)('%s', (_what, step) => {
  // Each silence costs a second: timers of the client library are that coarse.
  const slow = step === hang || step === stall
  const failures = Array<Step>(slow ? 1 : 2).fill(step)

  test('a held body is sent again, byte for byte', async () => {
    const store = open({ idleTimeout: 150 })
    server.next(...failures, WRITTEN)
    const content = bytes(300_000)
    let commits = 0
    const commit = async () => {
      commits += 1
      return {}
    }
    expect((await store.put('b', 'k', held(content), putOptions({ commit }))).etag).toBe('e1')
    expect(server.requests).toHaveLength(failures.length + 1)
    expect(server.requests.at(-1)?.body.equals(content)).toBe(true)
    for (const { body, headers } of server.requests) {
      expect(body.equals(content.subarray(0, body.length))).toBe(true)
      expect(headers['x-amz-content-sha256']).toBe(server.requests[0]?.headers['x-amz-content-sha256'])
    }
    expect(commits).toBe(1)
  })

  test('a request without a body is sent again', async () => {
    const store = open({ idleTimeout: 150 })
    server.next(...failures, LISTED)
    expect(await store.list('b', { prefix: '', limit: 10 })).toEqual({
      objects: [],
      commonPrefixes: [],
      truncated: false,
    })
    expect(server.requests).toHaveLength(failures.length + 1)
  })

  test('a streamed body is not sent again', async () => {
    const store = open({ idleTimeout: 150 })
    server.next(step)
    server.otherwise(WRITTEN)
    const content = bytes(300_000)
    const put = store.put('b', 'k', bodyOf(content), putOptions({ length: content.length }))
    await expect(put).rejects.toThrow(Unavailable)
    expect(server.requests).toHaveLength(1)
  })

  if (slow) return
  test('after the last attempt it is the answer', async () => {
    const store = open({ idleTimeout: 150, retry: { attempts: failures.length } })
    server.next(...failures)
    server.otherwise(WRITTEN)
    await expect(store.put('b', 'k', held(bytes(100)), putOptions())).rejects.toThrow(Unavailable)
    expect(server.requests).toHaveLength(failures.length)
  })
})

describe('waits', () => {
  const failing = refuse(503, 'SlowDown')

  test('grow twofold, are drawn below their bound, and end at the longest', async () => {
    const { waits, timing } = instant(0.75)
    const store = open({ timing, retry: { attempts: 6, baseDelay: 100, maxDelay: 500, budget: 60_000 } })
    server.otherwise(failing)
    await expect(store.list('b', { prefix: '', limit: 1 })).rejects.toThrow(Unavailable)
    expect(waits).toEqual([75, 150, 300, 375, 375])
  })

  test.each([
    ['seconds', () => '2'],
    ['a date', (now: number) => new Date(now + 2_000).toUTCString()],
  ])('are as long as Retry-After asks for: %s', async (_what, value) => {
    const { waits, timing } = instant()
    const store = open({ timing, retry: { attempts: 2, budget: 60_000 } })
    server.next(refuse(503, 'SlowDown', { 'retry-after': value(timing.now()) }), LISTED)
    await store.list('b', { prefix: '', limit: 1 })
    expect(waits).toHaveLength(1)
    expect(waits[0]).toBeGreaterThan(1_000)
    expect(waits[0]).toBeLessThanOrEqual(2_000)
  })

  test('are not begun when they end behind the budget', async () => {
    const { waits, timing } = instant()
    const store = open({ timing, retry: { attempts: 9, budget: 5_000 } })
    server.next(refuse(503, 'SlowDown', { 'retry-after': '3' }))
    server.otherwise(refuse(503, 'SlowDown', { 'retry-after': '3' }))
    await expect(store.list('b', { prefix: '', limit: 1 })).rejects.toThrow(Unavailable)
    expect(waits).toEqual([3_000])
    expect(server.requests).toHaveLength(2)
  })

  test('end when the client leaves', async () => {
    const leaving = new AbortController()
    const gone = new Error('the client left')
    const sleep = async () => leaving.abort(gone)
    const store = open({ timing: { sleep } })
    server.otherwise(failing)
    await expect(store.put('b', 'k', held(bytes(9)), putOptions({ signal: leaving.signal }))).rejects.toBe(gone)
    expect(server.requests).toHaveLength(1)
  })
})

describe('connections', () => {
  test('that the server closed while they were idle cost nothing', async () => {
    const store = open({ retry: { attempts: 2 } })
    server.otherwise(thenClose(LISTED, 5))
    for (let at = 0; at < 8; at += 1) {
      await store.list('b', { prefix: '', limit: 1 })
      await new Promise((resolve) => setTimeout(resolve, 2 * at))
    }
    expect(server.requests.length).toBeLessThanOrEqual(16)
  })

  test('are used again, also after HEAD and refusals', async () => {
    const store = open()
    const found = answer(200, { headers: { etag: '"e"' }, announced: 5 })
    for (let at = 0; at < 10; at += 1) {
      server.next(found, answer(404), LISTED, refuse(412, 'PreconditionFailed'), WRITTEN)
      await store.head('b', 'k')
      await store.head('b', 'k')
      await store.list('b', { prefix: '', limit: 1 })
      await store.put('b', 'k', held(bytes(9)), putOptions()).catch(() => undefined)
      await store.put('b', 'k', held(bytes(9)), putOptions())
    }
    expect(new Set(server.carriedBy).size).toBeLessThanOrEqual(2)
  })

  test('that nobody listens on are tried again, then the store is unavailable', async () => {
    const { waits, timing } = instant()
    const store = open({ endpoint: 'http://127.0.0.1:1', timing, retry: { attempts: 3 } })
    const put = store.put('b', 'k', bodyOf('never begun'), putOptions({ length: 11 }))
    await expect(put).rejects.toThrow(Unavailable)
    // Nothing was taken of the body: it could be sent again.
    expect(waits).toHaveLength(2)
  })

  test('that end before a streamed body gave its first bytes cost it all the same: it was begun', async () => {
    const curt = createServer((socket) => void setTimeout(() => socket.destroy(), 20))
    await new Promise<void>((resolve) => curt.listen(0, '127.0.0.1', resolve))
    const { port } = curt.address() as AddressInfo
    const slow = async function* (): Body {
      await new Promise((resolve) => setTimeout(resolve, 100))
      yield [Buffer.from('late')]
    }
    const put = open({ endpoint: `http://127.0.0.1:${port}` }).put('b', 'k', slow(), putOptions({ length: 4 }))
    await expect(put).rejects.toThrow(Unavailable)
    curt.close()
  })
})

describe('what can be mended is sent again at once', () => {
  const fresh = (secrets: string[]) =>
    new StoreCredentials({
      provider: async () => ({
        accessKeyId: 'ACCESS',
        secretAccessKey: 'secret',
        sessionToken: secrets.shift() ?? 'end',
      }),
      check: () => undefined,
      now: () => Date.now(),
    })
  const tokens = () => server.requests.map(({ headers }) => headers['x-amz-security-token'])

  test('expired credentials, with new ones', async () => {
    const { waits, timing } = instant()
    const store = open({ timing, credentials: fresh(['old', 'new']) })
    server.next(refuse(400, 'ExpiredToken'), LISTED)
    await store.list('b', { prefix: '', limit: 1 })
    expect([tokens(), waits]).toEqual([['old', 'new'], []])
  })

  test('expired credentials twice are an outage', async () => {
    const store = open({ credentials: fresh(['old', 'old too', 'third']) })
    server.otherwise(refuse(400, 'ExpiredToken'))
    await expect(store.list('b', { prefix: '', limit: 1 })).rejects.toThrow(Unavailable)
    expect(tokens()).toEqual(['old', 'old too'])
  })

  test('expired credentials of a streamed body are not used for the next one', async () => {
    const store = open({ credentials: fresh(['old', 'new']) })
    server.next(refuse(400, 'ExpiredToken'), WRITTEN)
    const put = () => store.put('b', 'k', bodyOf('streamed'), putOptions({ length: 8 }))
    await expect(put()).rejects.toThrow(Unavailable)
    await put()
    expect(tokens()).toEqual(['old', 'new'])
  })

  test('expired credentials of a HEAD, which has no document', async () => {
    const store = open({ credentials: fresh(['old', 'new']) })
    server.next(answer(400), answer(404))
    expect(await store.head('b', 'k')).toBeUndefined()
    expect(tokens()).toEqual(['old', 'new'])
  })

  test('credentials that another request has renewed are not fetched again', async () => {
    const store = open({ credentials: fresh(['old', 'new', 'third', 'fourth']) })
    const both: Step = async (exchange) => {
      await expect.poll(() => server.requests.length).toBe(2)
      return refuse(400, 'ExpiredToken')(exchange)
    }
    server.next(both, both)
    server.otherwise(LISTED)
    await Promise.all([1, 2].map(() => store.list('b', { prefix: '', limit: 1 })))
    expect(tokens()).toEqual(['old', 'old', 'new', 'new'])
  })

  describe('credentials without an end that were rotated', () => {
    const rotated = () => {
      const clock = { now: 0, asked: 0, key: 'FIRST' }
      const credentials = new StoreCredentials({
        provider: async () => {
          clock.asked += 1
          return { accessKeyId: clock.key, secretAccessKey: 'secret' }
        },
        check: () => undefined,
        now: () => clock.now,
      })
      const judge: Step = (exchange) => {
        const known = exchange.request.headers['authorization']?.includes('Credential=SECOND/') === true
        const head = exchange.request.method === 'HEAD'
        const step = known ? (head ? answer(404) : LISTED) : head ? answer(403) : refuse(403, 'InvalidAccessKeyId')
        return step(exchange)
      }
      server.otherwise(judge)
      return { clock, store: open({ credentials }) }
    }
    const list = (store: ReturnType<typeof open>) => store.list('b', { prefix: '', limit: 1 })

    test.each<[string, (store: ReturnType<typeof open>) => Promise<unknown>]>([
      ['a request', list],
      ['a HEAD', (store) => store.head('b', 'k')],
    ])('are fetched anew when %s meets that', async (_what, ask) => {
      const { clock, store } = rotated()
      await expect(ask(store)).rejects.toThrow()
      clock.key = 'SECOND'
      clock.now += 11_000
      await ask(store)
      expect([clock.asked, server.requests.length]).toEqual([2, 3])
    })

    test('cost their provider one question in ten seconds, and nobody a second attempt, while there are no others', async () => {
      const { clock, store } = rotated()
      clock.now = 11_000
      for (let at = 0; at < 5; at += 1) await expect(list(store)).rejects.toThrow(Unavailable)
      expect([clock.asked, server.requests.length]).toEqual([1, 5])
      clock.now += 11_000
      await Promise.allSettled([1, 2, 3].map(() => list(store)))
      await expect(list(store)).rejects.toThrow(Unavailable)
      expect([clock.asked, server.requests.length]).toEqual([2, 9])
    })
  })

  const skewed = (hours: number, head = false): Step => {
    const headers = { date: new Date(Date.now() + hours * 3_600_000).toUTCString() }
    return head ? answer(403, { headers }) : refuse(403, 'RequestTimeTooSkewed', headers)
  }
  const signedHoursAhead = () =>
    server.requests.map(({ headers }) => {
      const [, date, time] = /^(\d{8})T(\d{6})Z$/.exec(headers['x-amz-date'] ?? '') ?? []
      const iso = `${date}${time}`.replace(/^(....)(..)(..)(..)(..)(..)$/, '$1-$2-$3T$4:$5:$6Z')
      return Math.round((Date.parse(iso) - Date.now()) / 3_600_000) + 0
    })

  test.each([[2], [-3]])('a clock %i hours away, from then on', async (hours) => {
    const store = open()
    server.next(skewed(hours), LISTED, LISTED)
    await store.list('b', { prefix: '', limit: 1 })
    await store.list('b', { prefix: '', limit: 1 })
    expect(signedHoursAhead()).toEqual([0, hours, hours])
  })

  test('a clock, told by a HEAD', async () => {
    const store = open()
    server.next(skewed(5, true), answer(404))
    expect(await store.head('b', 'k')).toBeUndefined()
    expect(signedHoursAhead()).toEqual([0, 5])
  })

  test('a clock that is never right is an outage', async () => {
    const store = open()
    server.next(skewed(1), skewed(2), skewed(3), skewed(4))
    await expect(store.list('b', { prefix: '', limit: 1 })).rejects.toThrow(Unavailable)
    expect(server.requests).toHaveLength(2)
  })

  const regions = () => server.requests.map(({ headers }) => headers['authorization']?.split('/')[2])

  test.each([
    ['a 301 with a header', refuse(301, 'PermanentRedirect', { 'x-amz-bucket-region': 'eu-west-3' })],
    [
      'a malformed header, with the region in the document',
      refuse(400, 'AuthorizationHeaderMalformed', {}, '<Region>eu-west-3</Region>'),
    ],
    ['a bare 400, as of HEAD', answer(400, { headers: { 'x-amz-bucket-region': 'eu-west-3' } })],
  ])('the region of a bucket: %s', async (_what, step) => {
    const store = open()
    server.next(step)
    server.otherwise(refuse(404, 'NoSuchKey'))
    for (const bucket of ['b', 'b', 'c']) {
      await expect(store.get(bucket, 'k/ä')).rejects.toMatchObject({ refusal: 'no-such-key' })
    }
    expect(regions()).toEqual(['us-east-1', 'eu-west-3', 'eu-west-3', 'us-east-1'])
    expect(server.requests.map(({ path }) => path)).toEqual([...Array(3).fill('/b/k/%C3%A4'), '/c/k/%C3%A4'])
  })

  test('a streamed body that met another region finds it the next time', async () => {
    const store = open()
    server.next(refuse(301, 'PermanentRedirect', { 'x-amz-bucket-region': 'eu-west-3' }), WRITTEN)
    const put = () => store.put('b', 'k', bodyOf('streamed'), putOptions({ length: 8 }))
    await expect(put()).rejects.toThrow(Unavailable)
    await put()
    expect(regions()).toEqual(['us-east-1', 'eu-west-3'])
  })

  test('but a redirect to another host is not followed', async () => {
    const elsewhere = await ScriptedServer.start()
    try {
      const store = open()
      server.otherwise(refuse(307, 'TemporaryRedirect', { location: `${elsewhere.endpoint}/b/k` }))
      await expect(store.put('b', 'k', held(bytes(9)), putOptions())).rejects.toThrow(Unavailable)
      await expect(store.head('b', 'k')).rejects.toThrow(Unavailable)
      expect(elsewhere.connections).toBe(0)
      expect(server.requests).toHaveLength(2)
    } finally {
      await elsewhere.close()
    }
  })
})

describe('what is refused is not sent again', () => {
  test.each([
    ['AccessDenied', 403, Denied],
    ['InvalidAccessKeyId', 403, Unavailable],
    ['SignatureDoesNotMatch', 403, Unavailable],
    ['PreconditionFailed', 412, StoreError],
    ['NoSuchBucket', 404, StoreError],
    ['NotImplemented', 501, StoreError],
  ])('%s', async (code, status, kind) => {
    const store = open()
    server.otherwise(refuse(status, code))
    await expect(store.put('b', 'k', held(bytes(9)), putOptions())).rejects.toThrow(kind)
    expect(server.requests).toHaveLength(1)
  })
})

describe('an answer that breaks off', () => {
  test('to a listing is asked for again', async () => {
    const store = open()
    server.next(truncated(200, { body: EMPTY_LIST.slice(0, 40), announced: EMPTY_LIST.length }), LISTED)
    expect((await store.list('b', { prefix: '', limit: 1 })).objects).toEqual([])
    expect(server.requests).toHaveLength(2)
  })

  test('in an object is an outage and never its end', async () => {
    const store = open()
    server.otherwise(truncated(200, { headers: { etag: '"e"' }, body: bytes(1_000), announced: 5_000 }))
    const { body } = await store.get('b', 'k')
    await expect(collect(body)).rejects.toThrow(Unavailable)
  })

  test('in an object on a connection that was to end anyway is one too', async () => {
    const store = open()
    const headers = { etag: '"e"', connection: 'close' }
    server.otherwise(truncated(200, { headers, body: bytes(1_000), announced: 5_000 }))
    await expect(collect((await store.get('b', 'k')).body)).rejects.toThrow(Unavailable)
  })
})
