import { describe, expect, test } from 'vitest'
import type { Body } from '../../../src/backends/body.ts'
import { Invalid } from '../../../src/errors.ts'
import { type Bench, bodyOf, brokenBody, bytes, collect, KIB, naivePage, putOptions, refusal } from './bench.ts'

const ODD_KEYS = [
  'a',
  'a/',
  'a/b',
  'a//b',
  '/',
  '//',
  '/a',
  '.',
  '..',
  '../../x',
  './a',
  'a/../b',
  ' ',
  'a b',
  ' a ',
  'a\\b',
  'C:\\x',
  'con',
  '~',
  '*',
  '?',
  '%2F',
  '%00',
  'a%20b',
  '\u0000',
  'a\u0000',
  'a\u0000b',
  '\u0001',
  '\n',
  '\r\n',
  '\u007f',
  '\u0085',
  '\ufeff',
  'é',
  'e\u0301',
  'ß',
  'SS',
  'ss',
  'İ',
  '漢字',
  '\ue000',
  '\uffff',
  '\ud800\udc00',
  '😀',
  '😀/x',
  '\u{10ffff}',
  'x'.repeat(1024),
  'é'.repeat(512),
  '😀'.repeat(256),
  'a/'.repeat(512),
  '\u0000'.repeat(1024),
]

