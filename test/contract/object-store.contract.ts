// What every store promises (src/backends/object-store.ts). A store's test file calls `objectStoreContract` with a way to make an empty one.
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type {
  Body,
  ListOptions,
  ListPage,
  ObjectStore,
  PutOptions,
  StoreRefusal,
  UploadRef,
} from '../../src/backends/object-store.ts'
import { StoreError } from '../../src/backends/object-store.ts'
import { Invalid } from '../../src/errors.ts'

export interface ContractOptions {
  /** An empty store. */
  readonly open: () => Promise<ObjectStore>
  /** Called with the store of all tests at the end. */
  readonly close?: (store: ObjectStore) => Promise<void>
}

const KIB = 1024
const NO_COMMIT: PutOptions['commit'] = () => Promise.resolve({})

export function bytes(length: number, seed = 1): Buffer {
  const buffer = Buffer.alloc(length)
  for (let i = 0, x = seed; i < length; i++) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0
    buffer[i] = x >>> 16
  }
  return buffer
}

/** A body in batches of about `batch` bytes, each of several buffers. */
export async function* bodyOf(content: Buffer | string, batch = 70_000): Body {
  const whole = Buffer.from(content)
  for (let at = 0; at < whole.length; at += batch) {
    const piece = whole.subarray(at, at + batch)
    const middle = piece.length >> 1
    await Promise.resolve()
    yield [Buffer.from(piece.subarray(0, middle)), Buffer.alloc(0), Buffer.from(piece.subarray(middle))]
  }
}

/** Yields the content and then fails. */
async function* brokenBody(content: Buffer, error: Error): Body {
  yield* bodyOf(content)
  throw error
}

export async function collect(body: Body): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const batch of body) pieces.push(...batch)
  return Buffer.concat(pieces)
}

export function putOptions(options: Partial<PutOptions> = {}): PutOptions {
  return { metadata: {}, commit: NO_COMMIT, ...options }
}

async function refusal(action: Promise<unknown>): Promise<StoreRefusal | string> {
  try {
    await action
    return 'no refusal'
  } catch (error) {
    return error instanceof StoreError ? error.refusal : `${String(error)}`
  }
}

/** The listing's contract, in its plainest form. */
function naivePage(
  keys: readonly string[],
  { prefix, delimiter, after, afterPrefix, limit }: ListOptions,
): Pick<ListPage, 'commonPrefixes' | 'truncated'> & { keys: string[] } {
  const inOrder = keys
    .map((key) => Buffer.from(key))
    .sort(Buffer.compare)
    .map(String)
  const left = inOrder.filter(
    (key) =>
      key.startsWith(prefix) &&
      (after === undefined ||
        (Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0 && !(afterPrefix === true && key.startsWith(after)))),
  )
  const entries: { name: string; common: boolean }[] = []
  for (const key of left) {
    const cut = delimiter === undefined || delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    const entry =
      cut < 0 ? { name: key, common: false } : { name: key.slice(0, cut + (delimiter ?? '').length), common: true }
    if (!(entry.common && entries.at(-1)?.common === true && entries.at(-1)?.name === entry.name)) entries.push(entry)
  }
  const page = entries.slice(0, limit)
  return {
    keys: page.filter(({ common }) => !common).map(({ name }) => name),
    commonPrefixes: page.filter(({ common }) => common).map(({ name }) => name),
    truncated: entries.length > limit,
  }
}

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
  `${'\u{10ffff}'}`,
  'x'.repeat(1024),
  `${'é'.repeat(512)}`,
  `${'😀'.repeat(256)}`,
  `${'a/'.repeat(512)}`,
  '\u0000'.repeat(1024),
]

