import { describe, expect, test } from 'vitest'
import { encodeToken } from '../../src/s3/continuation-token.ts'
import {
  parseListObjects,
  parseListObjectsV2,
  parseListParts,
  parseListUploads,
} from '../../src/s3/listing-parameters.ts'
import { renderListBuckets, renderListParts, renderListUploads } from '../../src/s3/listing-other-xml.ts'
import { type ListedEntry, type ListObjectsPage, renderListObjects } from '../../src/s3/listing-xml.ts'
import { childrenNamed, childText, parseXml, type XmlElement } from '../../src/s3/xml.ts'
import { query } from './requests.ts'

const OWNER = { id: 'owner-id', displayName: 'owner' }
const WHEN = new Date('2024-05-06T07:08:09.123Z')
const entry = (key: string): ListedEntry => ({ key, lastModified: WHEN, etag: 'abc', size: 5 })
const NS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
const XML = '<?xml version="1.0" encoding="UTF-8"?>\n'

const parsed = (text: string): XmlElement => parseXml(Buffer.from(text), 10_000_000)

const listing = (raw: string, page: Partial<ListObjectsPage> = {}): XmlElement => {
  const parameters = query(raw)
  const request = parameters.has('list-type') ? parseListObjectsV2(parameters) : parseListObjects(parameters)
  const whole = { bucket: 'bucket', request, entries: [], commonPrefixes: [], truncated: false, owner: OWNER, ...page }
  return parsed(renderListObjects(whole))
}

const texts = (element: XmlElement, path: readonly [string, string]): (string | undefined)[] =>
  childrenNamed(element, path[0]).map((found) => childText(found, path[1]))

describe('ListObjects', () => {
  test('is this document', () => {
    expect(
      renderListObjects({
        bucket: 'bucket',
        request: parseListObjects(query('prefix=a&delimiter=/&max-keys=2')),
        entries: [{ ...entry('a&b'), checksum: { name: 'CRC32', type: 'FULL_OBJECT' } }],
        commonPrefixes: ['ab/'],
        truncated: true,
        owner: OWNER,
      }),
    ).toBe(
      `${XML}<ListBucketResult ${NS}><Name>bucket</Name><Prefix>a</Prefix><Delimiter>/</Delimiter><Marker></Marker><NextMarker>ab/</NextMarker><MaxKeys>2</MaxKeys><IsTruncated>true</IsTruncated><Contents><Key>a&amp;b</Key><LastModified>2024-05-06T07:08:09.000Z</LastModified><ETag>&quot;abc&quot;</ETag><ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>5</Size><Owner><ID>owner-id</ID><DisplayName>owner</DisplayName></Owner><StorageClass>STANDARD</StorageClass></Contents><CommonPrefixes><Prefix>ab/</Prefix></CommonPrefixes></ListBucketResult>`,
    )
  })

  test('has NextMarker only with a delimiter (B86)', () => {
    const page = { entries: [entry('a'), entry('b')], truncated: true }
    expect(childText(listing('', page), 'NextMarker')).toBeUndefined()
    expect(childText(listing('delimiter=/', page), 'NextMarker')).toBe('b')
    expect(childText(listing('delimiter=/', { ...page, truncated: false }), 'NextMarker')).toBeUndefined()
  })

  test('goes on after the last name of both lists, in UTF-8 order', () => {
    const page = (key: string, prefix: string) => ({ entries: [entry(key)], commonPrefixes: [prefix], truncated: true })
    expect(childText(listing('delimiter=/', page('b', 'a/')), 'NextMarker')).toBe('b')
    expect(childText(listing('delimiter=/', page('b', 'c/')), 'NextMarker')).toBe('c/')
    expect(childText(listing('delimiter=/', page('\uFF5E', '\u{1F600}/')), 'NextMarker')).toBe('\u{1F600}/')
  })

  test('echoes the marker, and no delimiter where there is none (B90)', () => {
    const root = listing('marker=m&delimiter=')
    expect(childText(root, 'Marker')).toBe('m')
    expect(childText(root, 'Delimiter')).toBeUndefined()
    expect(childText(root, 'EncodingType')).toBeUndefined()
    expect(childText(root, 'KeyCount')).toBeUndefined()
  })

  test('encodes names and markers under encoding-type=url (B89)', () => {
    const root = listing('encoding-type=url&prefix=p+p%2B&delimiter=%2B&marker=p+p%2B%0A', {
      entries: [entry('p p+ä')],
      commonPrefixes: ['p p+x+'],
      truncated: true,
    })
    expect(childText(root, 'EncodingType')).toBe('url')
    expect(childText(root, 'Prefix')).toBe('p%20p%2B')
    expect(childText(root, 'Delimiter')).toBe('%2B')
    expect(childText(root, 'Marker')).toBe('p%20p%2B%0A')
    expect(childText(root, 'NextMarker')).toBe('p%20p%2B%C3%A4')
    expect(texts(root, ['Contents', 'Key'])).toEqual(['p%20p%2B%C3%A4'])
    expect(texts(root, ['CommonPrefixes', 'Prefix'])).toEqual(['p%20p%2Bx%2B'])
  })

  test('of max-keys=0 is empty and not truncated (B84)', () => {
    const root = listing('max-keys=0')
    expect(childText(root, 'MaxKeys')).toBe('0')
    expect(childText(root, 'IsTruncated')).toBe('false')
  })

  test('echoes the capped max-keys (B84)', () => {
    expect(childText(listing('max-keys=5000'), 'MaxKeys')).toBe('1000')
  })
})

