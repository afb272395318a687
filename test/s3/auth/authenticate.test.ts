import { describe, expect, test } from 'vitest'
import { EMPTY_SHA256 } from '../../../src/s3/auth/canonical-request.ts'
import { contentSha256Mismatch } from '../../../src/s3/auth/payload-mode.ts'
import {
  ACCESS_KEY,
  answer,
  at,
  code,
  message,
  presigned,
  receive,
  refusal,
  signed,
  type Wire,
  withAuthorization,
  withHeaders,
  withUrl,
} from './fixtures.ts'

test('A request signed in its header is authenticated with its scope', () => {
  expect(receive(signed())).toEqual({
    kind: 'header',
    accessKey: ACCESS_KEY,
    scope: { date: '20130524', region: 'us-east-1', service: 's3', text: '20130524/us-east-1/s3/aws4_request' },
    signedHeaders: ['host', 'x-amz-content-sha256', 'x-amz-date'],
    payload: { kind: 'hash', sha256: Buffer.from(EMPTY_SHA256, 'hex') },
  })
})

test('B1: a request without authentication is 403 AccessDenied', () => {
  const wire = withHeaders(signed(), { authorization: undefined })
  expect(answer(() => receive(wire))).toEqual({ status: 403, code: 'AccessDenied', extra: {} })
})

test('B2: an unknown access key is 403 InvalidAccessKeyId with AWSAccessKeyId', () => {
  const wire = signed({ credentials: { accessKey: 'AKIANOBODY', secret: 'x' } })
  const expected = { status: 403, code: 'InvalidAccessKeyId', extra: { AWSAccessKeyId: 'AKIANOBODY' } }
  expect(answer(() => receive(wire))).toEqual(expected)
})

test('B3: a wrong secret is 403 SignatureDoesNotMatch with everything to compare', () => {
  const wire = signed({ credentials: { accessKey: ACCESS_KEY, secret: 'wrong' } })
  const { status, extra } = answer(() => receive(wire))
  expect(status).toBe(403)
  expect(Object.keys(extra)).toEqual([
    'AWSAccessKeyId',
    'StringToSign',
    'SignatureProvided',
    'StringToSignBytes',
    'CanonicalRequest',
    'CanonicalRequestBytes',
  ])
  expect(extra['AWSAccessKeyId']).toBe(ACCESS_KEY)
  expect(extra['StringToSign']).toMatch(/^AWS4-HMAC-SHA256\n20130524T000000Z\n20130524\/us-east-1\/s3\/aws4_request\n/)
  expect(extra['StringToSignBytes']).toMatch(/^41 57 53 34 2d 48 .* [0-9a-f]{2}$/)
  expect(extra['CanonicalRequest']).toMatch(/^GET\n\/bucket\/key\n\nhost:gate.example:9000\n/)
  expect(extra['CanonicalRequestBytes']).toMatch(/^47 45 54 0a 2f /)
  expect(wire.headers['authorization']).toContain(extra['SignatureProvided'])
})

test.each(['method', 'path', 'query', 'signed header', 'payload hash', 'date'])(
  'B3: a changed %s breaks the signature',
  (part) => {
    const wire = signed({ url: 'http://gate.example:9000/bucket/key?versionId=1', headers: { 'x-amz-meta-a': 'b' } })
    const changed: Record<string, Wire> = {
      method: { ...wire, method: 'PUT' },
      path: withUrl(wire, '/key', '/kez'),
      query: withUrl(wire, '=1', '=2'),
      'signed header': withHeaders(wire, { 'x-amz-meta-a': 'c' }),
      'payload hash': withHeaders(wire, { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }),
      date: withHeaders(wire, { 'x-amz-date': '20130524T000001Z' }),
    }
    expect(receive(wire).kind).toBe('header')
    expect(code(changed[part]!)).toBe('SignatureDoesNotMatch')
  },
)