export function objectStoreContract(name: string, { open, close }: ContractOptions): void {
  describe(`the object store contract: ${name}`, () => {
    let store: ObjectStore
    let bucket: string
    let buckets = 0

    beforeAll(async () => {
      store = await open()
    })
    afterAll(async () => {
      if (close === undefined) await store.close()
      else await close(store)
    })
    beforeEach(async () => {
      bucket = `bucket-${buckets++}`
      await store.createBucket(bucket)
    })

    const put = (key: string, content: Buffer | string, options: Partial<PutOptions> = {}) =>
      store.put(bucket, key, bodyOf(content), putOptions(options))
    const read = async (key: string, options = {}) => collect((await store.get(bucket, key, options)).body)
    const text = async (key: string) => (await read(key)).toString()
    const page = async (options: Partial<ListOptions>) => {
      const { objects, commonPrefixes, truncated } = await store.list(bucket, { prefix: '', limit: 1000, ...options })
      return { keys: objects.map(({ key }) => key), commonPrefixes, truncated }
    }

    describe('buckets', () => {
      test('a bucket can be made, seen, listed in order and deleted', async () => {
        await store.createBucket('zz-b')
        await store.createBucket('zz-a')
        const names = (await store.listBuckets()).map(({ name }) => name)
        expect(names).toEqual([...names].sort())
        expect(names).toEqual(expect.arrayContaining(['zz-a', 'zz-b']))
        const info = await store.headBucket('zz-a')
        expect(info?.name).toBe('zz-a')
        expect(Math.abs(Date.now() - (info?.created.getTime() ?? 0))).toBeLessThan(60_000)
        await store.deleteBucket('zz-a')
        await store.deleteBucket('zz-b')
        expect(await store.headBucket('zz-a')).toBeUndefined()
        expect((await store.listBuckets()).map(({ name }) => name)).not.toContain('zz-a')
      })

      test('what is wrong with a bucket is refused', async () => {
        expect(await refusal(store.createBucket(bucket))).toBe('bucket-exists')
        expect(await refusal(store.deleteBucket('none'))).toBe('no-such-bucket')
        await put('a', 'x')
        expect(await refusal(store.deleteBucket(bucket))).toBe('bucket-not-empty')
        await store.delete(bucket, 'a')
        await store.deleteBucket(bucket)
        expect(await refusal(put('a', 'x'))).toBe('no-such-bucket')
      })

      test('everything in a bucket that does not exist is refused', async () => {
        const none = { bucket: 'none', key: 'a', uploadId: '0'.repeat(32) }
        const source = await put('a', 'x')
        const copyOptions = { sourceIfMatch: source.etag, metadata: {} }
        expect(await refusal(store.put('none', 'a', bodyOf('x'), putOptions()))).toBe('no-such-bucket')
        expect(await refusal(store.get('none', 'a'))).toBe('no-such-bucket')
        expect(await refusal(store.head('none', 'a'))).toBe('no-such-bucket')
        expect(await refusal(store.delete('none', 'a'))).toBe('no-such-bucket')
        expect(await refusal(store.list('none', { prefix: '', limit: 1 }))).toBe('no-such-bucket')
        expect(await refusal(store.copy({ bucket, key: 'a' }, none, copyOptions))).toBe('no-such-bucket')
        expect(await refusal(store.copy(none, { bucket, key: 'b' }, copyOptions))).toBe('no-such-bucket')
        expect(await refusal(store.createUpload('none', 'a', { metadata: {} }))).toBe('no-such-bucket')
        expect(await refusal(store.listUploads('none', { prefix: '', limit: 1 }))).toBe('no-such-bucket')
        expect(['no-such-bucket', 'no-such-upload']).toContain(await refusal(store.putPart(none, 1, bodyOf('x'), {})))
      })

      test('uploads in progress go with their bucket, and do not come back with its name', async () => {
        const other = `${bucket}0`
        await store.createBucket(other)
        const upload = { bucket, key: 'k', uploadId: await store.createUpload(bucket, 'k', { metadata: {} }) }
        const kept = { bucket: other, key: 'k', uploadId: await store.createUpload(other, 'k', { metadata: {} }) }
        await store.putPart(upload, 1, bodyOf('part'), {})
        await store.deleteBucket(bucket)
        await store.createBucket(bucket)
        expect((await store.listUploads(bucket, { prefix: '', limit: 10 })).uploads).toEqual([])
        expect(await refusal(store.listParts(upload, { after: 0, limit: 10 }))).toBe('no-such-upload')
        expect(
          (await store.listUploads(other, { prefix: '', limit: 10 })).uploads.map(({ uploadId }) => uploadId),
        ).toEqual([kept.uploadId])
      })

      test('buckets whose names begin alike keep their objects apart', async () => {
        const longer = `${bucket}-x`
        await store.createBucket(longer)
        await put('k', 'short')
        await store.put(longer, 'k', bodyOf('long'), putOptions())
        expect(await text('k')).toBe('short')
        expect(await page({})).toMatchObject({ keys: ['k'] })
        await store.delete(bucket, 'k')
        await store.deleteBucket(bucket)
        expect((await collect((await store.get(longer, 'k')).body)).toString()).toBe('long')
      })
    })

    describe('put, get and head', () => {
      test.each([0, 1, 100, 4 * KIB, 16 * KIB, 16 * KIB + 1, 64 * KIB, 200 * KIB, 3 * 1024 * KIB + 17])(
        'a body of %i bytes comes back',
        async (length) => {
          const content = bytes(length)
          const written = await put('k', content, { length })
          const { info, range, body } = await store.get(bucket, 'k')
          expect((await collect(body)).equals(content)).toBe(true)
          expect(range).toEqual({ first: 0, last: length - 1 })
          expect(info).toMatchObject({ etag: written.etag, size: length, lastModified: written.lastModified })
          expect(await store.head(bucket, 'k')).toEqual(info)
        },
      )

      test('a body without a length comes back, whatever its batches', async () => {
        const content = bytes(300 * KIB)
        for (const batch of [1000, 65_536, 300 * KIB]) {
          await store.put(bucket, 'k', bodyOf(content, batch), putOptions())
          expect((await read('k')).equals(content)).toBe(true)
        }
      })

      test('the buffers of a body may be kept: later ones do not change them', async () => {
        const content = bytes(2 * 1024 * KIB)
        await put('k', content)
        const kept: Buffer[] = []
        for await (const batch of (await store.get(bucket, 'k')).body) kept.push(...batch)
        expect(Buffer.concat(kept).equals(content)).toBe(true)
      })

      test('metadata and facts come back exactly', async () => {
        const metadata = { 'sg-e': 'A'.repeat(300), x: '', 'a-b.c': 'ü 😀 "\\', __proto: 'x' }
        const facts = bytes(200)
        await put('k', 'x', { metadata, commit: () => Promise.resolve({ facts }) })
        const info = await store.head(bucket, 'k')
        expect(info?.metadata).toEqual(metadata)
        expect(info?.facts).toEqual(store.capabilities.facts ? facts : undefined)
        const { objects } = await store.list(bucket, { prefix: '', limit: 1 })
        expect(objects).toEqual([
          {
            key: 'k',
            etag: info?.etag,
            size: 1,
            lastModified: info?.lastModified,
            ...(store.capabilities.facts ? { facts } : {}),
          },
        ])
        await put('k', 'x')
        expect(await store.head(bucket, 'k')).not.toHaveProperty('facts')
        expect((await store.head(bucket, 'k'))?.metadata).toEqual({})
      })

      test('every write has an ETag of its own, even with the same bytes', async () => {
        const etags = [(await put('k', 'x')).etag, (await put('k', 'x')).etag, (await put('l', 'x')).etag]
        expect(new Set(etags).size).toBe(3)
        for (const etag of etags) expect(etag).toMatch(/^[^"]+$/)
      })

      test('what is not there is not there', async () => {
        expect(await store.head(bucket, 'k')).toBeUndefined()
        expect(await refusal(store.get(bucket, 'k'))).toBe('no-such-key')
        await store.delete(bucket, 'k')
      })

      test('ranges are clamped, and refused behind the end', async () => {
        for (const length of [10, 200 * KIB, 1500 * KIB]) {
          const content = bytes(length)
          await put('k', content)
          const last = length - 1
          for (const [first, until] of [
            [0, 0],
            [0, last],
            [last, last],
            [last - 5, last + 100],
            [3, 7],
            [last >> 1, last],
          ] as const) {
            const result = await store.get(bucket, 'k', { range: { first, last: until } })
            expect(result.range).toEqual({ first, last: Math.min(until, last) })
            expect(result.info.size).toBe(length)
            expect((await collect(result.body)).equals(content.subarray(first, until + 1))).toBe(true)
          }
          const open = await store.get(bucket, 'k', { range: { first: 4 } })
          expect((await collect(open.body)).equals(content.subarray(4))).toBe(true)
          const error = await store.get(bucket, 'k', { range: { first: length } }).catch((e: unknown) => e)
          expect(error).toMatchObject({ refusal: 'range-not-satisfiable', size: length })
        }
        await put('k', '')
        expect(await refusal(store.get(bucket, 'k', { range: { first: 0 } }))).toBe('range-not-satisfiable')
      })

      test('get honours If-Match', async () => {
        const { etag } = await put('k', 'one')
        expect((await read('k', { ifMatch: etag })).toString()).toBe('one')
        await put('k', 'two')
        expect(await refusal(store.get(bucket, 'k', { ifMatch: etag }))).toBe('precondition-failed')
        expect(await refusal(store.get(bucket, 'none', { ifMatch: etag }))).toBe('no-such-key')
      })

      test('a reader that has begun goes on when the object is replaced or deleted', async () => {
        for (const length of [5 * KIB, 2 * 1024 * KIB]) {
          const content = bytes(length)
          await put('k', content)
          const { body } = await store.get(bucket, 'k')
          await put('k', 'other')
          const { body: second } = await store.get(bucket, 'k')
          await store.delete(bucket, 'k')
          expect((await collect(body)).equals(content)).toBe(true)
          expect((await collect(second)).toString()).toBe('other')
        }
      })

      test('leaving a body early, or aborting, does no harm', async () => {
        await put('k', bytes(3 * 1024 * KIB))
        for await (const _ of (await store.get(bucket, 'k')).body) break
        const controller = new AbortController()
        const { body } = await store.get(bucket, 'k', { signal: controller.signal })
        const reading = (async () => {
          for await (const _ of body) controller.abort(new Error('enough'))
        })()
        await expect(reading).rejects.toThrow('enough')
        expect((await read('k')).length).toBe(3 * 1024 * KIB)
      })

      test('a body that throws leaves nothing behind', async () => {
        for (const length of [10, 500 * KIB]) {
          const failing = store.put(bucket, 'k', brokenBody(bytes(length), new Error('client gone')), putOptions())
          await expect(failing).rejects.toThrow('client gone')
          expect(await store.head(bucket, 'k')).toBeUndefined()
        }
        await put('k', 'kept')
        await expect(
          store.put(bucket, 'k', brokenBody(bytes(500 * KIB), new Error('client gone')), putOptions()),
        ).rejects.toThrow('client gone')
        expect(await text('k')).toBe('kept')
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
            expect(await store.head(bucket, 'k')).toBeUndefined()
            throw new Error('checksum differs')
          }
          await expect(store.put(bucket, 'k', body(), putOptions({ commit }))).rejects.toThrow('checksum differs')
          expect(calls).toBe(1)
          expect(await store.head(bucket, 'k')).toBeUndefined()
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
          await expect(put('k', bytes(sent), { length: announced })).rejects.toThrow(Invalid)
          expect(await store.head(bucket, 'k')).toBeUndefined()
        }
      })

      test('an abort ends a put, even if its body is silent', async () => {
        const controller = new AbortController()
        const silent = async function* (): Body {
          yield [bytes(100 * KIB)]
          controller.abort(new Error('too late'))
          await new Promise(() => undefined)
        }
        await expect(store.put(bucket, 'k', silent(), putOptions({ signal: controller.signal }))).rejects.toThrow(
          'too late',
        )
        expect(await store.head(bucket, 'k')).toBeUndefined()
        await expect(put('k', 'x', { signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before')
      })

      test('any key of well-formed Unicode up to 1,024 bytes is a name of its own', async () => {
        for (const key of ODD_KEYS) await put(key, `content of ${JSON.stringify(key)}`)
        for (const key of ODD_KEYS) expect(await text(key)).toBe(`content of ${JSON.stringify(key)}`)
        const expected = naivePage(ODD_KEYS, { prefix: '', limit: 1000 }).keys
        expect((await page({})).keys).toEqual(expected)
        for (const key of ODD_KEYS) await store.delete(bucket, key)
        await store.deleteBucket(bucket)
      })
    })

    describe('conditions', () => {
      test('If-None-Match: * writes only where nothing is', async () => {
        await put('k', 'one', { condition: { ifNoneMatch: '*' } })
        expect(await refusal(put('k', 'two', { condition: { ifNoneMatch: '*' } }))).toBe('precondition-failed')
        expect(await text('k')).toBe('one')
        await store.delete(bucket, 'k')
        await put('k', 'three', { condition: { ifNoneMatch: '*' } })
        expect(await text('k')).toBe('three')
      })

      test('If-Match writes only over that version', async () => {
        expect(await refusal(put('k', 'x', { condition: { ifMatch: 'abc' } }))).toBe('no-such-key')
        const one = await put('k', 'one')
        const two = await put('k', 'two', { condition: { ifMatch: one.etag } })
        expect(await refusal(put('k', 'three', { condition: { ifMatch: one.etag } }))).toBe('precondition-failed')
        expect(await text('k')).toBe('two')
        expect(await refusal(store.delete(bucket, 'k', { ifMatch: one.etag }))).toBe('precondition-failed')
        expect(await refusal(store.delete(bucket, 'none', { ifMatch: one.etag }))).toBe('no-such-key')
        await store.delete(bucket, 'k', { ifMatch: two.etag })
        expect(await store.head(bucket, 'k')).toBeUndefined()
      })

      test('a condition is judged when the write ends, not when it begins', async () => {
        const { etag } = await put('k', 'one')
        for (const [condition, length] of [
          [{ ifMatch: etag }, 10],
          [{ ifMatch: etag }, 200 * KIB],
        ] as const) {
          let other = ''
          const commit = async () => {
            other = (await put('k', 'between')).etag
            return {}
          }
          expect(await refusal(put('k', bytes(length), { condition, commit }))).toMatch(/precondition-failed/)
          expect((await store.head(bucket, 'k'))?.etag).toBe(
            other === '' ? (await store.head(bucket, 'k'))?.etag : other,
          )
          expect(await text('k')).toBe('between')
        }
        const commit = async () => {
          await put('fresh', 'between')
          return {}
        }
        expect(await refusal(put('fresh', 'mine', { condition: { ifNoneMatch: '*' }, commit }))).toBe(
          'precondition-failed',
        )
        expect(await text('fresh')).toBe('between')
      })

      test('of many that race for a name with If-None-Match: *, one wins', async () => {
        for (const length of [10, 100 * KIB]) {
          const key = `race-${length}`
          const results = await Promise.all(
            Array.from({ length: 16 }, (_, i) =>
              refusal(put(key, bytes(length, i + 1), { condition: { ifNoneMatch: '*' }, metadata: { i: String(i) } })),
            ),
          )
          expect(results.filter((result) => result === 'no refusal')).toHaveLength(1)
          expect(results.filter((result) => result === 'precondition-failed')).toHaveLength(15)
          const winner = results.indexOf('no refusal')
          expect((await store.head(bucket, key))?.metadata).toEqual({ i: String(winner) })
          expect((await read(key)).equals(bytes(length, winner + 1))).toBe(true)
        }
      })

      test('of many that race with the same If-Match, one wins; put, copy, delete and completion alike', async () => {
        const { etag } = await put('k', 'one')
        const source = await put('source', 'source')
        const upload = { bucket, key: 'k', uploadId: await store.createUpload(bucket, 'k', { metadata: {} }) }
        const part = await store.putPart(upload, 1, bodyOf('part'), {})
        const condition = { ifMatch: etag }
        const results = await Promise.all([
          ...Array.from({ length: 4 }, () => refusal(put('k', 'x', { condition }))),
          ...Array.from({ length: 4 }, () =>
            refusal(
              store.copy(
                { bucket, key: 'source' },
                { bucket, key: 'k' },
                { sourceIfMatch: source.etag, metadata: {}, condition },
              ),
            ),
          ),
          ...Array.from({ length: 4 }, () => refusal(store.delete(bucket, 'k', condition))),
          refusal(store.completeUpload(upload, { parts: [{ partNumber: 1, etag: part.etag }], condition })),
        ])
        expect(results.filter((result) => result === 'no refusal')).toHaveLength(1)
      })
    })

    describe('delete', () => {
      test('a deleted object is gone from everywhere', async () => {
        await put('a', bytes(100 * KIB))
        await put('b', 'x')
        await store.delete(bucket, 'a')
        await store.delete(bucket, 'a')
        expect(await store.head(bucket, 'a')).toBeUndefined()
        expect(await page({})).toEqual({ keys: ['b'], commonPrefixes: [], truncated: false })
      })
    })

    describe('copy', () => {
      test('a copy has the bytes of its source and its own everything else, and outlives it', async () => {
        for (const length of [0, 5, 300 * KIB]) {
          const content = bytes(length)
          const source = await put('a', content, {
            metadata: { from: 'a' },
            commit: () => Promise.resolve({ facts: Buffer.from('old') }),
          })
          const facts = Buffer.from('new')
          const copied = await store.copy(
            { bucket, key: 'a' },
            { bucket, key: 'b' },
            { sourceIfMatch: source.etag, metadata: { to: 'b' }, facts },
          )
          const again = await store.copy(
            { bucket, key: 'b' },
            { bucket, key: 'c' },
            { sourceIfMatch: copied.etag, metadata: {} },
          )
          expect(copied.etag).not.toBe(source.etag)
          expect(await store.head(bucket, 'b')).toEqual({
            etag: copied.etag,
            size: length,
            lastModified: copied.lastModified,
            metadata: { to: 'b' },
            ...(store.capabilities.facts ? { facts } : {}),
          })
          await store.delete(bucket, 'a')
          expect((await read('b')).equals(content)).toBe(true)
          await put('b', 'replaced')
          expect((await read('c')).equals(content)).toBe(true)
          expect((await store.head(bucket, 'c'))?.etag).toBe(again.etag)
          await store.delete(bucket, 'c')
          expect(await text('b')).toBe('replaced')
        }
      })

      test('an object can be copied onto itself with new metadata', async () => {
        for (const length of [5, 300 * KIB]) {
          const content = bytes(length)
          let { etag } = await put('a', content, { metadata: { v: '0' } })
          for (const v of ['1', '2', '3']) {
            const copied = await store.copy(
              { bucket, key: 'a' },
              { bucket, key: 'a' },
              { sourceIfMatch: etag, metadata: { v } },
            )
            etag = copied.etag
          }
          expect((await store.head(bucket, 'a'))?.metadata).toEqual({ v: '3' })
          expect((await read('a')).equals(content)).toBe(true)
        }
      })

      test('copies are refused as puts are, and where the source has changed', async () => {
        const source = await put('a', 'x')
        const target = await put('b', 'y')
        const copy = (options: object, from = 'a') =>
          refusal(
            store.copy(
              { bucket, key: from },
              { bucket, key: 'b' },
              { sourceIfMatch: source.etag, metadata: {}, ...options },
            ),
          )
        expect(await copy({}, 'none')).toBe('no-such-key')
        if (store.capabilities.copySourceIfMatch)
          expect(await copy({ sourceIfMatch: target.etag })).toBe('precondition-failed')
        expect(await copy({ condition: { ifNoneMatch: '*' } })).toBe('precondition-failed')
        expect(await copy({ condition: { ifMatch: source.etag } })).toBe('precondition-failed')
        expect(await text('b')).toBe('y')
        expect(await copy({ condition: { ifMatch: target.etag } })).toBe('no refusal')
        expect(await text('b')).toBe('x')
      })
    })

    describe('list', () => {
      test('pages follow each other without gap or repetition, with and without delimiter', async () => {
        const keys = ['a', 'a/1', 'a/2', 'a0', 'b/', 'b/c/d', 'b/c/e', 'b/d', 'c', 'é/1', '\uffff', '😀']
        for (const key of keys) await put(key, key)
        for (const delimiter of [undefined, '/', '/c']) {
          for (const prefix of ['', 'a', 'b/', 'b/c', 'zz']) {
            for (const limit of [1, 2, 3, 1000]) {
              const seen: string[] = []
              let after: Partial<ListOptions> = {}
              for (let truncated = true; truncated; ) {
                const found = await page({ prefix, limit, ...(delimiter === undefined ? {} : { delimiter }), ...after })
                const entries = [...found.keys, ...found.commonPrefixes].sort((a, b) =>
                  Buffer.compare(Buffer.from(a), Buffer.from(b)),
                )
                seen.push(...entries)
                const last = entries.at(-1)
                truncated = found.truncated
                if (truncated && last !== undefined)
                  after = { after: last, afterPrefix: found.commonPrefixes.includes(last) }
              }
              const all = naivePage(keys, { prefix, limit: 1000, ...(delimiter === undefined ? {} : { delimiter }) })
              expect(seen).toEqual(
                [...all.keys, ...all.commonPrefixes].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
              )
            }
          }
        }
      })

      test('any page of any names is what the naive model says', async () => {
        const letter = fc.constantFrom(
          'a',
          'b',
          '/',
          '//',
          '.',
          '\u0000',
          'é',
          '\ue000',
          '\uffff',
          '😀',
          '\u{10000}',
          '~',
        )
        const name = fc.array(letter, { minLength: 1, maxLength: 6 }).map((letters) => letters.join(''))
        const options = fc.record(
          {
            prefix: fc.oneof(fc.constant(''), name),
            delimiter: fc.constantFrom('/', '//', 'a', 'é', '😀', ''),
            after: name,
            afterPrefix: fc.boolean(),
            limit: fc.integer({ min: 1, max: 12 }),
          },
          { requiredKeys: ['prefix', 'limit'] },
        )
        let run = 0
        const check = async (keys: string[], listings: ListOptions[]) => {
          const own = `${bucket}-${run++}`
          await store.createBucket(own)
          await Promise.all(keys.map((key) => store.put(own, key, bodyOf(''), putOptions())))
          for (const listing of listings) {
            const { objects, commonPrefixes, truncated } = await store.list(own, listing)
            expect({ keys: objects.map(({ key }) => key), commonPrefixes, truncated }).toEqual(naivePage(keys, listing))
          }
        }
        await fc.assert(
          fc.asyncProperty(
            fc.uniqueArray(name, { maxLength: 25 }),
            fc.array(options, { minLength: 1, maxLength: 12 }),
            check,
          ),
          { numRuns: 60 },
        )
      })
    })

    describe('uploads', () => {
      const begin = async (key = 'k', metadata = {}): Promise<UploadRef> => ({
        bucket,
        key,
        uploadId: await store.createUpload(bucket, key, { metadata }),
      })
      const part = async (upload: UploadRef, partNumber: number, content: Buffer | string) => ({
        partNumber,
        etag: (await store.putPart(upload, partNumber, bodyOf(content), {})).etag,
      })

      test('parts sent in any order become one object in the order listed, with the metadata of the start', async () => {
        const upload = await begin('k', { m: '1' })
        expect(upload.uploadId).toMatch(/^[0-9a-f]{32}$/)
        const contents = [bytes(300 * KIB, 1), bytes(17, 2), bytes(0, 3), bytes(700 * KIB, 4)]
        const parts = new Map<number, { partNumber: number; etag: string }>()
        for (const n of [4, 1, 3, 2]) parts.set(n, await part(upload, n, contents[n - 1]!))
        expect(await store.head(bucket, 'k')).toBeUndefined()
        const facts = Buffer.from('facts')
        const written = await store.completeUpload(upload, { parts: [1, 2, 3, 4].map((n) => parts.get(n)!), facts })
        const whole = Buffer.concat(contents)
        expect((await read('k')).equals(whole)).toBe(true)
        expect(await store.head(bucket, 'k')).toEqual({
          etag: written.etag,
          size: whole.length,
          lastModified: written.lastModified,
          metadata: { m: '1' },
          ...(store.capabilities.facts ? { facts } : {}),
        })
        for (const [first, last] of [
          [0, 5],
          [300 * KIB - 3, 300 * KIB + 20],
          [300 * KIB, 300 * KIB],
          [300 * KIB + 16, 400 * KIB],
        ] as const) {
          expect((await read('k', { range: { first, last } })).equals(whole.subarray(first, last + 1))).toBe(true)
        }
        expect(await refusal(store.listParts(upload, { after: 0, limit: 1 }))).toBe('no-such-upload')
        expect((await store.listUploads(bucket, { prefix: '', limit: 10 })).uploads).toEqual([])
        await store.delete(bucket, 'k')
        await store.deleteBucket(bucket)
      })

      test('an upload of one part, and one whose parts are all empty, become objects', async () => {
        for (const content of [bytes(200 * KIB), bytes(0)]) {
          const upload = await begin()
          await store.completeUpload(upload, { parts: [await part(upload, 7, content)] })
          expect((await read('k')).equals(content)).toBe(true)
        }
      })

      test('a part sent again replaces the first; the last to finish wins', async () => {
        const upload = await begin()
        const early = await part(upload, 1, bytes(100 * KIB, 1))
        const late = await part(upload, 1, 'late')
        expect(early.etag).not.toBe(late.etag)
        expect(await refusal(store.completeUpload(upload, { parts: [early] }))).toBe('invalid-part')
        expect((await store.listParts(upload, { after: 0, limit: 10 })).parts).toMatchObject([
          { partNumber: 1, etag: late.etag, size: 4 },
        ])
        let release = (): void => undefined
        const gate = new Promise<void>((resolve) => {
          release = resolve
        })
        const slow = async function* (): Body {
          yield [Buffer.from('slow')]
          await gate
        }
        const slowPart = store.putPart(upload, 1, slow(), {})
        await part(upload, 1, 'quick')
        release()
        await store.completeUpload(upload, { parts: [{ partNumber: 1, etag: (await slowPart).etag }] })
        expect(await text('k')).toBe('slow')
      })

      test('parts that are not listed are dropped', async () => {
        const upload = await begin()
        const parts = [await part(upload, 1, 'one'), await part(upload, 2, 'two'), await part(upload, 3, 'three')]
        await store.completeUpload(upload, { parts: [parts[0]!, parts[2]!] })
        expect(await text('k')).toBe('onethree')
      })

      test('a completion that is refused changes nothing', async () => {
        const { etag } = await put('k', 'old')
        const upload = await begin()
        const one = await part(upload, 1, 'one')
        const two = await part(upload, 2, 'two')
        const complete = (parts: { partNumber: number; etag: string }[], options = {}) =>
          refusal(store.completeUpload(upload, { parts, ...options }))
        expect(await complete([one, { partNumber: 3, etag: one.etag }])).toBe('invalid-part')
        expect(await complete([one, { partNumber: 2, etag: one.etag }])).toBe('invalid-part')
        expect(await complete([one, two], { condition: { ifNoneMatch: '*' } })).toBe('precondition-failed')
        expect(await complete([one, two], { condition: { ifMatch: 'other' } })).toBe('precondition-failed')
        expect(await text('k')).toBe('old')
        expect((await store.listParts(upload, { after: 0, limit: 10 })).parts).toHaveLength(2)
        expect(await complete([one, two], { condition: { ifMatch: etag } })).toBe('no refusal')
        expect(await text('k')).toBe('onetwo')
        expect(await complete([one, two])).toBe('no-such-upload')
      })

      test('an upload belongs to its bucket and key', async () => {
        const upload = await begin()
        for (const wrong of [
          { ...upload, key: 'other' },
          { ...upload, uploadId: 'f'.repeat(32) },
          { ...upload, uploadId: 'x' },
          { ...upload, uploadId: '' },
        ]) {
          expect(await refusal(store.putPart(wrong, 1, bodyOf('x'), {}))).toBe('no-such-upload')
          expect(await refusal(store.listParts(wrong, { after: 0, limit: 1 }))).toBe('no-such-upload')
          expect(await refusal(store.completeUpload(wrong, { parts: [] }))).toBe('no-such-upload')
          expect(await refusal(store.abortUpload(wrong))).toBe('no-such-upload')
        }
      })

      test('an aborted upload is gone; a part that finishes after it is refused', async () => {
        const upload = await begin()
        await part(upload, 1, bytes(100 * KIB))
        const late = async function* (): Body {
          yield [bytes(100 * KIB)]
          await store.abortUpload(upload)
        }
        expect(await refusal(store.putPart(upload, 2, late(), {}))).toBe('no-such-upload')
        expect(await refusal(store.abortUpload(upload))).toBe('no-such-upload')
        expect(await refusal(part(upload, 1, 'x'))).toBe('no-such-upload')
        expect(await store.head(bucket, 'k')).toBeUndefined()
      })

      test('a part that throws, is aborted or has another length leaves nothing behind', async () => {
        const upload = await begin()
        await expect(store.putPart(upload, 1, brokenBody(bytes(200 * KIB), new Error('gone')), {})).rejects.toThrow(
          'gone',
        )
        await expect(store.putPart(upload, 1, bodyOf('four'), { length: 5 })).rejects.toThrow(Invalid)
        await expect(
          store.putPart(upload, 1, bodyOf('x'), { signal: AbortSignal.abort(new Error('aborted early')) }),
        ).rejects.toThrow('aborted early')
        expect(await store.listParts(upload, { after: 0, limit: 10 })).toEqual({ parts: [], truncated: false })
      })

      test('parts are listed by number, a page at a time', async () => {
        const upload = await begin()
        for (const n of [10, 2, 10_000, 1, 300]) await part(upload, n, `part ${n}`)
        const numbers = async (after: number, limit: number) => {
          const { parts, truncated } = await store.listParts(upload, { after, limit })
          return [parts.map(({ partNumber }) => partNumber), truncated]
        }
        expect(await numbers(0, 1000)).toEqual([[1, 2, 10, 300, 10_000], false])
        expect(await numbers(0, 2)).toEqual([[1, 2], true])
        expect(await numbers(2, 3)).toEqual([[10, 300, 10_000], false])
        expect(await numbers(10_000, 3)).toEqual([[], false])
      })

      test('uploads are listed by key, then start, then id, a page at a time', async () => {
        const keys = ['b', 'a', 'a\u0000', 'a/1', 'b', 'a', '😀', '\uffff', 'a/0', 'a\u0000\u0000b', 'b']
        const uploads: UploadRef[] = []
        for (const key of keys) {
          uploads.push(await begin(key))
          await new Promise((resolve) => setTimeout(resolve, 3))
        }
        const startOrder = new Map(uploads.map(({ uploadId }, index) => [uploadId, index]))
        const sorted = (prefix: string) =>
          uploads
            .filter(({ key }) => key.startsWith(prefix))
            .sort(
              (a, b) =>
                Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)) ||
                startOrder.get(a.uploadId)! - startOrder.get(b.uploadId)!,
            )
            .map(({ key, uploadId }) => [key, uploadId])
        for (const prefix of ['', 'a', 'a/', 'b', 'zz']) {
          for (const limit of [1, 2, 100]) {
            const seen: string[][] = []
            let marker = {}
            for (let truncated = true; truncated; ) {
              const found = await store.listUploads(bucket, { prefix, limit, ...marker })
              seen.push(...found.uploads.map(({ key, uploadId }) => [key, uploadId]))
              truncated = found.truncated
              const last = found.uploads.at(-1)
              if (last !== undefined) marker = { afterKey: last.key, afterUploadId: last.uploadId }
            }
            expect(seen).toEqual(sorted(prefix))
          }
        }
        const behind = await store.listUploads(bucket, { prefix: '', afterKey: 'a/1', limit: 1 })
        expect(behind.uploads.map(({ key }) => key)).toEqual(['b'])
      })

      test('a listing goes on when its marker upload is gone', async () => {
        const [first, second] = [await begin('k'), await begin('k')]
        await store.abortUpload(first)
        const { uploads } = await store.listUploads(bucket, {
          prefix: '',
          afterKey: 'k',
          afterUploadId: first.uploadId,
          limit: 10,
        })
        expect(uploads.map(({ uploadId }) => uploadId)).toEqual([second.uploadId])
      })
    })

    test('a store that works says so', async () => {
      await store.health()
    })
  })
}
