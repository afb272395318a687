/** The operations on configurations of a bucket that work: kept and told by the gateway, or handed on to a store that speaks S3. */
import type { OperationRow } from './operation-row.ts'

const COMMON = { built: true, resource: 'bucket', access: 'admin', query: [], headers: [] } as const

/** What may accompany a document. */
const DOCUMENT_HEADERS = [
  'x-amz-checksum-crc32',
  'x-amz-checksum-crc32c',
  'x-amz-checksum-crc64nvme',
  'x-amz-checksum-sha1',
  'x-amz-checksum-sha256',
  'x-amz-checksum-sha512',
  'x-amz-checksum-md5',
  'x-amz-checksum-xxhash64',
  'x-amz-checksum-xxhash3',
  'x-amz-checksum-xxhash128',
  'x-amz-sdk-checksum-algorithm',
  'x-amz-trailer',
  'x-amz-decoded-content-length',
]

const GET = { ...COMMON, method: 'GET', status: 200, body: 'none' } as const
const PUT = {
  ...COMMON,
  method: 'PUT',
  access: 'write',
  status: 200,
  body: 'document',
  headers: DOCUMENT_HEADERS,
} as const

const DELETE = { ...COMMON, method: 'DELETE', access: 'write', status: 204, body: 'none' } as const

const PAYMENT = 'Kept and told on the embedded store: nobody is billed. Forwarded to a store that speaks S3.'
const ENCRYPTION =
  'What new objects are encrypted with unless they say it themselves. Kept by the gateway, never by a store that speaks S3.'

const VERSIONING = 'Kept and obeyed by the embedded store, without MFA delete. Forwarded to a store that speaks S3.'
const CORS = 'Kept by the gateway and judged by it, before any store: browsers talk to the gateway.'

export const CONFIGURATION_OPERATIONS = {
  GetBucketCors: { ...GET, class: 'own', subresource: 'cors', reason: CORS },
  PutBucketCors: { ...PUT, class: 'own', subresource: 'cors', reason: CORS },
  DeleteBucketCors: { ...DELETE, class: 'own', subresource: 'cors', reason: CORS },
  GetBucketEncryption: { ...GET, class: 'own', subresource: 'encryption', reason: ENCRYPTION },
  PutBucketEncryption: { ...PUT, class: 'own', subresource: 'encryption', reason: ENCRYPTION },
  DeleteBucketEncryption: { ...DELETE, class: 'own', subresource: 'encryption', reason: ENCRYPTION },
  GetBucketRequestPayment: { ...GET, class: 'forwarded', subresource: 'requestPayment', reason: PAYMENT },
  PutBucketRequestPayment: { ...PUT, class: 'forwarded', subresource: 'requestPayment', reason: PAYMENT },
  GetBucketVersioning: { ...GET, class: 'forwarded', subresource: 'versioning', reason: VERSIONING },
  PutBucketVersioning: { ...PUT, class: 'forwarded', subresource: 'versioning', reason: VERSIONING },
} as const satisfies Record<string, OperationRow>
