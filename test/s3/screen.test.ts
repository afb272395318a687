import { describe, expect, test } from 'vitest'
import type { OperationName } from '../../src/s3/operation-name.ts'
import { screenRequest, withQueryHeaders } from '../../src/s3/screen.ts'
import { refusal } from './auth/fixtures.ts'
import { codeOf, headers, query } from './requests.ts'

const screen = (name: OperationName, entries: Record<string, string>, raw = ''): void =>
  screenRequest(name, headers(entries), query(raw), { ownerId: '123456789012', versions: false, native: false })

const refused = (name: OperationName, entries: Record<string, string>, raw = ''): string =>
  codeOf(() => screen(name, entries, raw))

const WRITES = ['PutObject', 'CopyObject', 'CreateMultipartUpload'] as const

describe('Headers that are not built', () => {
  test.each([
    'x-amz-tagging',
    'x-amz-grant-read',
    'x-amz-grant-full-control',
    'x-amz-object-lock-mode',
    'x-amz-object-lock-legal-hold',
    'x-amz-write-offset-bytes',
    'x-amz-something-new',
  ])('%s is refused by every write, never ignored', (header) => {
    for (const name of WRITES) expect(refused(name, { [header]: 'x' })).toBe('NotImplemented')
  })

  test.each([
    ['DeleteObject', 'x-amz-mfa'],
    ['DeleteObject', 'x-amz-bypass-governance-retention'],
    ['DeleteObject', 'x-amz-if-match-size'],
    ['DeleteObjects', 'x-amz-bypass-governance-retention'],
    ['AbortMultipartUpload', 'x-amz-if-match-initiated-time'],
    ['DeleteObject', 'x-amz-server-side-encryption-customer-key'],
    ['ListObjects', 'x-amz-server-side-encryption-customer-algorithm'],
    ['PutObject', 'x-amz-copy-source-server-side-encryption-customer-key'],
    ['PutBucketEncryption', 'x-amz-server-side-encryption-customer-key'],
    ['CopyObject', 'x-amz-object-annotation-directive'],
    ['CreateBucket', 'x-amz-bucket-namespace'],
  ] as const)('%s refuses %s', (name, header) => {
    expect(refused(name, { [header]: 'x' })).toBe('NotImplemented')
  })

  test('the refusal names the header', () => {
    expect(refusal(() => screen('PutObject', { 'x-amz-tagging': 'a=b' })).message).toContain('x-amz-tagging')
  })

  test('SSE headers are accepted where an object is made, and those of a customer’s key where one is read', () => {
    const sse = 'x-amz-server-side-encryption'
    for (const name of WRITES) screen(name, { [sse]: 'x', [`${sse}-context`]: 'x', [`${sse}-customer-key`]: 'x' })
    for (const name of ['GetObject', 'HeadObject', 'UploadPart', 'ListParts', 'CompleteMultipartUpload'] as const) {
      screen(name, { [`${sse}-customer-key`]: 'x' })
      expect(refused(name, { [sse]: 'AES256' })).toBe('InvalidArgument')
    }
    screen('UploadPartCopy', { 'x-amz-copy-source-server-side-encryption-customer-key': 'x' })
  })

  test('SSE headers on a read are InvalidArgument (B105)', () => {
    expect(refused('GetObject', { 'x-amz-server-side-encryption': 'AES256' })).toBe('InvalidArgument')
    expect(refused('HeadObject', { 'x-amz-server-side-encryption-aws-kms-key-id': 'k' })).toBe('InvalidArgument')
  })

  test('a copy source belongs to copies (B70)', () => {
    expect(refused('CreateMultipartUpload', { 'x-amz-copy-source': 'b/k' })).toBe('InvalidArgument')
    expect(refused('PutObject', { 'x-amz-copy-source-if-match': 'x' })).toBe('InvalidArgument')
    expect(() => screen('CopyObject', { 'x-amz-copy-source': 'b/k', 'x-amz-copy-source-if-match': 'x' })).not.toThrow()
    expect(() => screen('UploadPartCopy', { 'x-amz-copy-source-range': 'bytes=0-1' })).not.toThrow()
  })
})

