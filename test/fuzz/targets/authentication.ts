/** What claims to be signed. */
import fc from 'fast-check'
import { authenticate } from '../../../src/s3/auth/authenticate.ts'
import { chunkedDecoder } from '../../../src/s3/aws-chunked.ts'
import { Headers } from '../../../src/s3/headers.ts'
import { Query } from '../../../src/s3/query.ts'
import { rawHeaders, rawQuery } from '../arbitraries.ts'
import { mutated } from '../mutate.ts'
import { orRefuse, parserTarget } from '../target.ts'

const NOW = new Date('2024-01-01T00:00:00Z')
const CREDENTIAL = 'KEY/20240101/us-east-1/s3/aws4_request'
const ZEROS = '0'.repeat(64)
const AUTHORIZATION = [
  `AWS4-HMAC-SHA256 Credential=${CREDENTIAL}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=${ZEROS}`,
  `AWS4-HMAC-SHA256 Credential=${CREDENTIAL},SignedHeaders=host,Signature=${ZEROS}`,
  'AWS KEY:signature',
  'AWS4-ECDSA-P256-SHA256 Credential=a',
  'Basic YTpi',
].map((text) => Buffer.from(text))

const headers = rawHeaders({
  host: ['gate.example'],
  'x-amz-date': ['20240101T000000Z', '20230101T000000Z'],
  date: ['Mon, 01 Jan 2024 00:00:00 GMT'],
  'x-amz-content-sha256': [
    'UNSIGNED-PAYLOAD',
    ZEROS,
    'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
  ],
  'x-amz-decoded-content-length': ['5', '0'],
  'x-amz-trailer': ['x-amz-checksum-crc32'],
  'x-amz-security-token': ['token'],
})

const query = rawQuery({
  'X-Amz-Algorithm': ['AWS4-HMAC-SHA256'],
  'X-Amz-Credential': [encodeURIComponent(CREDENTIAL)],
  'X-Amz-Date': ['20240101T000000Z'],
  'X-Amz-Expires': ['3600', '604800', '604801'],
  'X-Amz-SignedHeaders': ['host', 'host%3Bx-amz-date'],
  'X-Amz-Signature': [ZEROS],
  'X-Amz-Content-Sha256': ['UNSIGNED-PAYLOAD'],
  AWSAccessKeyId: ['KEY'],
})

const input = fc.record({
  headers,
  authorization: fc.option(mutated(AUTHORIZATION, 3), { nil: undefined }),
  query: fc.oneof(fc.constant(''), query),
})

export const authenticationTarget = parserTarget(
  'authentication',
  8,
  input,
  ({ headers: raw, authorization, query: rawText }) => {
    const claimed = authorization === undefined ? [] : ['authorization', authorization.toString('latin1')]
    const wire = new Headers([...raw, ...claimed])
    let parsed: Query
    try {
      parsed = new Query(rawText)
    } catch {
      return
    }
    const request = { method: 'GET', rawPath: '/bucket/key', query: parsed, headers: wire }
    const lookup = (key: string): { secret: string } | undefined => (key === 'KEY' ? { secret: 'secret' } : undefined)
    const caller = orRefuse(() => authenticate(request, { now: NOW, region: 'us-east-1', lookup }))
    if (caller !== undefined) throw new Error('a made-up signature holds')
    orRefuse(() => chunkedDecoder({ kind: 'unsigned-trailer' }, wire))
  },
)
