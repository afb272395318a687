// Versions as clients see them, on the embedded store.
import { createHash } from 'node:crypto'
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandInput,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { expectEtag } from '../helpers/etags.ts'
import type { TestGateway } from '../helpers/gateway.ts'
import { failure } from '../helpers/refused.ts'
import { codeOf, send } from '../helpers/signed-request.ts'
import { differs, notOver, startTested } from '../helpers/worlds.ts'

const MIB = 1024 * 1024
let running: TestGateway
let s3: S3Client
let Bucket = ''
let buckets = 0

beforeAll(async () => {
  running = await startTested()
  s3 = running.client()
})

afterAll(() => running.close())

const setVersioning = (Status: 'Enabled' | 'Suspended') =>
  s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }))

beforeEach(async () => {
  Bucket = `versions-${(buckets += 1)}`
  await s3.send(new CreateBucketCommand({ Bucket }))
  await setVersioning('Enabled')
})

const put = async (Key: string, Body: string | Buffer, more: Partial<PutObjectCommandInput> = {}) => {
  const { VersionId = '' } = await s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }))
  return VersionId
}
const versionOf = (VersionId: string | undefined) => (VersionId === undefined ? {} : { VersionId })
const get = async (Key: string, VersionId?: string) =>
  (await s3.send(new GetObjectCommand({ Bucket, Key, ...versionOf(VersionId) }))).Body?.transformToString()
const remove = (Key: string, VersionId?: string) =>
  s3.send(new DeleteObjectCommand({ Bucket, Key, ...versionOf(VersionId) }))
const list = (more: Partial<ListObjectVersionsCommandInput> = {}) =>
  s3.send(new ListObjectVersionsCommand({ Bucket, ...more }))

