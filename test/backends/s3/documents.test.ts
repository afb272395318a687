import { describe, expect, test } from 'vitest'
import {
  listQuery,
  readBuckets,
  readDeleted,
  readDocument,
  readListing,
  readParts,
  readUploads,
  writeComplete,
  writeCreateBucket,
  writeDelete,
} from '../../../src/backends/s3/documents.ts'
import { Unavailable } from '../../../src/errors.ts'
import { parseXml } from '../../../src/s3/xml.ts'

const read = (text: string) => readDocument(Buffer.from(text))
const entry = (key: string, more = '<Size>1</Size>') => `<Contents><Key>${key}</Key>${more}</Contents>`
const listing = (...inner: string[]) => read(`<ListBucketResult>${inner.join('')}</ListBucketResult>`)
const URL_ENCODED = '<EncodingType>url</EncodingType>'

describe('a listing', () => {
  test('has its names decoded, if they are encoded', () => {
    const keys = (...inner: string[]) => readListing(listing(...inner)).objects.map(({ key }) => key)
    expect(keys(URL_ENCODED, entry('a+b%2Bc%25d/%C3%A9%01%0D'))).toEqual(['a b+c%d/é\u0001\r'])
    expect(keys(entry('a+b%2Bc &amp; &lt;'))).toEqual(['a+b%2Bc & <'])
    expect(keys('<EncodingType></EncodingType>', entry('a+b'))).toEqual(['a+b'])
    expect(() => keys(URL_ENCODED, entry('%C3'))).toThrow(Unavailable)
    expect(() => keys(URL_ENCODED, entry('%zz'))).toThrow(Unavailable)
  })

  test('has prefixes, sizes, times and an end', () => {
    const full = '<Size>12</Size><ETag>"e"</ETag><LastModified>2026-01-02T03:04:05.678Z</LastModified>'
    const prefix = '<CommonPrefixes><Prefix>p%2F+</Prefix></CommonPrefixes><IsTruncated>true</IsTruncated>'
    expect(readListing(listing(URL_ENCODED, entry('k', full), prefix))).toEqual({
      objects: [{ key: 'k', etag: 'e', size: 12, lastModified: new Date('2026-01-02T03:04:05.678Z') }],
      commonPrefixes: ['p/ '],
      truncated: true,
    })
  })

  test('without elements that matter is no answer, without others it is one', () => {
    expect(readListing(listing()).truncated).toBe(false)
    expect(readListing(listing(entry('k'))).objects[0]).toMatchObject({ etag: '', lastModified: new Date(0) })
    for (const size of [
      '',
      '<Size/>',
      '<Size>-1</Size>',
      '<Size>1.5</Size>',
      '<Size>many</Size>',
      '<Size>1e99</Size>',
    ]) {
      expect(() => readListing(listing(entry('k', size)))).toThrow(Unavailable)
    }
    expect(() => readListing(listing(entry('')))).toThrow(Unavailable)
    expect(() => readListing(listing('<Contents><Size>1</Size></Contents>'))).toThrow(Unavailable)
  })

  test.each([['<ListBucketsResult/>'], ['<html/>'], ['<Error><Code>X</Code></Error>'], ['<DeleteResult/>']])(
    'is none of these: %s',
    (text) => {
      for (const reading of [readListing, readBuckets, readParts, readUploads]) {
        expect(() => reading(read(text))).toThrow(Unavailable)
      }
    },
  )

  test('is asked for after a name, or after all that begins with it', () => {
    const query = (more: object) => Object.fromEntries(listQuery({ prefix: 'p', limit: 7, ...more }))
    expect(query({})).toEqual({ 'list-type': '2', 'encoding-type': 'url', 'max-keys': '7', prefix: 'p' })
    expect(query({ after: 'x', delimiter: '/' })).toMatchObject({ 'start-after': 'x', delimiter: '/' })
    expect(query({ after: 'x/', afterPrefix: true })['start-after']).toBe('x/\u{10FFFF}')
  })
})

test('what is no XML is no answer; what no XML may hold is replaced', () => {
  for (const text of ['', 'x', '<a>', '<a></b>', '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>']) {
    expect(() => read(text)).toThrow(Unavailable)
  }
  expect(read('<a>&#x0;&#xFFFF;&#65534;\uFFFE</a>').text).toBe('\uFFFD'.repeat(4))
})

