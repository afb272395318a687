import { parseContentMd5 } from '../s3/content-md5.ts'
import { parseUploadChecksum } from '../s3/checksum-headers.ts'
import type { ChecksumName } from '../s3/checksum.ts'
import { parseWriteConditions } from '../s3/conditions.ts'
import { S3Error } from '../s3/errors.ts'
import type { Gateway, Operation, OperationRequest } from './gateway.ts'
import { describeObject } from './object-metadata.ts'
import { type PlaintextClaims, PlaintextVerifier } from './plaintext-verifier.ts'
import { putResponse, tooLarge } from './put-response.ts'
import { putUnknownLength } from './put-unknown-length.ts'
import { writingUnder } from './write-conditions.ts'
import { type Plaintext, writeObject } from './write-object.ts'

/** S3's limit for one PUT. */
export const MAX_PUT_BYTES = 5 * 1024 ** 3
/** Bodies up to this are verified before the store is called, and can be sent again. */
export const GATHER_BYTES = 1024 * 1024

/** PutObject, conditional too. The object exists once the store has it whole and every claim of the client has held. */
export const putObject: Operation = async (gateway, request) => {
  const tlvs = describeObject(request.headers)
  const conditions = parseWriteConditions(request.headers)
  const claims = claimsOf(gateway, request)
  const place = { bucket: request.bucket, key: request.key }
  if (claims.length === undefined) return putUnknownLength(gateway, request, { place, tlvs, claims, conditions })
  if (claims.length > MAX_PUT_BYTES) throw tooLarge(claims.length, MAX_PUT_BYTES)

  const gathered = claims.length <= GATHER_BYTES
  // A store looks at its bucket before it reads a body; a body that is gathered first must not be asked for in vain.
  if (gathered && (await gateway.store.headBucket(place.bucket)) === undefined) throw new S3Error('NoSuchBucket')
  const release = gathered ? gateway.limits.gather.take(claims.length) : undefined
  try {
    const plaintext: Plaintext = gathered
      ? await gatherVerified(request, claims)
      : { kind: 'stream', length: claims.length, body: request.body.stream, claims, trailers: request.body.trailers }
    const { verified } = await writingUnder(gateway, place, conditions, gathered, (condition) =>
      writeObject(gateway, { place, tlvs, plaintext, condition, signal: request.signal }),
    )
    return putResponse(verified)
  } finally {
    release?.()
  }
}

/** What the request says about its bytes. */
export function claimsOf(gateway: Gateway, request: OperationRequest): PlaintextClaims {
  const length = request.body.length
  const checksum = parseUploadChecksum(request.headers)
  const small = length !== undefined && length <= GATHER_BYTES
  const compute = gateway.checksums.default === 'always' || (gateway.checksums.default === 'small' && small)
  const extra: ChecksumName | undefined = checksum.kind === 'none' && compute ? 'CRC64NVME' : undefined
  return { length, contentMd5: parseContentMd5(request.headers), checksum, extraChecksum: extra }
}

/** Reads a small body into memory and checks every claim. */
export async function gatherVerified(request: OperationRequest, claims: PlaintextClaims): Promise<Plaintext> {
  const verifier = new PlaintextVerifier(claims)
  const pieces: Buffer[] = []
  for await (const batch of request.body.stream) {
    for (const piece of batch) verifier.update(piece)
    pieces.push(...batch)
  }
  return { kind: 'gathered', pieces, verified: verifier.finish(request.body.trailers()) }
}
