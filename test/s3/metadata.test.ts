import { describe, expect, test } from 'vitest'
import { Headers } from '../../src/s3/headers.ts'
import {
  isHeaderValue,
  objectHeaders,
  readContentHeaders,
  readUserMetadata,
  responseOverrides,
} from '../../src/s3/metadata.ts'
import { answer } from './auth/fixtures.ts'
import { codeOf, headers, query } from './requests.ts'

describe('Content headers', () => {
  test.each([
    ['gzip, aws-chunked', 'gzip'],
    ['aws-chunked, gzip', 'gzip'],
    ['aws-chunked,gzip,br', 'gzip, br'],
    ['gzip, AWS-Chunked, br', 'gzip, br'],
    ['aws-chunked', undefined],
    ['aws-chunked, aws-chunked', undefined],
    ['', undefined],
    ['gzip', 'gzip'],
    ['gzip,br', 'gzip,br'],
  ])('Content-Encoding %j is kept as %j (B35)', (value, kept) => {
    expect(readContentHeaders(headers({ 'content-encoding': value })).contentEncoding).toBe(kept)
  })

  test('are kept as received and given back', () => {
    const content = readContentHeaders(
      headers({
        'content-type': 'text/plain; charset=x',
        'cache-control': 'no-store',
        'content-disposition': 'attachment; filename="\xe9"',
        'content-language': 'de',
        expires: 'never',
        'content-length': '5',
      }),
    )
    expect(objectHeaders(content, [])).toEqual({
      'content-type': 'text/plain; charset=x',
      'cache-control': 'no-store',
      'content-disposition': 'attachment; filename="\xe9"',
      'content-language': 'de',
      expires: 'never',
    })
  })

  test('have the default type binary/octet-stream (B58)', () => {
    expect(readContentHeaders(headers())).toEqual({})
    expect(objectHeaders({}, [])).toEqual({ 'content-type': 'binary/octet-stream' })
  })
})

describe('User metadata (B59)', () => {
  test('has lower-case names, sorted, and joins repetitions', () => {
    const user = readUserMetadata(
      new Headers(['X-Amz-Meta-Zeta', '1', 'x-amz-meta-alpha', 'a', 'X-AMZ-META-ALPHA', 'b', 'x-amz-acl', 'private']),
    )
    expect(user).toEqual([
      ['alpha', 'a,b'],
      ['zeta', '1'],
    ])
    expect(objectHeaders({}, user)).toMatchObject({ 'x-amz-meta-alpha': 'a,b', 'x-amz-meta-zeta': '1' })
  })

  test('keeps the bytes of values that are not ASCII', () => {
    const value = Buffer.from('Grüße €').toString('latin1')
    expect(readUserMetadata(headers({ 'x-amz-meta-a': value }))).toEqual([['a', value]])
  })

  test('B59 comes back in the encoded words of RFC 2047; what nobody could print is counted', () => {
    const user = [
      ['a', Buffer.from('Grüße').toString('latin1')],
      ['b', 'plain = ?text'],
      ['c', '=?UTF-8?B?AAE=?='],
      ['d', '=?utf-8?q?line=0D=0Abreak?='],
    ] as const
    expect(objectHeaders({}, user)).toEqual({
      'content-type': 'binary/octet-stream',
      'x-amz-meta-a': '=?UTF-8?Q?Gr=C3=BC=C3=9Fe?=',
      'x-amz-meta-b': 'plain = ?text',
      'x-amz-missing-meta': '2',
    })
  })

  test('holds 2,048 bytes of names and values and no more', () => {
    const meta = (bytes: number) =>
      headers({ 'x-amz-meta-abc': 'x'.repeat(bytes - 3 - 4), 'x-amz-meta-de': '\xc3\xa9' })
    expect(readUserMetadata(meta(2048))).toHaveLength(2)
    expect(answer(() => readUserMetadata(meta(2049)))).toEqual({
      status: 400,
      code: 'MetadataTooLarge',
      extra: { Size: '2049', MaxSizeAllowed: '2048' },
    })
  })

  test('has names of 1 to 255 bytes', () => {
    expect(codeOf(() => readUserMetadata(headers({ 'x-amz-meta-': 'x' })))).toBe('InvalidArgument')
    expect(codeOf(() => readUserMetadata(headers({ [`x-amz-meta-${'n'.repeat(256)}`]: 'x' })))).toBe('InvalidArgument')
    expect(readUserMetadata(headers({ [`x-amz-meta-${'n'.repeat(255)}`]: 'x' }))).toHaveLength(1)
  })
})

describe('Overrides of response headers (B16)', () => {
  test('replace the six content headers', () => {
    expect(
      responseOverrides(
        query(
          'response-content-type=text/css&response-cache-control=no-cache&response-expires=x&response-content-language=fr&response-content-encoding=br&response-content-disposition=attachment%3B%20filename%3D%22%C3%A9%22&response-other=y',
        ),
        true,
      ),
    ).toEqual({
      'content-type': 'text/css',
      'cache-control': 'no-cache',
      'content-disposition': 'attachment; filename="é"',
      'content-encoding': 'br',
      'content-language': 'fr',
      expires: 'x',
    })
  })

  test('are none without parameters, and an empty one is none', () => {
    expect(responseOverrides(query('partNumber=1'), false)).toEqual({})
    expect(responseOverrides(query('response-expires='), true)).toEqual({})
  })

  test('need a signature', () => {
    expect(codeOf(() => responseOverrides(query('response-content-type=text/css'), false))).toBe('InvalidRequest')
  })

  test.each(['a%0d%0aset-cookie:x', 'a%0Ab', 'a%00', '%E2%82%AC', '%7F'])('cannot split headers: %s', (value) => {
    expect(codeOf(() => responseOverrides(query(`response-content-type=${value}`), true))).toBe('InvalidArgument')
  })

  test('a header value is tab, printable ASCII and the upper half of latin1', () => {
    expect(isHeaderValue('\ta ~\x80\xff')).toBe(true)
    for (const bad of ['\n', '\r', '\0', '\x1f', '\x7f', '\u0100']) expect(isHeaderValue(bad)).toBe(false)
  })
})
