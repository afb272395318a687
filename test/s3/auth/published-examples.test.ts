// The worked examples of the S3 API reference: sigv4-header-based-auth, sigv4-query-string-auth, sigv4-streaming, sigv4-streaming-trailers.
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { canonicalRequest, EMPTY_SHA256, stringToSign } from '../../../src/s3/auth/canonical-request.ts'
import { presignUrl, signRequest } from '../../../src/s3/auth/sign.ts'
import { chunkedDecoder } from '../../../src/s3/aws-chunked.ts'
import { Headers } from '../../../src/s3/headers.ts'
import { ACCESS_KEY, CREDENTIALS, NOW, receive, refusal, type Wire } from './fixtures.ts'

const ORIGIN = 'https://examplebucket.s3.amazonaws.com'
const common = { credentials: CREDENTIALS, region: 'us-east-1', now: NOW }

const HEADER_EXAMPLES = [
  {
    name: 'GET Object',
    method: 'GET',
    url: `${ORIGIN}/test.txt`,
    headers: { Range: 'bytes=0-9' },
    payloadHash: EMPTY_SHA256,
    signature: 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  },
  {
    name: 'PUT Object',
    method: 'PUT',
    url: `${ORIGIN}/test$file.text`,
    headers: { Date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
    payloadHash: createHash('sha256').update('Welcome to Amazon S3.').digest('hex'),
    signature: '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  },
  {
    name: 'GET Bucket Lifecycle',
    method: 'GET',
    url: `${ORIGIN}/?lifecycle`,
    headers: {},
    payloadHash: EMPTY_SHA256,
    signature: 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  },
  {
    name: 'Get Bucket (List Objects)',
    method: 'GET',
    url: `${ORIGIN}/?max-keys=2&prefix=J`,
    headers: {},
    payloadHash: EMPTY_SHA256,
    signature: '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  },
]

describe.each(HEADER_EXAMPLES)(
  'The published example $name',
  ({ method, url, headers: given, payloadHash, signature }) => {
    const example = { method, url, headers: given, payloadHash }
    test('gets the published signature from our signer', () => {
      const headers = signRequest({ ...common, ...example })
      expect(headers['authorization']?.endsWith(`Signature=${signature}`)).toBe(true)
      expect(headers['host']).toBe('examplebucket.s3.amazonaws.com')
    })

    test('is accepted, and refused when one digit of its signature differs', () => {
      const wire: Wire = { ...example, headers: signRequest({ ...common, ...example }) }
      expect(receive(wire)).toMatchObject({ kind: 'header', accessKey: ACCESS_KEY })
      const flipped = wire.headers['authorization']?.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')) ?? ''
      const bad = { ...wire, headers: { ...wire.headers, authorization: flipped } }
      expect(refusal(() => receive(bad)).code).toBe('SignatureDoesNotMatch')
    })
  },
)

test('The canonical request and the string to sign of GET Object are the published ones', () => {
  const headers = signRequest({ ...common, ...HEADER_EXAMPLES[0]! })
  const canonical = canonicalRequest({
    method: 'GET',
    rawPath: '/test.txt',
    rawQuery: '',
    headers: new Headers(Object.entries(headers).flat()),
    signedHeaders: ['host', 'range', 'x-amz-content-sha256', 'x-amz-date'],
    payloadHash: EMPTY_SHA256,
  })
  expect(canonical).toBe(
    `GET\n/test.txt\n\nhost:examplebucket.s3.amazonaws.com\nrange:bytes=0-9\nx-amz-content-sha256:${EMPTY_SHA256}\nx-amz-date:20130524T000000Z\n\nhost;range;x-amz-content-sha256;x-amz-date\n${EMPTY_SHA256}`,
  )
  expect(stringToSign('20130524T000000Z', '20130524/us-east-1/s3/aws4_request', canonical)).toBe(
    'AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972',
  )
})

test('The published presigned URL comes out of our signer letter for letter and is accepted', () => {
  const url = presignUrl({ ...common, method: 'GET', url: `${ORIGIN}/test.txt`, expiresSeconds: 86_400 })
  expect(url).toBe(
    `${ORIGIN}/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404`,
  )
  const wire = { method: 'GET', url, headers: { host: 'examplebucket.s3.amazonaws.com' } }
  expect(receive(wire)).toMatchObject({ kind: 'presigned', payload: { kind: 'unsigned' } })
})

const chunkedExample = (contentSha256: string, authorization: string, more: Record<string, string>): Wire => ({
  method: 'PUT',
  url: 'https://s3.amazonaws.com/examplebucket/chunkObject.txt',
  headers: {
    host: 's3.amazonaws.com',
    'x-amz-date': '20130524T000000Z',
    'x-amz-storage-class': 'REDUCED_REDUNDANCY',
    authorization: `AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,${authorization}`,
    'x-amz-content-sha256': contentSha256,
    'content-encoding': 'aws-chunked',
    'x-amz-decoded-content-length': '66560',
    'content-length': '66824',
    ...more,
  },
})

const decode = (wire: Wire, body: string) => {
  const decoder = chunkedDecoder(receive(wire).payload, new Headers(Object.entries(wire.headers).flat()))
  const length = decoder?.push(Buffer.from(body)).reduce((sum, piece) => sum + piece.length, 0)
  return { length, ...decoder?.end() }
}

test('The published chunked upload is accepted with its seed signature and all its chunk signatures', () => {
  const wire = chunkedExample(
    'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    'SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
    {},
  )
  const body = `10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n${'a'.repeat(65_536)}\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n${'a'.repeat(1024)}\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n`
  expect(body.length).toBe(66_824)
  expect(decode(wire, body)).toEqual({ length: 66_560, trailers: {} })
})

test('The published chunked upload with a trailer is accepted with its trailer signature', () => {
  const wire = chunkedExample(
    'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
    'SignedHeaders=content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer,Signature=106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e',
    { 'x-amz-trailer': 'x-amz-checksum-crc32c' },
  )
  const body = `10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n${'a'.repeat(65_536)}\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n${'a'.repeat(1024)}\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\nx-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n`
  expect(decode(wire, body)).toEqual({ length: 66_560, trailers: { 'x-amz-checksum-crc32c': 'sOO8/Q==' } })
})
