/** Objects at their edges, over a store with facts and over one that speaks S3 (S3 behaviour 16, 44, 46 to 48, 56 to 63, 66, 68, 114). */
import { createHash, randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HeldBody } from '../../src/backends/body.ts'
import { MemoryStore } from '../../src/backends/memory.ts'
import type { ObjectStore } from '../../src/backends/object-store.ts'
import { storedSize } from '../../src/format/sizes.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { replacing } from '../helpers/replacing.ts'
import { codeOf, send, type SignedAnswer } from '../helpers/signed-request.ts'
import { notOver, storable, STORES } from '../helpers/worlds.ts'

const MIB = 1024 * 1024
const EARLY = 'Wed, 01 Jan 2020 00:00:00 GMT'
const LATE = 'Wed, 01 Jan 2120 00:00:00 GMT'

describe.each(Object.entries(STORES))('%s', (_name, open) => {
  let running: TestGateway
  let close: () => Promise<void>
  /** A size that the store shall tell of every object. */
  let pretended: number | undefined

  beforeAll(async () => {
    const opened = await open()
    close = opened.close
    const head: ObjectStore['head'] = async (...args) => {
      const info = await opened.store.head(...args)
      return info === undefined || pretended === undefined ? info : { ...info, size: pretended }
    }
    const store = replacing(opened.store, { head })
    running = await startGateway({ store, rules: (bucket) => ({ contents: bucket === 'mixed' ? 'mixed' : 'sealed' }) })
    for (const Bucket of ['edges', 'mixed']) await running.client().send(new CreateBucketCommand({ Bucket }))
    await put('source', 'source', { 'x-amz-meta-kept': 'yes', 'x-amz-website-redirect-location': '/elsewhere' })
  })
  afterAll(async () => {
    await running.close()
    await close()
  })

  const call = (method: string, key: string, headers: Record<string, string> = {}, body?: Buffer) =>
    send(running, { method, path: `/edges/${key}`, headers, ...(body === undefined ? {} : { body }) })
  const put = (key: string, text: string, headers: Record<string, string> = {}) =>
    call('PUT', key, headers, Buffer.from(text))
  const copy = (key: string, from: string, headers: Record<string, string> = {}) =>
    call('PUT', key, { 'x-amz-copy-source': `edges/${from}`, ...headers })
  const etagOf = async (key: string): Promise<string> => String((await call('HEAD', key)).headers.etag)
  const outcome = (answer: SignedAnswer): [number, string | undefined] => [answer.status, codeOf(answer)]

  describe('conditions', () => {
    test('B46 every pair of them, in the order of RFC 9110', async () => {
      const etag = await etagOf('source')
      const match = { holds: { 'if-match': etag }, fails: { 'if-match': '"other"' }, none: {} }
      const unmodified = {
        holds: { 'if-unmodified-since': LATE },
        fails: { 'if-unmodified-since': EARLY },
        none: {},
      }
      const noneMatch = { holds: { 'if-none-match': '"other"' }, fails: { 'if-none-match': etag }, none: {} }
      const modified = { holds: { 'if-modified-since': EARLY }, fails: { 'if-modified-since': LATE }, none: {} }
      const states = ['holds', 'fails', 'none'] as const
      for (const a of states)
        for (const b of states)
          for (const c of states)
            for (const d of states) {
              const first = a === 'none' ? b : a
              const second = c === 'none' ? d : c
              const status = first === 'fails' ? 412 : second === 'fails' ? 304 : 200
              const headers: Record<string, string> = { ...match[a], ...unmodified[b], ...noneMatch[c], ...modified[d] }
              for (const method of ['GET', 'HEAD']) {
                expect([headers, (await call(method, 'source', headers)).status]).toEqual([headers, status])
              }
              // B66: of a copy source every condition that fails is 412.
              const source = Object.fromEntries(
                Object.entries(headers).map(([name, value]) => [`x-amz-copy-source-${name}`, value]),
              )
              expect([source, (await copy('conditional', 'source', source)).status]).toEqual([
                source,
                status === 200 ? 200 : 412,
              ])
            }
    })

    test('B46 B47 B49 a 412 names the condition; a 304 has the validators and no body', async () => {
      const etag = await etagOf('source')
      for (const [headers, condition] of [
        [{ 'if-match': '"other"' }, 'If-Match'],
        [{ 'if-unmodified-since': EARLY }, 'If-Unmodified-Since'],
      ] as [Record<string, string>, string][]) {
        const answer = await call('GET', 'source', headers)
        expect(outcome(answer)).toEqual([412, 'PreconditionFailed'])
        expect(answer.bytes.toString()).toContain(`<Condition>${condition}</Condition>`)
        expect((await call('HEAD', 'source', headers)).bytes).toHaveLength(0)
      }
      await put('cached', 'x', { 'cache-control': 'max-age=5', expires: LATE, 'content-type': 'a/b' })
      const unchanged = await call('GET', 'cached', { 'if-none-match': await etagOf('cached') })
      expect([unchanged.status, unchanged.bytes.length]).toEqual([304, 0])
      expect(unchanged.headers).toMatchObject({
        etag: await etagOf('cached'),
        'cache-control': 'max-age=5',
        expires: LATE,
        'last-modified': expect.any(String),
      })
      expect(unchanged.headers['content-type']).toBeUndefined()
      expect(etag).toMatch(/^".+"$/)
    })

    test('B48 an invalid date is no condition, and an ETag needs no quotes', async () => {
      const etag = await etagOf('source')
      for (const headers of [
        { 'if-modified-since': 'yesterday' },
        { 'if-unmodified-since': '2020-01-01T00:00:00Z' },
        { 'if-match': etag.slice(1, -1) },
        { 'if-match': '*' },
      ] as Record<string, string>[])
        expect([headers, (await call('GET', 'source', headers)).status]).toEqual([headers, 200])
      expect((await call('GET', 'source', { 'if-none-match': etag.slice(1, -1) })).status).toBe(304)
    })

    test('B60 of a PUT that meets another write at the same moment: one wins, the others are 412 or 409', async () => {
      await put('raced', 'before')
      const etag = await etagOf('raced')
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, i) => put('raced', `racer ${i}`, { 'if-match': etag })),
      )
      const winners = answers.flatMap(({ status }, i) => (status === 200 ? [i] : []))
      expect(winners).toHaveLength(1)
      for (const answer of answers) {
        if (answer.status === 200) continue
        expect([
          [412, 'PreconditionFailed'],
          [409, 'ConditionalRequestConflict'],
        ]).toContainEqual(outcome(answer))
      }
      expect((await call('GET', 'raced')).bytes.toString()).toBe(`racer ${winners[0]}`)
    })

    test(
      'B62 of each key of a DeleteObjects',
      notOver('minio', 'it decides no condition of a deletion, so that one is refused'),
      async () => {
        for (const key of ['keep', 'go', 'any']) await put(`many-${key}`, key)
        const entry = (key: string, etag: string): string => `<Object><Key>${key}</Key><ETag>${etag}</ETag></Object>`
        const body = Buffer.from(
          `<Delete>${entry('many-keep', '&quot;other&quot;')}${entry('many-go', (await etagOf('many-go')).replaceAll('"', '&quot;'))}${entry('many-any', '*')}<Object><Key>many-missing</Key></Object></Delete>`,
        )
        const headers = { 'content-md5': createHash('md5').update(body).digest('base64') }
        const answer = await send(running, { method: 'POST', path: '/edges?delete', body, headers })
        expect(answer.status).toBe(200)
        const text = answer.bytes.toString()
        expect(text).toContain('<Error><Key>many-keep</Key><Code>PreconditionFailed</Code>')
        expect([...text.matchAll(/<Deleted><Key>([^<]*)</g)].map((match) => match[1])).toEqual([
          'many-go',
          'many-any',
          'many-missing',
        ])
        expect([(await call('HEAD', 'many-keep')).status, (await call('HEAD', 'many-go')).status]).toEqual([200, 404])
      },
    )
  })

  test('B56 B44 an empty object is one: by PUT, in chunks and as a copy; no range of it exists', async () => {
    await put('empty', '')
    await call('PUT', 'empty-chunked', { 'transfer-encoding': 'chunked' }, Buffer.alloc(0))
    await copy('empty-copy', 'empty')
    for (const key of ['empty', 'empty-chunked', 'empty-copy']) {
      for (const method of ['GET', 'HEAD']) {
        const answer = await call(method, key)
        expect([key, answer.status, answer.headers['content-length'], answer.bytes.length]).toEqual([key, 200, '0', 0])
        for (const range of ['bytes=0-0', 'bytes=40-50', 'bytes=-1'])
          expect([range, (await call(method, key, { range })).status]).toEqual([range, 416])
        expect((await call(method, key, { range: 'bytes=5-2' })).status).toBe(200)
      }
    }
    const list = await send(running, { method: 'GET', path: '/edges?list-type=2&prefix=empty' })
    expect([...list.bytes.toString().matchAll(/<Size>(\d+)<\/Size>/g)].map((match) => match[1])).toEqual([
      '0',
      '0',
      '0',
    ])
  })

  test('B57 keys that end in a slash stand beside those that do not', async () => {
    const keys = ['a', 'a/', 'a/b', 'a//'].filter(storable)
    for (const key of keys) await put(`slash/${key}`, key)
    for (const key of keys) expect((await call('GET', `slash/${key}`)).bytes.toString()).toBe(key)
    await put('only/', '')
    expect(outcome(await call('GET', 'only'))).toEqual([404, 'NoSuchKey'])
    await call('DELETE', 'slash/a/')
    expect((await call('GET', 'slash/a/b')).status).toBe(200)
  })

  test('a missing key is named, whatever of it is asked for', async () => {
    for (const asked of [{}, { range: 'bytes=0-9' }, { range: 'bytes=-9' }, { 'if-none-match': '*' }]) {
      const answer = await call('GET', 'never%20was', asked)
      expect(outcome(answer)).toEqual([404, 'NoSuchKey'])
      expect(answer.bytes.toString()).toContain('<Key>never was</Key>')
    }
    expect((await call('GET', 'never%20was?partNumber=1')).bytes.toString()).toContain('<Key>never was</Key>')
  })

  test('B61 a missing key is deleted already', async () => {
    expect((await call('DELETE', 'never-was')).status).toBe(204)
    await put('kept', 'x')
    const { conditionalDelete } = running.store.capabilities
    expect((await call('DELETE', 'kept', { 'if-match': '"other"' })).status).toBe(conditionalDelete ? 412 : 501)
    expect((await call('HEAD', 'kept')).status).toBe(200)
    const matching = await call('DELETE', 'kept', { 'if-match': await etagOf('kept') })
    expect(matching.status).toBe(conditionalDelete ? 204 : 501)
  })

  describe('copies', () => {
    test('B63 of an object onto itself must change something', async () => {
      await put('self', 'self', { 'x-amz-meta-old': '1' })
      expect(outcome(await copy('self', 'self'))).toEqual([400, 'InvalidRequest'])
      expect(outcome(await copy('self', 'self', { 'x-amz-metadata-directive': 'COPY' }))).toEqual([
        400,
        'InvalidRequest',
      ])
      for (const headers of [
        { 'x-amz-checksum-algorithm': 'SHA256' },
        { 'x-amz-website-redirect-location': '/x' },
        { 'x-amz-storage-class': 'STANDARD' },
        { 'x-amz-server-side-encryption': 'AES256' },
        { 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-new': '2' },
      ] as Record<string, string>[]) {
        expect([headers, (await copy('self', 'self', headers)).status]).toEqual([headers, 200])
        expect((await call('GET', 'self')).bytes.toString()).toBe('self')
      }
      const { headers } = await call('HEAD', 'self')
      expect([headers['x-amz-meta-old'], headers['x-amz-meta-new']]).toEqual([undefined, '2'])
    })

    test('B68 do not take the website redirect with them, unless the request has one', async () => {
      expect((await call('HEAD', 'source')).headers['x-amz-website-redirect-location']).toBe('/elsewhere')
      for (const [headers, redirect, kept] of [
        [{}, undefined, 'yes'],
        [{ 'x-amz-website-redirect-location': 'https://example.com/' }, 'https://example.com/', 'yes'],
        [{ 'x-amz-metadata-directive': 'REPLACE' }, undefined, undefined],
        [{ 'x-amz-metadata-directive': 'REPLACE', 'x-amz-website-redirect-location': '/r' }, '/r', undefined],
      ] as [Record<string, string>, string | undefined, string | undefined][]) {
        expect((await copy('redirected', 'source', headers)).status).toBe(200)
        const { headers: found } = await call('GET', 'redirected')
        expect([found['x-amz-website-redirect-location'], found['x-amz-meta-kept']]).toEqual([redirect, kept])
      }
    })

    test('B66 of more than 5 GiB is InvalidRequest, by the size of the plaintext', async () => {
      // Written in parts, so that its size is what the stored size implies.
      await call('PUT', 'large', { 'transfer-encoding': 'chunked' }, randomBytes(9 * MIB))
      pretended = storedSize(5 * 1024 ** 3 + 1)
      try {
        const answer = await copy('too-large', 'large')
        expect(outcome(answer)).toEqual([400, 'InvalidRequest'])
        expect(answer.bytes.toString()).toContain('larger than the maximum allowable size for a copy source')
      } finally {
        pretended = undefined
      }
      expect((await copy('not-too-large', 'large')).status).toBe(200)
    })

    test('keep the checksum of a streamed object, and tell it', async () => {
      const body = randomBytes(2 * MIB)
      const sha256 = createHash('sha256').update(body).digest('base64')
      await call('PUT', 'streamed', { 'x-amz-checksum-sha256': sha256 }, body)
      const answer = await copy('streamed-copy', 'streamed')
      expect(answer.status).toBe(200)
      const head = await call('HEAD', 'streamed-copy', { 'x-amz-checksum-mode': 'ENABLED' })
      expect(head.headers['x-amz-checksum-sha256']).toBe(sha256)
      if (running.store.capabilities.near) expect(answer.bytes.toString()).toContain(sha256)
    })
  })

  test.each(['/there', 'http://example.com/x', 'https://example.com'])(
    'x-amz-website-redirect-location %s is kept and told',
    async (location) => {
      await put('website', 'x', { 'x-amz-website-redirect-location': location })
      for (const method of ['GET', 'HEAD'])
        expect((await call(method, 'website')).headers['x-amz-website-redirect-location']).toBe(location)
    },
  )

  test('another x-amz-website-redirect-location is InvalidRedirectLocation', async () => {
    const answer = await put('website', 'y', { 'x-amz-website-redirect-location': 'ftp://example.com' })
    expect(outcome(answer)).toEqual([400, 'InvalidRedirectLocation'])
  })

  test('B114 gzip is neither unpacked nor packed, sealed or in plaintext', async () => {
    const packed = gzipSync(Buffer.alloc(100_000, 'text '))
    await call('PUT', 'packed', { 'content-encoding': 'gzip', 'content-type': 'text/plain' }, packed)
    const options = { metadata: {}, attributes: {}, commit: async () => ({}) }
    await running.store.put('mixed', 'packed', new HeldBody([packed]), options)
    for (const path of ['/edges/packed', '/mixed/packed']) {
      for (const headers of [{}, { 'accept-encoding': 'gzip' }, { 'accept-encoding': 'identity' }] as Record<
        string,
        string
      >[]) {
        const answer = await send(running, { method: 'GET', path, headers })
        expect(answer.headers['content-length']).toBe(String(packed.length))
        expect(answer.bytes.equals(packed)).toBe(true)
      }
    }
    expect((await call('HEAD', 'packed')).headers).toMatchObject({
      'content-encoding': 'gzip',
      'content-length': String(packed.length),
    })
    const range = await call('GET', 'packed', { range: 'bytes=10-19' })
    expect(range.bytes.equals(packed.subarray(10, 20))).toBe(true)
  })

  test('B25 a body without a length is taken', async () => {
    const body = randomBytes(70_000)
    expect((await call('PUT', 'unsized', { 'transfer-encoding': 'chunked' }, body)).status).toBe(200)
    expect((await call('GET', 'unsized')).bytes.equals(body)).toBe(true)
  })

  test('appending and renaming are NotImplemented, as on general purpose buckets, and nothing changes', async () => {
    await put('appended', 'first')
    for (const offset of ['0', '5']) {
      const answer = await put('appended', ' second', { 'x-amz-write-offset-bytes': offset })
      expect(outcome(answer)).toEqual([501, 'NotImplemented'])
    }
    const renamed = await call('PUT', 'renamed?renameObject', { 'x-amz-rename-source': 'edges/appended' })
    expect(outcome(renamed)).toEqual([501, 'NotImplemented'])
    expect((await call('GET', 'appended')).bytes.toString()).toBe('first')
    expect((await call('HEAD', 'renamed')).status).toBe(404)
  })

  test('B16 all six response-* parameters, on 200 and 206', async () => {
    const wanted: Record<string, string> = {
      'cache-control': 'no-store',
      'content-disposition': 'attachment; filename="a b.txt"',
      'content-encoding': 'br',
      'content-language': 'de',
      'content-type': 'text/x-other',
      expires: EARLY,
    }
    const query = Object.entries(wanted).map(([name, value]) => `response-${name}=${encodeURIComponent(value)}`)
    for (const method of ['GET', 'HEAD']) {
      for (const [headers, status] of [
        [{}, 200],
        [{ range: 'bytes=0-1' }, 206],
      ] as [Record<string, string>, number][]) {
        const answer = await call(method, `source?${query.join('&')}`, headers)
        expect(answer.status).toBe(status)
        expect(answer.headers).toMatchObject(wanted)
      }
    }
  })
})

