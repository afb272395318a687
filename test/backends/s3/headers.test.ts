import { describe, expect, test } from 'vitest'
import {
  attributesOf,
  conditionHeaders,
  copySourceHeaders,
  dateOf,
  infoOf,
  newObjectHeaders,
  rangeHeader,
  sentRange,
} from '../../../src/backends/s3/headers.ts'
import { PROFILES } from '../../../src/backends/s3/profiles.ts'
import { Unavailable } from '../../../src/errors.ts'

describe('the range that was sent', () => {
  const partial = (range: string, length?: number) => ({
    'content-range': range,
    ...(length === undefined ? {} : { 'content-length': String(length) }),
  })

  test.each([
    [206, partial('bytes 0-9/10', 10), undefined, [0, 9, 10]],
    [206, partial('bytes 5-9/10', 5), { first: 5 }, [5, 9, 10]],
    [206, partial('bytes 5-7/10', 3), { first: 5, last: 7 }, [5, 7, 10]],
    [206, partial('bytes 5-9/10'), { first: 5, last: 700 }, [5, 9, 10]],
    [200, { 'content-length': '10' }, undefined, [0, 9, 10]],
    [200, { 'content-length': '0' }, undefined, [0, -1, 0]],
    [200, { 'content-length': '10' }, { first: 0 }, [0, 9, 10]],
    [200, { 'content-length': '10' }, { first: 0, last: 9 }, [0, 9, 10]],
    [200, { 'content-length': '10' }, { first: 0, last: 99 }, [0, 9, 10]],
  ])('%i %j for %j', (status, headers, asked, [first, last, size]) => {
    expect(sentRange(status, headers as Record<string, string>, asked)).toEqual({ first, last, size })
  })

  test.each([
    [206, partial('bytes 0-9/10', 10), { first: 5 }],
    [206, partial('bytes 5-8/10', 4), { first: 5 }],
    [206, partial('bytes 5-9/10', 5), { first: 5, last: 7 }],
    [206, partial('bytes 5-9/10', 4), { first: 5 }],
    [206, partial('bytes 5-9/10', 6), { first: 5 }],
    [206, partial('bytes 0-8/10', 9), undefined],
    [206, partial('bytes 9-5/10'), { first: 9, last: 5 }],
    [206, partial('bytes 5-9/*'), { first: 5 }],
    [206, partial('bytes */10'), { first: 5 }],
    [206, partial('5-9/10'), { first: 5 }],
    [206, partial('bytes 5-9/9999999999999999999'), { first: 5 }],
    [206, {}, { first: 5 }],
    [200, { 'content-length': '10' }, { first: 1 }],
    [200, { 'content-length': '10' }, { first: 0, last: 8 }],
    [200, {}, undefined],
    [200, { 'content-length': '-1' }, undefined],
    [200, { 'content-length': '1,1' }, undefined],
  ])('is not %i %j for %j', (status, headers, asked) => {
    expect(() => sentRange(status, headers as Record<string, string>, asked)).toThrow(Unavailable)
  })
})

test('an object describes itself, without what its store cannot do', () => {
  const headers = {
    etag: '"e"',
    'last-modified': 'Thu, 01 Jan 1970 00:00:10 GMT',
    'x-amz-meta-sg-e': 'envelope',
    'x-amz-version-id': 'v',
    'x-amz-storage-class': 'COLD',
    'x-amz-request-id': 'r',
    'content-type': 'text/plain',
    server: 's',
  }
  expect(infoOf(headers, 5, PROFILES.aws)).toEqual({
    etag: 'e',
    size: 5,
    lastModified: new Date(10_000),
    versionId: 'v',
    metadata: { 'sg-e': 'envelope' },
    attributes: { 'x-amz-version-id': 'v', 'x-amz-storage-class': 'COLD' },
    content: { 'content-type': 'text/plain' },
  })
  const { versionId, attributes } = infoOf(headers, 5, PROFILES.garage)
  expect([versionId, attributes]).toEqual([undefined, { 'x-amz-storage-class': 'COLD' }])
  expect(attributesOf({}, PROFILES.aws)).toEqual({})
  expect(dateOf('nonsense')).toEqual(new Date(0))
})

test('a new object says nothing of its contents', () => {
  expect(newObjectHeaders({ 'sg-e': 'x' }, { 'x-amz-tagging': 'a=b' })).toEqual({
    'content-type': 'application/octet-stream',
    'x-amz-meta-sg-e': 'x',
    'x-amz-tagging': 'a=b',
  })
})

test('conditions, ranges and sources in the words of S3', () => {
  expect(conditionHeaders(undefined)).toEqual({})
  expect(conditionHeaders({ ifMatch: 'e' })).toEqual({ 'if-match': '"e"' })
  expect(conditionHeaders({ ifNoneMatch: '*' })).toEqual({ 'if-none-match': '*' })
  expect([rangeHeader(undefined), rangeHeader({ first: 5 }), rangeHeader({ first: 0, last: 0 })]).toEqual([
    {},
    { range: 'bytes=5-' },
    { range: 'bytes=0-0' },
  ])
  expect(copySourceHeaders({ bucket: 'b', key: 'a b+c/é?', versionId: 'v/1' }, { sourceIfMatch: 'e' })).toEqual({
    'x-amz-copy-source': '/b/a%20b%2Bc/%C3%A9%3F?versionId=v%2F1',
    'x-amz-copy-source-if-match': '"e"',
  })
})
