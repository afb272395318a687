/** Objects of an S3 endpoint, by the AWS SDK for JavaScript: what the checks themselves need to see at a gateway and behind it. */
import { readFileSync } from 'node:fs'
import { Agent } from 'node:https'
import {
  AbortMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3'

/** A client of a gateway or store; `ca` is the file of the certificate that it trusts. */
export function connect({ endpoint, region = 'us-east-1', accessKey, secretKey, ca }) {
  return new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...(ca && { requestHandler: { httpsAgent: new Agent({ ca: readFileSync(ca) }) } }),
  })
}

export async function bucketNames(client) {
  const { Buckets = [] } = await client.send(new ListBucketsCommand({}))
  return Buckets.map((one) => one.Name)
}

export async function* objects(client, Bucket) {
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket })) yield* Contents
}

/** The bytes of an object, or of a range of it, piece by piece. */
export async function* pieces(client, Bucket, Key, range) {
  const { Body } = await client.send(
    new GetObjectCommand({ Bucket, Key, ...(range && { Range: `bytes=${range[0]}-${range[1]}` }) }),
  )
  yield* Body
}

/** What is to be deleted before a bucket is empty: every version where the store keeps them. */
async function* everything(client, Bucket) {
  const { Status } = await client.send(new GetBucketVersioningCommand({ Bucket })).catch(() => ({}))
  if (Status === undefined) {
    for await (const { Key } of objects(client, Bucket)) yield { Key }
    return
  }
  let more = {}
  do {
    const page = await client.send(new ListObjectVersionsCommand({ Bucket, ...more }))
    for (const { Key, VersionId } of [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])]) yield { Key, VersionId }
    more = page.IsTruncated && { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker }
  } while (more)
}

/** Deletes a bucket with all that is in it. */
export async function removeBucket(client, Bucket) {
  let batch = []
  const flush = async () => {
    if (batch.length > 0)
      await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: batch, Quiet: true } }))
    batch = []
  }
  for await (const one of everything(client, Bucket)) if (batch.push(one) === 500) await flush()
  await flush()
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }))
  for (const { Key, UploadId } of Uploads) await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
  await client.send(new DeleteBucketCommand({ Bucket }))
}
