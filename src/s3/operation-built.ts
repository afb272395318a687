/** The operations that work. */
import type { OperationRow } from './operation-row.ts'

/** Any checksum of a body, in a header or announced as a trailer. */
const CHECKSUM_HEADERS = [
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
]

/** What accompanies any body. Values are judged by `screen.ts` and `checksum-headers.ts`. */
export const BODY_HEADERS = [
  ...CHECKSUM_HEADERS,
  'x-amz-sdk-checksum-algorithm',
  'x-amz-trailer',
  'x-amz-decoded-content-length',
]

export const ACL_HEADERS = [
  'x-amz-acl',
  'x-amz-grant-full-control',
  'x-amz-grant-read',
  'x-amz-grant-read-acp',
  'x-amz-grant-write',
  'x-amz-grant-write-acp',
]

/** What makes a new object; `screen.ts` accepts only values that change nothing. */
const NEW_OBJECT_HEADERS = ['x-amz-acl', 'x-amz-storage-class', 'x-amz-website-redirect-location']

const COPY_HEADERS = [
  'x-amz-copy-source',
  'x-amz-copy-source-if-match',
  'x-amz-copy-source-if-modified-since',
  'x-amz-copy-source-if-none-match',
  'x-amz-copy-source-if-unmodified-since',
  'x-amz-source-expected-bucket-owner',
]

const WRITE_CONDITIONS = ['if-match', 'if-none-match']

const READ_PARAMETERS = [
  'partNumber',
  'response-cache-control',
  'response-content-disposition',
  'response-content-encoding',
  'response-content-language',
  'response-content-type',
  'response-expires',
  'versionId',
]

const LIST_PARAMETERS = ['delimiter', 'encoding-type', 'prefix']

const TRANSITION_MINIMUM = 'x-amz-transition-default-minimum-object-size'
const LIFECYCLE =
  'Rules of a store that speaks S3 are its own; size thresholds are translated to the sizes that it sees, and back. Checked, kept and told on the embedded store, and nothing acts on them yet: that is logged, and counted by `GET /readyz`.'

const OBJECT = { class: 'sealed', built: true, resource: 'object', status: 200 } as const
const BUCKET = {
  class: 'own',
  built: true,
  resource: 'bucket',
  status: 200,
  body: 'none',
  query: [],
  headers: [],
} as const

