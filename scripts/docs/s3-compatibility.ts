/** Renders docs/s3-compatibility.md from the operation table, with the choices where public expectations disagree. */
import { CHECKSUMS } from '../../src/s3/checksum.ts'
import { OPERATIONS } from '../../src/s3/operation.ts'
import { renderDifferences } from './differences.ts'
import { OPERATION_NAMES, type OperationName } from '../../src/s3/operation-name.ts'
import type { OperationClass, OperationRow } from '../../src/s3/operation-row.ts'

const CLASSES: Readonly<Record<OperationClass, string>> = {
  sealed: 'translated: contents, sizes or names are not what the backend sees',
  own: 'decided by the gateway itself',
  forwarded: 'handed on unchanged to a backend that speaks S3; done here, where it works, for one that does not',
  refused: 'not offered',
}

const PLACES = { service: '/', bucket: '/bucket', object: '/bucket/key' } as const

/** `PUT /bucket/key?uploadId` and what else tells it from its neighbour. */
const request = ({ method, resource, subresource, selector }: OperationRow): string => {
  const path = `${method} ${PLACES[resource]}${subresource === undefined ? '' : `?${subresource}`}`
  if (selector === undefined) return `\`${path}\``
  return 'query' in selector ? `\`${path}\` with \`${selector.query}\`` : `\`${path}\` with \`${selector.header}\``
}

const table = (names: readonly OperationName[], last: string): string =>
  [
    `| operation | request | class | ${last} |`,
    '|---|---|---|---|',
    ...names.map((name) => {
      const row: OperationRow = OPERATIONS[name]
      return `| ${name} | ${request(row)} | ${row.class} | ${row.reason} |`
    }),
  ].join('\n')

const select = (keep: (row: OperationRow) => boolean): OperationName[] =>
  OPERATION_NAMES.filter((name) => keep(OPERATIONS[name])).sort()

/** Where test suites and AWS expect different answers: what was asked, and what the gateway does. */
const CHOICES: readonly (readonly [string, string])[] = [
  ['`partNumber` beyond the last part', '416 `InvalidPartNumber`, as AWS; ceph/s3-tests expects 400 `InvalidPart`.'],
  [
    'Presigned URL with `X-Amz-Expires` out of range',
    '400 `AuthorizationQueryParametersError`, as AWS; s3-tests expects 403.',
  ],
  ['`DisplayName` of owners', 'Present. AWS stopped sending it in 2025; clients that know it still expect it.'],
  ['Empty `continuation-token`', '400 `InvalidArgument`, as AWS; s3-tests expects it to be accepted.'],
  ['PUT with `Transfer-Encoding: chunked` and no length', 'Accepted, as s3-tests expects; AWS answers 501.'],
  [
    '`x-amz-copy-source-if-none-match` that matches',
    '412, as the AWS reference and s3-tests say; the suite of versitygw expects 304.',
  ],
  ['`?torrent`', '501 `NotImplemented`; AWS has discontinued it.'],
  ['SigV2', '400; only AWS Signature Version 4 is spoken, in POST forms too.'],
  ['Anonymous ListBuckets', '403 `AccessDenied`; s3-tests expects an empty list.'],
  [
    'Wrong customer key (SSE-C)',
    '403 `AccessDenied`, as AWS; s3-tests expects 400. A wrong key with a part of an upload is 400 `InvalidRequest`.',
  ],
  [
    'GetBucketEncryption of a bucket that has none',
    '404 `ServerSideEncryptionConfigurationNotFoundError`, as s3-tests and other stores; AWS answers AES256 since 2023. Objects are sealed either way; where nobody asked for anything, answers name no server-side encryption but for the sign of an opaque ETag.',
  ],
  ['More than 10 tags', '400 `BadRequest`, as AWS; s3-tests expects `InvalidTag`.'],
  ['Suspending versions under Object Lock', '409 `InvalidBucketState`, as AWS; the suite of versitygw expects 400.'],
  [
    'Retention or legal hold of an object that has none',
    '404 `NoSuchObjectLockConfiguration`, as AWS; the suite of versitygw expects 400.',
  ],
  [
    'A default retention of no days',
    '400 `InvalidRetentionPeriod`, as s3-tests expects; AWS answers `InvalidArgument` for some.',
  ],
  ['S3 Select', 'Not built.'],
]