export function objectsContract(bench: Bench): void {
  describe('put, get and head', () => {
    test.each([0, 1, 100, 4 * KIB, 16 * KIB, 16 * KIB + 1, 64 * KIB, 200 * KIB, 3 * 1024 * KIB + 17])(
      'a body of %i bytes comes back',
      async (length) => {
        const content = bytes(length)
        const written = await bench.put('k', content, { length })
        const { info, range, body } = await bench.store.get(bench.bucket, 'k')
        expect((await collect(body)).equals(content)).toBe(true)
        expect(range).toEqual({ first: 0, last: length - 1 })
        expect(info).toMatchObject({ etag: written.etag, size: length })
        // An S3 server does not say when it wrote: the date of its answer may be a second later.
        const apart = Math.abs(info.lastModified.getTime() - written.lastModified.getTime())
        expect(apart).toBeLessThanOrEqual(bench.remote ? 2_000 : 0)
        expect(await bench.store.head(bench.bucket, 'k')).toEqual(info)
      },
    )

    test('a body without a length comes back, whatever its batches', async () => {
      const content = bytes(300 * KIB)
      for (const batch of [1000, 65_536, 300 * KIB]) {
        await bench.store.put(bench.bucket, 'k', bodyOf(content, batch), putOptions())
        expect((await bench.read('k')).equals(content)).toBe(true)
      }
    })

    test('the buffers of a body may be kept: later ones do not change them', async () => {
      const content = bytes(2 * 1024 * KIB)
      await bench.put('k', content)
      const kept: Buffer[] = []
      for await (const batch of (await bench.store.get(bench.bucket, 'k')).body) kept.push(...batch)
      expect(Buffer.concat(kept).equals(content)).toBe(true)
    })

    test('metadata and facts come back exactly', async () => {
      const metadata: Record<string, string> = bench.remote
        ? { 'sg-e': 'A'.repeat(300), 'sg-m2': 'a-b_c' }
        : { 'sg-e': 'A'.repeat(300), x: '', 'a-b.c': 'ü 😀 "\\', __proto: 'x' }
      const facts = bytes(200)
      await bench.put('k', 'x', { metadata, commit: () => Promise.resolve({ facts }) })
      const info = await bench.store.head(bench.bucket, 'k')
      expect(info?.metadata).toEqual(metadata)
      expect(info?.facts).toEqual(bench.store.capabilities.facts ? facts : undefined)
      if (bench.remote) return
      const { objects } = await bench.store.list(bench.bucket, { prefix: '', limit: 1 })
      expect(objects).toEqual([
        {
          key: 'k',
          etag: info?.etag,
          size: 1,
          lastModified: info?.lastModified,
          ...(bench.store.capabilities.facts ? { facts } : {}),
        },
      ])
      await bench.put('k', 'x')
      expect(await bench.store.head(bench.bucket, 'k')).not.toHaveProperty('facts')
      expect((await bench.store.head(bench.bucket, 'k'))?.metadata).toEqual({})
    })

    // S3's ETag is a digest of the bytes; ciphertext never repeats.
    test.skipIf(bench.remote)('every write has an ETag of its own, even with the same bytes', async () => {
      const etags = [
        (await bench.put('k', 'x')).etag,
        (await bench.put('k', 'x')).etag,
        (await bench.put('l', 'x')).etag,
      ]
      expect(new Set(etags).size).toBe(3)
      for (const etag of etags) expect(etag).toMatch(/^[^"]+$/)
    })

    test('what is not there is not there', async () => {
      expect(await bench.store.head(bench.bucket, 'k')).toBeUndefined()
      expect(await refusal(bench.store.get(bench.bucket, 'k'))).toBe('no-such-key')
      await bench.store.delete(bench.bucket, 'k')
    })

    test('ranges are clamped, and refused behind the end', async () => {
      for (const length of [10, 200 * KIB, 1500 * KIB]) {
        const content = bytes(length)
        await bench.put('k', content)
        const last = length - 1
        for (const [first, until] of [
          [0, 0],
          [0, last],
          [last, last],
          [last - 5, last + 100],
          [3, 7],
          [last >> 1, last],
        ] as const) {
          const result = await bench.store.get(bench.bucket, 'k', { range: { first, last: until } })
          expect(result.range).toEqual({ first, last: Math.min(until, last) })
          expect(result.info.size).toBe(length)
          expect((await collect(result.body)).equals(content.subarray(first, until + 1))).toBe(true)
        }
        const open = await bench.store.get(bench.bucket, 'k', { range: { first: 4 } })
        expect((await collect(open.body)).equals(content.subarray(4))).toBe(true)
        const error = await bench.store.get(bench.bucket, 'k', { range: { first: length } }).catch((e: unknown) => e)
        expect(error).toMatchObject({ refusal: 'range-not-satisfiable', size: length })
      }
      await bench.put('k', '')
      expect(await refusal(bench.store.get(bench.bucket, 'k', { range: { first: 0 } }))).toBe('range-not-satisfiable')
    })

    test('get honours If-Match', async () => {
      const { etag } = await bench.put('k', 'one')
      expect((await bench.read('k', { ifMatch: etag })).toString()).toBe('one')
      await bench.put('k', 'two')
      expect(await refusal(bench.store.get(bench.bucket, 'k', { ifMatch: etag }))).toBe('precondition-failed')
      expect(await refusal(bench.store.get(bench.bucket, 'none', { ifMatch: etag }))).toBe('no-such-key')
    })

    test('a reader that has begun goes on when the object is replaced or deleted', async () => {
      for (const length of [5 * KIB, 2 * 1024 * KIB]) {
        const content = bytes(length)
        await bench.put('k', content)
        const { body } = await bench.store.get(bench.bucket, 'k')
        await bench.put('k', 'other')
        const { body: second } = await bench.store.get(bench.bucket, 'k')
        await bench.store.delete(bench.bucket, 'k')
        expect((await collect(body)).equals(content)).toBe(true)
        expect((await collect(second)).toString()).toBe('other')
      }
    })

    test('leaving a body early, or aborting, does no harm', async () => {
      await bench.put('k', bytes(3 * 1024 * KIB))
      for await (const _ of (await bench.store.get(bench.bucket, 'k')).body) break
      const controller = new AbortController()
      const { body } = await bench.store.get(bench.bucket, 'k', { signal: controller.signal })
      const reading = (async () => {
        for await (const _ of body) controller.abort(new Error('enough'))
      })()
      await expect(reading).rejects.toThrow('enough')
      expect((await bench.read('k')).length).toBe(3 * 1024 * KIB)
    })

    test('a body that throws leaves nothing behind', async () => {
      for (const length of [10, 500 * KIB]) {
        const failing = bench.store.put(
          bench.bucket,
          'k',
          brokenBody(bytes(length), new Error('client gone')),
          putOptions(),
        )
        await expect(failing).rejects.toThrow('client gone')
        expect(await bench.store.head(bench.bucket, 'k')).toBeUndefined()
      }
      await bench.put('k', 'kept')
      await expect(
        bench.store.put(bench.bucket, 'k', brokenBody(bytes(500 * KIB), new Error('client gone')), putOptions()),
      ).rejects.toThrow('client gone')
      expect(await bench.text('k')).toBe('kept')
    })

    test('commit is called once, after the whole body and before the object exists; if it throws, there is no object', async () => {
      for (const length of [0, 10, 500 * KIB]) {
        let consumed = false
        let calls = 0
        const body = async function* (): Body {
          yield* bodyOf(bytes(length))
          consumed = true
        }
        const commit = async () => {
          calls++
          expect(consumed).toBe(true)
          expect(await bench.store.head(bench.bucket, 'k')).toBeUndefined()
          throw new Error('checksum differs')
        }
        await expect(bench.store.put(bench.bucket, 'k', body(), putOptions({ commit }))).rejects.toThrow(
          'checksum differs',
        )
        expect(calls).toBe(1)
        expect(await bench.store.head(bench.bucket, 'k')).toBeUndefined()
      }
    })

    test('a body of another length than announced is refused', async () => {
      for (const [announced, sent] of [
        [5, 4],
        [4, 5],
        [0, 1],
        [100 * KIB, 99 * KIB],
        [99 * KIB, 100 * KIB],
      ] as const) {
        await expect(bench.put('k', bytes(sent), { length: announced })).rejects.toThrow(Invalid)
        expect(await bench.store.head(bench.bucket, 'k')).toBeUndefined()
      }
    })

    test('an abort ends a put, even if its body is silent', async () => {
      const controller = new AbortController()
      const silent = async function* (): Body {
        yield [bytes(100 * KIB)]
        controller.abort(new Error('too late'))
        await new Promise(() => undefined)
      }
      await expect(
        bench.store.put(bench.bucket, 'k', silent(), putOptions({ signal: controller.signal })),
      ).rejects.toThrow('too late')
      expect(await bench.store.head(bench.bucket, 'k')).toBeUndefined()
      await expect(bench.put('k', 'x', { signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before')
    })

    test('any key of well-formed Unicode up to 1,024 bytes is a name of its own', async () => {
      for (const key of ODD_KEYS) await bench.put(key, `content of ${JSON.stringify(key)}`)
      for (const key of ODD_KEYS) expect(await bench.text(key)).toBe(`content of ${JSON.stringify(key)}`)
      const expected = naivePage(ODD_KEYS, { prefix: '', limit: 1000 }).keys
      expect((await bench.page({})).keys).toEqual(expected)
      for (const key of ODD_KEYS) await bench.store.delete(bench.bucket, key)
      await bench.store.deleteBucket(bench.bucket)
    })
  })
  describe('delete', () => {
    test('a deleted object is gone from everywhere', async () => {
      await bench.put('a', bytes(100 * KIB))
      await bench.put('b', 'x')
      await bench.store.delete(bench.bucket, 'a')
      await bench.store.delete(bench.bucket, 'a')
      expect(await bench.store.head(bench.bucket, 'a')).toBeUndefined()
      expect(await bench.page({})).toEqual({ keys: ['b'], commonPrefixes: [], truncated: false })
    })
  })
}