describe('ListObjectsV2', () => {
  test('counts keys and common prefixes (B85)', () => {
    const root = listing('list-type=2&delimiter=/', { entries: [entry('a')], commonPrefixes: ['b/', 'c/'] })
    expect(childText(root, 'KeyCount')).toBe('3')
    expect(childText(root, 'Marker')).toBeUndefined()
    expect(childText(root, 'NextContinuationToken')).toBeUndefined()
  })

  test('has a token that skips a common prefix, and never encodes it (B88, B89)', () => {
    const root = listing('list-type=2&delimiter=/&encoding-type=url', {
      entries: [entry('a')],
      commonPrefixes: ['b +/'],
      truncated: true,
    })
    expect(childText(root, 'NextContinuationToken')).toBe(encodeToken('objects', { after: 'b +/', afterPrefix: true }))
  })

  test('echoes token and start-after (B87)', () => {
    const token = encodeToken('objects', { after: 'k', afterPrefix: false })
    const root = listing(`list-type=2&encoding-type=url&start-after=a+b&continuation-token=${token}`)
    expect(childText(root, 'ContinuationToken')).toBe(token)
    expect(childText(root, 'StartAfter')).toBe('a%20b')
  })

  test('shows owners only where they are asked for (B91)', () => {
    const shown = (raw: string) => childrenNamed(listing(raw, { entries: [entry('a')] }), 'Contents')[0]?.children
    expect(shown('list-type=2')?.some(({ name }) => name === 'Owner')).toBe(false)
    expect(shown('list-type=2&fetch-owner=true')?.some(({ name }) => name === 'Owner')).toBe(true)
  })

  test('a page of a thousand keys is rendered in a few milliseconds', () => {
    const entries = Array.from({ length: 1000 }, (_, i) => entry(`folder/with some name/${i}+ä`))
    const request = parseListObjectsV2(query('list-type=2&encoding-type=url'))
    const page = { bucket: 'bucket', request, entries, commonPrefixes: [], truncated: true, owner: OWNER }
    for (let warm = 0; warm < 20; warm++) renderListObjects(page)
    const times = Array.from({ length: 9 }, () => {
      const started = performance.now()
      renderListObjects(page)
      return performance.now() - started
    }).sort((a, b) => a - b)
    expect(times[4]).toBeLessThan(15)
  })
})

describe('ListBuckets (B94)', () => {
  test('is this document', () => {
    expect(
      renderListBuckets({ owner: OWNER, buckets: [{ name: 'a', created: WHEN }], prefix: 'p', next: 'a', region: 'r' }),
    ).toBe(
      `${XML}<ListAllMyBucketsResult ${NS}><Owner><ID>owner-id</ID><DisplayName>owner</DisplayName></Owner><Buckets><Bucket><Name>a</Name><CreationDate>2024-05-06T07:08:09.000Z</CreationDate><BucketRegion>r</BucketRegion></Bucket></Buckets><Prefix>p</Prefix><ContinuationToken>${encodeToken('buckets', { after: 'a', afterPrefix: false })}</ContinuationToken></ListAllMyBucketsResult>`,
    )
  })

  test('may be empty', () => {
    expect(childText(parsed(renderListBuckets({ owner: OWNER, buckets: [] })), 'Buckets')).toBe('')
  })
})