/** Where the gateway knowingly differs from AWS, or where AWS says little. */
const DEVIATIONS: readonly (readonly [string, string])[] = [
  [
    'Headers that are not built',
    'An `x-amz-*` header that an operation does not know is refused with `NotImplemented`, never ignored: append offsets, and over the embedded store MFA.',
  ],
  [
    'Preconditions on writes',
    'If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since and Content-Range are refused with `NotImplemented` on writes that do not evaluate them.',
  ],
  [
    'Unknown query parameters',
    'Ignored if they have a value. Without one they have the look of a sub-resource, and are refused with `NotImplemented` rather than answered by the operation beside it.',
  ],
  [
    'Server-side encryption',
    'SSE-S3 and SSE-KMS name who wraps the key of an object; the seal is the same. A key id is the alias of a configured key manager: bare, as `alias/…`, or an ARN that ends so; any other is `KMS.NotFoundException`, also in PutBucketEncryption, where AWS does not look. Without a key id, and for AES256, it is the active manager. The key id is told as it was given, the encryption context is kept with the object but not handed to a key manager, and SSE-KMS is not refused over plain HTTP.',
  ],
  [
    "Customers' keys (SSE-C)",
    'Over plain HTTP refused unless `server.customerKeysOverHttp` is set; never read from the query of a presigned URL, and left out of the canonical request that `SignatureDoesNotMatch` shows. All three headers are needed, the MD5 too. Objects are stored under them in every bucket that does not block it with `BlockedEncryptionTypes`; PutBucketEncryption without that element lifts a block.',
  ],
  [
    '`x-amz-acl` of objects',
    'Under `BucketOwnerEnforced` a new object takes what gives all to the owner alone: `bucket-owner-full-control`, `private`, or that grant. AWS refuses `private` there to other accounts only, and there is but one here. PutObjectAcl is `AccessControlListNotSupported` there whatever it asks. `aws-exec-read` is `NotImplemented` for objects: there is no EC2 to grant anything to. Over a store without versions `private` and `bucket-owner-full-control` are accepted, other canned ACLs and grants `NotImplemented`.',
  ],
  [
    'Ownership of objects',
    'New buckets on the embedded store have `BucketOwnerEnforced`, and so no ACLs, as on AWS since April 2023; ceph/s3-tests expects `OwnershipControlsNotFoundError` of a new bucket. After DeleteBucketOwnershipControls a bucket has ACLs, as under `ObjectWriter`.',
  ],
  [
    'Public access block',
    'New buckets on the embedded store block everything, as on AWS since April 2023. `BlockPublicAcls` is enforced; the rest is kept and told: there are no policies, and no ACL lets anybody in.',
  ],
  [
    'ACLs',
    'Kept and told on the embedded store. There is one account: other ids are `InvalidArgument`, addresses `UnresolvableGrantByEmailAddress`, as S3 says of accounts that are not there. Grants to groups are kept and never evaluated; of those to buckets the log and `GET /readyz` say so.',
  ],
  [
    'Configurations that nothing acts on yet',
    'Lifecycle, replication, notification, logging and accelerate of the embedded store are checked as S3 checks them, kept and told. Nothing expires, moves, is replicated, told or logged because of them, and no `x-amz-expiration` promises it: the log says so when one is put and when the gateway starts, and `GET /readyz` counts the buckets. Destinations of notifications are not asked; those of replication and logging must be buckets here.',
  ],
  ['Tags of a bucket with CreateBucket', 'Kept on the embedded store; before a store that speaks S3 `NotImplemented`.'],
  [
    '`x-amz-storage-class`',
    'Classes whose objects can be read at any time are kept and told by the embedded store; they change nothing about how an object is stored. `GLACIER` and `DEEP_ARCHIVE` are `NotImplemented`: on S3 nothing can be read from them before RestoreObject, which is not built. Others are `InvalidStorageClass`. A copy is of the class that its request names, else `STANDARD`.',
  ],
  [
    'Passing over GOVERNANCE',
    'Whoever may write in a bucket may send `x-amz-bypass-governance-retention`: credentials have no right of their own for it.',
  ],
  [
    'Bodies that are to be locked',
    'PutObject with Object Lock headers, or into a bucket with a default retention, needs Content-MD5 or a checksum, as on AWS. Parts and forms do not.',
  ],
  [
    'A store that speaks S3',
    'Storage class, tags, Object Lock and ACL headers pass to it and back, and so do versions; the entries here about them are of the embedded store.',
  ],
  ['`x-amz-request-payer`', '`requester` is accepted; nobody is billed.'],
  [
    '`x-amz-expected-bucket-owner`',
    'Compared with the owner id of the gateway, also for the copy source; another one is 403 `AccessDenied`. A store that speaks S3 is never told: it knows no owner but the gateway.',
  ],
  [
    'Versions',
    'Kept by the embedded store as S3 keeps them, without MFA delete. A `versionId` that is none of its ids is `InvalidArgument`, and so is any on an operation that does not know versions. Deleting a version that is not there is 204.',
  ],
  [
    'Checksums',
    `${Object.keys(CHECKSUMS).join(', ')}; of multipart uploads COMPOSITE, and FULL_OBJECT where the algorithm is a CRC (CRC64NVME that alone). Without a checksum from the client, CRC64NVME is computed for small bodies only (\`checksums.default\`).`,
  ],
  [
    'Presigned URLs',
    '`x-amz-*` parameters count as headers, as on AWS; `x-amz-sdk-checksum-algorithm` alone asks for nothing. A checksum in the URL is enforced, that of an empty body too, which some SDKs put there by default.',
  ],
  [
    'POST forms',
    'A field that comes twice, in whatever case, is refused. Every field must be in the policy but those that AWS names, the bucket too. The Content-Type is that of the field, never that of the file part. What follows the file is ignored up to 1 MiB.',
  ],
  [
    'Anonymous requests',
    'Denied but where `buckets[].public` says otherwise, whatever exists. They read no versions, and an upload carries contents, checksums and metadata only.',
  ],
  [
    'CORS',
    'Rules of the bucket count, else those of the settings, which GetBucketCors does not tell. A preflight answers the same for a bucket without rules and for one that does not exist. Methods are compared as they are: a rule for GET does not allow HEAD.',
  ],
  [
    'User metadata',
    'Kept as the bytes received. Values beyond ASCII are returned in RFC 2047 encoding, as on AWS, which reads UTF-8 bytes as ISO-8859-1 first; here they are what they say. Values with unprintable characters are left out and counted in `x-amz-missing-meta`.',
  ],
  [
    'Continuation inside a common prefix',
    'A `marker` or `start-after` that lies inside a common prefix skips the whole prefix.',
  ],
  [
    'Keys with control characters',
    'Written as character references where the client does not ask for `encoding-type=url`. Request documents may hold them as references or raw.',
  ],
  [
    'Copies of multipart objects',
    'Keep their parts, their checksum and the `-N` of their ETag where the sealed body is shared. AWS writes such a copy in one piece, with the MD5 and the checksum of the whole.',
  ],
  [
    'Parts of an upload with a checksum algorithm',
    'Of a COMPOSITE one each part must come with its checksum, as on AWS; of a FULL_OBJECT one the gateway computes what is not sent.',
  ],
  [
    '`x-amz-object-attributes`: `ObjectParts`',
    'Parts are listed where the checksum of the object is composed of theirs; otherwise their number alone is told, as on AWS.',
  ],
  ['`x-amz-copy-source`', 'A `+` that is not encoded is a space, as on AWS. Access points are `NotImplemented`.'],
  [
    'Copies beyond 5 GiB',
    'CopyObject of a source of more than 5 GiB of plaintext is `InvalidRequest`, as on AWS; clients copy it by UploadPartCopy, as they do there. A source of up to 5 GiB whose sealed size is beyond what one request of the store copies is copied in parts inside the store, and nobody sees it.',
  ],
  ['Location constraint', 'None at all is accepted whatever the region is.'],
  ['If-Range', 'Honoured: a range of an object that has changed since is answered with the whole object.'],
  ['If-Match with several ETags on a write', '`NotImplemented`: no store evaluates them atomically.'],
]

