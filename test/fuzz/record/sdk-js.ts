/** What the AWS SDK for JavaScript is asked to send, for the record: every operation and dialect once. */
import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  ListPartsCommand,
  PutBucketCorsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'

const Bucket = 'fuzz-bucket'

/** Sends them; what the gateway refuses is recorded like the rest. */
export async function sdkRequests(client: S3Client, endpoint: string): Promise<void> {
  const send: Send = async (command) => {
    try {
      return { ...(await client.send(command as never)) }
    } catch {
      return {}
    }
  }
  await send(new CreateBucketCommand({ Bucket }))
  await send(
    new CreateBucketCommand({ Bucket: 'fuzz-other', CreateBucketConfiguration: { LocationConstraint: 'eu-west-1' } }),
  )
  await objects(send)
  await reads(send)
  await listings(send)
  await uploads(send)
  await configurations(send)
  await presigned(client, endpoint)
  await send(new DeleteObjectCommand({ Bucket, Key: 'plain' }))
  const Objects = [{ Key: 'a/b' }, { Key: 'ümläut +%' }, { Key: 'with-etag', ETag: '"x"' }]
  await send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }))
}

type Send = (command: object) => Promise<Record<string, unknown>>

async function objects(send: Send): Promise<void> {
  const put = (Key: string, more: object): Promise<unknown> =>
    send(new PutObjectCommand({ Bucket, Key, Body: 'hello', ...more }))
  await put('plain', {})
  await put('a/b', { Metadata: { one: '1', two: 'zwei' }, ContentType: 'text/plain', CacheControl: 'no-store' })
  await put('ümläut +%', { ContentDisposition: 'attachment; filename="a b.txt"', ContentEncoding: 'gzip' })
  for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const) {
    await put(`sum-${ChecksumAlgorithm}`, { ChecksumAlgorithm })
    await put(`streamed-${ChecksumAlgorithm}`, {
      ChecksumAlgorithm,
      Body: Readable.from([Buffer.alloc(9000, 'x'), Buffer.alloc(500, 'y')]),
      ContentLength: 9500,
    })
  }
  await put('conditional', { IfNoneMatch: '*' })
  await put('conditional', { IfMatch: '"5d41402abc4b2a76b9719d911017c592"' })
  await put('locked', { ObjectLockMode: 'GOVERNANCE', ObjectLockRetainUntilDate: new Date('2030-01-01') })
  await put('tagged', { Tagging: 'a=1&b=2', StorageClass: 'STANDARD', ACL: 'private' })
  await put('sse', { ServerSideEncryption: 'AES256' })
  await send(new CopyObjectCommand({ Bucket, Key: 'copied', CopySource: `${Bucket}/a/b` }))
  await send(
    new CopyObjectCommand({
      Bucket,
      Key: 'copied',
      CopySource: `${Bucket}/a/b`,
      MetadataDirective: 'REPLACE',
      Metadata: { three: '3' },
      CopySourceIfMatch: '"5d41402abc4b2a76b9719d911017c592"',
    }),
  )
}

async function reads(send: Send): Promise<void> {
  const get = (more: object): Promise<unknown> => send(new GetObjectCommand({ Bucket, Key: 'a/b', ...more }))
  await get({})
  await get({ Range: 'bytes=1-3' })
  await get({ Range: 'bytes=-2', IfMatch: '"5d41402abc4b2a76b9719d911017c592"' })
  await get({ PartNumber: 1, ChecksumMode: 'ENABLED' })
  await get({ IfNoneMatch: '"x", "y"', IfModifiedSince: new Date('2020-01-01') })
  await get({ ResponseContentType: 'text/html', ResponseContentDisposition: 'inline', VersionId: 'null' })
  await send(new HeadObjectCommand({ Bucket, Key: 'a/b', ChecksumMode: 'ENABLED' }))
  await send(new HeadBucketCommand({ Bucket }))
  await send(new GetObjectAttributesCommand({ Bucket, Key: 'a/b', ObjectAttributes: ['ETag', 'ObjectSize'] }))
}

async function listings(send: Send): Promise<void> {
  await send(new ListBucketsCommand({ MaxBuckets: 2, Prefix: 'f' }))
  await send(
    new ListObjectsCommand({ Bucket, Delimiter: '/', Prefix: 'a', Marker: 'a/a', MaxKeys: 3, EncodingType: 'url' }),
  )
  const page = await send(new ListObjectsV2Command({ Bucket, MaxKeys: 1, FetchOwner: true, StartAfter: 'a' }))
  await send(new ListObjectsV2Command({ Bucket, ContinuationToken: page['NextContinuationToken'] as string }))
  await send(new ListObjectVersionsCommand({ Bucket, KeyMarker: 'a', VersionIdMarker: 'null', Delimiter: '/' }))
  await send(new ListMultipartUploadsCommand({ Bucket, KeyMarker: 'a', MaxUploads: 2, Prefix: 'm' }))
  await send(new GetBucketLocationCommand({ Bucket }))
}

async function uploads(send: Send): Promise<void> {
  const Key = 'multi part'
  for (const ChecksumAlgorithm of [undefined, 'CRC32', 'SHA256'] as const) {
    const made = await send(new CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm }))
    const upload = { Bucket, Key, UploadId: made['UploadId'] as string }
    const part = await send(new UploadPartCommand({ ...upload, PartNumber: 1, Body: 'part', ChecksumAlgorithm }))
    await send(
      new UploadPartCopyCommand({
        ...upload,
        PartNumber: 2,
        CopySource: `${Bucket}/a/b`,
        CopySourceRange: 'bytes=0-3',
      }),
    )
    await send(new ListPartsCommand({ ...upload, MaxParts: 1, PartNumberMarker: '0' }))
    const { ETag, ChecksumCRC32, ChecksumSHA256 } = part as Record<string, string | undefined>
    const Parts = [{ PartNumber: 1, ETag, ChecksumCRC32, ChecksumSHA256 }]
    if (ChecksumAlgorithm === 'SHA256') await send(new AbortMultipartUploadCommand(upload))
    else await send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts }, MpuObjectSize: 4 }))
  }
}

async function configurations(send: Send): Promise<void> {
  await send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }))
  await send(new PutObjectTaggingCommand({ Bucket, Key: 'a/b', Tagging: { TagSet: [{ Key: 'k', Value: 'v' }] } }))
  await send(new GetObjectTaggingCommand({ Bucket, Key: 'a/b' }))
  const CORSRules = [{ AllowedMethods: ['GET'], AllowedOrigins: ['https://*.example'], AllowedHeaders: ['*'] }]
  await send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules } }))
  const rule = { ID: 'r', Status: 'Enabled', Expiration: { Days: 3 }, Filter: { ObjectSizeGreaterThan: 100 } } as const
  await send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules: [rule] } }))
}

async function presigned(client: S3Client, endpoint: string): Promise<void> {
  const get = new GetObjectCommand({ Bucket, Key: 'ümläut +%', ResponseContentType: 'text/plain' })
  await fetch(await getSignedUrl(client, get, { expiresIn: 3600 }))
  const put = new PutObjectCommand({ Bucket, Key: 'by url', Metadata: { by: 'url' } })
  await fetch(await getSignedUrl(client, put, { expiresIn: 3600 }), { method: 'PUT', body: 'hello' })
  await fetch(`${endpoint}/${Bucket}/a/b`)
  const asked = { origin: 'https://app.example', 'access-control-request-method': 'PUT' }
  await fetch(`${endpoint}/${Bucket}/a/b`, { method: 'OPTIONS', headers: asked })
}
