import { describe, expect, test } from 'vitest'
import { type Bench, bodyOf, bytes, KIB, refusal } from './bench.ts'

export function conditionsContract(bench: Bench): void {
  describe('conditions', () => {
    test('If-None-Match: * writes only where nothing is', async () => {
      await bench.put('k', 'one', { condition: { ifNoneMatch: '*' } })
      expect(await refusal(bench.put('k', 'two', { condition: { ifNoneMatch: '*' } }))).toBe('precondition-failed')
      expect(await bench.text('k')).toBe('one')
      await bench.store.delete(bench.bucket, 'k')
      await bench.put('k', 'three', { condition: { ifNoneMatch: '*' } })
      expect(await bench.text('k')).toBe('three')
    })

    test('If-Match writes only over that version', async () => {
      expect(await refusal(bench.put('k', 'x', { condition: { ifMatch: 'abc' } }))).toBe('no-such-key')
      const one = await bench.put('k', 'one')
      const two = await bench.put('k', 'two', { condition: { ifMatch: one.etag } })
      expect(await refusal(bench.put('k', 'three', { condition: { ifMatch: one.etag } }))).toBe('precondition-failed')
      expect(await bench.text('k')).toBe('two')
      expect(await refusal(bench.store.delete(bench.bucket, 'k', { ifMatch: one.etag }))).toBe('precondition-failed')
      if (!bench.remote)
        expect(await refusal(bench.store.delete(bench.bucket, 'none', { ifMatch: one.etag }))).toBe('no-such-key')
      await bench.store.delete(bench.bucket, 'k', { ifMatch: two.etag })
      expect(await bench.store.head(bench.bucket, 'k')).toBeUndefined()
    })

    test('a condition is judged when the write ends, not when it begins', async () => {
      const between = (key: string) => async () => {
        await bench.put(key, 'between')
        return {}
      }
      for (const length of [10, 200 * KIB]) {
        const { etag } = await bench.put('k', 'one')
        const late = bench.put('k', bytes(length), { condition: { ifMatch: etag }, commit: between('k') })
        expect(await refusal(late)).toBe('precondition-failed')
        expect(await bench.text('k')).toBe('between')
      }
      const late = bench.put('fresh', 'mine', { condition: { ifNoneMatch: '*' }, commit: between('fresh') })
      expect(await refusal(late)).toBe('precondition-failed')
      expect(await bench.text('fresh')).toBe('between')
    })

    test('of many that race for a name with If-None-Match: *, one wins', async () => {
      for (const length of [10, 100 * KIB]) {
        const key = `race-${length}`
        const results = await Promise.all(
          Array.from({ length: 16 }, (_, i) =>
            refusal(
              bench.put(key, bytes(length, i + 1), { condition: { ifNoneMatch: '*' }, metadata: { i: String(i) } }),
            ),
          ),
        )
        expect(results.filter((result) => result === 'no refusal')).toHaveLength(1)
        expect(results.filter((result) => result === 'precondition-failed')).toHaveLength(15)
        const winner = results.indexOf('no refusal')
        expect((await bench.store.head(bench.bucket, key))?.metadata).toEqual({ i: String(winner) })
        expect((await bench.read(key)).equals(bytes(length, winner + 1))).toBe(true)
      }
    })

    test('of many that race with the same If-Match, one wins; put, copy, delete and completion alike', async () => {
      const { etag } = await bench.put('k', 'one')
      const source = await bench.put('source', 'source')
      const upload = {
        bucket: bench.bucket,
        key: 'k',
        uploadId: await bench.store.createUpload(bench.bucket, 'k', { metadata: {} }),
      }
      const part = await bench.store.putPart(upload, 1, bodyOf('part'), {})
      const condition = { ifMatch: etag }
      const results = await Promise.all([
        ...Array.from({ length: 4 }, () => refusal(bench.put('k', 'x', { condition }))),
        ...Array.from({ length: 4 }, () =>
          refusal(
            bench.store.copy(
              { bucket: bench.bucket, key: 'source' },
              { bucket: bench.bucket, key: 'k' },
              { sourceIfMatch: source.etag, size: 1, metadata: {}, condition },
            ),
          ),
        ),
        ...Array.from({ length: 4 }, () => refusal(bench.store.delete(bench.bucket, 'k', condition))),
        refusal(bench.store.completeUpload(upload, { parts: [{ partNumber: 1, etag: part.etag }], condition })),
      ])
      expect(results.filter((result) => result === 'no refusal')).toHaveLength(1)
    })
  })
  describe('copy', () => {
    test('a copy has the bytes of its source and its own everything else, and outlives it', async () => {
      for (const length of [0, 5, 300 * KIB]) {
        const content = bytes(length)
        const source = await bench.put('a', content, {
          metadata: { from: 'a' },
          commit: () => Promise.resolve({ facts: Buffer.from('old') }),
        })
        const facts = Buffer.from('new')
        const copied = await bench.store.copy(
          { bucket: bench.bucket, key: 'a' },
          { bucket: bench.bucket, key: 'b' },
          { sourceIfMatch: source.etag, size: 1, metadata: { to: 'b' }, facts },
        )
        const again = await bench.store.copy(
          { bucket: bench.bucket, key: 'b' },
          { bucket: bench.bucket, key: 'c' },
          { sourceIfMatch: copied.etag, size: 1, metadata: {} },
        )
        if (!bench.remote) expect(copied.etag).not.toBe(source.etag)
        const head = await bench.store.head(bench.bucket, 'b')
        expect({ ...head, attributes: undefined, content: undefined }).toEqual({
          etag: copied.etag,
          size: length,
          lastModified: bench.remote ? head?.lastModified : copied.lastModified,
          attributes: undefined,
          content: undefined,
          metadata: { to: 'b' },
          ...(bench.store.capabilities.facts ? { facts } : {}),
        })
        await bench.store.delete(bench.bucket, 'a')
        expect((await bench.read('b')).equals(content)).toBe(true)
        await bench.put('b', 'replaced')
        expect((await bench.read('c')).equals(content)).toBe(true)
        expect((await bench.store.head(bench.bucket, 'c'))?.etag).toBe(again.etag)
        await bench.store.delete(bench.bucket, 'c')
        expect(await bench.text('b')).toBe('replaced')
      }
    })

    test('an object can be copied onto itself with new metadata', async () => {
      for (const length of [5, 300 * KIB]) {
        const content = bytes(length)
        let { etag } = await bench.put('a', content, { metadata: { v: '0' } })
        for (const v of ['1', '2', '3']) {
          const copied = await bench.store.copy(
            { bucket: bench.bucket, key: 'a' },
            { bucket: bench.bucket, key: 'a' },
            { sourceIfMatch: etag, size: 1, metadata: { v } },
          )
          etag = copied.etag
        }
        expect((await bench.store.head(bench.bucket, 'a'))?.metadata).toEqual({ v: '3' })
        expect((await bench.read('a')).equals(content)).toBe(true)
      }
    })

    test('copies are refused as puts are, and where the source has changed', async () => {
      const source = await bench.put('a', 'x')
      const target = await bench.put('b', 'y')
      const copy = (options: object, from = 'a') =>
        refusal(
          bench.store.copy(
            { bucket: bench.bucket, key: from },
            { bucket: bench.bucket, key: 'b' },
            { sourceIfMatch: source.etag, size: 1, metadata: {}, ...options },
          ),
        )
      expect(await copy({}, 'none')).toBe('no-such-key')
      if (bench.store.capabilities.copySourceIfMatch)
        expect(await copy({ sourceIfMatch: target.etag, size: 1 })).toBe('precondition-failed')
      expect(await copy({ condition: { ifNoneMatch: '*' } })).toBe('precondition-failed')
      expect(await copy({ condition: { ifMatch: source.etag } })).toBe('precondition-failed')
      expect(await bench.text('b')).toBe('y')
      expect(await copy({ condition: { ifMatch: target.etag } })).toBe('no refusal')
      expect(await bench.text('b')).toBe('x')
    })
  })
}
