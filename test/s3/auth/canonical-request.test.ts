import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  canonicalPath,
  canonicalQuery,
  canonicalRequest,
  collapseSpaces,
  collapseSpacesOutsideQuotes,
  encodeComponent,
  encodePath,
} from '../../../src/s3/auth/canonical-request.ts'
import { Headers } from '../../../src/s3/headers.ts'

describe('B10: the canonical path', () => {
  test.each([
    ['/bucket/key', '/bucket/key'],
    ['/b//k', '/b//k'],
    ['/b/./k/../x', '/b/./k/../x'],
    ['/b/a%20b', '/b/a%20b'],
    ['/b/a+b', '/b/a%2Bb'],
    ['/b/a%2Fb', '/b/a/b'],
    ['/b/%7Etilde', '/b/~tilde'],
    ['/b/%e2%82%ac', '/b/%E2%82%AC'],
    ['/b/(x)!*', '/b/%28x%29%21%2A'],
    ['/b/%25', '/b/%25'],
    ['/b/%zz', '/b/%25zz'],
    ['/b/\u00e9', '/b/%E9'],
  ])('of %s is %s', (raw, canonical) => {
    expect(canonicalPath(raw)).toBe(canonical)
  })

  test('of an encoded key is that encoding', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (key) => {
        expect(canonicalPath(`/${encodePath(key)}`)).toBe(`/${encodePath(key)}`)
        expect(decodeURIComponent(encodePath(key))).toBe(key)
      }),
    )
  })
})

describe('B11: the canonical query', () => {
  test.each([
    ['', ''],
    ['lifecycle', 'lifecycle='],
    ['b=2&a=1', 'a=1&b=2'],
    ['a=2&a=1', 'a=1&a=2'],
    ['a-b=1&a=2', 'a=2&a-b=1'],
    ['prefix=a+b', 'prefix=a%20b'],
    ['prefix=a%20b', 'prefix=a%20b'],
    ['prefix=a%2Bb', 'prefix=a%2Bb'],
    ['prefix=a/b', 'prefix=a%2Fb'],
    ['a=b=c', 'a=b%3Dc'],
    ['&&a&', 'a='],
    ['B=1&a=1', 'B=1&a=1'],
    ['a=1&X-Amz-Signature=abc', 'a=1'],
    ['a=1&%58-Amz-Signature=abc', 'a=1'],
  ])('of %s is %s', (raw, canonical) => {
    expect(canonicalQuery(raw)).toBe(canonical)
  })

  test('does not depend on the order of the parameters', () => {
    const pair = fc.tuple(fc.string({ minLength: 1 }), fc.string())
    fc.assert(
      fc.property(fc.array(pair), (pairs) => {
        const text = (list: [string, string][]) =>
          list.map(([n, v]) => `${encodeComponent(n)}=${encodeComponent(v)}`).join('&')
        expect(canonicalQuery(text(pairs.toReversed()))).toBe(canonicalQuery(text(pairs)))
      }),
    )
  })
})

describe('B12: canonical header values', () => {
  test.each([
    ['plain', 'plain', 'plain'],
    ['  a  b ', 'a b', 'a b'],
    ['a\t b', 'a b', 'a b'],
    ['"a   b"  c', '"a b" c', '"a   b" c'],
    ['\u00c3\u00a0', '\u00c3\u00a0', '\u00c3\u00a0'],
    ['', '', ''],
    ['   ', '', ''],
  ])('of <%s> are <%s>, or <%s> with quoted strings left alone', (value, collapsed, quoted) => {
    expect(collapseSpaces(value)).toBe(collapsed)
    expect(collapseSpacesOutsideQuotes(value)).toBe(quoted)
  })

  test('of a repeated header are joined by commas in order, and an absent header is empty', () => {
    const canonical = canonicalRequest({
      method: 'PUT',
      rawPath: '/',
      rawQuery: '',
      headers: new Headers(['X-Amz-Meta-A', ' two ', 'Host', 'h:9000', 'x-amz-meta-a', 'one']),
      signedHeaders: ['expect', 'host', 'x-amz-meta-a'],
      payloadHash: 'UNSIGNED-PAYLOAD',
    })
    expect(canonical).toBe(
      'PUT\n/\n\nexpect:\nhost:h:9000\nx-amz-meta-a:two,one\n\nexpect;host;x-amz-meta-a\nUNSIGNED-PAYLOAD',
    )
  })
})