test('buckets, parts and uploads', () => {
  expect(readBuckets(read('<ListAllMyBucketsResult/>'))).toEqual([])
  const bucket = '<Bucket><Name>b</Name><CreationDate>2026-01-01T00:00:00Z</CreationDate></Bucket>'
  expect(readBuckets(read(`<ListAllMyBucketsResult><Buckets>${bucket}</Buckets></ListAllMyBucketsResult>`))).toEqual([
    { name: 'b', created: new Date('2026-01-01T00:00:00Z') },
  ])
  const part = '<Part><PartNumber>3</PartNumber><ETag>&quot;e&quot;</ETag><Size>9</Size></Part>'
  expect(readParts(read(`<ListPartsResult>${part}<IsTruncated> true </IsTruncated></ListPartsResult>`))).toEqual({
    parts: [{ partNumber: 3, etag: 'e', size: 9, lastModified: new Date(0) }],
    truncated: true,
  })
  const upload = '<Upload><Key>a%2Bb</Key><UploadId>u+%20</UploadId></Upload>'
  const uploads = (text: string) =>
    readUploads(read(`<ListMultipartUploadsResult>${text}</ListMultipartUploadsResult>`))
  // An upload id is no name.
  expect(uploads(URL_ENCODED + upload).uploads).toEqual([{ key: 'a+b', uploadId: 'u+%20', initiated: new Date(0) }])
  expect(() => uploads('<Upload><Key>k</Key></Upload>')).toThrow(Unavailable)
})

describe('what became of deleted keys', () => {
  const deleted = (key: string, more = '') => `<Deleted><Key>${key}</Key>${more}</Deleted>`
  const version = (id: string) => `<VersionId>${id}</VersionId>`
  const refused = (key: string, more = '') =>
    `<Error><Key>${key}</Key>${more}<Code>AccessDenied</Code><Message>m</Message></Error>`
  const outcomes = (entries: { key: string; versionId?: string }[], ...inner: string[]) =>
    readDeleted(read(`<DeleteResult>${inner.join('')}</DeleteResult>`), entries)
  const DENIED = { code: 'AccessDenied', message: 'm' }
  const SILENT = { code: 'InternalError', message: expect.any(String) }

  test('is told in the order of the request, whatever that of the answer', () => {
    expect(outcomes([{ key: 'a' }, { key: 'b' }, { key: 'c' }], refused('c'), deleted('b'), deleted('a'))).toEqual([
      {},
      {},
      DENIED,
    ])
  })

  test('is told for each version of one key', () => {
    const asked = ['1', '2', undefined].map((versionId) => ({
      key: 'k',
      ...(versionId === undefined ? {} : { versionId }),
    }))
    const marker = '<DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>m</DeleteMarkerVersionId>'
    const answers = [deleted('k', marker), refused('k', version('2')), deleted('k', version('1'))]
    expect(outcomes(asked, ...answers)).toEqual([{}, DENIED, { deleteMarker: true, deleteMarkerVersionId: 'm' }])
    // What was said of another version is no answer.
    expect(outcomes(asked, deleted('k'))).toEqual([SILENT, SILENT, {}])
    expect(outcomes(asked, deleted('k', version('1')))).toEqual([{}, SILENT, SILENT])
  })

  test('is told where the store spells the version otherwise', () => {
    expect(outcomes([{ key: 'k', versionId: 'null' }], deleted('k'))).toEqual([{}])
    expect(outcomes([{ key: 'k' }], deleted('k', version('null')))).toEqual([{}])
    expect(outcomes([{ key: 'k' }, { key: 'k' }], deleted('k'))).toEqual([{}, {}])
  })

  test('is an error where the store says nothing', () => {
    expect(outcomes([{ key: 'k' }], deleted('other'))).toEqual([SILENT])
    expect(outcomes([{ key: 'k' }], '<Deleted/>', '<Error/>')).toEqual([SILENT])
  })

  test('is told of keys that no XML may hold', () => {
    expect(outcomes([{ key: 'a\uFFFFb' }, { key: 'c\u0001' }], deleted('a&#xFFFF;b'), deleted('c&#x1;'))).toEqual([
      {},
      {},
    ])
  })
})

test('what is sent can be read', () => {
  const parsed = (bytes: Buffer) => parseXml(bytes, 10_000)
  const keys = ['a&b<c>"', 'cr\rlf\n\t', '\u0001é\u{1F600}']
  const sent = parsed(writeDelete(keys.map((key) => ({ key, versionId: 'v', ifMatch: 'e' }))))
  const objects = sent.children.filter(({ name }) => name === 'Object')
  expect(objects.map(({ children }) => children.map(({ text }) => text))).toEqual(keys.map((key) => [key, 'v', '"e"']))
  expect(
    parsed(writeDelete([{ key: 'k', ifMatch: '*' }]))
      .children.at(-1)
      ?.children.at(-1)?.text,
  ).toBe('*')
  const complete = parsed(writeComplete([{ partNumber: 2, etag: 'e' }]))
  expect(complete.children[0]?.children.map(({ text }) => text)).toEqual(['2', '"e"'])
  expect(writeCreateBucket('us-east-1')).toHaveLength(0)
  expect(writeCreateBucket('eu-west-1').toString()).toContain('<LocationConstraint>eu-west-1</LocationConstraint>')
})
