import { describe, expect, test } from 'vitest'
import { StoreError } from '../../../src/backends/object-store.ts'
import {
  type Failure,
  failureIn,
  isStaleCredential,
  isTransient,
  mayBeSkew,
  readFailure,
  toError,
} from '../../../src/backends/s3/errors.ts'
import { Denied, Invalid, Unavailable } from '../../../src/errors.ts'
import { parseXml } from '../../../src/s3/xml.ts'

const document = (code: string, more = ''): Buffer =>
  Buffer.from(`<Error><Code>${code}</Code><Message>words</Message>${more}</Error>`)
const failure = (status: number, code: string, headers: Record<string, string> = {}): Failure =>
  readFailure('GET', { status, headers }, code === '' ? Buffer.alloc(0) : document(code))
const kind = (error: Error): string =>
  error instanceof StoreError
    ? `${error.refusal}${error.answer === undefined ? '' : ` "${error.answer.code}"`}`
    : error.name

test.each([
  // What passes.
  [500, 'InternalError', true, Unavailable.name],
  [503, 'SlowDown', true, Unavailable.name],
  [503, '', true, Unavailable.name],
  [429, '', true, Unavailable.name],
  [408, '', true, Unavailable.name],
  [400, 'RequestTimeout', true, Unavailable.name],
  [409, 'OperationAborted', true, Unavailable.name],
  [400, 'BadDigest', true, Unavailable.name],
  [400, 'XAmzContentSHA256Mismatch', true, Unavailable.name],
  [400, 'IncompleteBody', true, Unavailable.name],
  // What is our own fault, and no client's.
  [400, 'ExpiredToken', false, Unavailable.name],
  [403, 'InvalidAccessKeyId', false, Unavailable.name],
  [403, 'SignatureDoesNotMatch', false, Unavailable.name],
  [403, 'RequestTimeTooSkewed', false, Unavailable.name],
  [400, 'AuthorizationHeaderMalformed', false, Unavailable.name],
  [400, 'InvalidToken', false, Unavailable.name],
  [301, 'PermanentRedirect', false, Unavailable.name],
  [307, 'TemporaryRedirect', false, Unavailable.name],
  [505, '', false, Unavailable.name],
  // What may be the word of whatever stands before the store.
  [404, '', false, Unavailable.name],
  [409, '', false, Unavailable.name],
  [412, '', false, Unavailable.name],
  [416, '', false, Unavailable.name],
  // Refusals.
  [403, 'AccessDenied', false, Denied.name],
  [403, '', false, Denied.name],
  [401, '', false, Denied.name],
  [404, 'NoSuchBucket', false, 'no-such-bucket'],
  [404, 'NoSuchKey', false, 'no-such-key'],
  [404, 'NoSuchUpload', false, 'no-such-upload'],
  [400, 'InvalidPart', false, 'invalid-part'],
  [400, 'InvalidPartOrder', false, 'invalid-part'],
  [409, 'BucketAlreadyOwnedByYou', false, 'bucket-exists'],
  [409, 'BucketNotEmpty', false, 'bucket-not-empty'],
  [409, 'ConditionalRequestConflict', false, 'conflict'],
  [412, 'PreconditionFailed', false, 'precondition-failed'],
  [416, 'InvalidRange', false, 'range-not-satisfiable'],
  [501, 'NotImplemented', false, 'not-supported'],
  [400, 'InvalidRequest', false, Invalid.name],
  [400, '', false, Invalid.name],
  // What the client should hear in the store's own words.
  [404, 'NoSuchVersion', false, 'no-such-key "NoSuchVersion"'],
  [403, 'InvalidObjectState', false, 'native "InvalidObjectState"'],
  [405, 'MethodNotAllowed', false, 'native "MethodNotAllowed"'],
  [507, 'XMinioStorageFull', false, 'native "XMinioStorageFull"'],
])('%i %s', (status, code, transient, expected) => {
  const found = failure(status, code)
  expect([isTransient(found), kind(toError('What', found))]).toEqual([transient, expected])
})

