/** Writes, copies and deletes at their edges (S3 behaviour 20, 35, 57 to 68 and 70). */
import { createHash } from 'node:crypto'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { ObjectStore } from '../../src/backends/object-store.ts'
import { requestDone, type RequestEvent } from '../../src/telemetry/channels.ts'
import type { TestGateway } from '../helpers/gateway.ts'
import { head, RawConnection } from '../helpers/raw-connection.ts'
import { codeOf, send, type SignedAnswer, signedHeaders } from '../helpers/signed-request.ts'
import { replacing } from '../helpers/replacing.ts'
import { differs, notOver, startTested } from '../helpers/worlds.ts'

let running: TestGateway
/** Runs before the store copies. */
let beforeCopy: (() => Promise<void>) | undefined

beforeAll(async () => {
  const between = (inner: ObjectStore): ObjectStore => {
    const copy: ObjectStore['copy'] = async (...args) => {
      await beforeCopy?.()
      return inner.copy(...args)
    }
    return replacing(inner, { copy })
  }
  running = await startTested({ between })
  await running.client().send(new CreateBucketCommand({ Bucket: 'writes' }))
})
beforeEach(async () => {
  await put('source', 'source', { 'x-amz-meta-kept': 'yes', 'content-type': 'a/b', 'cache-control': 'no-store' })
})
afterAll(() => running.close())

const put = (key: string, text: string, headers: Record<string, string> = {}): Promise<SignedAnswer> =>
  send(running, { method: 'PUT', path: `/writes/${encodeURIComponent(key)}`, body: Buffer.from(text), headers })
const get = (key: string): Promise<SignedAnswer> =>
  send(running, { method: 'GET', path: `/writes/${encodeURIComponent(key)}` })
const copy = (key: string, source: string, headers: Record<string, string> = {}): Promise<SignedAnswer> =>
  send(running, { method: 'PUT', path: `/writes/${key}`, headers: { 'x-amz-copy-source': source, ...headers } })
const outcome = (answer: SignedAnswer): [number, string | undefined] => [answer.status, codeOf(answer)]

describe('keys that look like folders', () => {
  test('B57 are objects like any other', async () => {
    await put('dir/', 'has contents')
    await put('dir/below', '')
    expect((await get('dir')).status).toBe(404)
    expect((await get('dir/')).bytes.toString()).toBe('has contents')
    await put('dir', 'beside')
    await send(running, { method: 'DELETE', path: '/writes/dir/' })
    expect([(await get('dir/')).status, (await get('dir')).status, (await get('dir/below')).status]).toEqual([
      404, 200, 200,
    ])
  })
})

