// What stores that do not speak S3 promise about the configurations of a bucket.
import { describe, expect, test } from 'vitest'
import type { StoreDocuments } from '../../../src/backends/bucket-documents.ts'
import { type Bench, refusal } from './bench.ts'

export function documentsContract(bench: Bench): void {
  const documents = (): StoreDocuments | undefined => bench.store.documents

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

    test('name the buckets whose document waits, in order, and no more than were asked for', async () => {
      if (documents() === undefined) return
      const others = ['holder-a', 'holder-b', 'holder-c']
      for (const bucket of others) await bench.store.createBucket(bucket)
      for (const bucket of ['holder-c', 'holder-a', 'holder-b'])
        await documents()?.write(bucket, 'mark', Buffer.alloc(0), { waits: true })
      await documents()?.write('holder-a', 'marked', Buffer.alloc(0), { waits: true })
      await documents()?.write(bench.bucket, 'mark', Buffer.alloc(0))
      expect(await documents()?.bucketsWaiting('mark', 10)).toEqual(others)
      expect(await documents()?.bucketsWaiting('mark', 2)).toEqual(others.slice(0, 2))
      expect(await documents()?.bucketsWaiting('mar', 10)).toEqual([])
      expect((await documents()?.read('holder-b', 'mark'))?.length).toBe(0)
      await documents()?.write('holder-b', 'mark', Buffer.alloc(0))
      await bench.store.deleteBucket('holder-a')
      expect(await documents()?.bucketsWaiting('mark', 10)).toEqual(['holder-c'])
      expect(await documents()?.bucketsWaiting('marked', 10)).toEqual([])
      await documents()?.remove('holder-c', 'mark')
      expect(await documents()?.bucketsWaiting('mark', 10)).toEqual([])
      for (const bucket of others.slice(1)) await bench.store.deleteBucket(bucket)
    })

    test('are not listed and do not keep a bucket from being deleted', async () => {
      await documents()?.write(bench.bucket, 'cors', Buffer.from('x'))
      expect((await bench.page({})).keys).toEqual([])
      await bench.store.deleteBucket(bench.bucket)
      await bench.store.createBucket(bench.bucket)
    })
  })
}