const definitions = (rows: readonly (readonly [string, string])[], head: string): string =>
  [`| ${head} | what the gateway does |`, '|---|---|', ...rows.map(([what, does]) => `| ${what} | ${does} |`)].join(
    '\n',
  )

/** The whole of docs/s3-compatibility.md. */
export const renderS3Compatibility = (): string => {
  const built = select((row) => row.built)
  const forwarded = select((row) => !row.built && row.class === 'forwarded')
  const later = select((row) => !row.built && row.class !== 'refused' && row.class !== 'forwarded')
  const refused = select((row) => !row.built && row.class === 'refused')
  return `# S3 compatibility

This file is made by \`npm run docs\` from the operation table (\`src/s3/operation.ts\`); do not edit it by hand.

What becomes of each of the 112 operations of S3, and of the two requests that are part of its HTTP surface only (POST forms,
CORS preflights). Whatever does not work is refused with 501 \`NotImplemented\` and a reason; a header or sub-resource that asks for it
is refused too, never ignored.

| class | meaning |
|---|---|
${Object.entries(CLASSES)
  .map(([name, meaning]) => `| ${name} | ${meaning} |`)
  .join('\n')}

## What works (${built.length})

${table(built, 'how')}

## Forwarded to a store that speaks S3 (${forwarded.length})

Verified, signed anew and handed on unchanged, both ways; over the embedded store \`NotImplemented\`.

${table(forwarded, 'how')}

## Not built yet (${later.length})

${table(later, 'how it will be handled')}

## Not offered (${refused.length})

${table(refused, 'why')}

## Where expectations disagree

The public test suites and AWS do not always want the same. The gateway follows AWS unless a line here says otherwise.

${definitions(CHOICES, 'case')}

## Choices and deviations

${definitions(DEVIATIONS, 'subject')}

${renderDifferences()}
`
}
