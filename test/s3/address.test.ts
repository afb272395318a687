import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isValidBucketName, parseTarget } from '../../src/s3/address.ts'
import { encodePath } from '../../src/s3/auth/canonical-request.ts'
import { answer, refusal } from './auth/fixtures.ts'

const DOMAINS = ['s3.example.com', 'example.com', 'other.test']

const address = (url: string, host = 'localhost:9000', domains = DOMAINS) => {
  const { bucket, key, style } = parseTarget(url, host, domains)
  return { bucket, key, style }
}

describe('Path style', () => {
  test.each([
    ['/', undefined, undefined],
    ['/bucket', 'bucket', undefined],
    ['/bucket/', 'bucket', undefined],
    ['/bucket?list-type=2', 'bucket', undefined],
    ['/?x', undefined, undefined],
    ['/b/k', 'b', 'k'],
    ['/b//', 'b', '/'],
    ['/b//k', 'b', '/k'],
    ['/b/./k', 'b', './k'],
    ['/b/../k', 'b', '../k'],
    ['/b/.', 'b', '.'],
    ['/b/a/', 'b', 'a/'],
    ['/b/a+b', 'b', 'a+b'],
    ['/b/a%2Bb%20c', 'b', 'a+b c'],
    ['/b/a%2Fb', 'b', 'a/b'],
    ['/b%2Fk', 'b', 'k'],
    ['/b/%2525', 'b', '%25'],
    ['/b/%E2%82%AC', 'b', '€'],
    ['/b/\u00e2\u0082\u00ac', 'b', '€'],
    ['/b/%00%0A', 'b', '\0\n'],
    ['/b/k?a=/x/y', 'b', 'k'],
    ['/b/k%3Fv', 'b', 'k?v'],
    ['http://elsewhere/b/k?x', 'b', 'k'],
    ['http://elsewhere', undefined, undefined],
  ])('%s is bucket %s and key %s', (url, bucket, key) => {
    expect(address(url)).toEqual({ bucket, key, style: 'path' })
  })

  test('takes any key back as it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }), (key) => {
        expect(address(`/bucket/${encodePath(key)}`)).toEqual({ bucket: 'bucket', key, style: 'path' })
        expect(address(`/${encodePath(key)}`, 'v.example.com')).toEqual({ bucket: 'v', key, style: 'virtual' })
      }),
    )
  })
})

describe('B17: virtual-host style', () => {
  test.each([
    ['bucket.s3.example.com', 'bucket'],
    ['bucket.s3.example.com:9000', 'bucket'],
    ['BUCKET.S3.Example.com', 'bucket'],
    ['my.dotted.bucket.s3.example.com', 'my.dotted.bucket'],
    ['bucket.example.com', 'bucket'],
    ['s3.bucket.other.test', 's3.bucket'],
  ])('of host %s names bucket %s', (host, bucket) => {
    expect(address('/', host)).toEqual({ bucket, key: undefined, style: 'virtual' })
    expect(address('//a/../b', host)).toEqual({ bucket, key: '/a/../b', style: 'virtual' })
  })

  test.each([
    's3.example.com',
    'example.com:80',
    'localhost',
    '10.0.0.1:9000',
    '[::1]:9000',
    'notexample.com',
    '.example.com',
    '',
  ])('is not meant by host <%s>', (host) => {
    expect(address('/b/k', host)).toEqual({ bucket: 'b', key: 'k', style: 'path' })
  })

  test('needs a domain, and a host', () => {
    expect(address('/b/k', 'bucket.s3.example.com', [])).toMatchObject({ bucket: 'b', style: 'path' })
    expect(parseTarget('/b/k', undefined, DOMAINS)).toMatchObject({ bucket: 'b', style: 'path' })
  })

  test('keeps the path as it was signed', () => {
    expect(parseTarget('/a%20b?x=1', 'v.example.com', DOMAINS)).toMatchObject({
      rawPath: '/a%20b',
      query: { raw: 'x=1' },
    })
  })
})

test.each([
  '/b/%AE%8A',
  '/b/\u00ae\u008a',
  '/b/%',
  '/b/%zz',
  '/b/%4',
  '/b/%ED%A0%80',
  '/b/%C0%AF',
  '/%FF',
  '/b?a=%FF',
  '/b?%',
  'b/k',
  '*',
  '',
  '/b/\u20ac',
])('B18: %s is 400 InvalidURI', (url) => {
  const { status, code, message } = refusal(() => address(url))
  expect({ status, code, message }).toEqual({
    status: 400,
    code: 'InvalidURI',
    message: "Couldn't parse the specified URI.",
  })
})

describe('what can be no name of a bucket is 400 InvalidBucketName', () => {
  const invalid = (url: string, host?: string): void => {
    const { status, code } = refusal(() => address(url, host))
    expect([status, code]).toEqual([400, 'InvalidBucketName'])
  }

  test.each(['/a%3Fb/k', '/a%23b/k', '/a%25b/k', '/a%00b/k', '/%C3%A9/k', '/../k', '/.%2E/k', '/.', '/a@b:80', '//k'])(
    'in the path %s',
    (url) => invalid(url),
  )

  test.each(['a/b', 'a/../b', 'a?b', 'a%2Fb', 'a#b', '..', 'a b'])('in the host %s.example.com', (name) => {
    invalid('/k', `${name}.example.com`)
    invalid('/', `${name}.example.com`)
  })

  test('nor has one more than 255 characters; old ones may have all of these', () => {
    invalid(`/${'a'.repeat(256)}/k`)
    expect(address(`/${'a'.repeat(255)}/k`).key).toBe('k')
    expect(address('/Old_Bucket.1-/k').bucket).toBe('Old_Bucket.1-')
  })
})

test('B19: a key of 1024 bytes is accepted, one of 1025 is 400 KeyTooLongError, and bytes count', () => {
  expect(address(`/b/${'k'.repeat(1024)}`).key).toHaveLength(1024)
  expect(address(`/b/${'%C3%A9'.repeat(512)}`).key).toHaveLength(512)
  const extra = { Size: '1025', MaxSizeAllowed: '1024' }
  expect(answer(() => address(`/b/${'k'.repeat(1025)}`))).toEqual({ status: 400, code: 'KeyTooLongError', extra })
  expect(answer(() => address(`/b/${'%C3%A9'.repeat(512)}k`)).extra).toEqual(extra)
})

test.each(['//k', '//', '/%2Fk'])('%s names the empty bucket, which is 400 InvalidBucketName', (url) => {
  expect(answer(() => address(url))).toEqual({ status: 400, code: 'InvalidBucketName', extra: { BucketName: '' } })
})

describe('B97: bucket names', () => {
  test.each(['abc', 'a.b', '0-9', 'my.dotted-bucket.1', 'a'.repeat(63), '1.2.3', '1.2.3.4.5', 'a--x-s3b', 'xn-a'])(
    'like %s are good',
    (name) => {
      expect(isValidBucketName(name)).toBe(true)
    },
  )

  test.each([
    '',
    'ab',
    'a'.repeat(64),
    'Abc',
    'a_b',
    'a/b',
    '-ab',
    'ab-',
    '.ab',
    'ab.',
    'a..b',
    '192.168.5.4',
    'xn--abc',
    'sthree-abc',
    'abc-s3alias',
    'abc--ol-s3',
    'abc--x-s3',
    'abc\n',
    'äbc',
    'a b',
  ])('like <%s> are bad', (name) => {
    expect(isValidBucketName(name)).toBe(false)
  })
})