describe('Headers that say nothing new', () => {
  test('are accepted everywhere', () => {
    for (const name of [...WRITES, 'GetObject', 'ListObjectsV2', 'DeleteBucket'] as const) {
      expect(() =>
        screen(name, {
          'x-amz-date': 'x',
          'x-amz-content-sha256': 'x',
          'x-amz-security-token': 'x',
          'x-amz-user-agent': 'x',
          'x-amz-request-payer': 'requester',
          'x-amz-meta-a': 'x',
          'x-amzn-trace-id': 'x',
          'x-forwarded-for': 'x',
          'amz-sdk-request': 'x',
          'content-type': 'x',
        }),
      ).not.toThrow()
    }
  })

  test.each([
    ['x-amz-acl', 'private', undefined],
    ['x-amz-acl', 'bucket-owner-full-control', undefined],
    ['x-amz-acl', 'public-read', 'NotImplemented'],
    ['x-amz-acl', 'anything', 'InvalidArgument'],
    ['x-amz-acl', '', 'InvalidArgument'],
    ['x-amz-storage-class', 'STANDARD', undefined],
    ['x-amz-storage-class', 'STANDARD_IA', 'NotImplemented'],
    ['x-amz-storage-class', 'GLACIER', 'NotImplemented'],
    ['x-amz-storage-class', 'OUTPOSTS', 'InvalidStorageClass'],
    ['x-amz-storage-class', 'SLOW', 'InvalidStorageClass'],
    ['x-amz-request-payer', 'me', 'InvalidArgument'],
    ['x-amz-expected-bucket-owner', '123456789012', undefined],
    ['x-amz-expected-bucket-owner', '210987654321', 'AccessDenied'],
  ] as const)('%s: %s on a write gives %s (B71, B112)', (header, value, code) => {
    for (const name of WRITES) {
      if (code === undefined) expect(() => screen(name, { [header]: value })).not.toThrow()
      else expect(refused(name, { [header]: value })).toBe(code)
    }
  })

  test.each([
    ['CopyObject', 'x-amz-tagging-directive', 'COPY', undefined],
    ['CopyObject', 'x-amz-tagging-directive', 'REPLACE', 'NotImplemented'],
    ['CopyObject', 'x-amz-tagging-directive', 'MERGE', 'InvalidArgument'],
    ['CopyObject', 'x-amz-source-expected-bucket-owner', '210987654321', 'AccessDenied'],
    ['CreateBucket', 'x-amz-object-ownership', 'ObjectWriter', undefined],
    ['CreateBucket', 'x-amz-bucket-object-lock-enabled', 'false', undefined],
    ['CreateBucket', 'x-amz-bucket-object-lock-enabled', 'true', 'NotImplemented'],
    ['CreateBucket', 'x-amz-acl', 'public-read', undefined],
    ['PutBucketNotificationConfiguration', 'x-amz-skip-destination-validation', 'true', undefined],
    ['PutBucketNotificationConfiguration', 'x-amz-skip-destination-validation', 'maybe', 'InvalidArgument'],
    ['PutBucketTagging', 'x-amz-acl', 'private', 'NotImplemented'],
    ['ListObjectsV2', 'x-amz-optional-object-attributes', 'RestoreStatus', undefined],
    ['ListObjectsV2', 'x-amz-optional-object-attributes', 'Other', 'InvalidArgument'],
    ['GetObject', 'x-amz-checksum-mode', 'ENABLED', undefined],
  ] as const)('%s with %s: %s gives %s', (name, header, value, code) => {
    if (code === undefined) expect(() => screen(name, { [header]: value })).not.toThrow()
    else expect(refused(name, { [header]: value })).toBe(code)
  })
})