describe('user metadata', () => {
  test('B59 names are lower-cased, duplicates joined, and bytes beyond ASCII come back in the encoded words of RFC 2047', async () => {
    const connection = await RawConnection.open(running.port)
    const utf8 = Buffer.from('Grüße').toString('latin1')
    const headers = signedHeaders(running, {
      method: 'PUT',
      path: '/writes/meta',
      headers: {
        'content-length': '1',
        'x-amz-meta-upper': 'A',
        'x-amz-meta-twice': 'one,two',
        'x-amz-meta-wide': utf8,
      },
    })
    const text = head('PUT', '/writes/meta', { ...headers, 'x-amz-meta-twice': 'one' })
      .replace('x-amz-meta-upper', 'X-Amz-Meta-UPPER')
      .replace('\r\n\r\n', '\r\nx-amz-meta-twice: two\r\n\r\nx')
    connection.write(Buffer.from(text, 'latin1'))
    expect((await connection.answer())?.status).toBe(200)
    connection.write(head('HEAD', '/writes/meta', signedHeaders(running, { method: 'HEAD', path: '/writes/meta' })))
    const answer = await connection.answer(5_000, true)
    expect(
      [...(answer?.headers ?? [])]
        .filter(([name]) => name.startsWith('x-amz-meta-'))
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    ).toEqual([
      ['x-amz-meta-twice', 'one,two'],
      ['x-amz-meta-upper', 'A'],
      ['x-amz-meta-wide', '=?UTF-8?Q?Gr=C3=BC=C3=9Fe?='],
    ])
    connection.close()
  })

  test('B59 encoded words are understood, and values with unprintable characters are counted, not sent', async () => {
    await put('words', 'x', {
      'x-amz-meta-ascii': '=?UTF-8?B?aGVsbG8=?=',
      'x-amz-meta-split': '=?ISO-8859-1?Q?Gr=FC?= =?UTF-8?B?w59l?=',
      'x-amz-meta-broken': '=?UTF-8?B?***?= =?x-none?Q?a?=',
      'x-amz-meta-control': '=?UTF-8?Q?a=0D=0Aset-cookie:=20b?=',
      'x-amz-meta-zero': '=?UTF-8?B?AA==?=',
    })
    for (const method of ['GET', 'HEAD']) {
      const { headers } = await send(running, { method, path: '/writes/words' })
      const meta = Object.entries(headers).filter(([name]) => name.includes('-meta'))
      expect(Object.fromEntries(meta)).toEqual({
        'x-amz-meta-ascii': 'hello',
        'x-amz-meta-split': '=?UTF-8?Q?Gr=C3=BC=C3=9Fe?=',
        'x-amz-meta-broken': '=?UTF-8?B?***?= =?x-none?Q?a?=',
        'x-amz-missing-meta': '2',
      })
    }
  })

  test('B59 over 2 KB is told with both sizes', async () => {
    const answer = await put('meta', '', { 'x-amz-meta-a': 'x'.repeat(1_500), 'x-amz-meta-b': 'x'.repeat(1_500) })
    expect(outcome(answer)).toEqual([400, 'MetadataTooLarge'])
    expect(answer.bytes.toString()).toContain('<Size>3002</Size>')
    expect(answer.bytes.toString()).toContain('<MaxSizeAllowed>2048</MaxSizeAllowed>')
  })
})

/** In tables of headers `{etag}` stands for that of the object `source`. */
async function filled(headers: Record<string, string>): Promise<Record<string, string>> {
  const etag = String((await send(running, { method: 'HEAD', path: '/writes/source' })).headers.etag).slice(1, -1)
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.replace('{etag}', etag)]))
}

describe('conditions of a PUT', () => {
  const etag = '"{etag}"'
  test.each([
    [{ 'if-none-match': '*' }, 412, 'PreconditionFailed'],
    [{ 'if-none-match': etag }, 501, 'NotImplemented'],
    [{ 'if-none-match': '*', 'if-match': etag }, 501, 'NotImplemented'],
    [{ 'if-match': '"other"' }, 412, 'PreconditionFailed'],
    [{ 'if-match': etag }, 200, undefined],
    [{ 'if-match': '{etag}' }, 200, undefined],
    [{ 'if-match': '*' }, 200, undefined],
    [{ 'if-modified-since': 'Wed, 01 Jan 2020 00:00:00 GMT' }, 501, 'NotImplemented'],
  ] as [Record<string, string>, number, string | undefined][])(
    'B60 %j on what exists is %i',
    async (headers, status, code) => {
      for (const text of ['small', 'x'.repeat(1_100_000)]) {
        await put('source', 'source')
        expect(outcome(await put('source', text, await filled(headers)))).toEqual([status, code])
        expect((await get('source')).bytes.toString()).toBe(status === 200 ? text : 'source')
      }
    },
  )

  test('B60 If-Match on what does not exist is NoSuchKey', async () => {
    for (const value of [etag, '*'])
      expect(outcome(await put('none', 'x', { 'if-match': value }))).toEqual([404, 'NoSuchKey'])
  })

  test.each([10, 1_100_000])('B60 of many creations at once exactly one succeeds (%i bytes)', async (size) => {
    const key = `once-${size}`
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        put(key, String.fromCodePoint(97 + i).repeat(size), { 'if-none-match': '*' }),
      ),
    )
    const won = answers.flatMap((answer, i) => (answer.status === 200 ? [String.fromCodePoint(97 + i)] : []))
    expect(won).toHaveLength(1)
    for (const answer of answers) expect([200, 409, 412]).toContain(answer.status)
    expect((await get(key)).bytes.toString()).toBe(won[0]?.repeat(size))
  })
})

