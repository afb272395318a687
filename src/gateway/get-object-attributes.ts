import { checksumOfCode, typeOfCode } from '../s3/checksum.ts'
import { evaluateRead, parseConditions } from '../s3/conditions.ts'
import { httpDate } from '../s3/dates.ts'
import { parseCustomerKey } from '../s3/encryption-headers.ts'
import { S3Error } from '../s3/errors.ts'
import { quoteEtag } from '../s3/etag.ts'
import {
  type AttributePart,
  type AttributeParts,
  parseObjectAttributes,
  parsePartsPage,
  renderObjectAttributes,
} from '../s3/object-attributes.ts'
import type { TailRecord } from '../format/tail-record.ts'
import { etagSign } from './etag.ts'
import type { Gateway, Operation, OperationRequest, OperationResponse } from './gateway.ts'
import { placeOf } from './get-object.ts'
import { storedChecksum, tailOfParts } from './read-view.ts'
import { headNamed, rereading, type StoredObject } from './sealed-object.ts'

/** GetObjectAttributes: facts of the plaintext, from the sealed metadata and where that is not enough from the tail. Never asked of a store. */
export const getObjectAttributes: Operation = async (gateway, request) => {
  const asked = await attributesAsked(gateway, request)
  const page = parsePartsPage(request.headers)
  const customerKey = parseCustomerKey(request.headers)
  return rereading(async (): Promise<OperationResponse> => {
    const { signal, headers } = request
    const sealed = await headNamed(gateway, placeOf(gateway, request), customerKey)
    const validators = { etag: sealed.etag, lastModified: sealed.info.lastModified }
    const described = {
      ...etagSign(gateway),
      'last-modified': httpDate(sealed.info.lastModified),
      ...versionHeaders(sealed),
    }
    if (evaluateRead(parseConditions(headers), validators) === 'not-modified') {
      return { status: 304, headers: { ...described, etag: quoteEtag(sealed.etag) } }
    }
    const known = {
      etag: sealed.etag,
      checksum: asked.has('Checksum') ? await storedChecksum(gateway, sealed, signal, true) : undefined,
      parts: asked.has('ObjectParts') ? await partsOf(gateway, sealed, signal) : undefined,
      storageClass: sealed.info.attributes?.['x-amz-storage-class'] ?? 'STANDARD',
      size: sealed.size,
    }
    return { status: 200, headers: described, body: renderObjectAttributes(asked, known, page) }
  })
}

/** A bucket that is missing is told before anything about the request (S3 behaviour 93). */
async function attributesAsked(gateway: Gateway, { headers, bucket }: OperationRequest) {
  try {
    return parseObjectAttributes(headers)
  } catch (error) {
    if ((await gateway.store.headBucket(bucket)) === undefined) throw new S3Error('NoSuchBucket')
    throw error
  }
}

/** Of what a store says beside an object, the version is all that belongs here. */
function versionHeaders({ info }: StoredObject): Record<string, string> {
  const versionId = info.attributes?.['x-amz-version-id']
  return versionId === undefined ? {} : { 'x-amz-version-id': versionId }
}

/** The parts that the client wrote; `undefined` for an object that it put in one piece, whatever the gateway made of it. */
async function partsOf(
  gateway: Gateway,
  sealed: StoredObject,
  signal: AbortSignal,
): Promise<AttributeParts | undefined> {
  const record = await tailOfParts(gateway, sealed, signal)
  if (record === undefined) return undefined
  // S3 lists parts where their checksums make up that of the object.
  const composite = record.checksum !== undefined && typeOfCode(record.checksum.type) === 'COMPOSITE'
  const parts = composite ? partChecksums(record) : undefined
  return { count: record.segments, ...(parts === undefined ? {} : { parts }) }
}

function partChecksums(record: TailRecord): AttributePart[] | undefined {
  const row = checksumOfCode(record.checksum?.algorithm ?? 0)
  if (row === undefined || record.checksum === undefined) return undefined
  const single = [
    { partNumber: record.partNumber, plaintextBytes: record.plaintextBytes, checksum: record.checksum.value },
  ]
  const entries = record.segments === 1 ? single : record.entries
  const parts: AttributePart[] = []
  for (const { partNumber, plaintextBytes, checksum } of entries) {
    if (checksum === undefined || checksum.length === 0) return undefined
    parts.push({ partNumber, size: plaintextBytes, checksum: { name: row.name, value: checksum } })
  }
  return parts
}