describe('Preconditions and partial writes', () => {
  test('are refused by writes that do not evaluate them', () => {
    expect(refused('UploadPart', { 'if-none-match': '*' })).toBe('NotImplemented')
    expect(refused('CreateMultipartUpload', { 'if-match': 'x' })).toBe('NotImplemented')
    expect(refused('DeleteObject', { 'if-none-match': '*' })).toBe('NotImplemented')
    expect(refused('DeleteObject', { 'if-unmodified-since': 'x' })).toBe('NotImplemented')
    expect(refused('PutObject', { 'content-range': 'bytes 0-1/2' })).toBe('NotImplemented')
    expect(refused('PutObject', { 'if-unmodified-since': 'x' })).toBe('NotImplemented')
  })

  test('are accepted where they are evaluated, and on reads', () => {
    expect(() => screen('PutObject', { 'if-none-match': '*' })).not.toThrow()
    expect(() => screen('CopyObject', { 'if-match': 'x' })).not.toThrow()
    expect(() => screen('CompleteMultipartUpload', { 'if-match': 'x' })).not.toThrow()
    expect(() => screen('DeleteObject', { 'if-match': 'x' })).not.toThrow()
    expect(() => screen('GetObject', { 'if-match': 'x', 'if-modified-since': 'x' })).not.toThrow()
  })
})

describe('versionId (B52)', () => {
  test('may be null', () => {
    for (const name of ['GetObject', 'HeadObject', 'DeleteObject'] as const) {
      expect(() => screen(name, {}, 'versionId=null')).not.toThrow()
      expect(refused(name, {}, 'versionId=')).toBe('InvalidArgument')
      expect(refused(name, {}, 'versionId=abc')).toBe('NotImplemented')
    }
  })

  test('does not belong to other operations on objects', () => {
    expect(refused('PutObject', {}, 'versionId=null')).toBe('InvalidArgument')
    expect(refused('CreateMultipartUpload', {}, 'versionId=x')).toBe('InvalidArgument')
  })
})

describe('Headers in the query of a presigned URL', () => {
  const URL =
    'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=c&X-Amz-Date=d&X-Amz-Expires=1&X-Amz-SignedHeaders=host&X-Amz-Signature=s'

  test('count as headers', () => {
    const effective = withQueryHeaders(
      headers({ host: 'h' }),
      query(`${URL}&x-amz-meta-name=Gr%C3%BC%C3%9Fe&X-Amz-Checksum-Sha256=abc&x-amz-acl=private&other=1`),
    )
    expect([...effective.names()]).toEqual(['host', 'x-amz-meta-name', 'x-amz-checksum-sha256', 'x-amz-acl'])
    expect(effective.get('x-amz-meta-name')).toBe(Buffer.from('Grüße').toString('latin1'))
  })

  test('are refused when they are not built', () => {
    const effective = withQueryHeaders(headers(), query(`${URL}&x-amz-write-offset-bytes=0`))
    expect(
      codeOf(() => screenRequest('PutObject', effective, query(), { ownerId: 'o', versions: false, native: false })),
    ).toBe('NotImplemented')
  })

  test.each(['x-amz-server-side-encryption-customer-key', 'X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key-Md5'])(
    '%s is no part of a URL, which ends in logs, presigned or not',
    (name) => {
      for (const url of [`${URL}&`, '']) {
        const found = refusal(() => withQueryHeaders(headers(), query(`${url}${name}=c2VjcmV0`)))
        expect(found.code).toBe('InvalidArgument')
        expect(JSON.stringify([found.message, found.extra])).not.toContain('c2VjcmV0')
      }
    },
  )

  test('do not include authentication, nor an announced checksum without its value', () => {
    const wire = headers({ host: 'h' })
    const raw = `${URL}&X-Amz-Security-Token=t&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD&x-amz-sdk-checksum-algorithm=SHA256&x-id=PutObject`
    expect(withQueryHeaders(wire, query(raw))).toBe(wire)
  })

  test('yield to headers that were sent', () => {
    const effective = withQueryHeaders(headers({ 'x-amz-meta-a': 'sent' }), query(`${URL}&x-amz-meta-a=hoisted`))
    expect(effective.get('x-amz-meta-a')).toBe('sent')
  })

  test('are none on a request signed in a header', () => {
    const wire = headers()
    expect(withQueryHeaders(wire, query('x-amz-meta-a=1'))).toBe(wire)
  })

  test.each(['x-amz-meta-a=1%0d%0ab:c', 'x-amz-meta-a%20b=1', 'x-amz-meta-%0a=1', 'x-amz-meta-a:=1'])(
    '%s could not be a header: InvalidArgument',
    (parameter) => {
      expect(codeOf(() => withQueryHeaders(headers(), query(`${URL}&${parameter}`)))).toBe('InvalidArgument')
    },
  )
})

