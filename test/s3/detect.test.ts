import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { detectOperation } from '../../src/s3/detect.ts'
import { S3Error } from '../../src/s3/errors.ts'
import { OPERATIONS, requireBuilt } from '../../src/s3/operation.ts'
import { OPERATION_NAMES, type OperationName } from '../../src/s3/operation-name.ts'
import type { OperationRow } from '../../src/s3/operation-row.ts'
import { answer, refusal } from './auth/fixtures.ts'
import { codeOf, headers, query } from './requests.ts'

const PLACES: Record<string, { bucket?: string; key?: string }> = {
  '/': {},
  '/b': { bucket: 'b' },
  '/b/k': { bucket: 'b', key: 'k' },
}

const COPY = { 'x-amz-copy-source': 'b/k' }

const detect = (line: string, entries: Record<string, string> = {}): OperationName => {
  const [method = '', url = ''] = line.split(' ')
  const [path = '', raw = ''] = url.split('?')
  return detectOperation(method, PLACES[path] ?? {}, query(raw), headers(entries))
}

const BUILT: readonly (readonly [string, OperationName, Record<string, string>?])[] = [
  ['GET /', 'ListBuckets'],
  ['GET /?x-id=ListBuckets&prefix=', 'ListBuckets'],
  ['PUT /b', 'CreateBucket'],
  ['HEAD /b', 'HeadBucket'],
  ['DELETE /b', 'DeleteBucket'],
  ['GET /b?location', 'GetBucketLocation'],
  ['GET /b?lifecycle', 'GetBucketLifecycleConfiguration'],
  ['PUT /b?lifecycle', 'PutBucketLifecycleConfiguration'],
  ['GET /b?cors', 'GetBucketCors'],
  ['PUT /b?cors', 'PutBucketCors'],
  ['DELETE /b?cors', 'DeleteBucketCors'],
  ['GET /b?encryption', 'GetBucketEncryption'],
  ['PUT /b?encryption', 'PutBucketEncryption'],
  ['DELETE /b?encryption', 'DeleteBucketEncryption'],
  ['GET /b?requestPayment', 'GetBucketRequestPayment'],
  ['PUT /b?requestPayment', 'PutBucketRequestPayment'],
  ['GET /b?versioning', 'GetBucketVersioning'],
  ['PUT /b?versioning', 'PutBucketVersioning'],
  ['GET /b?accelerate', 'GetBucketAccelerateConfiguration'],
  ['PUT /b?accelerate', 'PutBucketAccelerateConfiguration'],
  ['GET /b?acl', 'GetBucketAcl'],
  ['PUT /b?acl', 'PutBucketAcl'],
  ['GET /b?logging', 'GetBucketLogging'],
  ['PUT /b?logging', 'PutBucketLogging'],
  ['GET /b?notification', 'GetBucketNotificationConfiguration'],
  ['PUT /b?notification', 'PutBucketNotificationConfiguration'],
  ['GET /b?ownershipControls', 'GetBucketOwnershipControls'],
  ['PUT /b?ownershipControls', 'PutBucketOwnershipControls'],
  ['GET /b?replication', 'GetBucketReplication'],
  ['PUT /b?replication', 'PutBucketReplication'],
  ['GET /b?tagging', 'GetBucketTagging'],
  ['PUT /b?tagging', 'PutBucketTagging'],
  ['DELETE /b?ownershipControls', 'DeleteBucketOwnershipControls'],
  ['DELETE /b?replication', 'DeleteBucketReplication'],
  ['DELETE /b?tagging', 'DeleteBucketTagging'],
  ['DELETE /b?lifecycle', 'DeleteBucketLifecycle'],
  ['GET /b?publicAccessBlock', 'GetPublicAccessBlock'],
  ['PUT /b?publicAccessBlock', 'PutPublicAccessBlock'],
  ['DELETE /b?publicAccessBlock', 'DeletePublicAccessBlock'],
  ['GET /b?object-lock', 'GetObjectLockConfiguration'],
  ['PUT /b?object-lock', 'PutObjectLockConfiguration'],
  ['GET /b', 'ListObjects'],
  ['GET /b?versions', 'ListObjectVersions'],
  ['GET /b?prefix=&delimiter=/&marker=', 'ListObjects'],
  ['GET /b?list-type=2', 'ListObjectsV2'],
  ['GET /b?list-type=2&prefix=&continuation-token=', 'ListObjectsV2'],
  ['POST /b?delete', 'DeleteObjects'],
  ['POST /b?delete=', 'DeleteObjects'],
  ['POST /b', 'PostObject'],
  ['OPTIONS /', 'PreflightRequest'],
  ['OPTIONS /b', 'PreflightRequest'],
  ['OPTIONS /b/k?acl', 'PreflightRequest'],
  ['GET /b?uploads', 'ListMultipartUploads'],
  ['GET /b?uploads&prefix=x&key-marker=', 'ListMultipartUploads'],
  ['GET /b/k?acl', 'GetObjectAcl'],
  ['PUT /b/k?acl', 'PutObjectAcl'],
  ['GET /b/k?legal-hold', 'GetObjectLegalHold'],
  ['PUT /b/k?legal-hold', 'PutObjectLegalHold'],
  ['GET /b/k?retention', 'GetObjectRetention'],
  ['PUT /b/k?retention', 'PutObjectRetention'],
  ['GET /b/k?tagging', 'GetObjectTagging'],
  ['PUT /b/k?tagging', 'PutObjectTagging'],
  ['DELETE /b/k?tagging', 'DeleteObjectTagging'],
  ['PUT /b/k', 'PutObject'],
  ['PUT /b/k?x-id=PutObject', 'PutObject'],
  ['PUT /b/k?x-id=CopyObject', 'PutObject'],
  ['PUT /b/k', 'CopyObject', COPY],
  ['GET /b/k', 'GetObject'],
  ['GET /b/k?partNumber=1&versionId=null&response-content-type=x', 'GetObject'],
  ['GET /b/k?attributes', 'GetObjectAttributes'],
  ['GET /b/k?attributes&versionId=null', 'GetObjectAttributes'],
  ['HEAD /b/k?partNumber=1', 'HeadObject'],
  ['DELETE /b/k', 'DeleteObject'],
  ['POST /b/k?uploads', 'CreateMultipartUpload'],
  ['PUT /b/k?partNumber=1&uploadId=u', 'UploadPart'],
  ['PUT /b/k?partNumber=1&uploadId=u', 'UploadPartCopy', COPY],
  ['GET /b/k?uploadId=u', 'ListParts'],
  ['GET /b/k?uploadId=u&max-parts=1&part-number-marker=', 'ListParts'],
  ['POST /b/k?uploadId=u', 'CompleteMultipartUpload'],
  ['DELETE /b/k?uploadId=u', 'AbortMultipartUpload'],
]