describe('versioning of a bucket', () => {
  const status = async () => (await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status

  test('B99 is an empty document until it is switched on, then what was set', async () => {
    expect(await status()).toBe('Enabled')
    await setVersioning('Suspended')
    expect(await status()).toBe('Suspended')
    Bucket = `${Bucket}-never`
    await s3.send(new CreateBucketCommand({ Bucket }))
    expect(await status()).toBeUndefined()
    const { bytes } = await send(running, { method: 'GET', path: `/${Bucket}?versioning` })
    expect(bytes.toString()).toMatch(/<VersioningConfiguration xmlns="[^"]+"><\/VersioningConfiguration>$/)
  })

  test.each([
    ['<VersioningConfiguration><Status>enabled</Status></VersioningConfiguration>', 400, 'MalformedXML'],
    ['<VersioningConfiguration/>', 400, 'IllegalVersioningConfigurationException'],
    ['<Versioning><Status>Enabled</Status></Versioning>', 400, 'MalformedXML'],
    ['<VersioningConfiguration><Status>Enabled</Status><Odd/></VersioningConfiguration>', 400, 'MalformedXML'],
    [
      '<VersioningConfiguration><Status>Enabled</Status><Status>Suspended</Status></VersioningConfiguration>',
      400,
      'MalformedXML',
    ],
    [
      '<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>',
      501,
      'NotImplemented',
    ],
  ])(
    '%s is refused and changes nothing',
    notOver('s3', 'it reads this document itself'),
    async (document, expected, code) => {
      await setVersioning('Suspended')
      const answer = await send(running, { method: 'PUT', path: `/${Bucket}?versioning`, body: Buffer.from(document) })
      expect([answer.status, codeOf(answer)]).toEqual([expected, code])
      expect(await status()).toBe('Suspended')
    },
  )

  test(
    'B93 of a bucket that is missing is NoSuchBucket',
    notOver('minio', 'it tells the versioning of buckets that are not there'),
    async () => {
      Bucket = 'missing'
      expect(await failure(status())).toEqual(['NoSuchBucket', 404])
      expect(await failure(setVersioning('Enabled'))).toEqual(['NoSuchBucket', 404])
      expect(await failure(list())).toEqual(['NoSuchBucket', 404])
    },
  )
})

describe('versions', () => {
  test('each write answers its id, each is read by it, whole and in ranges', async () => {
    const large = Buffer.alloc(3 * MIB, 'large')
    const ids = [await put('k', 'first'), await put('k', large), await put('k', '')]
    expect(new Set(ids).size).toBe(3)
    expect(await get('k')).toBe('')
    expect(await get('k', ids[0])).toBe('first')
    expect(await get('k', ids[1])).toBe(large.toString())
    const range = await s3.send(new GetObjectCommand({ Bucket, Key: 'k', VersionId: ids[1] ?? '', Range: 'bytes=-5' }))
    expect([range.VersionId, range.ContentRange, await range.Body?.transformToString()]).toEqual([
      ids[1],
      `bytes ${3 * MIB - 5}-${3 * MIB - 1}/${3 * MIB}`,
      large.toString().slice(-5),
    ])
    const { ETag, ContentLength, VersionId } = await s3.send(
      new HeadObjectCommand({ Bucket, Key: 'k', VersionId: ids[0] ?? '' }),
    )
    const md5 = createHash('md5').update('first').digest('hex')
    expect([ContentLength, VersionId]).toEqual([5, ids[0]])
    expectEtag(running, ETag, `"${md5}"`)
  })

  test('a bucket without them answers no ids, and knows the null version', async () => {
    Bucket = `${Bucket}-never`
    await s3.send(new CreateBucketCommand({ Bucket }))
    expect((await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x' }))).VersionId).toBeUndefined()
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'k' }))).VersionId).toBeUndefined()
    expect(await get('k', 'null')).toBe('x')
    expect((await remove('k')).DeleteMarker).toBeUndefined()
    expect((await list()).Versions ?? []).toEqual([])
  })

  test(
    'B52 an unknown id is NoSuchVersion with its name, one that none can be and an empty one are InvalidArgument',
    notOver('s3', 'its ids are its own, and so is what it says of others'),
    async () => {
      await put('k', 'x')
      const id = 'ab'.repeat(16)
      const unknown = await send(running, { method: 'GET', path: `/${Bucket}/k?versionId=${id}` })
      expect([unknown.status, codeOf(unknown)]).toEqual([404, 'NoSuchVersion'])
      expect(unknown.bytes.toString()).toContain(`<Key>k</Key><VersionId>${id}</VersionId>`)
      for (const odd of ['', 'x', 'Null', id.toUpperCase()]) {
        const answer = await send(running, { method: 'GET', path: `/${Bucket}/k?versionId=${odd}` })
        expect([answer.status, codeOf(answer)]).toEqual([400, 'InvalidArgument'])
        expect(answer.bytes.toString()).toContain('<Message>Invalid version id specified</Message>')
        expect(answer.bytes.toString()).toContain(`<ArgumentValue>${odd}</ArgumentValue>`)
      }
      expect(await get('k')).toBe('x')
      expect(await failure(get('none', 'null'))).toEqual(['NoSuchVersion', 404])
    },
  )

  test('B52 an operation that knows no versions refuses an id', async () => {
    const answer = await send(running, { method: 'PUT', path: `/${Bucket}/k?versionId=null`, body: Buffer.from('x') })
    expect([answer.status, codeOf(answer)]).toEqual([400, 'InvalidArgument'])
  })

  test('B47 a 304 names the version', async () => {
    const id = await put('k', 'x')
    const { ETag = '' } = await s3.send(new HeadObjectCommand({ Bucket, Key: 'k' }))
    const answer = await send(running, { method: 'GET', path: `/${Bucket}/k`, headers: { 'if-none-match': ETag } })
    expect([answer.status, answer.headers['x-amz-version-id'], answer.headers.etag]).toEqual([304, id, ETag])
  })

  test('B64 an older version is copied, onto its own key too, and its id is told', async () => {
    const first = await put('k', 'first', { Metadata: { n: '1' } })
    await put('k', 'second')
    const CopySource = `${Bucket}/k?versionId=${first}`
    const restored = await s3.send(new CopyObjectCommand({ Bucket, Key: 'k', CopySource }))
    expect(restored.CopySourceVersionId).toBe(first)
    expect(await get('k')).toBe('first')
    expect(await get('k', restored.VersionId)).toBe('first')
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'k' }))).Metadata).toEqual({ n: '1' })
    const newest = await s3.send(new CopyObjectCommand({ Bucket, Key: 'other', CopySource: `${Bucket}/k` }))
    expect(newest.CopySourceVersionId).toBe(restored.VersionId)
    const gone = `${Bucket}/k?versionId=${'ab'.repeat(16)}`
    expect(await failure(s3.send(new CopyObjectCommand({ Bucket, Key: 'x', CopySource: gone })))).toEqual([
      'NoSuchVersion',
      404,
    ])
  })

  test('an upload makes a version; repeated, Complete answers the same one; parts are copied from versions', async () => {
    const first = await put('k', 'first')
    await put('k', 'second')
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'k' }))
    const part = await s3.send(
      new UploadPartCopyCommand({
        Bucket,
        Key: 'k',
        UploadId,
        PartNumber: 1,
        CopySource: `${Bucket}/k?versionId=${first}`,
      }),
    )
    expect(part.CopySourceVersionId).toBe(first)
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: part.CopyPartResult?.ETag }] }
    const complete = () => s3.send(new CompleteMultipartUploadCommand({ Bucket, Key: 'k', UploadId, MultipartUpload }))
    const { VersionId } = await complete()
    await put('k', 'newer')
    expect((await complete()).VersionId).toBe(VersionId)
    expect([await get('k', VersionId), await get('k')]).toEqual(['first', 'newer'])
  })

  const pending = async (Key: string, Body: string) => {
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
    const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body }))
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] }
    return () => s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload }))
  }

  test.each([
    ['an object', (Key: string) => put(Key, 'newer')],
    ['an upload', async (Key: string) => (await pending(Key, 'newer'))()],
    ['a delete marker', (Key: string) => remove(Key)],
  ])(
    'a Complete whose answer was lost is found among the versions, also below %s',
    notOver('s3', 'it tells the metadata of no version in a listing'),
    async (_what, follow) => {
      const Key = 'lost'
      const complete = await pending(Key, 'part')
      const { uploads } = running.gateway
      const finish = uploads.finish.bind(uploads)
      let lost = 0
      uploads.finish = () => {
        lost += 1
        return Promise.reject(new Error('the state store is gone'))
      }
      try {
        expect((await failure(complete()))[0]).not.toBe('none')
      } finally {
        uploads.finish = finish
      }
      expect(lost).toBe(1)
      await follow(Key)
      const { VersionId } = await complete()
      expect(await get(Key, VersionId)).toBe('part')
      await put(Key, 'newest')
      expect((await complete()).VersionId).toBe(VersionId)
    },
  )

  test('conditions on a write look at the newest version alone', async () => {
    const first = await put('k', 'first')
    const { ETag } = await s3.send(new HeadObjectCommand({ Bucket, Key: 'k' }))
    await put('k', 'second')
    expect(await failure(put('k', 'x', { IfMatch: ETag ?? '' }))).toEqual(['PreconditionFailed', 412])
    expect(await failure(put('k', 'x', { IfNoneMatch: '*' }))).toEqual(['PreconditionFailed', 412])
    await remove('k')
    expect(await failure(put('k', 'x', { IfMatch: '*' }))).toEqual(['NoSuchKey', 404])
    await put('k', 'third', { IfNoneMatch: '*' })
    expect([await get('k'), await get('k', first)]).toEqual(['third', 'first'])
  })

  test(
    'a copy under If-None-Match to a deleted key begins again when its source moves',
    notOver('s3', 'it is asked for a copy of the version that was found'),
    async () => {
      await put('source', 'older')
      await remove('target')
      const { store } = running
      const copy = store.copy.bind(store)
      store.copy = async (...asked) => {
        store.copy = copy
        await put('source', 'newer')
        return copy(...asked)
      }
      const input = { Bucket, Key: 'target', CopySource: `${Bucket}/source`, IfNoneMatch: '*' }
      await s3.send(new CopyObjectCommand(input))
      expect(await get('target')).toBe('newer')
    },
  )

  test('a read in several requests goes on with the version it began with', async () => {
    const Key = 'long'
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
    const Body = Buffer.alloc(5 * MIB, 'old')
    const parts: { PartNumber: number; ETag: string | undefined }[] = []
    for (const PartNumber of [1, 2]) {
      const { ETag } = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }))
      parts.push({ PartNumber, ETag })
    }
    await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts: parts } }))
    const answer = await s3.send(new GetObjectCommand({ Bucket, Key }))
    await put(Key, 'new')
    const bytes = Buffer.from((await answer.Body?.transformToByteArray()) ?? [])
    expect(bytes.equals(Buffer.concat([Body, Body]))).toBe(true)
  })
})

