import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  checkCopySize,
  checkCopySourceRange,
  checkSelfCopy,
  MAX_COPY_BYTES,
  metadataDirective,
  parseCopySource,
  parseCopySourceRange,
} from '../../src/s3/copy-source.ts'
import { refusal } from './auth/fixtures.ts'
import { codeOf, headers } from './requests.ts'

describe('The copy source (B64)', () => {
  test.each([
    ['bucket/key', 'key'],
    ['/bucket/key', 'key'],
    ['bucket/a/b//c/', 'a/b//c/'],
    ['bucket//key', '/key'],
    ['bucket/a%20b%2Bc%25d', 'a b+c%d'],
    ['bucket%2Fkey', 'key'],
    ['/bucket/a+b', 'a b'],
    ['bucket/%C3%A9', 'é'],
    [Buffer.from('bucket/é').toString('latin1'), 'é'],
    ['bucket/a%3FversionId=x', 'a?versionId=x'],
    ['bucket/%252F', '%2F'],
    ['bucket/../x', '../x'],
  ])('%s is the key %s', (header, key) => {
    expect(parseCopySource(header)).toEqual({ bucket: 'bucket', key })
  })

  test.each([
    ['bucket', 'Invalid copy source object key'],
    ['bucket/', 'Invalid copy source object key'],
    ['/bucket/', 'Invalid copy source object key'],
    ['', 'Invalid copy source bucket name'],
    ['/', 'Invalid copy source bucket name'],
    ['//key', 'Invalid copy source bucket name'],
    ['Bu_cket/key', 'Invalid copy source bucket name'],
    ['bucket/%zz', 'Invalid copy source encoding'],
    ['bucket/%', 'Invalid copy source encoding'],
    ['bucket/%ff', 'Invalid copy source encoding'],
    ['bucket/\xff', 'Invalid copy source encoding'],
    ['bucket/key?versionId=', 'Invalid version id specified'],
  ])('%j is InvalidArgument: %s', (header, message) => {
    const error = refusal(() => parseCopySource(header))
    expect(error.code).toBe('InvalidArgument')
    expect(error.message).toBe(message)
  })

  test('names a version', () => {
    expect(parseCopySource('bucket/key?versionId=3HL4%2Bk')).toEqual({
      bucket: 'bucket',
      key: 'key',
      versionId: '3HL4+k',
    })
  })

  test('that is an access point is NotImplemented', () => {
    const header = 'arn:aws:s3:us-west-2:123456789012:accesspoint/a/object/k'
    expect(codeOf(() => parseCopySource(header))).toBe('NotImplemented')
  })

  test('has a key of at most 1,024 bytes', () => {
    expect(parseCopySource(`bucket/${'a'.repeat(1024)}`).key).toHaveLength(1024)
    expect(codeOf(() => parseCopySource(`bucket/${'%C3%A9'.repeat(513)}`))).toBe('KeyTooLongError')
  })

  test('any key that a client encodes comes through', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }), (key) => {
        expect(parseCopySource(`bucket/${encodeURIComponent(key)}`)).toEqual({ bucket: 'bucket', key })
        expect(parseCopySource(encodeURIComponent(`bucket/${key}`))).toEqual({ bucket: 'bucket', key })
      }),
    )
  })
})

describe('The range of a copied part (B67)', () => {
  test('is bytes=first-last', () => {
    expect(parseCopySourceRange('bytes=0-9')).toEqual({ first: 0, last: 9 })
    expect(parseCopySourceRange(undefined)).toBeUndefined()
  })

  test.each(['0-2', 'bytes=0-', 'bytes=-2', 'bytes=0-2,3-5', 'bytes=5-2', 'bytes=', 'bytes=a-b', 'bytes= 0-1', ''])(
    '%j is InvalidArgument',
    (header) => {
      expect(codeOf(() => parseCopySourceRange(header))).toBe('InvalidArgument')
      expect(() => parseCopySourceRange(header)).toThrow(
        expect.objectContaining({ extra: { ArgumentName: 'x-amz-copy-source-range', ArgumentValue: header } }),
      )
    },
  )

  test('lies within the source', () => {
    expect(() => checkCopySourceRange({ first: 0, last: 9 }, 10)).not.toThrow()
    expect(codeOf(() => checkCopySourceRange({ first: 0, last: 10 }, 10))).toBe('InvalidRange')
    expect(codeOf(() => checkCopySourceRange({ first: 0, last: 0 }, 0))).toBe('InvalidRange')
  })
})

describe('A copy', () => {
  const own = { bucket: 'b', key: 'k' }

  test('of more than 5 GiB is InvalidRequest (B66)', () => {
    expect(() => checkCopySize(MAX_COPY_BYTES)).not.toThrow()
    expect(codeOf(() => checkCopySize(MAX_COPY_BYTES + 1))).toBe('InvalidRequest')
    expect(MAX_COPY_BYTES).toBe(5_368_709_120)
  })

  test('onto itself needs a change (B63)', () => {
    const plan = { source: own, target: own, directive: 'COPY', changes: false } as const
    expect(refusal(() => checkSelfCopy(plan)).message).toContain('This copy request is illegal')
    expect(() => checkSelfCopy({ ...plan, directive: 'REPLACE' })).not.toThrow()
    expect(() => checkSelfCopy({ ...plan, changes: true })).not.toThrow()
    expect(() => checkSelfCopy({ ...plan, target: { bucket: 'b', key: 'other' } })).not.toThrow()
    expect(() => checkSelfCopy({ ...plan, target: { bucket: 'c', key: 'k' } })).not.toThrow()
  })

  test('has the directive COPY or REPLACE (B68)', () => {
    expect(metadataDirective(headers())).toBe('COPY')
    expect(metadataDirective(headers({ 'x-amz-metadata-directive': 'REPLACE' }))).toBe('REPLACE')
    expect(codeOf(() => metadataDirective(headers({ 'x-amz-metadata-directive': 'MERGE' })))).toBe('InvalidArgument')
  })
})
