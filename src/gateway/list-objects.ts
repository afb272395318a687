import type { ListedObject } from '../backends/object-store.ts'
import { checksumOfCode, typeOfCode } from '../s3/checksum.ts'
import { S3Error } from '../s3/errors.ts'
import { type ListObjectsRequest, parseListObjects, parseListObjectsV2 } from '../s3/listing-parameters.ts'
import { type ListedEntry, renderListObjects } from '../s3/listing-xml.ts'
import { plaintextSize } from '../format/sizes.ts'
import { readEntries, rewriteListing } from '../s3/rewrite-listing.ts'
import { opaqueEtag } from './etag.ts'
import { forwardedDocument } from './forward.ts'
import type { Gateway, Operation, OperationRequest, OperationResponse } from './gateway.ts'
import { openListed } from './sealed-object.ts'

/** ListObjects, version 1. */
export const listObjects: Operation = (gateway, request) =>
  gateway.store.capabilities.native
    ? listNative(gateway, request)
    : list(gateway, request.bucket, parseListObjects(request.query))

/** ListObjects, version 2. */
export const listObjectsV2: Operation = (gateway, request) =>
  gateway.store.capabilities.native
    ? listNative(gateway, request)
    : list(gateway, request.bucket, parseListObjectsV2(request.query))

/** The store's own page, with every size and ETag translated: one request, and nothing but two numbers of each entry is touched. */
export async function listNative(gateway: Gateway, request: OperationRequest): Promise<OperationResponse> {
  const { headers, document } = await forwardedDocument(gateway, request)
  const plain = await plainEntries(gateway, request.bucket, document)
  const size = (stored: number, at: number): number => (plain[at] === true ? stored : (plaintextSize(stored) ?? stored))
  return { status: 200, headers, body: rewriteListing(document, { size, etag: opaqueEtag }) }
}

/** Which entries of a page lie in plaintext. A page that cannot be parsed is still shown, by the formula. */
async function plainEntries(gateway: Gateway, bucket: string, document: string): Promise<boolean[]> {
  if (gateway.rules(bucket).contents !== 'mixed') return []
  const entries = readEntries(document)
  return entries === undefined ? [] : gateway.plain.arePlain(gateway, bucket, entries)
}

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
  const entries = await listedEntries(gateway, bucket, page.objects)
  const { commonPrefixes, truncated } = page
  return {
    status: 200,
    body: renderListObjects({ bucket, request, entries, commonPrefixes, truncated, owner: gateway.owner }),
  }
}

/** What a listing shows of objects: exact sizes and ETags, checksums and storage classes, in the same order. */
export async function listedEntries(
  gateway: Gateway,
  bucket: string,
  objects: readonly ListedObject[],
): Promise<ListedEntry[]> {
  const listed = await openListed(gateway, bucket, objects)
  const unknown = listed.filter(({ facts }) => facts === undefined).map(({ object }) => object)
  const looked = await gateway.plain.arePlain(
    gateway,
    bucket,
    unknown.map((one) => ({ ...one, modified: one.lastModified.getTime() })),
  )
  const plain = new Set(unknown.filter((_, at) => looked[at]))
  return listed.map(({ object, size: implied, etag, facts }) => {
    const size = plain.has(object) ? object.size : implied
    const row = facts === undefined ? undefined : checksumOfCode(facts.checksumAlgorithm)
    const checksum =
      facts === undefined || row === undefined
        ? {}
        : { checksum: { name: row.name, type: typeOfCode(facts.checksumType) } }
    const entry = { key: object.key, lastModified: object.lastModified, etag, size, ...checksum }
    const storageClass = object.attributes?.['x-amz-storage-class']
    return storageClass === undefined ? entry : { ...entry, storageClass }
  })
}

async function emptyPage(gateway: Gateway, bucket: string) {
  if ((await gateway.store.headBucket(bucket)) === undefined) throw new S3Error('NoSuchBucket')
  return { objects: [], commonPrefixes: [], truncated: false }
}
