// What stores promise that keep versions, tags, locks and storage classes without speaking S3.
import { beforeEach, describe, expect, test } from 'vitest'
import type { ObjectStore, UploadRef } from '../../../src/backends/object-store.ts'
import { type Bench, bodyOf, refusal } from './bench.ts'

const LOCK = {
  'x-amz-object-lock-mode': 'GOVERNANCE',
  'x-amz-object-lock-retain-until-date': '2099-01-01T00:00:00.000Z',
  'x-amz-object-lock-legal-hold': 'OFF',
}
const GIVEN = { 'x-amz-tagging': 'a=b&c=', 'x-amz-storage-class': 'STANDARD_IA', acl: '{"secret":1}' }
const SHOWN = { 'x-amz-tagging-count': '2', 'x-amz-storage-class': 'STANDARD_IA' }

export function attributesContract(bench: Bench): void {
  /** The store, if it is one of those. */
  const keeper = (): Required<Pick<ObjectStore, 'attributesOf' | 'changeAttributes' | 'updateBucket'>> | undefined => {
    const { store } = bench
    const { attributesOf, changeAttributes, updateBucket } = store
    if (attributesOf === undefined || changeAttributes === undefined || updateBucket === undefined) return undefined
    return {
      attributesOf: attributesOf.bind(store),
      changeAttributes: changeAttributes.bind(store),
      updateBucket: updateBucket.bind(store),
    }
  }
  const required = () => {
    const found = keeper()
    if (found === undefined) throw new Error('the store keeps no attributes')
    return found
  }
  const kept = async (key: string) => (await required().attributesOf(bench.bucket, key, {})).attributes
  const shown = async (key: string) => (await bench.store.head(bench.bucket, key))?.attributes

  describe('attributes of objects', () => {
    beforeEach((context) => {
      const { versions, native } = bench.store.capabilities
      expect(keeper() !== undefined).toBe(versions && !native)
      context.skip(keeper() === undefined, 'the store keeps none')
    })

    test('are kept as they were given and shown as S3 shows them', async () => {
      await bench.put('k', 'x', { attributes: GIVEN })
      expect(await kept('k')).toEqual(GIVEN)
      expect(await shown('k')).toEqual(SHOWN)
      expect((await bench.store.get(bench.bucket, 'k')).info.attributes).toEqual(SHOWN)
      const { objects } = await bench.store.list(bench.bucket, { prefix: '', limit: 10 })
      expect(objects[0]?.attributes).toEqual(SHOWN)
    })

    test('of a plain object are none; STANDARD is not named', async () => {
      await bench.put('plain', 'x')
      await bench.put('standard', 'x', { attributes: { 'x-amz-storage-class': 'STANDARD', 'x-amz-tagging': '' } })
      expect([await kept('plain'), (await shown('plain')) ?? {}]).toEqual([{}, {}])
      expect(await shown('standard')).toEqual({})
    })

    test('go with the object: a new one has its own', async () => {
      await bench.put('k', 'x', { attributes: GIVEN })
      await bench.put('k', 'x', { attributes: { 'x-amz-tagging': 'new=1' } })
      expect(await kept('k')).toEqual({ 'x-amz-tagging': 'new=1' })
      await bench.put('k', 'x')
      expect(await kept('k')).toEqual({})
    })

    test('of a copy are those that the copy is given', async () => {
      const { etag } = await bench.put('source', 'x', { attributes: GIVEN })
      const copy = (key: string, attributes?: Record<string, string>) =>
        bench.store.copy(
          { bucket: bench.bucket, key: 'source' },
          { bucket: bench.bucket, key },
          { sourceIfMatch: etag, size: 1, metadata: {}, ...(attributes === undefined ? {} : { attributes }) },
        )
      await copy('bare')
      await copy('tagged', { 'x-amz-tagging': 't=1' })
      expect([await kept('bare'), await kept('tagged'), await kept('source')]).toEqual([
        {},
        { 'x-amz-tagging': 't=1' },
        GIVEN,
      ])
    })

    test('of a multipart object are those that its upload was created with', async () => {
      const uploadId = await bench.store.createUpload(bench.bucket, 'k', { metadata: { m: '1' }, attributes: GIVEN })
      const upload: UploadRef = { bucket: bench.bucket, key: 'k', uploadId }
      const { etag } = await bench.store.putPart(upload, 1, bodyOf('part'), {})
      await bench.store.completeUpload(upload, { parts: [{ partNumber: 1, etag }] })
      expect(await kept('k')).toEqual(GIVEN)
      expect((await bench.store.head(bench.bucket, 'k'))?.metadata).toEqual({ m: '1' })
    })

    test('change in one step; body, ETag and time stay', async () => {
      const before = await bench.put('k', 'body', { attributes: GIVEN, metadata: { a: '1' } })
      await required().changeAttributes(bench.bucket, 'k', {}, (current) => {
        expect(current).toEqual(GIVEN)
        return { 'x-amz-tagging': 'new=1' }
      })
      expect(await kept('k')).toEqual({ 'x-amz-tagging': 'new=1' })
      const info = await bench.store.head(bench.bucket, 'k')
      expect([info?.etag, info?.lastModified, info?.metadata]).toEqual([before.etag, before.lastModified, { a: '1' }])
      expect(await bench.text('k')).toBe('body')
    })

    test('changed at the same time are never lost', async () => {
      await bench.put('k', 'x', { attributes: { n: '0' } })
      const add = () => required().changeAttributes(bench.bucket, 'k', {}, ({ n }) => ({ n: String(Number(n) + 1) }))
      await Promise.all(Array.from({ length: 50 }, add))
      expect(await kept('k')).toEqual({ n: '50' })
    })

    test('a change that throws throws just that, and changes nothing', async () => {
      await bench.put('k', 'x', { attributes: GIVEN })
      const error = new RangeError('the caller refuses')
      const change = () => {
        throw error
      }
      await expect(required().changeAttributes(bench.bucket, 'k', {}, change)).rejects.toBe(error)
      expect(await kept('k')).toEqual(GIVEN)
    })

    test('of what is not there are refused', async () => {
      const { attributesOf, changeAttributes } = required()
      expect(await refusal(attributesOf(bench.bucket, 'none', {}))).toBe('no-such-key')
      expect(await refusal(attributesOf('no-such-bucket', 'none', {}))).toBe('no-such-bucket')
      expect(await refusal(changeAttributes(bench.bucket, 'none', {}, (same) => same))).toBe('no-such-key')
    })

    test('the only version of a bucket without versions is called null', async () => {
      const { etag } = await bench.put('k', 'x', { attributes: GIVEN })
      expect((await required().attributesOf(bench.bucket, 'k', { versionId: 'null' })).attributes).toEqual(GIVEN)
      expect((await bench.store.head(bench.bucket, 'k', { versionId: 'null' }))?.etag).toBe(etag)
      expect(await bench.store.head(bench.bucket, 'k', { versionId: 'ab'.repeat(16) })).toBeUndefined()
      expect(await refusal(bench.store.get(bench.bucket, 'k', { versionId: 'ab'.repeat(16) }))).toBe('no-such-version')
      await bench.store.delete(bench.bucket, 'k', { versionId: 'null' })
      expect(await bench.store.head(bench.bucket, 'k')).toBeUndefined()
    })

    test('that lock are refused where the bucket has no Object Lock', async () => {
      expect(await refusal(bench.put('k', 'x', { attributes: LOCK }))).toBe('invalid-state')
      const upload = bench.store.createUpload(bench.bucket, 'k', { metadata: {}, attributes: LOCK })
      expect(await refusal(upload)).toBe('invalid-state')
      await bench.put('k', 'x')
      expect(await refusal(required().changeAttributes(bench.bucket, 'k', {}, () => LOCK))).toBe('invalid-state')
    })

    test('that lock are kept and shown where the bucket has it', async () => {
      const bucket = `${bench.bucket}-locked`
      await bench.store.createBucket(bucket, { attributes: { 'x-amz-bucket-object-lock-enabled': 'true' } })
      expect(await bench.store.headBucket(bucket)).toMatchObject({ versioning: 'Enabled', objectLock: true })
      await bench.store.put(bucket, 'k', bodyOf('x'), {
        metadata: {},
        attributes: LOCK,
        commit: () => Promise.resolve({}),
      })
      expect((await bench.store.head(bucket, 'k'))?.attributes).toMatchObject(LOCK)
    })
  })

  describe('the state of a bucket', () => {
    beforeEach((context) => {
      context.skip(keeper() === undefined, 'the store keeps none')
    })

    const state = async () => {
      const { created: _, name: __, ...rest } = (await bench.store.headBucket(bench.bucket)) ?? {}
      return rest
    }

    test('is nothing at first, and what it was set to; the time it was made stays', async () => {
      const before = await bench.store.headBucket(bench.bucket)
      expect(await state()).toEqual({})
      await required().updateBucket(bench.bucket, { versioning: 'Enabled' })
      expect(await state()).toEqual({ versioning: 'Enabled' })
      await required().updateBucket(bench.bucket, { versioning: 'Suspended' })
      expect(await state()).toEqual({ versioning: 'Suspended' })
      await required().updateBucket(bench.bucket, { objectLock: true })
      expect(await state()).toEqual({ versioning: 'Enabled', objectLock: true })
      expect((await bench.store.headBucket(bench.bucket))?.created).toEqual(before?.created)
      const listed = (await bench.store.listBuckets()).find(({ name }) => name === bench.bucket)
      expect(listed).toMatchObject({ versioning: 'Enabled', objectLock: true })
    })

    test('with Object Lock cannot be suspended (B100)', async () => {
      await required().updateBucket(bench.bucket, { objectLock: true })
      expect(await refusal(required().updateBucket(bench.bucket, { versioning: 'Suspended' }))).toBe('invalid-state')
      expect(await refusal(required().updateBucket('no-such-bucket', { versioning: 'Enabled' }))).toBe('no-such-bucket')
      expect(await state()).toEqual({ versioning: 'Enabled', objectLock: true })
    })
  })
}