test('the storage class of a store that has them is handed on, echoed, and told among the attributes', async () => {
  const inner: ObjectStore = new MemoryStore({ capabilities: { versions: true, native: true } })
  const attributes = { 'x-amz-storage-class': 'STANDARD_IA' }
  const asked: unknown[] = []
  const store = replacing(inner, {
    put: (...args) => {
      asked.push(args[3].attributes)
      return inner.put(...args)
    },
    head: async (...args) => {
      const info = await inner.head(...args)
      return info === undefined ? undefined : { ...info, attributes }
    },
    get: async (...args) => {
      const found = await inner.get(...args)
      return { ...found, info: { ...found.info, attributes } }
    },
  })
  const running = await startGateway({ store })
  try {
    await running.client().send(new CreateBucketCommand({ Bucket: 'classes' }))
    const path = '/classes/cold'
    const put = await send(running, { method: 'PUT', path, headers: attributes, body: Buffer.from('cold') })
    expect(put.status).toBe(200)
    expect(asked).toEqual([attributes])
    for (const method of ['GET', 'HEAD']) {
      expect((await send(running, { method, path })).headers['x-amz-storage-class']).toBe('STANDARD_IA')
    }
    const headers = { 'x-amz-object-attributes': 'StorageClass' }
    const told = await send(running, { method: 'GET', path: `${path}?attributes`, headers })
    expect(told.bytes.toString()).toContain('<StorageClass>STANDARD_IA</StorageClass>')
  } finally {
    await running.close()
  }
})

test('B68 a redirect that only the end of the sealed body has room for does not go with a copy either', async () => {
  const running = await startGateway({ store: new MemoryStore({ capabilities: { metadataLimit: 2_048 } }) })
  try {
    await running.client().send(new CreateBucketCommand({ Bucket: 'edges' }))
    const location = `/${'r'.repeat(2_000)}`
    const headers = { 'x-amz-website-redirect-location': location, 'x-amz-meta-kept': 'yes' }
    const body = randomBytes(5 * MIB)
    expect((await send(running, { method: 'PUT', path: '/edges/far', body, headers })).status).toBe(200)
    const told = await send(running, { method: 'HEAD', path: '/edges/far' })
    expect(told.headers['x-amz-website-redirect-location']).toBe(location)
    const source = { 'x-amz-copy-source': 'edges/far' }
    expect((await send(running, { method: 'PUT', path: '/edges/near', headers: source })).status).toBe(200)
    const copied = await send(running, { method: 'GET', path: '/edges/near' })
    expect(copied.headers['x-amz-website-redirect-location']).toBeUndefined()
    expect([copied.headers['x-amz-meta-kept'], copied.bytes.equals(body)]).toEqual(['yes', true])
  } finally {
    await running.close()
  }
})