describe('Detection of what works', () => {
  test.each(BUILT.map(([line, name, entries]) => ({ line, name, entries })))(
    '$line is $name',
    ({ line, name, entries }) => {
      expect(detect(line, entries)).toBe(name)
      expect(() => requireBuilt(name, false)).not.toThrow()
    },
  )

  test('covers every built operation', () => {
    const built = OPERATION_NAMES.filter((name) => OPERATIONS[name].built).sort()
    expect([...new Set(BUILT.map(([, name]) => name))].sort()).toEqual(built)
  })
})

describe('Detection of what does not', () => {
  const byTable = OPERATION_NAMES.filter(
    (name) => !['ListDirectoryBuckets', 'WriteGetObjectResponse', 'PreflightRequest'].includes(name),
  )

  test.each(byTable)('%s is what its row says', (name) => {
    const { method, resource, subresource, selector }: OperationRow = OPERATIONS[name]
    const path = { service: '/', bucket: '/b', object: '/b/k' }[resource]
    const parameters = [
      ...(subresource === undefined ? [] : [subresource]),
      ...(selector !== undefined && 'query' in selector ? [`${selector.query}=1`] : []),
      ...(name.startsWith('UploadPart') ? ['partNumber=1'] : []),
    ]
    const entries = selector !== undefined && 'header' in selector ? { [selector.header]: 'x' } : {}
    expect(detect(`${method} ${path}?${parameters.join('&')}`, entries)).toBe(name)
  })

  test.each([
    ['GET /b?policy', 'GetBucketPolicy'],
    ['GET /b?analytics&x-id=GetBucketAnalyticsConfiguration', 'ListBucketAnalyticsConfigurations'],
    ['GET /b?analytics&id=1', 'GetBucketAnalyticsConfiguration'],
    ['POST /b/k?select&select-type=2', 'SelectObjectContent'],
  ] as const)('%s is %s, which is refused with NotImplemented', (line, name) => {
    expect(detect(line)).toBe(name)
    expect(codeOf(() => requireBuilt(name, false))).toBe('NotImplemented')
  })

  test('the way back of Object Lambda has a path of its own', () => {
    expect(detectOperation('POST', { bucket: 'WriteGetObjectResponse' }, query(), headers())).toBe(
      'WriteGetObjectResponse',
    )
  })

  test('the refusal says why', () => {
    expect(refusal(() => requireBuilt('GetObjectTorrent', false)).message).toContain('AWS has discontinued BitTorrent')
  })
})