describe('deletes', () => {
  test(
    'B61 under If-Match only what matches goes, and a missing key is deleted already',
    notOver('minio', 'it decides no condition of a deletion, so that one is refused'),
    async () => {
      const path = '/writes/source'
      expect(outcome(await send(running, { method: 'DELETE', path, headers: { 'if-match': '"other"' } }))[0]).toBe(412)
      expect((await get('source')).status).toBe(200)
      const headers = await filled({ 'if-match': '"{etag}"' })
      expect((await send(running, { method: 'DELETE', path, headers })).status).toBe(204)
      expect((await send(running, { method: 'DELETE', path })).status).toBe(204)
    },
  )

  const many = (body: string, headers?: Record<string, string>): Promise<SignedAnswer> => {
    const digest = { 'content-md5': createHash('md5').update(body).digest('base64') }
    return send(running, {
      method: 'POST',
      path: '/writes?delete',
      body: Buffer.from(body),
      headers: headers ?? digest,
    })
  }
  const objects = (keys: readonly string[]): string => keys.map((key) => `<Object><Key>${key}</Key></Object>`).join('')

  test.each([
    ['more than 1,000 keys', `<Delete>${objects(Array.from({ length: 1_001 }, (_, i) => `k${i}`))}</Delete>`],
    ['no keys', '<Delete></Delete>'],
    ['no document', ''],
    ['what is no XML', '<Delete><Object>'],
    ['a document type', `<!DOCTYPE d [<!ENTITY e "x">]><Delete>${objects(['&e;'])}</Delete>`],
  ])('B62 of %s are MalformedXML', async (_what, body) => {
    expect(outcome(await many(body))).toEqual([400, 'MalformedXML'])
  })

  test('B62 need a digest, and the right one', async () => {
    const body = `<Delete>${objects(['source'])}</Delete>`
    expect(outcome(await many(body, {}))).toEqual([400, 'InvalidRequest'])
    expect(outcome(await many(body, { 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' }))).toEqual([400, 'BadDigest'])
    expect((await get('source')).status).toBe(200)
  })

  test(
    'B62 of a thousand keys, some missing, some twice, some with control characters',
    notOver('minio', 'it reads no control characters in a document'),
    async () => {
      const odd = '\u0001\u001f <&>'
      await put(odd, 'x')
      const keys = Array.from({ length: 997 }, (_, i) => `missing-${i}`)
      const answer = await many(
        `<Delete>${objects([...keys, 'source', 'source', '&#1;&#x1f; &lt;&amp;&gt;'])}</Delete>`,
      )
      expect(answer.status).toBe(200)
      expect([...answer.bytes.toString().matchAll(/<Deleted>/g)]).toHaveLength(1_000)
      expect([(await get('source')).status, (await get(odd)).status]).toEqual([404, 404])
    },
  )

  test('B62 that are quiet tell errors alone', async () => {
    const answer = await many(
      `<Delete><Quiet>true</Quiet>${objects(['source', 'k'.repeat(1_025)])}<Object><Key>a</Key><VersionId>v1</VersionId></Object></Delete>`,
    )
    expect(answer.bytes.toString()).not.toContain('<Deleted>')
    expect([...answer.bytes.toString().matchAll(/<Error>/g)]).toHaveLength(2)
  })
})

describe('copies', () => {
  test.each(['/writes/source', 'writes/source', 'writes%2Fsource', '/writes/sour%63e', 'writes/source?versionId=null'])(
    'B64 from %s',
    async (source) => {
      expect((await copy('copied', source)).status).toBe(200)
      expect((await get('copied')).bytes.toString()).toBe('source')
    },
  )

  test.each(['a+b', 'a%b', 'ü/\u{1f600}', 'a b', '?', '#'])('B64 of a key with special characters: %j', async (key) => {
    await put(key, key)
    expect((await copy('copied', `/writes/${encodeURIComponent(key)}`)).status).toBe(200)
    expect((await get('copied')).bytes.toString()).toBe(key)
  })

  test.each([
    ['/writes/%zz', 400, 'InvalidArgument'],
    ['/writes/%ff', 400, 'InvalidArgument'],
    ['/writes', 400, 'InvalidArgument'],
    ['/writes/', 400, 'InvalidArgument'],
    ['/', 400, 'InvalidArgument'],
    ['/writes/none', 404, 'NoSuchKey'],
    ['/missing/none', 404, 'NoSuchBucket'],
    [
      '/writes/source?versionId=x',
      400,
      differs('minio', 'an id that is none is InvalidRequest') ? 'InvalidRequest' : 'InvalidArgument',
    ],
  ])('B64 from %s is %i %s', async (source, status, code) => {
    expect(outcome(await copy('never', source))).toEqual([status, code])
    expect(await running.store.head('writes', 'never')).toBeUndefined()
  })

  test('B64 what is wrong with a source is said', async () => {
    const said = async (source: string): Promise<string> => (await copy('never', source)).bytes.toString()
    expect(await said('/writes/%zz')).toContain('<Message>Invalid copy source encoding</Message>')
    expect(await said('/writes/')).toContain('<Message>Invalid copy source object key</Message>')
  })

  test('B68 keep what the source has, or take all from the request', async () => {
    const described = async (headers: Record<string, string>): Promise<Record<string, unknown>> => {
      expect((await copy('copied', '/writes/source', headers)).status).toBe(200)
      const { headers: found } = await get('copied')
      const names = ['content-type', 'cache-control', 'x-amz-meta-kept', 'x-amz-meta-new']
      return Object.fromEntries(names.map((name) => [name, found[name]]))
    }
    const kept = {
      'content-type': 'a/b',
      'cache-control': 'no-store',
      'x-amz-meta-kept': 'yes',
      'x-amz-meta-new': undefined,
    }
    expect(await described({})).toEqual(kept)
    expect(await described({ 'x-amz-metadata-directive': 'COPY', 'x-amz-meta-new': 'ignored' })).toEqual(kept)
    expect(
      await described({ 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-new': 'n', 'content-type': 'c/d' }),
    ).toEqual({
      'content-type': 'c/d',
      'cache-control': undefined,
      'x-amz-meta-kept': undefined,
      'x-amz-meta-new': 'n',
    })
    expect(outcome(await copy('copied', '/writes/source', { 'x-amz-metadata-directive': 'MOVE' }))).toEqual([
      400,
      'InvalidArgument',
    ])
  })

  test.each([
    [{ 'x-amz-copy-source-if-match': '"other"' }, 412],
    [{ 'x-amz-copy-source-if-match': '"{etag}"' }, 200],
    [{ 'x-amz-copy-source-if-none-match': '"{etag}"' }, 412],
    [{ 'x-amz-copy-source-if-none-match': '"other"' }, 200],
    [{ 'x-amz-copy-source-if-modified-since': 'Wed, 01 Jan 2120 00:00:00 GMT' }, 412],
    [{ 'x-amz-copy-source-if-modified-since': new Date(Date.now() - 1_000).toUTCString() }, 200],
    [{ 'x-amz-copy-source-if-unmodified-since': 'Wed, 01 Jan 2020 00:00:00 GMT' }, 412],
    [{ 'if-none-match': '*' }, 412],
    [{ 'if-match': '"other"' }, 412],
  ] as [Record<string, string>, number][])('B66 under %j are %i', async (headers, status) => {
    await put('copied', 'was there')
    const answer = await copy('copied', '/writes/source', await filled(headers))
    expect(outcome(answer)).toEqual([status, status === 412 ? 'PreconditionFailed' : undefined])
    expect((await get('copied')).bytes.toString()).toBe(status === 200 ? 'source' : 'was there')
  })

  test('B70 a copy source where nothing is copied is InvalidArgument', async () => {
    for (const [method, path] of [
      ['POST', '/writes/x?uploads'],
      ['GET', '/writes/source'],
      ['DELETE', '/writes/source'],
    ] as const) {
      const answer = await send(running, { method, path, headers: { 'x-amz-copy-source': '/writes/source' } })
      expect(outcome(answer)).toEqual([400, 'InvalidArgument'])
      expect(answer.bytes.toString()).toContain('You can only specify a copy source header for copy requests.')
    }
  })

  test('B112 another owner than the bucket has is AccessDenied, of the source of a copy too', async () => {
    const path = '/writes/source'
    for (const [owner, expected] of [
      [running.gateway.owner.id, [200, undefined]],
      ['111122223333', [403, 'AccessDenied']],
    ] as const) {
      const headers = { 'x-amz-expected-bucket-owner': owner }
      expect(outcome(await send(running, { method: 'GET', path, headers }))).toEqual(expected)
      expect(outcome(await put('owned', 'x', headers))).toEqual(expected)
      const ofSource = { 'x-amz-source-expected-bucket-owner': owner }
      expect(outcome(await copy('owned', path, ofSource))).toEqual(expected)
    }
  })

  test('B67 of a part: ranges that are none are InvalidArgument, those behind the end InvalidRange', async () => {
    const create = await send(running, { method: 'POST', path: '/writes/parts?uploads' })
    const id = /<UploadId>([^<]+)</.exec(create.bytes.toString())?.[1] ?? ''
    const part = (range: string): Promise<SignedAnswer> =>
      copy(`parts?partNumber=1&uploadId=${id}`, '/writes/source', { 'x-amz-copy-source-range': range })
    for (const range of ['0-2', 'bytes=0-', 'bytes=-2', 'bytes=0-2,3-5', 'bytes=5-2', 'bytes=a-b', ''])
      expect([range, ...outcome(await part(range))]).toEqual([range, 400, 'InvalidArgument'])
    for (const range of ['bytes=0-6', 'bytes=6-7', 'bytes=100-200']) {
      const [status, code] = outcome(await part(range))
      expect([400, 416]).toContain(status)
      expect(code).toBe('InvalidRange')
    }
    expect((await part('bytes=0-5')).status).toBe(200)
  })
})

test('B65 a copy that takes long keeps the connection alive and then tells its result, or its error, in the 200', async () => {
  for (const fails of [false, true]) {
    let go = (): void => {}
    const started = new Promise<void>((begun) => {
      beforeCopy = async () => {
        begun()
        await new Promise<void>((resolve) => (go = resolve))
        if (fails) throw new Error('a bug of the store')
      }
    })
    vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval'] })
    try {
      const answer = copy('slow', '/writes/source')
      await started
      await vi.advanceTimersByTimeAsync(10_001)
      await vi.advanceTimersByTimeAsync(10_001)
      go()
      vi.useRealTimers()
      const { status, headers, bytes } = await answer
      expect([status, headers['content-type']]).toEqual([200, 'application/xml'])
      const root = fails ? 'Error><Code>InternalError</Code' : 'CopyObjectResult'
      expect(bytes.toString()).toMatch(new RegExp(`^<\\?xml version="1.0" encoding="UTF-8"\\?>\n {2,4}<${root}`))
      expect(bytes.toString().match(/<\?xml/g)).toHaveLength(1)
    } finally {
      vi.useRealTimers()
      beforeCopy = undefined
    }
  }
})

test('a client that leaves in the midst of a long copy is no error, and its copy is made or not, but whole', async () => {
  const events: RequestEvent[] = []
  const stop = requestDone.subscribe((event) => void events.push(event))
  let go = (): void => {}
  const started = new Promise<void>((begun) => {
    beforeCopy = async () => {
      begun()
      await new Promise<void>((resolve) => (go = resolve))
    }
  })
  vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval'] })
  const headers = signedHeaders(running, {
    method: 'PUT',
    path: '/writes/left',
    headers: { 'x-amz-copy-source': '/writes/source' },
  })
  const connection = await RawConnection.open(running.port)
  connection.write(head('PUT', '/writes/left', headers))
  await started
  await vi.advanceTimersByTimeAsync(10_001)
  connection.close()
  await vi.advanceTimersByTimeAsync(20_000)
  vi.useRealTimers()
  beforeCopy = undefined
  // Long enough for the server to see the connection end.
  await new Promise((resolve) => setTimeout(resolve, 50))
  go()
  await expect.poll(() => events.length).toBe(1)
  stop()
  expect(events[0]).toMatchObject({ operation: 'CopyObject', status: 200, disconnected: true })
  expect((await get('left')).bytes.toString()).toBe('source')
})
