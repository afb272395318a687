import { describe, expect, test } from 'vitest'
import type { Body } from '../../../src/backends/body.ts'
import type { UploadRef } from '../../../src/backends/object-store.ts'
import { Invalid } from '../../../src/errors.ts'
import { type Bench, bodyOf, brokenBody, bytes, KIB, refusal } from './bench.ts'

export function uploadsContract(bench: Bench): void {
  describe('uploads', () => {
    // An S3 server refuses parts under 5 MiB: what needs several parts is tried elsewhere, with larger ones.
    const begin = async (key = 'k', metadata = {}): Promise<UploadRef> => ({
      bucket: bench.bucket,
      key,
      uploadId: await bench.store.createUpload(bench.bucket, key, { metadata }),
    })
    const part = async (upload: UploadRef, partNumber: number, content: Buffer | string) => ({
      partNumber,
      etag: (await bench.store.putPart(upload, partNumber, bodyOf(content), {})).etag,
    })

    test.skipIf(bench.remote)(
      'parts sent in any order become one object in the order listed, with the metadata of the start',
      async () => {
        const upload = await begin('k', { m: '1' })
        expect(upload.uploadId).toMatch(/^[0-9a-f]{32}$/)
        const contents = [bytes(300 * KIB, 1), bytes(17, 2), bytes(0, 3), bytes(700 * KIB, 4)]
        const parts = new Map<number, { partNumber: number; etag: string }>()
        for (const n of [4, 1, 3, 2]) parts.set(n, await part(upload, n, contents[n - 1]!))
        expect(await bench.store.head(bench.bucket, 'k')).toBeUndefined()
        const facts = Buffer.from('facts')
        const written = await bench.store.completeUpload(upload, {
          parts: [1, 2, 3, 4].map((n) => parts.get(n)!),
          facts,
        })
        const whole = Buffer.concat(contents)
        expect((await bench.read('k')).equals(whole)).toBe(true)
        expect(await bench.store.head(bench.bucket, 'k')).toEqual({
          etag: written.etag,
          size: whole.length,
          lastModified: written.lastModified,
          metadata: { m: '1' },
          ...(bench.store.capabilities.facts ? { facts } : {}),
        })
        for (const [first, last] of [
          [0, 5],
          [300 * KIB - 3, 300 * KIB + 20],
          [300 * KIB, 300 * KIB],
          [300 * KIB + 16, 400 * KIB],
        ] as const) {
          expect((await bench.read('k', { range: { first, last } })).equals(whole.subarray(first, last + 1))).toBe(true)
        }
        expect(await refusal(bench.store.listParts(upload, { after: 0, limit: 1 }))).toBe('no-such-upload')
        expect((await bench.store.listUploads(bench.bucket, { prefix: '', limit: 10 })).uploads).toEqual([])
        await bench.store.delete(bench.bucket, 'k')
        await bench.store.deleteBucket(bench.bucket)
      },
    )

    test('an upload of one part, and one whose parts are all empty, become objects', async () => {
      for (const content of [bytes(200 * KIB), bytes(0)]) {
        const upload = await begin()
        await bench.store.completeUpload(upload, { parts: [await part(upload, 7, content)] })
        expect((await bench.read('k')).equals(content)).toBe(true)
      }
    })

    test('a part sent again replaces the first; the last to finish wins', async () => {
      const upload = await begin()
      const early = await part(upload, 1, bytes(100 * KIB, 1))
      const late = await part(upload, 1, 'late')
      expect(early.etag).not.toBe(late.etag)
      expect(await refusal(bench.store.completeUpload(upload, { parts: [early] }))).toBe('invalid-part')
      expect((await bench.store.listParts(upload, { after: 0, limit: 10 })).parts).toMatchObject([
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
      const slowPart = bench.store.putPart(upload, 1, slow(), {})
      await part(upload, 1, 'quick')
      release()
      await bench.store.completeUpload(upload, { parts: [{ partNumber: 1, etag: (await slowPart).etag }] })
      expect(await bench.text('k')).toBe('slow')
    })

    test.skipIf(bench.remote)('parts that are not listed are dropped', async () => {
      const upload = await begin()
      const parts = [await part(upload, 1, 'one'), await part(upload, 2, 'two'), await part(upload, 3, 'three')]
      await bench.store.completeUpload(upload, { parts: [parts[0]!, parts[2]!] })
      expect(await bench.text('k')).toBe('onethree')
    })

    test.skipIf(bench.remote)('a completion that is refused changes nothing', async () => {
      const { etag } = await bench.put('k', 'old')
      const upload = await begin()
      const one = await part(upload, 1, 'one')
      const two = await part(upload, 2, 'two')
      const complete = (parts: { partNumber: number; etag: string }[], options = {}) =>
        refusal(bench.store.completeUpload(upload, { parts, ...options }))
      expect(await complete([one, { partNumber: 3, etag: one.etag }])).toBe('invalid-part')
      expect(await complete([one, { partNumber: 2, etag: one.etag }])).toBe('invalid-part')
      expect(await complete([one, two], { condition: { ifNoneMatch: '*' } })).toBe('precondition-failed')
      expect(await complete([one, two], { condition: { ifMatch: 'other' } })).toBe('precondition-failed')
      expect(await bench.text('k')).toBe('old')
      expect((await bench.store.listParts(upload, { after: 0, limit: 10 })).parts).toHaveLength(2)
      expect(await complete([one, two], { condition: { ifMatch: etag } })).toBe('no refusal')
      expect(await bench.text('k')).toBe('onetwo')
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
        expect(await refusal(bench.store.putPart(wrong, 1, bodyOf('x'), {}))).toBe('no-such-upload')
        expect(await refusal(bench.store.listParts(wrong, { after: 0, limit: 1 }))).toBe('no-such-upload')
        const parts = [{ partNumber: 1, etag: '0'.repeat(32) }]
        expect(await refusal(bench.store.completeUpload(wrong, { parts }))).toBe('no-such-upload')
        expect(await refusal(bench.store.abortUpload(wrong))).toBe('no-such-upload')
      }
    })

    test('an aborted upload is gone; a part that finishes after it is refused', async () => {
      const upload = await begin()
      await part(upload, 1, bytes(100 * KIB))
      const late = async function* (): Body {
        yield [bytes(100 * KIB)]
        await bench.store.abortUpload(upload)
      }
      expect(await refusal(bench.store.putPart(upload, 2, late(), {}))).toBe('no-such-upload')
      expect(await refusal(bench.store.abortUpload(upload))).toBe('no-such-upload')
      expect(await refusal(part(upload, 1, 'x'))).toBe('no-such-upload')
      expect(await bench.store.head(bench.bucket, 'k')).toBeUndefined()
    })

    test('a part that throws, is aborted or has another length leaves nothing behind', async () => {
      const upload = await begin()
      await expect(bench.store.putPart(upload, 1, brokenBody(bytes(200 * KIB), new Error('gone')), {})).rejects.toThrow(
        'gone',
      )
      await expect(bench.store.putPart(upload, 1, bodyOf('four'), { length: 5 })).rejects.toThrow(Invalid)
      await expect(
        bench.store.putPart(upload, 1, bodyOf('x'), { signal: AbortSignal.abort(new Error('aborted early')) }),
      ).rejects.toThrow('aborted early')
      expect(await bench.store.listParts(upload, { after: 0, limit: 10 })).toEqual({ parts: [], truncated: false })
    })

    test('parts are listed by number, a page at a time', async () => {
      const upload = await begin()
      for (const n of [10, 2, 10_000, 1, 300]) await part(upload, n, `part ${n}`)
      const numbers = async (after: number, limit: number) => {
        const { parts, truncated } = await bench.store.listParts(upload, { after, limit })
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
            const found = await bench.store.listUploads(bench.bucket, { prefix, limit, ...marker })
            seen.push(...found.uploads.map(({ key, uploadId }) => [key, uploadId]))
            truncated = found.truncated
            const last = found.uploads.at(-1)
            if (last !== undefined) marker = { afterKey: last.key, afterUploadId: last.uploadId }
          }
          expect(seen).toEqual(sorted(prefix))
        }
      }
      const behind = await bench.store.listUploads(bench.bucket, { prefix: '', afterKey: 'a/1', limit: 1 })
      expect(behind.uploads.map(({ key }) => key)).toEqual(['b'])
    })

    test('a listing goes on when its marker upload is gone', async () => {
      const [first, second] = [await begin('k'), await begin('k')]
      await bench.store.abortUpload(first)
      const { uploads } = await bench.store.listUploads(bench.bucket, {
        prefix: '',
        afterKey: 'k',
        afterUploadId: first.uploadId,
        limit: 10,
      })
      expect(uploads.map(({ uploadId }) => uploadId)).toEqual([second.uploadId])
    })
  })
}