describe('Methods (B22)', () => {
  test.each([
    ['POST /', 'SERVICE', 'GET'],
    ['HEAD /', 'SERVICE', 'GET'],
    ['PATCH /b', 'BUCKET', undefined],
    ['POST /b/k', 'OBJECT', undefined],
    ['DELETE /b?location', 'LOCATION', 'GET'],
    ['HEAD /b/k?acl', 'ACL', 'GET, PUT'],
    ['PUT /b?delete', 'DELETE', 'POST'],
    ['HEAD /b/k?uploadId=u', 'UPLOADID', undefined],
    ['DELETE /b?uploads', 'UPLOADS', 'GET'],
  ])('%s is MethodNotAllowed', (line, type, allow) => {
    expect(answer(() => detect(line))).toEqual({
      status: 405,
      code: 'MethodNotAllowed',
      extra: { Method: line.split(' ')[0], ResourceType: type },
    })
    if (allow !== undefined) expect(refusal(() => detect(line)).headers.allow).toBe(allow)
  })
})

describe('Query parameters (B22)', () => {
  test('unknown ones with a value are ignored, and x-id', () => {
    expect(detect('GET /b/k?foo=bar&x-id=DeleteObject')).toBe('GetObject')
    expect(detect('DELETE /b/k?foo=bar')).toBe('DeleteObject')
    expect(detect('GET /b/k?X-Amz-Signature=x&X-Amz-Security-Token=')).toBe('GetObject')
  })

  test.each(['GET /b/k?newSubresource', 'DELETE /b/k?newSubresource', 'PUT /b?newSubresource=', 'GET /b?ACL'])(
    '%s looks like a sub-resource: NotImplemented, never the operation beside it',
    (line) => {
      expect(codeOf(() => detect(line))).toBe('NotImplemented')
    },
  )

  test('two sub-resources are InvalidArgument', () => {
    expect(codeOf(() => detect('GET /b?acl&policy'))).toBe('InvalidArgument')
  })

  test('a sub-resource of buckets with a key is InvalidRequest (B80)', () => {
    expect(refusal(() => detect('GET /b/k?policy')).message).toBe(
      'Key is not expected for the GET method ?policy subresource',
    )
    expect(codeOf(() => detect('POST /b/k?delete'))).toBe('InvalidRequest')
  })

  test('one of objects without a key, or of buckets without a bucket, is InvalidRequest', () => {
    expect(codeOf(() => detect('PUT /b?uploadId=u&partNumber=1'))).toBe('InvalidRequest')
    expect(codeOf(() => detect('GET /b?torrent'))).toBe('InvalidRequest')
    expect(codeOf(() => detect('GET /?acl'))).toBe('InvalidRequest')
  })

  test('?uploads of a key is a POST only (B80)', () => {
    expect(refusal(() => detect('GET /b/k?uploads')).message).toBe(
      'Key is not expected for the GET method ?uploads subresource',
    )
    expect(codeOf(() => detect('DELETE /b/k?uploads'))).toBe('MethodNotAllowed')
  })

  test('half of what names a part never writes a whole object', () => {
    expect(codeOf(() => detect('PUT /b/k?partNumber=1'))).toBe('InvalidArgument')
    expect(codeOf(() => detect('PUT /b/k?partNumber=1', COPY))).toBe('InvalidArgument')
    expect(codeOf(() => detect('PUT /b/k?uploadId=u'))).toBe('InvalidArgument')
  })

  test('whatever comes is an operation or a refusal', () => {
    const word = fc.constantFrom(
      'acl',
      'uploads',
      'uploadId=u',
      'partNumber=1',
      'x=1',
      'x',
      'delete',
      'list-type=2',
      'id=1',
    )
    fc.assert(
      fc.property(
        fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS', 'constructor'),
        fc.constantFrom('/', '/b', '/b/k'),
        fc.array(word, { maxLength: 3 }),
        (method, path, words) => {
          try {
            expect(OPERATION_NAMES).toContain(detect(`${method} ${path}?${words.join('&')}`))
          } catch (error) {
            expect(error).toBeInstanceOf(S3Error)
          }
        },
      ),
    )
  })
})

describe('The operation table', () => {
  test('has 112 operations of S3 and two requests of HTTP', () => {
    expect(OPERATION_NAMES).toHaveLength(114)
    expect(new Set(OPERATION_NAMES).size).toBe(114)
    expect(Object.keys(OPERATIONS).sort()).toEqual([...OPERATION_NAMES].sort())
  })

  test('asks for write access wherever something changes', () => {
    for (const name of OPERATION_NAMES) {
      const { method, access, built }: OperationRow = OPERATIONS[name]
      if (!built) continue
      expect(access === 'write', name).toBe(!['GET', 'HEAD', 'OPTIONS'].includes(method))
    }
  })

  test('asks for read access to copy sources', () => {
    expect(OPERATION_NAMES.filter((name) => OPERATIONS[name].copySource)).toEqual(['CopyObject', 'UploadPartCopy'])
  })
})