describe('B4: other authorization schemes', () => {
  const scheme = (authorization: string): Wire => withHeaders(signed(), { authorization })

  test('Signature Version 2 is 400 InvalidRequest that names the right one', () => {
    expect(answer(() => receive(scheme('AWS AKID:signature')))).toMatchObject({ status: 400, code: 'InvalidRequest' })
    expect(message(scheme('AWS AKID:signature'))).toContain('Please use AWS4-HMAC-SHA256')
  })

  test('Signature Version 2 in the query is 400 InvalidRequest too', () => {
    const url = 'http://h/b/k?AWSAccessKeyId=AKID&Expires=1&Signature=abc'
    const wire = { method: 'GET', url, headers: { host: 'h' } }
    expect(code(wire)).toBe('InvalidRequest')
    expect(message(wire)).toContain('Please use AWS4-HMAC-SHA256')
  })

  test.each(['AWS2-HMAC-SHA1 x', 'Basic dXNlcg==', 'Bearer token', 'AWS4-HMAC-SHA512 x', ''])(
    '%s is 400 InvalidArgument',
    (value) => {
      expect(answer(() => receive(scheme(value)))).toEqual({
        status: 400,
        code: 'InvalidArgument',
        extra: { ArgumentName: 'Authorization', ArgumentValue: value },
      })
      expect(message(scheme(value))).toBe('Unsupported Authorization Type')
    },
  )

  test('Signature Version 4A is 501 NotImplemented', () => {
    expect(answer(() => receive(scheme('AWS4-ECDSA-P256-SHA256 Credential=x')))).toMatchObject({ status: 501 })
  })
})

describe('B5: a wrong credential scope is 400 AuthorizationHeaderMalformed', () => {
  test.each([
    ['region', { region: 'eu-west-1' }, { Region: 'us-east-1' }],
    ['service', { service: 'ec2' }, {}],
  ])('for its %s', (_, change, extra) => {
    const expected = { status: 400, code: 'AuthorizationHeaderMalformed', extra }
    expect(answer(() => receive(signed(change), { region: 'us-east-1' }))).toEqual(expected)
  })

  test.each([
    ['date', '/20130524/', '/20130523/'],
    ['date that is none', '/20130524/', '/2013-05-24/'],
    ['day that never was', '/20130524/', '/20130230/'],
    ['terminator', 'aws4_request', 'aws3_request'],
    ['missing part', '/s3/', '/'],
    ['part too many', '/s3/', '/s3/s3/'],
    ['empty access key', ACCESS_KEY, ''],
    ['empty signature', /Signature=\w+/, 'Signature='],
    ['missing component', /SignedHeaders=\S+ /, ''],
    ['unknown component', 'SignedHeaders', 'Headers'],
    ['fourth component', ', Signature', ', A=b, Signature'],
    ['repeated header', 'SignedHeaders=', 'SignedHeaders=host;'],
    ['hole in the headers', 'SignedHeaders=', 'SignedHeaders=;'],
    ['empty list of headers', /SignedHeaders=[^,]+/, 'SignedHeaders='],
  ])('for its %s', (_, from, to) => {
    const expected = { status: 400, code: 'AuthorizationHeaderMalformed', extra: {} }
    expect(answer(() => receive(withAuthorization(signed(), from, to)))).toEqual(expected)
  })

  test('but any region will do if none is set, and the spaces between the components are optional', () => {
    expect(receive(signed({ region: 'mars-north-1' })).scope.region).toBe('mars-north-1')
    expect(receive(withAuthorization(signed(), /, /g, ',')).accessKey).toBe(ACCESS_KEY)
  })
})

describe('B6: the date of the request', () => {
  test.each([undefined, '', 'yesterday', '20130524', '20130230T000000Z', '2013-05-24T00:00:00Z'])(
    '%s is 403 AccessDenied',
    (date) => {
      const wire = withHeaders(signed(), { 'x-amz-date': date })
      expect(answer(() => receive(wire))).toEqual({ status: 403, code: 'AccessDenied', extra: {} })
      expect(message(wire)).toBe('AWS authentication requires a valid Date or x-amz-date header')
    },
  )

  test.each(['20130524T000000Z', 'Fri, 24 May 2013 00:00:00 GMT'])('may come as Date: %s', (date) => {
    const wire = withHeaders(signed({ headers: { date } }), { 'x-amz-date': undefined })
    // x-amz-date was signed and is gone, so it counts as empty and the signature fails; but only there.
    expect(code(wire)).toBe('SignatureDoesNotMatch')
    expect(refusal(() => receive(wire)).extra['StringToSign']).toContain('\n20130524T000000Z\n')
  })
})

