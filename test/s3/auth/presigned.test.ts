import { describe, expect, test } from 'vitest'
import { EMPTY_SHA256 } from '../../../src/s3/auth/canonical-request.ts'
import { answer, at, code, message, presigned, receive, refusal, withHeaders, withUrl } from './fixtures.ts'

describe('B13: presigned URLs', () => {
  test('are accepted up to the last second of their life', () => {
    expect(receive(presigned(), at(3599))).toMatchObject({ kind: 'presigned', payload: { kind: 'unsigned' } })
  })

  test.each(['Algorithm', 'Credential', 'Signature', 'Date', 'SignedHeaders', 'Expires'])(
    'without X-Amz-%s are 400 AuthorizationQueryParametersError',
    (name) => {
      const gone = withUrl(presigned(), new RegExp(`X-Amz-${name}=[^&]*&?`), '')
      expect(answer(() => receive(gone))).toEqual({ status: 400, code: 'AuthorizationQueryParametersError', extra: {} })
      expect(message(gone)).toContain('requires the X-Amz-Algorithm')
      const empty = withUrl(presigned(), new RegExp(`(X-Amz-${name}=)[^&]*`), '$1')
      expect(code(empty)).toBe('AuthorizationQueryParametersError')
    },
  )

  test.each([
    ['algorithm', 'AWS4-HMAC-SHA256', 'AWS4-HMAC-SHA1'],
    ['SigV4A algorithm', 'AWS4-HMAC-SHA256', 'AWS4-ECDSA-P256-SHA256'],
    ['date', 'X-Amz-Date=20130524T000000Z', 'X-Amz-Date=20130524'],
    ['scope date', '%2F20130524', '%2F20130523'],
    ['service', '%2Fs3', '%2Fec2'],
    ['terminator', 'aws4_request', 'aws5_request'],
    ['credential', '%2F20130524', ''],
    ['list of headers', 'SignedHeaders=host', 'SignedHeaders=host%3B'],
    ['second signature', /$/, '&X-Amz-Signature=00'],
    ['second life', /$/, '&X-Amz-Expires=600000'],
  ])('with a bad %s are 400 AuthorizationQueryParametersError', (_, from, to) => {
    const wire = withUrl(presigned(), from, to)
    expect(answer(() => receive(wire))).toMatchObject({ status: 400, code: 'AuthorizationQueryParametersError' })
  })

  test.each(['abc', '1.5', '-1', '604801', '1e3', '99999999999999999999'])(
    'with a life of %s are 400 AuthorizationQueryParametersError',
    (expires) => {
      expect(code(withUrl(presigned(), 'Expires=3600', `Expires=${expires}`))).toBe('AuthorizationQueryParametersError')
    },
  )

  test('for another region are refused with Region', () => {
    expect(answer(() => receive(presigned(), { region: 'eu-west-1' }))).toEqual({
      status: 400,
      code: 'AuthorizationQueryParametersError',
      extra: { Region: 'eu-west-1' },
    })
  })

  test.each([3600, 100_000])('are 403 AccessDenied %d seconds after signing', (seconds) => {
    const expected = { 'X-Amz-Expires': '3600', Expires: '2013-05-24T01:00:00Z' }
    const { status, code, extra, message } = refusal(() => receive(presigned(), at(seconds)))
    expect({ status, code, message }).toEqual({ status: 403, code: 'AccessDenied', message: 'Request has expired' })
    expect(extra).toMatchObject(expected)
    expect(extra['ServerTime']).toBe(`${at(seconds).now.toISOString().slice(0, 19)}Z`)
  })

  test('live a week at most and are dead at once with a life of 0', () => {
    expect(receive(presigned({ expiresSeconds: 604_800 }), at(604_799)).kind).toBe('presigned')
    expect(code(presigned({ expiresSeconds: 0 }))).toBe('AccessDenied')
  })

  test('from the future are 403 AccessDenied', () => {
    expect(receive(presigned(), at(-900)).kind).toBe('presigned')
    expect(message(presigned(), at(-901))).toBe('Request is not valid yet')
  })

  test('with a wrong signature are 403 SignatureDoesNotMatch', () => {
    expect(code(withUrl(presigned(), /.$/, 'x'))).toBe('SignatureDoesNotMatch')
    expect(code(withUrl(presigned(), /Expires=3600/, 'Expires=7200'))).toBe('SignatureDoesNotMatch')
    expect(code(withUrl(presigned(), /$/, '&response-content-type=text%2Fhtml'))).toBe('SignatureDoesNotMatch')
  })
})

describe('B14: headers of presigned requests', () => {
  test('need no signature, unless they begin with x-amz-', () => {
    expect(receive(withHeaders(presigned(), { 'content-type': 'image/png' })).kind).toBe('presigned')
    const expected = { HeadersNotSigned: 'x-amz-meta-a' }
    expect(answer(() => receive(withHeaders(presigned(), { 'x-amz-meta-a': 'b' }))).extra).toEqual(expected)
  })

  test('are part of it when they were signed', () => {
    const wire = presigned({ headers: { 'x-amz-meta-a': 'b' } })
    expect(receive(wire).signedHeaders).toEqual(['host', 'x-amz-meta-a'])
    expect(code(withHeaders(wire, { 'x-amz-meta-a': 'c' }))).toBe('SignatureDoesNotMatch')
  })

  test('or a parameter may fix the payload, which then is part of the signature', () => {
    const url = `http://gate.example:9000/b/k?X-Amz-Content-Sha256=UNSIGNED-PAYLOAD`
    expect(receive(presigned({ url })).payload).toEqual({ kind: 'unsigned' })
    expect(code(presigned({ url: url.replace('UNSIGNED-PAYLOAD', EMPTY_SHA256) }))).toBe('SignatureDoesNotMatch')
    expect(code(presigned({ url: url.replace('UNSIGNED-PAYLOAD', 'nonsense') }))).toBe('InvalidArgument')
  })
})