describe('delete markers', () => {
  test('B61 a deletion tells its marker, of a missing key too; the marker deleted by id tells so', async () => {
    await put('k', 'x')
    const deleted = await remove('k')
    expect(deleted).toMatchObject({ DeleteMarker: true, VersionId: expect.stringMatching(/^[0-9a-f-]{32,}$/) })
    if (!differs('minio', 'it makes no marker of what is not there'))
      expect((await remove('none')).DeleteMarker).toBe(true)
    expect(await remove('k', deleted.VersionId)).toMatchObject({ DeleteMarker: true, VersionId: deleted.VersionId })
    expect(await get('k')).toBe('x')
    const id = await put('k', 'y')
    const gone = await remove('k', id)
    expect([gone.DeleteMarker, gone.VersionId, await get('k')]).toEqual([undefined, id, 'x'])
  })

  test('B51 the key is 404 and says so, the marker itself is 405', async () => {
    await put('k', 'x')
    const { VersionId = '' } = await remove('k')
    for (const method of ['GET', 'HEAD']) {
      const missing = await send(running, { method, path: `/${Bucket}/k` })
      expect(missing.status).toBe(404)
      expect(missing.headers).toMatchObject({ 'x-amz-delete-marker': 'true', 'x-amz-version-id': VersionId })
      const marker = await send(running, { method, path: `/${Bucket}/k?versionId=${VersionId}` })
      expect(marker.status).toBe(405)
      expect(marker.headers).toMatchObject({
        'x-amz-delete-marker': 'true',
        'x-amz-version-id': VersionId,
        ...(!differs('minio', 'it tells neither the method nor the date of a marker') && {
          allow: 'DELETE',
          'last-modified': expect.stringMatching(/ GMT$/),
        }),
      })
      expect(method === 'HEAD' ? '' : codeOf(missing)).toBe(method === 'HEAD' ? '' : 'NoSuchKey')
      expect(method === 'HEAD' ? '' : codeOf(marker)).toBe(method === 'HEAD' ? '' : 'MethodNotAllowed')
    }
    const copy = new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/k` })
    expect(await failure(s3.send(copy))).toEqual(['NoSuchKey', 404])
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'copy' }))
    for (const path of [`/${Bucket}/copy`, `/${Bucket}/copy?partNumber=1&uploadId=${UploadId}`]) {
      const answer = await send(running, { method: 'PUT', path, headers: { 'x-amz-copy-source': `/${Bucket}/k` } })
      expect([answer.status, answer.headers['x-amz-version-id']]).toEqual([404, undefined])
      expect(answer.bytes.toString()).toContain('<Key>k</Key>')
    }
    const byId = new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/k?versionId=${VersionId}` })
    expect(await failure(s3.send(byId))).toEqual(['InvalidRequest', 400])
    expect((await s3.send(new ListObjectsV2Command({ Bucket }))).KeyCount).toBe(0)
  })

  test(
    'B61 B62 many at once: what was made or deleted is told for each',
    notOver('minio', 'it does not tell of many deletions which were of markers'),
    async () => {
      const kept = await put('a', '1')
      await put('a', '2')
      await put('b', '1')
      const marker = (await remove('b')).VersionId
      const { Deleted = [], Errors } = await s3.send(
        new DeleteObjectsCommand({
          Bucket,
          Delete: {
            Objects: [
              { Key: 'a' },
              { Key: 'a', VersionId: kept },
              { Key: 'b', VersionId: marker },
              { Key: 'never' },
              { Key: 'a', VersionId: 'odd' },
            ],
          },
        }),
      )
      const made = (Key: string) => ({ Key, DeleteMarker: true, DeleteMarkerVersionId: expect.any(String) })
      expect(Deleted).toEqual([
        made('a'),
        { Key: 'a', VersionId: kept },
        { Key: 'b', VersionId: marker, DeleteMarker: true, DeleteMarkerVersionId: marker },
        made('never'),
      ])
      expect(Errors).toMatchObject([{ Key: 'a', VersionId: 'odd', Code: 'InvalidArgument' }])
    },
  )

  test(
    'B61 a deletion under If-Match makes a marker if it holds, and none if it does not',
    notOver('minio', 'it decides no condition of a deletion, so that one is refused'),
    async () => {
      await put('k', 'x')
      const { ETag = '' } = await s3.send(new HeadObjectCommand({ Bucket, Key: 'k' }))
      const conditional = (IfMatch: string) => s3.send(new DeleteObjectCommand({ Bucket, Key: 'k', IfMatch }))
      expect(await failure(conditional('"other"'))).toEqual(['PreconditionFailed', 412])
      expect((await conditional(ETag)).DeleteMarker).toBe(true)
      await conditional(ETag)
      expect((await list()).DeleteMarkers).toHaveLength(1)
    },
  )

  test('B98 a bucket with nothing but markers, or hidden versions, is not empty', async () => {
    const hidden = await put('k', 'x')
    const { VersionId } = await remove('k')
    expect(await failure(s3.send(new DeleteBucketCommand({ Bucket })))).toEqual(['BucketNotEmpty', 409])
    await remove('k', hidden)
    expect(await failure(s3.send(new DeleteBucketCommand({ Bucket })))).toEqual(['BucketNotEmpty', 409])
    await remove('k', VersionId)
    await s3.send(new DeleteBucketCommand({ Bucket }))
  })
})