describe('B7: clocks', () => {
  test.each([-900, 900, 0])('%d seconds apart are accepted', (seconds) => {
    expect(receive(signed(), at(seconds)).kind).toBe('header')
  })

  test.each([-901, 901])('%d seconds apart are 403 RequestTimeTooSkewed', (seconds) => {
    expect(answer(() => receive(signed(), at(seconds)))).toEqual({
      status: 403,
      code: 'RequestTimeTooSkewed',
      extra: {
        RequestTime: '20130524T000000Z',
        ServerTime: seconds > 0 ? '2013-05-24T00:15:01Z' : '2013-05-23T23:44:59Z',
        MaxAllowedSkewMilliseconds: '900000',
      },
    })
  })
})

describe('B8: x-amz-content-sha256', () => {
  test('absent is 400 InvalidRequest', () => {
    const wire = withHeaders(signed(), { 'x-amz-content-sha256': undefined })
    expect(answer(() => receive(wire))).toMatchObject({ status: 400, code: 'InvalidRequest' })
    expect(message(wire)).toBe('Missing required header for this request: x-amz-content-sha256')
  })

  test.each(['abc', 'unsigned-payload', `${EMPTY_SHA256}0`, 'STREAMING-UNSIGNED-PAYLOAD', 'g'.repeat(64)])(
    '%s is 400 InvalidArgument',
    (payloadHash) => {
      expect(answer(() => receive(signed({ payloadHash })))).toEqual({
        status: 400,
        code: 'InvalidArgument',
        extra: { ArgumentName: 'x-amz-content-sha256', ArgumentValue: payloadHash },
      })
    },
  )

  test.each([
    ['UNSIGNED-PAYLOAD', { kind: 'unsigned' }],
    ['STREAMING-UNSIGNED-PAYLOAD-TRAILER', { kind: 'unsigned-trailer' }],
    ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD', { kind: 'signed-chunks', trailer: false }],
    ['STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER', { kind: 'signed-chunks', trailer: true }],
    ['AB'.repeat(32), { kind: 'hash', sha256: Buffer.alloc(32, 0xab) }],
  ])('%s is understood', (payloadHash, payload) => {
    expect(receive(signed({ payloadHash })).payload).toMatchObject(payload)
  })

  test.each(['STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD', 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER'])(
    '%s is 501 NotImplemented',
    (payloadHash) => {
      expect(answer(() => receive(signed({ payloadHash })))).toMatchObject({ status: 501, code: 'NotImplemented' })
    },
  )

  test('that does not match the body is 400 XAmzContentSHA256Mismatch with both hashes', () => {
    const error = contentSha256Mismatch(Buffer.alloc(32, 1), Buffer.alloc(32, 2))
    expect(error).toMatchObject({
      status: 400,
      code: 'XAmzContentSHA256Mismatch',
      extra: { ClientComputedContentSHA256: '01'.repeat(32), S3ComputedContentSHA256: '02'.repeat(32) },
    })
  })
})

describe('B9: headers that are not signed', () => {
  test('are 403 AccessDenied with HeadersNotSigned if they begin with x-amz-', () => {
    const wire = withHeaders(signed(), { 'X-Amz-Acl': 'public-read', 'x-amz-meta-a': 'b' })
    const expected = { status: 403, code: 'AccessDenied', extra: { HeadersNotSigned: 'x-amz-acl, x-amz-meta-a' } }
    expect(answer(() => receive(wire))).toEqual(expected)
    expect(message(wire)).toBe('There were headers present in the request which were not signed')
  })

  test('are refused likewise if the host is among them', () => {
    const wire = withAuthorization(signed(), 'host;', '')
    expect(answer(() => receive(wire)).extra).toEqual({ HeadersNotSigned: 'host' })
  })

  test('are fine otherwise', () => {
    expect(receive(withHeaders(signed(), { 'content-type': 'a/b', 'x-amzn-trace-id': '1' })).kind).toBe('header')
  })
})

describe('B10: paths', () => {
  test.each(['//key', '/b/./k', '/b/../k', '/b/a%20b', '/b/a%2Bb', '/b/%F0%9F%94%92', '/b/a%2Fb', '/b/a+b'])(
    'like %s are signed as they are',
    (path) => {
      expect(receive(signed({ url: `http://gate.example:9000${path}` })).kind).toBe('header')
    },
  )

  test('that are the same after decoding have the same signature', () => {
    const wire = signed({ url: 'http://gate.example:9000/b/a%2Bb' })
    expect(receive(withUrl(wire, '%2B', '+')).kind).toBe('header')
    expect(receive(withUrl(wire, '%2B', '%2b')).kind).toBe('header')
    expect(code(withUrl(wire, '%2B', '%20'))).toBe('SignatureDoesNotMatch')
  })
})

test('B11: a plus in the query is a space', () => {
  const wire = signed({ url: 'http://gate.example:9000/b?prefix=a%20b&acl' })
  expect(receive(withUrl(wire, '%20', '+')).kind).toBe('header')
  expect(receive(withUrl(wire, '&acl', '&acl=')).kind).toBe('header')
  expect(code(withUrl(wire, '%20', '%2B'))).toBe('SignatureDoesNotMatch')
})

describe('B12: header values', () => {
  test('may gain spaces on the way', () => {
    const wire = signed({ headers: { 'x-amz-meta-a': 'one two' } })
    expect(receive(withHeaders(wire, { 'x-amz-meta-a': '  one \t two ' })).kind).toBe('header')
    expect(code(withHeaders(wire, { 'x-amz-meta-a': 'onetwo' }))).toBe('SignatureDoesNotMatch')
  })

  test('with spaces in quotes are accepted from clients that leave these alone and from those that do not', () => {
    const value = 'attachment; filename="a  b"'
    expect(receive(signed({ headers: { 'content-disposition': value } })).kind).toBe('header')
    const kept =
      'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=content-disposition;host;x-amz-content-sha256;x-amz-date, Signature='
    const wire = withHeaders(signed({ headers: { 'content-disposition': value } }), { authorization: kept })
    expect(code(withHeaders(wire, { authorization: `${kept}00` }))).toBe('SignatureDoesNotMatch')
    expect(receive(withHeaders(wire, { authorization: `${kept}${QUOTED_SIGNATURE}` })).kind).toBe('header')
  })

  test('count with the port of the host', () => {
    expect(code(withHeaders(signed(), { host: 'gate.example' }))).toBe('SignatureDoesNotMatch')
  })
})

test.each([
  ['a presigned URL', withHeaders(presigned(), { authorization: 'AWS4-HMAC-SHA256 x' })],
  ['half a presigned URL', withUrl(signed(), /$/, '?X-Amz-Algorithm=x')],
  ['a Signature Version 2 URL', withUrl(signed(), /$/, '?AWSAccessKeyId=a&Signature=b')],
])('B15: an Authorization header beside %s is 400 InvalidArgument', (_, wire) => {
  expect(answer(() => receive(wire))).toMatchObject({ status: 400, code: 'InvalidArgument' })
  expect(message(wire)).toMatch(/^Only one auth mechanism allowed/)
})

test('A session token is 400 InvalidToken, for we give none', () => {
  const credentials = { accessKey: ACCESS_KEY, secret: 'x', sessionToken: 'token' }
  expect(code(signed({ credentials }))).toBe('InvalidToken')
  expect(code(presigned({ credentials }))).toBe('InvalidToken')
})

/** HMAC of the request in "B12 … spaces in quotes", computed apart from this code with the quoted spaces left in. */
const QUOTED_SIGNATURE = '6171b7ad9eab63e453a440f1c47c0f0d98595d7551ce42c9155f85c68e5efab0'
