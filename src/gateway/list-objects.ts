import { checksumOfCode, typeOfCode } from '../s3/checksum.ts'
import { S3Error } from '../s3/errors.ts'
import { type ListObjectsRequest, parseListObjects, parseListObjectsV2 } from '../s3/listing-parameters.ts'
import { type ListedEntry, renderListObjects } from '../s3/listing-xml.ts'
import type { Gateway, Operation } from './gateway.ts'
import { openListed } from './sealed-object.ts'

/** ListObjects, version 1. */
export const listObjects: Operation = (gateway, request) =>
  list(gateway, request.bucket, parseListObjects(request.query))

/** ListObjects, version 2. */
export const listObjectsV2: Operation = (gateway, request) =>
  list(gateway, request.bucket, parseListObjectsV2(request.query))

/** One page of the store is one page of the answer: exact sizes and ETags come from its facts, with no further request. */
async function list(gateway: Gateway, bucket: string, request: ListObjectsRequest) {
  const page =
    request.maxKeys === 0
      ? await emptyPage(gateway, bucket)
      : await gateway.store.list(bucket, {
          prefix: request.prefix,
          ...(request.delimiter === undefined ? {} : { delimiter: request.delimiter }),
          ...(request.start === undefined ? {} : request.start),
          limit: request.maxKeys,
        })
  const listed = await openListed(gateway, bucket, page.objects)
  const entries: ListedEntry[] = listed.map(({ object, size, etag, facts }) => {
    const row = facts === undefined ? undefined : checksumOfCode(facts.checksumAlgorithm)
    const checksum =
      facts === undefined || row === undefined
        ? {}
        : { checksum: { name: row.name, type: typeOfCode(facts.checksumType) } }
    return { key: object.key, lastModified: object.lastModified, etag, size, ...checksum }
  })
  const { commonPrefixes, truncated } = page
  return {
    status: 200,
    body: renderListObjects({ bucket, request, entries, commonPrefixes, truncated, owner: gateway.owner }),
  }
}

async function emptyPage(gateway: Gateway, bucket: string) {
  if ((await gateway.store.headBucket(bucket)) === undefined) throw new S3Error('NoSuchBucket')
  return { objects: [], commonPrefixes: [], truncated: false }
}