test.each([
  [404, 'no-such-key'],
  [409, 'conflict'],
  [412, 'precondition-failed'],
  [416, 'range-not-satisfiable'],
])('%i to HEAD, which never has a document, is believed', (status, expected) => {
  expect(kind(toError('What', readFailure('HEAD', { status, headers: {} }, Buffer.alloc(0))))).toBe(expected)
})

describe('what an answer says', () => {
  test('is read from the document and the headers', () => {
    const headers = { 'content-range': 'bytes */77', 'x-amz-bucket-region': 'eu-north-1' }
    expect(readFailure('GET', { status: 416, headers }, document('InvalidRange'))).toMatchObject({
      status: 416,
      code: 'InvalidRange',
      message: 'words',
      region: 'eu-north-1',
      size: 77,
    })
    expect(
      readFailure(
        'GET',
        { status: 400, headers: {} },
        document('X', '<Region>a</Region><ActualObjectSize>5</ActualObjectSize>'),
      ),
    ).toMatchObject({
      region: 'a',
      size: 5,
    })
  })

  test.each([[''], ['<html/>'], ['<Error><Code>'], ['\u0000'], ['{"Code":"AccessDenied"}'], ['<!DOCTYPE a><Error/>']])(
    'is nothing where there is no document: %j',
    (text) => {
      expect(readFailure('GET', { status: 500, headers: {} }, Buffer.from(text))).toMatchObject({
        code: '',
        message: '',
        size: undefined,
      })
    },
  )

  test('of a version that is a delete marker goes to the client as it came', () => {
    const headers = { 'x-amz-delete-marker': 'true', 'x-amz-version-id': 'v', 'x-amz-request-id': 'secret' }
    const error = toError('GetObject', failure(404, 'NoSuchKey', headers))
    expect(error).toMatchObject({
      refusal: 'no-such-key',
      answer: { status: 404, attributes: { 'x-amz-delete-marker': 'true', 'x-amz-version-id': 'v' } },
    })
    expect(JSON.stringify(error)).not.toContain('secret')
  })
})

test.each([
  ['InternalError', 503],
  ['SlowDown', 503],
  ['PreconditionFailed', 412],
  ['NoSuchUpload', 404],
  ['AccessDenied', 403],
  ['NotImplemented', 501],
  ['Whatever', 400],
])('%s inside a 200 counts as %i', (code, status) => {
  const found = failureIn(parseXml(document(code), 1_000), {})
  expect([found?.status, found === undefined ? undefined : isTransient(found)]).toEqual([status, status === 503])
})

test('a result inside a 200 is no failure, and an error without a code is a passing one', () => {
  expect(failureIn(parseXml(Buffer.from('<CopyObjectResult/>'), 100), {})).toBeUndefined()
  expect(failureIn(parseXml(Buffer.from('<Error/>'), 100), {})).toMatchObject({ status: 503 })
})

test('credentials are stale by three codes, and a clock is wrong by one, or by the times of an answer without a document', () => {
  const stale = ['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired', 'AccessDenied', '']
  expect(stale.map((code) => isStaleCredential(failure(400, code)))).toEqual([true, true, true, false, false])
  const at = Date.parse('2026-01-01T12:00:00Z')
  const date = (minutes: number) => ({ date: new Date(at + minutes * 60_000).toUTCString() })
  expect(mayBeSkew(failure(403, 'RequestTimeTooSkewed'), at)).toBe(true)
  expect(mayBeSkew(failure(403, 'AccessDenied', date(60)), at)).toBe(false)
  expect([14, 16, -14, -16].map((minutes) => mayBeSkew(failure(403, '', date(minutes)), at))).toEqual([
    false,
    true,
    false,
    true,
  ])
  expect(mayBeSkew(failure(403, ''), at)).toBe(false)
})