describe('ListParts (B79)', () => {
  const page = {
    bucket: 'bucket',
    key: 'k +',
    owner: OWNER,
    parts: [
      { partNumber: 3, lastModified: WHEN, etag: 'a', size: 5, checksum: { name: 'CRC32', value: Buffer.alloc(4) } },
      { partNumber: 7, lastModified: WHEN, etag: 'b', size: 6 },
    ],
    truncated: true,
    checksum: { name: 'CRC32', type: 'COMPOSITE' },
  } as const

  test('shows markers, limits, checksums and parts', () => {
    const request = parseListParts(query('uploadId=u&part-number-marker=2&max-parts=2'))
    const root = parsed(renderListParts({ ...page, request }))
    expect(root.name).toBe('ListPartsResult')
    expect(root.children.map(({ name, text }) => [name, text]).slice(0, 3)).toEqual([
      ['Bucket', 'bucket'],
      ['Key', 'k +'],
      ['UploadId', 'u'],
    ])
    const shown = Object.fromEntries(root.children.map(({ name, text }) => [name, text]))
    expect(shown).toMatchObject({
      PartNumberMarker: '2',
      NextPartNumberMarker: '7',
      MaxParts: '2',
      IsTruncated: 'true',
      ChecksumAlgorithm: 'CRC32',
      ChecksumType: 'COMPOSITE',
      StorageClass: 'STANDARD',
    })
    expect(texts(root, ['Part', 'ETag'])).toEqual(['"a"', '"b"'])
    expect(texts(root, ['Part', 'ChecksumCRC32'])).toEqual(['AAAAAA==', undefined])
  })

  test('of none has no parts, and encodes the key on demand', () => {
    const request = parseListParts(query('uploadId=u&encoding-type=url'))
    const root = parsed(
      renderListParts({ bucket: 'bucket', key: 'k +', owner: OWNER, parts: [], truncated: false, request }),
    )
    expect(childText(root, 'NextPartNumberMarker')).toBe('0')
    expect(childText(root, 'Key')).toBe('k%20%2B')
    expect(childrenNamed(root, 'Part')).toEqual([])
  })
})

describe('ListMultipartUploads (B80)', () => {
  const upload = { key: 'k +', uploadId: 'u', initiated: WHEN }
  const render = (raw: string, commonPrefixes: readonly string[], truncated: boolean) =>
    parsed(
      renderListUploads({
        bucket: 'bucket',
        request: parseListUploads(query(raw)),
        owner: OWNER,
        uploads: [upload],
        commonPrefixes,
        truncated,
      }),
    )

  test('goes on after the last upload, with both markers', () => {
    const root = render('key-marker=a&upload-id-marker=b', [], true)
    expect(childText(root, 'KeyMarker')).toBe('a')
    expect(childText(root, 'UploadIdMarker')).toBe('b')
    expect(childText(root, 'NextKeyMarker')).toBe('k +')
    expect(childText(root, 'NextUploadIdMarker')).toBe('u')
    expect(texts(root, ['Upload', 'Initiated'])).toEqual(['2024-05-06T07:08:09.000Z'])
  })

  test('goes on after a common prefix, with the key marker alone', () => {
    const root = render('delimiter=/&encoding-type=url', ['z +/'], true)
    expect(childText(root, 'NextKeyMarker')).toBe('z%20%2B/')
    expect(childText(root, 'NextUploadIdMarker')).toBeUndefined()
    expect(texts(root, ['Upload', 'Key'])).toEqual(['k%20%2B'])
    expect(texts(root, ['CommonPrefixes', 'Prefix'])).toEqual(['z%20%2B/'])
  })

  test('has no next markers when all was shown', () => {
    expect(childText(render('', [], false), 'NextKeyMarker')).toBeUndefined()
  })
})