describe('ListObjectVersions', () => {
  test('B92 newest first, with exact sizes and ETags, markers in their own element', async () => {
    const StorageClass = 'REDUCED_REDUNDANCY'
    const ids = [await put('k', 'first', { StorageClass }), await put('k', Buffer.alloc(2 * MIB))]
    const { VersionId } = await remove('k')
    await setVersioning('Suspended')
    await put('n', '')
    const { Versions = [], DeleteMarkers, IsTruncated } = await list()
    expect(Versions.map((one) => [one.Key, one.VersionId, one.IsLatest, one.Size, one.StorageClass])).toEqual([
      ['k', ids[1], false, 2 * MIB, 'STANDARD'],
      ['k', ids[0], false, 5, StorageClass],
      ['n', 'null', true, 0, 'STANDARD'],
    ])
    for (const [i, content] of [Buffer.alloc(2 * MIB), 'first', ''].entries())
      expectEtag(running, Versions[i]?.ETag, `"${createHash('md5').update(content).digest('hex')}"`)
    expect(DeleteMarkers).toMatchObject([{ Key: 'k', VersionId, IsLatest: true }])
    if (!differs('s3', 'its listings name its own owner'))
      expect(DeleteMarkers?.[0]?.Owner?.ID).toBe(running.gateway.owner.id)
    expect(IsTruncated).toBe(false)
    const { bytes } = await send(running, { method: 'GET', path: `/${Bucket}?versions` })
    expect([...bytes.toString().matchAll(/<(Version|DeleteMarker)>/g)].map(([, name]) => name)).toEqual([
      'DeleteMarker',
      'Version',
      'Version',
      'Version',
    ])
  })

  test('B92 pages of any size give every version once', async () => {
    for (const key of ['a', 'dir/1', 'dir/2', 'z']) for (const n of [1, 2, 3]) await put(key, String(n))
    await remove('a')
    const pages = async (MaxKeys: number, more: Partial<ListObjectVersionsCommandInput> = {}) => {
      const found: string[] = []
      let markers: Partial<ListObjectVersionsCommandInput> = {}
      for (let truncated = true; truncated; ) {
        const page = await list({ MaxKeys, ...more, ...markers })
        const all = [...(page.DeleteMarkers ?? []), ...(page.Versions ?? [])]
        found.push(...all.map(({ Key, VersionId }) => `${Key} ${VersionId}`))
        found.push(...(page.CommonPrefixes ?? []).map(({ Prefix = '' }) => Prefix))
        truncated = page.IsTruncated === true
        const { NextKeyMarker, NextVersionIdMarker } = page
        markers = {
          ...(NextKeyMarker === undefined ? {} : { KeyMarker: NextKeyMarker }),
          ...(NextVersionIdMarker === undefined ? {} : { VersionIdMarker: NextVersionIdMarker }),
        }
      }
      return found.sort()
    }
    const whole = await pages(1000)
    expect(whole).toHaveLength(13)
    for (const size of [1, 2, 5, 13]) expect(await pages(size)).toEqual(whole)
    const grouped = await pages(1000, { Delimiter: '/' })
    expect(grouped).toHaveLength(8)
    expect(grouped).toContain('dir/')
    for (const size of [1, 3, 8]) expect(await pages(size, { Delimiter: '/' })).toEqual(grouped)
    expect(await pages(2, { Prefix: 'dir/' })).toHaveLength(6)
  })

  test(
    'B89 encoding-type=url encodes names and markers',
    notOver('minio', 'it encodes a space as a plus'),
    async () => {
      await put('a +/ü', 'x')
      const { bytes } = await send(running, {
        method: 'GET',
        path: `/${Bucket}?versions&encoding-type=url&prefix=a%20&delimiter=%2B&key-marker=a%20`,
      })
      const text = bytes.toString()
      for (const part of [
        '<EncodingType>url</EncodingType>',
        '<Prefix>a%20</Prefix>',
        '<Delimiter>%2B</Delimiter>',
        '<KeyMarker>a%20</KeyMarker>',
        '<CommonPrefixes><Prefix>a%20%2B</Prefix></CommonPrefixes>',
      ])
        expect(text).toContain(part)
    },
  )

  test.each([
    ['version-id-marker=null', 400],
    ['key-marker=k&version-id-marker=', 400],
    ['key-marker=k&version-id-marker=odd', 400],
  ])('B92 %s is %s', notOver('minio', 'it reads these markers in its own way'), async (query, expected) => {
    await put('k', 'x')
    const answer = await send(running, { method: 'GET', path: `/${Bucket}?versions&${query}` })
    expect([answer.status, codeOf(answer)]).toEqual([expected, 'InvalidArgument'])
  })

  test.each([
    ['max-keys=-1', 400],
    ['encoding-type=none', 400],
    ['max-keys=0', 200],
    ['max-keys=5000', 200],
  ])('B84 %s is %s', async (query, expected) => {
    await put('k', 'x')
    const answer = await send(running, { method: 'GET', path: `/${Bucket}?versions&${query}` })
    expect(answer.status).toBe(expected)
    if (expected === 400) expect(codeOf(answer)).toBe('InvalidArgument')
    if (query === 'max-keys=0') expect(answer.bytes.toString()).toContain('<IsTruncated>false</IsTruncated>')
    const most = differs('minio', 'it echoes counts over 1,000') ? 5000 : 1000
    if (query === 'max-keys=5000') expect(answer.bytes.toString()).toContain(`<MaxKeys>${most}</MaxKeys>`)
  })
})

describe('suspended versions', () => {
  test(
    'writes and deletions concern the null version; the others stay',
    notOver('minio', 'it tells no id of a null version'),
    async () => {
      const kept = await put('k', 'kept')
      await setVersioning('Suspended')
      expect(await put('k', 'null 1')).toBe('null')
      await put('k', 'null 2')
      expect([await get('k'), await get('k', 'null'), await get('k', kept)]).toEqual(['null 2', 'null 2', 'kept'])
      expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'k' }))).VersionId).toBe('null')
      expect(await remove('k')).toMatchObject({ DeleteMarker: true, VersionId: 'null' })
      const { Versions, DeleteMarkers } = await list()
      expect([Versions?.map(({ VersionId }) => VersionId), DeleteMarkers?.map(({ VersionId }) => VersionId)]).toEqual([
        [kept],
        ['null'],
      ])
      expect(await remove('k', 'null')).toMatchObject({ DeleteMarker: true, VersionId: 'null' })
      expect(await get('k')).toBe('kept')
    },
  )
})
