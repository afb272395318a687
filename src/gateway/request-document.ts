import { parseUploadChecksum, type UploadChecksum } from '../s3/checksum-headers.ts'
import { parseContentMd5 } from '../s3/content-md5.ts'
import { S3Error } from '../s3/errors.ts'
import type { OperationRequest } from './gateway.ts'
import { PlaintextVerifier } from './plaintext-verifier.ts'

/** Reads the document of CompleteMultipartUpload, whose checksum headers speak of the object and not of the document. */
export function readCompleteDocument(request: OperationRequest, limit: number): Promise<Buffer> {
  return read(request, limit, { kind: 'none' })
}

/** Reads a request document of at most `limit` bytes and checks the digests that came with it. Throws `MaxMessageLengthExceeded`. */
export function readDocument(request: OperationRequest, limit: number): Promise<Buffer> {
  return read(request, limit, parseUploadChecksum(request.headers))
}

async function read(request: OperationRequest, limit: number, checksum: UploadChecksum): Promise<Buffer> {
  const { length, stream, trailers } = request.body
  if (length !== undefined && length > limit) throw tooLong(limit)
  const verifier = new PlaintextVerifier({
    length,
    contentMd5: parseContentMd5(request.headers),
    keepMd5: false,
    checksum,
  })
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const batch of stream) {
    for (const piece of batch) {
      bytes += piece.length
      verifier.update(piece)
      pieces.push(piece)
    }
    if (bytes > limit) throw tooLong(limit)
  }
  verifier.finish(trailers())
  return Buffer.concat(pieces)
}

function tooLong(limit: number): S3Error {
  return new S3Error('MaxMessageLengthExceeded', { extra: { MaxMessageLengthBytes: String(limit) } })
}
