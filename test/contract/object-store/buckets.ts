import { describe, expect, test } from 'vitest'
import { type Bench, bodyOf, collect, putOptions, refusal } from './bench.ts'

export function bucketsContract(bench: Bench): void {
  describe('buckets', () => {
    test('a bucket can be made, seen, listed in order and deleted', async () => {
      await bench.store.createBucket('zz-b')
      await bench.store.createBucket('zz-a')
      const names = (await bench.store.listBuckets()).map(({ name }) => name)
      expect(names).toEqual([...names].sort())
      expect(names).toEqual(expect.arrayContaining(['zz-a', 'zz-b']))
      const info = await bench.store.headBucket('zz-a')
      expect(info?.name).toBe('zz-a')
      if (!bench.remote) expect(Math.abs(Date.now() - (info?.created.getTime() ?? 0))).toBeLessThan(60_000)
      await bench.store.deleteBucket('zz-a')
      await bench.store.deleteBucket('zz-b')
      expect(await bench.store.headBucket('zz-a')).toBeUndefined()
      expect((await bench.store.listBuckets()).map(({ name }) => name)).not.toContain('zz-a')
    })

    test('what is wrong with a bucket is refused', async () => {
      expect(await refusal(bench.store.createBucket(bench.bucket))).toBe('bucket-exists')
      expect(await refusal(bench.store.deleteBucket('none'))).toBe('no-such-bucket')
      await bench.put('a', 'x')
      expect(await refusal(bench.store.deleteBucket(bench.bucket))).toBe('bucket-not-empty')
      await bench.store.delete(bench.bucket, 'a')
      await bench.store.deleteBucket(bench.bucket)
      expect(await refusal(bench.put('a', 'x'))).toBe('no-such-bucket')
    })

    test('everything in a bucket that does not exist is refused', async () => {
      const none = { bucket: 'none', key: 'a', uploadId: '0'.repeat(32) }
      const source = await bench.put('a', 'x')
      const copyOptions = { sourceIfMatch: source.etag, size: 1, metadata: {} }
      expect(await refusal(bench.store.put('none', 'a', bodyOf('x'), putOptions()))).toBe('no-such-bucket')
      expect(await refusal(bench.store.get('none', 'a'))).toBe('no-such-bucket')
      // A HEAD has no document that would tell the missing bucket from the missing key.
      if (bench.remote) expect(await bench.store.head('none', 'a')).toBeUndefined()
      else expect(await refusal(bench.store.head('none', 'a'))).toBe('no-such-bucket')
      expect(await refusal(bench.store.delete('none', 'a'))).toBe('no-such-bucket')
      expect(await refusal(bench.store.list('none', { prefix: '', limit: 1 }))).toBe('no-such-bucket')
      expect(await refusal(bench.store.copy({ bucket: bench.bucket, key: 'a' }, none, copyOptions))).toBe(
        'no-such-bucket',
      )
      expect(await refusal(bench.store.copy(none, { bucket: bench.bucket, key: 'b' }, copyOptions))).toBe(
        'no-such-bucket',
      )
      expect(await refusal(bench.store.createUpload('none', 'a', { metadata: {} }))).toBe('no-such-bucket')
      expect(await refusal(bench.store.listUploads('none', { prefix: '', limit: 1 }))).toBe('no-such-bucket')
      expect(['no-such-bucket', 'no-such-upload']).toContain(
        await refusal(bench.store.putPart(none, 1, bodyOf('x'), {})),
      )
    })

    test('uploads in progress go with their bucket, and do not come back with its name', async () => {
      const other = `${bench.bucket}-longer`
      await bench.store.createBucket(other)
      const upload = {
        bucket: bench.bucket,
        key: 'k',
        uploadId: await bench.store.createUpload(bench.bucket, 'k', { metadata: {} }),
      }
      const kept = { bucket: other, key: 'k', uploadId: await bench.store.createUpload(other, 'k', { metadata: {} }) }
      await bench.store.putPart(upload, 1, bodyOf('part'), {})
      await bench.store.deleteBucket(bench.bucket)
      await bench.store.createBucket(bench.bucket)
      expect((await bench.store.listUploads(bench.bucket, { prefix: '', limit: 10 })).uploads).toEqual([])
      expect(await refusal(bench.store.listParts(upload, { after: 0, limit: 10 }))).toBe('no-such-upload')
      expect(
        (await bench.store.listUploads(other, { prefix: '', limit: 10 })).uploads.map(({ uploadId }) => uploadId),
      ).toEqual([kept.uploadId])
    })

    test('buckets whose names begin alike keep their objects apart', async () => {
      const longer = `${bench.bucket}-x`
      await bench.store.createBucket(longer)
      await bench.put('k', 'short')
      await bench.store.put(longer, 'k', bodyOf('long'), putOptions())
      expect(await bench.text('k')).toBe('short')
      expect(await bench.page({})).toMatchObject({ keys: ['k'] })
      await bench.store.delete(bench.bucket, 'k')
      await bench.store.deleteBucket(bench.bucket)
      expect((await collect((await bench.store.get(longer, 'k')).body)).toString()).toBe('long')
    })
  })
}
