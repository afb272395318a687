import { storedSize } from '../format/sizes.ts'
import { parseContentMd5 } from '../s3/content-md5.ts'
import { parseUploadChecksum } from '../s3/checksum-headers.ts'
import type { ChecksumName } from '../s3/checksum.ts'
import { parseWriteConditions } from '../s3/conditions.ts'
import { S3Error } from '../s3/errors.ts'
import { attributesFor, needsDigest, requireDigest, seesBucket } from './attributes.ts'
import type { HeldBytes } from './byte-budget.ts'
import { encryptionOf, type Encryption } from './encryption.ts'
import { keepsMd5 } from './etag.ts'
import type { Gateway, Operation, OperationRequest, OperationResponse } from './gateway.ts'
import { describeObject } from './object-metadata.ts'
import { type PlaintextClaims, PlaintextVerifier } from './plaintext-verifier.ts'
import { putResponse, tooLarge } from './put-response.ts'
import { type PartsWrite, putInParts } from './put-in-parts.ts'
import { writingUnder } from './write-conditions.ts'
import { type Plaintext, writeObject, type WrittenObject } from './write-object.ts'

/** S3's limit for one PUT. */
export const MAX_PUT_BYTES = 5 * 1024 ** 3
/** Bodies up to this are verified before the store is called, and can be sent again. */
export const GATHER_BYTES = 1024 * 1024

/** PutObject, conditional too. The object exists once the store has it whole and every claim of the client has held. */
export const putObject: Operation = async (gateway, request) => {
  const tlvs = describeObject(request.headers)
  const conditions = parseWriteConditions(request.headers)
  const claims = claimsOf(gateway, request)
  const attributes = await attributesFor(gateway, 'PutObject', request)
  if (needsDigest(gateway, attributes)) requireDigest(claims, 'Put Object')
  const place = { bucket: request.bucket, key: request.key }
  const { length } = claims
  if (length !== undefined && length > MAX_PUT_BYTES) throw tooLarge(length, MAX_PUT_BYTES)
  const encryption = await encryptionOf(gateway, place.bucket, request.headers)
  const { stream, trailers, atMost } = request.body
  const write = { place, tlvs, encryption, signal: request.signal }
  const { capabilities } = gateway.store
  if (length === undefined || storedSize(length) > capabilities.requestLimit) {
    const under: PartsWrite['under'] = (repeatable, run) =>
      writingUnder(gateway, { place, conditions, repeatable, needs: repeatable ? 'put' : 'complete' }, run)
    return respond(
      encryption,
      await putInParts(gateway, { ...write, body: stream, atMost, claims, trailers, attributes, under }),
    )
  }
  const gathered = length <= GATHER_BYTES
  // A store looks at its bucket before it reads a body; a body that is gathered first must not be asked for in vain.
  const look = gathered && !seesBucket(gateway) && (capabilities.near || request.headers.has('expect'))
  if (look && (await gateway.store.headBucket(place.bucket)) === undefined) throw new S3Error('NoSuchBucket')
  const held = gateway.limits.gather.open()
  try {
    const plaintext: Plaintext = gathered
      ? await gatherVerified(request, claims, held)
      : { kind: 'stream', length, body: stream, claims, trailers }
    const written = await writingUnder(
      gateway,
      { place, conditions, repeatable: gathered, needs: 'put' },
      (condition) => writeObject(gateway, { ...write, plaintext, condition, ...attributes }),
    )
    return respond(encryption, written)
  } finally {
    held.release()
  }
}

function respond({ headers }: Encryption, { etag, verified, written }: WrittenObject): OperationResponse {
  return putResponse(headers, etag, verified, written.attributes)
}

/** What the request says about its bytes. */
export function claimsOf(gateway: Gateway, request: OperationRequest): PlaintextClaims {
  const length = request.body.length
  const checksum = parseUploadChecksum(request.headers)
  return {
    length,
    contentMd5: parseContentMd5(request.headers),
    keepMd5: keepsMd5(gateway),
    checksum,
    extraChecksum: checksum.kind === 'none' ? defaultChecksum(gateway, length) : undefined,
  }
}

/** What is computed for a body that brings no checksum. */
export function defaultChecksum({ checksums }: Gateway, length: number | undefined): ChecksumName | undefined {
  const small = length !== undefined && length <= GATHER_BYTES
  return checksums.default === 'always' || (checksums.default === 'small' && small) ? 'CRC64NVME' : undefined
}

/** Reads a small body into memory and checks every claim. */
async function gatherVerified(request: OperationRequest, claims: PlaintextClaims, held: HeldBytes): Promise<Plaintext> {
  const verifier = new PlaintextVerifier(claims)
  const pieces: Buffer[] = []
  for await (const batch of request.body.stream) {
    for (const piece of batch) {
      held.add(piece.length)
      verifier.update(piece)
    }
    pieces.push(...batch)
  }
  return { kind: 'gathered', pieces, verified: verifier.finish(request.body.trailers()) }
}
