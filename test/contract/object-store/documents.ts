// What stores that do not speak S3 promise about the configurations of a bucket.
import { describe, expect, test } from 'vitest'
import type { BucketDocuments } from '../../../src/backends/object-store.ts'
import { type Bench, refusal } from './bench.ts'

export function documentsContract(bench: Bench): void {
  const documents = (): BucketDocuments | undefined => bench.store.documents

  describe.skipIf(bench.remote)('documents of a bucket', () => {
    test('are there for every store that does not speak S3', () => {
      expect(documents() !== undefined).toBe(!bench.store.capabilities.native)
    })

    test('are given back as they were last written, each under its name', async () => {
      await documents()?.write(bench.bucket, 'cors', Buffer.from('first'))
      await documents()?.write(bench.bucket, 'cors', Buffer.from('second'))
      await documents()?.write(bench.bucket, 'co', Buffer.from('another'))
      expect((await documents()?.read(bench.bucket, 'cors'))?.toString()).toBe('second')
      expect((await documents()?.read(bench.bucket, 'co'))?.toString()).toBe('another')
    })

    test('that are not there, or whose bucket is not, are undefined; removing them is no error', async () => {
      expect(await documents()?.read(bench.bucket, 'cors')).toBeUndefined()
      expect(await documents()?.read('no-such-bucket', 'cors')).toBeUndefined()
      await documents()?.remove(bench.bucket, 'cors')
      await documents()?.write(bench.bucket, 'cors', Buffer.from('x'))
      await documents()?.remove(bench.bucket, 'cors')
      expect(await documents()?.read(bench.bucket, 'cors')).toBeUndefined()
    })

    test('are refused for a bucket that is not there', async () => {
      const write = documents()?.write('no-such-bucket', 'cors', Buffer.from('x')) ?? Promise.resolve()
      expect(await refusal(write)).toBe('no-such-bucket')
    })

    test('go with their bucket, and never show up in a new one of that name', async () => {
      await documents()?.write(bench.bucket, 'cors', Buffer.from('x'))
      await bench.store.deleteBucket(bench.bucket)
      await bench.store.createBucket(bench.bucket)
      expect(await documents()?.read(bench.bucket, 'cors')).toBeUndefined()
    })

    test('are not listed and do not keep a bucket from being deleted', async () => {
      await documents()?.write(bench.bucket, 'cors', Buffer.from('x'))
      expect((await bench.page({})).keys).toEqual([])
      await bench.store.deleteBucket(bench.bucket)
      await bench.store.createBucket(bench.bucket)
    })
  })
}
