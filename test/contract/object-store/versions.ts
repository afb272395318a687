// What stores promise that keep versions and do not speak S3: which version is current, and what deletions do.
import { beforeEach, describe, expect, test } from 'vitest'
import { type Bench, bodyOf, bytes, KIB, refusal } from './bench.ts'
import { versionBench } from './version-bench.ts'

export function versionsContract(bench: Bench): void {
  const { store, enable, suspend, read, remove, page, versions, brief, idOf, answerTo, skip } = versionBench(bench)

  describe('versions', () => {
    beforeEach(skip)

    test('are there for every store that says so and does not speak S3', () => {
      const { versions: has, native } = store().capabilities
      expect(has).toBe(true)
      expect(native).toBe(false)
    })

    test('stay readable by their ids, whatever comes after them', async () => {
      await enable()
      const contents = ['one', bytes(100 * KIB).toString('hex'), '', 'four']
      const ids: string[] = []
      for (const content of contents)
        ids.push(idOf(await bench.put('k', content, { metadata: { n: String(ids.length) } })))
      expect(new Set(ids).size).toBe(4)
      expect(await read('k')).toBe('four')
      for (const [n, id] of ids.entries()) {
        expect(await read('k', id)).toBe(contents[n])
        const info = await store().head(bench.bucket, 'k', { versionId: id })
        expect(info).toMatchObject({ versionId: id, metadata: { n: String(n) } })
        expect(info?.attributes).toEqual({ 'x-amz-version-id': id })
      }
      expect((await bench.page({})).keys).toEqual(['k'])
    })

    test('of one key are none of another, also where ids are mixed up', async () => {
      await enable()
      const id = idOf(await bench.put('a', 'x'))
      await bench.put('b', 'y')
      expect(await refusal(store().get(bench.bucket, 'b', { versionId: id }))).toBe('no-such-version')
      expect(await store().head(bench.bucket, 'b', { versionId: id })).toBeUndefined()
      const near = `${id.slice(0, 16)}${'0'.repeat(16)}`
      expect(await store().head(bench.bucket, 'a', { versionId: near })).toBeUndefined()
    })

    test("B52 an id that none can be is the client's fault", async () => {
      await enable()
      await bench.put('k', 'x')
      for (const versionId of ['', 'x', 'NULL', 'AB'.repeat(16), 'ab'.repeat(17)]) {
        expect(await answerTo(store().get(bench.bucket, 'k', { versionId }))).toMatchObject({
          status: 400,
          code: 'InvalidArgument',
        })
      }
    })

    test('are made by copies and completed uploads too, and can be copied from', async () => {
      await enable()
      const first = await bench.put('k', 'first')
      await bench.put('k', 'second')
      const source = { bucket: bench.bucket, key: 'k', versionId: idOf(first) }
      const copied = await store().copy(
        source,
        { bucket: bench.bucket, key: 'k' },
        {
          sourceIfMatch: first.etag,
          size: 5,
          metadata: {},
        },
      )
      expect([await read('k'), await read('k', idOf(copied))]).toEqual(['first', 'first'])
      const uploadId = await store().createUpload(bench.bucket, 'k', { metadata: {} })
      const upload = { bucket: bench.bucket, key: 'k', uploadId }
      const { etag } = await store().putPart(upload, 1, bodyOf('part'), {})
      const completed = await store().completeUpload(upload, { parts: [{ partNumber: 1, etag }] })
      expect(await read('k', idOf(completed))).toBe('part')
      expect((await versions('k')).map(brief)).toEqual([['id', 'latest'], ['id'], ['id'], ['id']])
    })

    test('share bodies with copies: what one loses the other keeps', async () => {
      await enable()
      const content = bytes(100 * KIB)
      const first = await bench.put('k', content)
      const copy = await store().copy(
        { bucket: bench.bucket, key: 'k', versionId: idOf(first) },
        { bucket: bench.bucket, key: 'copy' },
        { sourceIfMatch: first.etag, size: content.length, metadata: {} },
      )
      await bench.put('k', 'second')
      await remove('k', idOf(first))
      expect((await bench.read('copy')).equals(content)).toBe(true)
      await bench.put('copy', 'other')
      expect((await bench.read('copy', { versionId: idOf(copy) })).equals(content)).toBe(true)
    })

    test('a write that fails leaves all of them as they were', async () => {
      await enable()
      const first = await bench.put('k', 'first')
      const failing = { commit: () => Promise.reject(new Error('no')) }
      await expect(bench.put('k', 'second', failing)).rejects.toThrow('no')
      expect(await refusal(bench.put('k', 'x', { condition: { ifNoneMatch: '*' } }))).toBe('precondition-failed')
      expect(await refusal(bench.put('k', 'x', { condition: { ifMatch: 'ab'.repeat(16) } }))).toBe(
        'precondition-failed',
      )
      expect((await versions('k')).map(({ versionId }) => versionId)).toEqual([idOf(first)])
    })

    test('attributes are those of the version', async () => {
      await enable()
      const first = idOf(await bench.put('k', '1', { attributes: { 'x-amz-tagging': 'n=1' } }))
      const second = idOf(await bench.put('k', '2', { attributes: { 'x-amz-tagging': 'n=2' } }))
      const change = (versionId?: string) =>
        store().changeAttributes?.(bench.bucket, 'k', versionId === undefined ? {} : { versionId }, (current) => ({
          'x-amz-tagging': `${current['x-amz-tagging'] ?? ''}&more=1`,
        }))
      expect(await change(first)).toEqual({ versionId: first })
      expect(await change()).toEqual({ versionId: second })
      const of = async (versionId: string) => store().attributesOf?.(bench.bucket, 'k', { versionId })
      expect(await of(first)).toEqual({ versionId: first, attributes: { 'x-amz-tagging': 'n=1&more=1' } })
      expect(await of(second)).toEqual({ versionId: second, attributes: { 'x-amz-tagging': 'n=2&more=1' } })
      expect([await read('k', first), await read('k')]).toEqual(['1', '2'])
    })
  })

  describe('delete markers', () => {
    beforeEach(skip)

    test('B61 a deletion makes one, also of a key that never was', async () => {
      await enable()
      const id = idOf(await bench.put('k', 'x'))
      const deleted = await remove('k')
      expect(deleted).toEqual({
        'x-amz-delete-marker': 'true',
        'x-amz-version-id': expect.stringMatching(/^[0-9a-f]{32}$/),
      })
      expect((await versions('k')).map(brief)).toEqual([['id', 'latest', 'marker'], ['id']])
      expect(await read('k', id)).toBe('x')
      expect((await bench.page({})).keys).toEqual([])
      await remove('none')
      await remove('none')
      expect((await versions('none')).map(brief)).toEqual([
        ['id', 'latest', 'marker'],
        ['id', 'marker'],
      ])
    })

    test('B51 a deleted key is missing, a marker itself is 405', async () => {
      await enable()
      await bench.put('k', 'x')
      const id = (await remove('k'))?.['x-amz-version-id'] ?? ''
      const headers = { 'x-amz-delete-marker': 'true', 'x-amz-version-id': id }
      const looks = [store().get(bench.bucket, 'k'), store().head(bench.bucket, 'k')]
      for (const look of looks) {
        expect(await answerTo(look)).toEqual({
          status: 404,
          code: 'NoSuchKey',
          message: 'The specified key does not exist.',
          attributes: headers,
        })
      }
      const marker = await answerTo(store().get(bench.bucket, 'k', { versionId: id }))
      expect(marker).toMatchObject({ status: 405, code: 'MethodNotAllowed' })
      expect(marker?.attributes).toMatchObject({ ...headers, allow: 'DELETE' })
      expect(marker?.attributes['last-modified']).toMatch(/ GMT$/)
    })

    test('deleted by its id, what was before it is current again', async () => {
      await enable()
      const first = idOf(await bench.put('k', 'x'))
      const marker = (await remove('k'))?.['x-amz-version-id'] ?? ''
      expect(await remove('k', marker)).toEqual({ 'x-amz-delete-marker': 'true', 'x-amz-version-id': marker })
      expect(await read('k')).toBe('x')
      expect((await versions('k')).map(({ versionId }) => versionId)).toEqual([first])
    })

    test('a key with one can be made anew, and If-None-Match sees no object', async () => {
      await enable()
      await bench.put('k', 'x')
      await remove('k')
      expect(await refusal(bench.put('k', 'y', { condition: { ifMatch: 'ab'.repeat(16) } }))).toBe('no-such-key')
      await bench.put('k', 'y', { condition: { ifNoneMatch: '*' } })
      expect(await read('k')).toBe('y')
      expect((await versions('k')).map(brief)).toEqual([['id', 'latest'], ['id', 'marker'], ['id']])
    })

    test('a deletion under If-Match looks at the current version', async () => {
      await enable()
      const { etag } = await bench.put('k', 'x')
      const conditional = (ifMatch: string) => store().delete(bench.bucket, 'k', { ifMatch })
      expect(await refusal(conditional('ab'.repeat(16)))).toBe('precondition-failed')
      await conditional(etag)
      expect(await refusal(conditional(etag))).toBe('no-such-key')
      expect((await versions('k')).map(brief)).toEqual([['id', 'latest', 'marker'], ['id']])
    })
  })

  describe('deleting versions', () => {
    beforeEach(skip)

    test('the one before the current becomes current, unless that is a marker', async () => {
      await enable()
      const ids: string[] = []
      for (const content of ['1', '2']) ids.push(idOf(await bench.put('k', content)))
      await remove('k')
      ids.push(idOf(await bench.put('k', '3')))
      await remove('k', ids[2])
      expect(await refusal(store().get(bench.bucket, 'k'))).toBe('no-such-key')
      expect((await versions('k')).map(brief)).toEqual([['id', 'latest', 'marker'], ['id'], ['id']])
      expect(await remove('k', ids[1])).toEqual({ 'x-amz-version-id': ids[1] })
      const marker = (await versions('k'))[0]?.versionId
      await remove('k', marker)
      expect(await read('k')).toBe('1')
      await remove('k', ids[0])
      expect(await page()).toEqual({ versions: [], commonPrefixes: [], truncated: false })
    })

    test('one that is not there is deleted already', async () => {
      await enable()
      await bench.put('k', 'x')
      const id = 'ab'.repeat(16)
      expect(await remove('k', id)).toEqual({ 'x-amz-version-id': id })
      expect(await remove('k', 'null')).toEqual({ 'x-amz-version-id': 'null' })
      expect(await read('k')).toBe('x')
    })

    test('B98 a bucket goes only when versions and markers are gone', async () => {
      await enable()
      const id = idOf(await bench.put('k', 'x'))
      const marker = (await remove('k'))?.['x-amz-version-id']
      expect(await refusal(store().deleteBucket(bench.bucket))).toBe('bucket-not-empty')
      await remove('k', id)
      expect(await refusal(store().deleteBucket(bench.bucket))).toBe('bucket-not-empty')
      await remove('k', marker)
      await store().deleteBucket(bench.bucket)
      await store().createBucket(bench.bucket)
      expect((await store().headBucket(bench.bucket))?.versioning).toBeUndefined()
    })
  })

  describe('the null version', () => {
    beforeEach(skip)

    test('is what was written before versions were switched on', async () => {
      await bench.put('k', 'old')
      await enable()
      expect((await store().head(bench.bucket, 'k'))?.versionId).toBe('null')
      const newer = idOf(await bench.put('k', 'new'))
      expect([await read('k', 'null'), await read('k', newer)]).toEqual(['old', 'new'])
      expect((await versions('k')).map(brief)).toEqual([['id', 'latest'], ['null']])
      expect(await remove('k', 'null')).toEqual({ 'x-amz-version-id': 'null' })
      expect((await versions('k')).map(brief)).toEqual([['id', 'latest']])
    })

    test('is written while versions are suspended, one for each key, in its own place in time', async () => {
      await bench.put('k', 'before')
      await enable()
      const id = idOf(await bench.put('k', 'kept'))
      await suspend()
      expect((await bench.put('k', 'first')).versionId).toBe('null')
      await bench.put('k', 'second')
      expect((await versions('k')).map(brief)).toEqual([['null', 'latest'], ['id']])
      expect([await read('k'), await read('k', 'null'), await read('k', id)]).toEqual(['second', 'second', 'kept'])
      await enable()
      await bench.put('k', 'last')
      expect((await versions('k')).map(brief)).toEqual([['id', 'latest'], ['null'], ['id']])
    })

    test('gives way to a null marker when the key is deleted while versions are suspended', async () => {
      await bench.put('k', 'old')
      await enable()
      const id = idOf(await bench.put('k', 'kept'))
      await suspend()
      expect(await remove('k')).toEqual({ 'x-amz-delete-marker': 'true', 'x-amz-version-id': 'null' })
      expect((await versions('k')).map(brief)).toEqual([['null', 'latest', 'marker'], ['id']])
      await remove('k')
      expect((await versions('k')).map(brief)).toEqual([['null', 'latest', 'marker'], ['id']])
      expect(await remove('k', 'null')).toEqual({ 'x-amz-delete-marker': 'true', 'x-amz-version-id': 'null' })
      expect(await read('k')).toBe('kept')
      expect((await versions('k')).map(({ versionId }) => versionId)).toEqual([id])
    })
  })
}
