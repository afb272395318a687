/** The request line: where a request goes and what it is. */
import fc from 'fast-check'
import { parseTarget } from '../../../src/s3/address.ts'
import { parseCopySource, parseCopySourceRange } from '../../../src/s3/copy-source.ts'
import { detectOperation } from '../../../src/s3/detect.ts'
import { Headers } from '../../../src/s3/headers.ts'
import { OPERATIONS } from '../../../src/s3/operation.ts'
import { OPERATION_NAMES } from '../../../src/s3/operation-name.ts'
import { screenRequest, withQueryHeaders } from '../../../src/s3/screen.ts'
import { near, rawHeaders } from '../arbitraries.ts'
import { mutated } from '../mutate.ts'
import { orRefuse, parserTarget } from '../target.ts'

const URLS = [
  '/',
  '/bucket',
  '/bucket/key',
  '/bucket/a//b/../c/./%2F',
  '/bucket/%C3%BC%20%2B+',
  'http://host:1/bucket/key?x',
  '/bucket?list-type=2&prefix=a%2F&x-id=ListObjectsV2',
  '/bucket/key?uploadId=a&partNumber=1&X-Amz-Signature=0&X-Amz-Meta-A=b',
  '/bucket/key?versionId=null&response-content-type=a%2Fb',
  ...OPERATION_NAMES.map((name) => OPERATIONS[name].subresource).map((name) => `/bucket/key?${name ?? ''}`),
].map((url) => Buffer.from(url, 'latin1'))

const DOMAINS = ['s3.example', 'sub.s3.example']
const ROWS = {
  host: ['s3.example', 'bucket.s3.example:80', 'a.b.sub.s3.example', '[::1]:9000'],
  'x-amz-copy-source': ['bucket/key', '/b/k?versionId=null', 'arn:aws:s3:::a/b', '%C3%BC'],
  'x-amz-copy-source-range': ['bytes=0-1', 'bytes=0-', 'bytes=5-1'],
  'x-amz-acl': ['private', 'public-read'],
  'x-amz-storage-class': ['STANDARD', 'GLACIER'],
  'x-amz-expected-bucket-owner': ['ab'.repeat(32), '123'],
  'x-amz-server-side-encryption': ['AES256', 'aws:kms'],
  'x-amz-meta-a': ['b', '=?UTF-8?B?4pyTIMOgIGxhIG1vZGU=?='],
  'if-match': ['*', '"a"'],
}

const input = fc.record({
  method: fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', ''),
  url: mutated(URLS, 3).map((bytes) => bytes.toString('latin1')),
  host: fc.option(near(...ROWS.host), { nil: undefined }),
  headers: rawHeaders(ROWS),
  native: fc.boolean(),
})

export const addressTarget = parserTarget('address', 10, input, ({ method, url, host, headers: raw, native }) => {
  const target = orRefuse(() => parseTarget(url, host, DOMAINS))
  if (target === undefined) return
  const headers = orRefuse(() => withQueryHeaders(new Headers(raw), target.query))
  if (headers === undefined) return
  const operation = orRefuse(() => detectOperation(method, target, target.query, headers))
  if (operation === undefined) return
  if (OPERATIONS[operation].built) {
    orRefuse(() =>
      screenRequest(operation, headers, target.query, { ownerId: 'ab'.repeat(32), native, versions: native }),
    )
  }
  const source = headers.get('x-amz-copy-source')
  if (source !== undefined) orRefuse(() => parseCopySource(source))
  orRefuse(() => parseCopySourceRange(headers.get('x-amz-copy-source-range')))
})
