import { HeldBody } from '../../backends/body.ts'
import { checksumOfCode, type ChecksumName, TYPE_CODES } from '../../s3/checksum.ts'
import { parseUploadChecksum, partChecksumHeader } from '../../s3/checksum-headers.ts'
import { parseContentMd5 } from '../../s3/content-md5.ts'
import { S3Error } from '../../s3/errors.ts'
import { quoteEtag } from '../../s3/etag.ts'
import { parsePartNumber } from '../../s3/range.ts'
import { requireDigest } from '../attributes.ts'
import { keepsMd5 } from '../etag.ts'
import type { Gateway, Operation, OperationRequest, OperationResponse } from '../gateway.ts'
import { PartGatherer } from '../part-gatherer.ts'
import type { PlaintextClaims } from '../plaintext-verifier.ts'
import { type StoredPart, storePart } from './store-part.ts'
import { encryptionOfPart } from './upload-encryption.ts'
import { type OpenUpload, uploadOf } from './upload-of.ts'

/** A part that comes without a length is held in memory up to this. */
const UNKNOWN_LENGTH_BYTES = 8 * 1024 * 1024

/** UploadPart: any order, any size, any number of attempts; the last that finishes counts. */
export const uploadPart: Operation = async (gateway, request) => {
  const partNumber = parsePartNumber(request.query.get('partNumber') ?? '')
  const upload = await uploadOf(gateway, request)
  const encryption = await encryptionOfPart(gateway, request, upload)
  const claims = claimsOf(gateway, request, upload)
  if (upload.record.locked === true) requireDigest(claims, 'Put Part')
  const { body, signal } = request
  if (claims.length !== undefined) {
    const length = claims.length
    const write = { upload, partNumber, length, body: body.stream, claims, trailers: body.trailers, signal }
    return respond(encryption, await storePart(gateway, write))
  }
  const gatherer = new PartGatherer(body.stream, gateway.limits.gather)
  try {
    const { pieces, bytes, last } = await gatherer.next(UNKNOWN_LENGTH_BYTES)
    if (!last) throw new S3Error('MissingContentLength')
    const write = {
      upload,
      partNumber,
      length: bytes,
      body: new HeldBody(pieces),
      claims,
      trailers: body.trailers,
      signal,
    }
    return respond(encryption, await storePart(gateway, write))
  } finally {
    gatherer.release()
  }
}

function respond(encryption: Readonly<Record<string, string>>, { etag, verified }: StoredPart): OperationResponse {
  const checksum = verified.checksum === undefined ? {} : partChecksumHeader(verified.checksum)
  return { status: 200, headers: { ...encryption, etag: quoteEtag(etag), ...checksum } }
}

/** What the request says about its bytes. A part is hashed with the algorithm of its upload. Throws `InvalidRequest` for another, or none where S3 wants one. */
function claimsOf(gateway: Gateway, request: OperationRequest, { record }: OpenUpload): PlaintextClaims {
  const checksum = parseUploadChecksum(request.headers)
  const expected = checksumNameOf(record.checksum?.algorithm)
  const sent = checksum.kind === 'none' ? undefined : checksum.name
  // What a whole object's checksum is combined from may be left to us; the parts of a composite one are the client's to vouch for.
  const owed = sent !== undefined || record.checksum?.type === TYPE_CODES.COMPOSITE
  if (expected !== undefined && owed && sent !== expected) {
    throw new S3Error('InvalidRequest', {
      message: `Checksum Type mismatch occurred, expected checksum Type: ${expected.toLowerCase()}, actual checksum Type: ${(sent ?? 'null').toLowerCase()}`,
    })
  }
  return {
    length: request.body.length,
    contentMd5: parseContentMd5(request.headers),
    keepMd5: keepsMd5(gateway),
    checksum,
    extraChecksum: partChecksumOf(gateway, record),
  }
}

/** What a part is hashed with although the client sent no value: the algorithm of its upload, or S3's default where settings want it of any body. */
export function partChecksumOf(gateway: Gateway, { checksum }: OpenUpload['record']): ChecksumName | undefined {
  const name = checksumNameOf(checksum?.algorithm)
  return name ?? (gateway.checksums.default === 'always' ? 'CRC64NVME' : undefined)
}

function checksumNameOf(code: number | undefined): ChecksumName | undefined {
  return code === undefined ? undefined : checksumOfCode(code)?.name
}