export const BUILT_OPERATIONS = {
  PutObject: {
    ...OBJECT,
    method: 'PUT',
    access: 'write',
    body: 'object',
    query: [],
    headers: [...BODY_HEADERS, ...NEW_OBJECT_HEADERS, ...WRITE_CONDITIONS],
    reason: 'The body is verified and sealed on its way; length, ETag and checksums are those of the plaintext.',
  },
  GetObject: {
    ...OBJECT,
    method: 'GET',
    access: 'read',
    body: 'none',
    query: READ_PARAMETERS,
    headers: ['x-amz-checksum-mode'],
    reason: 'Ranges are mapped to the chunks that hold them; only verified plaintext is sent.',
  },
  HeadObject: {
    ...OBJECT,
    method: 'HEAD',
    access: 'read',
    body: 'none',
    query: READ_PARAMETERS,
    headers: ['x-amz-checksum-mode'],
    reason: 'The same headers as GetObject, from the sealed metadata.',
  },
  GetObjectAttributes: {
    ...OBJECT,
    method: 'GET',
    access: 'read',
    subresource: 'attributes',
    body: 'none',
    query: ['versionId'],
    headers: ['x-amz-max-parts', 'x-amz-object-attributes', 'x-amz-part-number-marker'],
    reason: 'Size, ETag, checksums and parts of the plaintext, from the sealed metadata and the tail.',
  },
  DeleteObject: {
    ...OBJECT,
    method: 'DELETE',
    access: 'write',
    status: 204,
    body: 'none',
    query: ['versionId'],
    headers: ['if-match'],
    reason: "If-Match is translated to the backend's own ETag.",
  },
  DeleteObjects: {
    ...OBJECT,
    method: 'POST',
    resource: 'bucket',
    access: 'write',
    subresource: 'delete',
    body: 'document',
    query: [],
    headers: BODY_HEADERS,
    reason: 'Each key is authorised and deleted by itself; ETag conditions are translated.',
  },
  CopyObject: {
    ...OBJECT,
    method: 'PUT',
    access: 'write',
    selector: { header: 'x-amz-copy-source' },
    copySource: true,
    body: 'none',
    query: [],
    headers: [
      ...COPY_HEADERS,
      ...NEW_OBJECT_HEADERS,
      ...WRITE_CONDITIONS,
      'x-amz-checksum-algorithm',
      'x-amz-metadata-directive',
      'x-amz-tagging-directive',
    ],
    reason:
      'The data key is wrapped anew for the destination, or the bytes are sealed again where the store cannot copy.',
  },
  ListObjects: {
    ...OBJECT,
    method: 'GET',
    resource: 'bucket',
    access: 'list',
    body: 'none',
    query: [...LIST_PARAMETERS, 'marker', 'max-keys'],
    headers: ['x-amz-optional-object-attributes'],
    reason: 'Sizes and ETags are those of the plaintext.',
  },
  ListObjectsV2: {
    ...OBJECT,
    method: 'GET',
    resource: 'bucket',
    access: 'list',
    selector: { query: 'list-type' },
    body: 'none',
    query: [...LIST_PARAMETERS, 'continuation-token', 'fetch-owner', 'list-type', 'max-keys', 'start-after'],
    headers: ['x-amz-optional-object-attributes'],
    reason: "Sizes and ETags are those of the plaintext; continuation tokens are the gateway's own.",
  },
  ListObjectVersions: {
    ...OBJECT,
    method: 'GET',
    resource: 'bucket',
    access: 'list',
    subresource: 'versions',
    body: 'none',
    query: [...LIST_PARAMETERS, 'key-marker', 'max-keys', 'version-id-marker'],
    headers: ['x-amz-optional-object-attributes'],
    reason: 'On a store that has versions: its own listing, with sizes and ETags of the plaintext.',
  },
  ListBuckets: {
    ...BUCKET,
    method: 'GET',
    resource: 'service',
    access: 'list',
    query: ['bucket-region', 'continuation-token', 'max-buckets', 'prefix'],
    reason: 'Shows the buckets that the credential may see.',
  },
  CreateBucket: {
    ...BUCKET,
    method: 'PUT',
    access: 'write',
    body: 'document',
    headers: [...BODY_HEADERS, ...ACL_HEADERS, 'x-amz-bucket-object-lock-enabled', 'x-amz-object-ownership'],
    reason: 'The location constraint is checked against the region of the gateway.',
  },
  HeadBucket: { ...BUCKET, method: 'HEAD', access: 'read', reason: 'Asks the store.' },
  DeleteBucket: {
    ...BUCKET,
    method: 'DELETE',
    access: 'write',
    status: 204,
    reason: 'Only an empty bucket is deleted; multipart uploads in progress do not count.',
  },
  GetBucketLifecycleConfiguration: {
    ...OBJECT,
    method: 'GET',
    resource: 'bucket',
    access: 'admin',
    subresource: 'lifecycle',
    body: 'none',
    query: [],
    headers: [],
    reason: LIFECYCLE,
  },
  PutBucketLifecycleConfiguration: {
    ...OBJECT,
    method: 'PUT',
    resource: 'bucket',
    access: 'write',
    subresource: 'lifecycle',
    body: 'document',
    query: [],
    headers: [...BODY_HEADERS, TRANSITION_MINIMUM],
    reason: LIFECYCLE,
  },
  GetBucketLocation: {
    ...BUCKET,
    method: 'GET',
    access: 'read',
    subresource: 'location',
    reason: 'Answers the region of the gateway.',
  },
  CreateMultipartUpload: {
    ...OBJECT,
    method: 'POST',
    access: 'write',
    subresource: 'uploads',
    body: 'none',
    query: [],
    headers: [...NEW_OBJECT_HEADERS, 'x-amz-checksum-algorithm', 'x-amz-checksum-type'],
    reason: 'Chooses the data key and keeps metadata and checksum algorithm in the state store.',
  },
  UploadPart: {
    ...OBJECT,
    method: 'PUT',
    access: 'write',
    subresource: 'uploadId',
    body: 'object',
    query: ['partNumber'],
    headers: BODY_HEADERS,
    reason: 'Each part is sealed by itself, on any replica, in any order.',
  },
  UploadPartCopy: {
    ...OBJECT,
    method: 'PUT',
    access: 'write',
    subresource: 'uploadId',
    selector: { header: 'x-amz-copy-source' },
    copySource: true,
    body: 'none',
    query: ['partNumber'],
    headers: [...COPY_HEADERS, 'x-amz-copy-source-range'],
    reason: 'The range of the source is opened and sealed again as a part.',
  },
  ListParts: {
    ...OBJECT,
    method: 'GET',
    access: 'list',
    subresource: 'uploadId',
    body: 'none',
    query: ['encoding-type', 'max-parts', 'part-number-marker'],
    headers: [],
    reason: 'Sizes, ETags and checksums are those of the plaintext.',
  },
  CompleteMultipartUpload: {
    ...OBJECT,
    method: 'POST',
    access: 'write',
    subresource: 'uploadId',
    body: 'document',
    query: [],
    headers: [...BODY_HEADERS, ...WRITE_CONDITIONS, 'x-amz-checksum-type', 'x-amz-mp-object-size'],
    reason: 'ETags, sizes and checksums of the parts are checked as plaintext; checksums are composed or combined.',
  },
  AbortMultipartUpload: {
    ...OBJECT,
    method: 'DELETE',
    access: 'write',
    status: 204,
    subresource: 'uploadId',
    body: 'none',
    query: [],
    headers: [],
    reason: 'Also clears the state of the upload.',
  },
  ListMultipartUploads: {
    ...OBJECT,
    method: 'GET',
    resource: 'bucket',
    access: 'list',
    subresource: 'uploads',
    body: 'none',
    query: [...LIST_PARAMETERS, 'key-marker', 'max-uploads', 'upload-id-marker'],
    headers: [],
    reason: 'Shows the uploads made through the gateway.',
  },
} as const satisfies Record<string, OperationRow>