describe('Headers for a store that speaks S3 itself', () => {
  const native = (name: OperationName, entries: Record<string, string>, raw = '') =>
    screenRequest(name, headers(entries), query(raw), { ownerId: 'me', versions: true, native: true })

  test('pass where they belong, whatever their value', () => {
    native('PutObject', { 'x-amz-storage-class': 'GLACIER', 'x-amz-tagging': 'a=b', 'x-amz-object-lock-mode': 'X' })
    native('CopyObject', { 'x-amz-tagging-directive': 'REPLACE', 'x-amz-acl': 'public-read' })
    native('DeleteObject', { 'x-amz-bypass-governance-retention': 'true' }, 'versionId=abc')
    native('GetObject', { 'x-amz-request-payer': 'requester' }, 'versionId=abc')
    expect(() => native('GetObject', { 'x-amz-expected-bucket-owner': '123' })).toThrow('Access Denied')
  })

  test('are refused elsewhere, and so is what would change how objects are sealed', () => {
    for (const [name, header] of [
      ['GetObject', 'x-amz-tagging'],
      ['UploadPart', 'x-amz-storage-class'],
      ['GetObject', 'x-amz-server-side-encryption'],
      ['PutObject', 'x-amz-something-new'],
    ] as const) {
      expect(() => native(name, { [header]: 'x' })).toThrow()
    }
  })
})

describe('Headers for a store that keeps versions and does not speak S3', () => {
  const kept =
    (name: OperationName, entries: Record<string, string>, raw = '') =>
    () =>
      screenRequest(name, headers(entries), query(raw), { ownerId: 'me', versions: true, native: false })

  test('are left to the operation that judges them', () => {
    const lock = { 'x-amz-object-lock-mode': 'X', 'x-amz-object-lock-legal-hold': 'X' }
    expect(kept('PutObject', { 'x-amz-storage-class': 'X', 'x-amz-tagging': 'X', ...lock })).not.toThrow()
    expect(kept('CopyObject', { 'x-amz-tagging-directive': 'REPLACE' })).not.toThrow()
    expect(kept('CreateBucket', { 'x-amz-bucket-object-lock-enabled': 'true' })).not.toThrow()
    expect(kept('DeleteObject', { 'x-amz-bypass-governance-retention': 'true' }, 'versionId=abc')).not.toThrow()
    expect(kept('PutObjectRetention', { 'x-amz-bypass-governance-retention': 'X' }, 'versionId=abc')).not.toThrow()
    expect(kept('GetObject', {}, 'versionId=abc')).not.toThrow()
    for (const name of [...WRITES, 'PutObjectAcl'] as const) {
      expect(kept(name, { 'x-amz-acl': 'X', 'x-amz-grant-read': 'X' })).not.toThrow()
    }
  })

  test('of owners, second factors and operations that know no versions are judged here', () => {
    expect(codeOf(kept('PutObject', { 'x-amz-expected-bucket-owner': 'you' }))).toBe('AccessDenied')
    expect(codeOf(kept('DeleteObject', { 'x-amz-mfa': 'serial 123' }))).toBe('NotImplemented')
    expect(codeOf(kept('UploadPart', { 'x-amz-storage-class': 'STANDARD_IA' }))).toBe('NotImplemented')
    expect(codeOf(kept('UploadPart', { 'x-amz-acl': 'private' }))).toBe('NotImplemented')
    expect(codeOf(kept('PutObjectLegalHold', { 'x-amz-bypass-governance-retention': 'true' }))).toBe('NotImplemented')
    expect(codeOf(kept('PutObject', {}, 'versionId=abc'))).toBe('InvalidArgument')
    expect(codeOf(kept('GetObject', {}, 'versionId='))).toBe('InvalidArgument')
  })
})
