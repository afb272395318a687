/** How the body of a request is protected: the meaning of `x-amz-content-sha256`. */
import { invalidArgument, S3Error } from '../errors.ts'
import { UNSIGNED_PAYLOAD } from './canonical-request.ts'
import { ChunkSigner, type ChunkSignerOptions } from './chunk-signer.ts'

/** What the reader of the body has to do with it. */
export type PayloadMode =
  /** The SHA-256 of the whole body must be this one. */
  | { readonly kind: 'hash'; readonly sha256: Buffer }
  | { readonly kind: 'unsigned' }
  /** aws-chunked, each chunk signed; with `trailer`, signed trailers follow. */
  | { readonly kind: 'signed-chunks'; readonly trailer: boolean; readonly signer: ChunkSigner }
  /** aws-chunked without signatures, trailers follow. */
  | { readonly kind: 'unsigned-trailer' }

const SIGNED_CHUNKS = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'
const SIGNED_CHUNKS_TRAILER = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER'
export const UNSIGNED_TRAILER = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'
const KNOWN = [UNSIGNED_PAYLOAD, UNSIGNED_TRAILER, SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER]
const ECDSA = ['STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD', 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER']

/** Refuses a value of `x-amz-content-sha256` that is neither a hash nor a known constant (`InvalidArgument`) or is SigV4A's (`NotImplemented`). */
export function requirePayloadHash(value: string): void {
  if (KNOWN.includes(value) || HEX_SHA256.test(value)) return
  if (ECDSA.includes(value)) {
    throw new S3Error('NotImplemented', {
      message: 'Signature Version 4A is not implemented. Please use AWS4-HMAC-SHA256.',
      extra: { Header: 'x-amz-content-sha256' },
    })
  }
  throw invalidArgument(
    `x-amz-content-sha256 must be ${[...KNOWN, ...ECDSA].join(', ')} or a valid sha256 value.`,
    'x-amz-content-sha256',
    value,
  )
}

/** The mode of an accepted value; the chain of chunk signatures begins with the request's own. */
export function payloadMode(value: string, chain: ChunkSignerOptions): PayloadMode {
  if (value === UNSIGNED_PAYLOAD) return { kind: 'unsigned' }
  if (value === UNSIGNED_TRAILER) return { kind: 'unsigned-trailer' }
  if (value === SIGNED_CHUNKS || value === SIGNED_CHUNKS_TRAILER) {
    return { kind: 'signed-chunks', trailer: value === SIGNED_CHUNKS_TRAILER, signer: new ChunkSigner(chain) }
  }
  return { kind: 'hash', sha256: Buffer.from(value, 'hex') }
}

/** The answer to a body whose SHA-256 is not the claimed one. */
export function contentSha256Mismatch(claimed: Buffer, computed: Buffer): S3Error {
  return new S3Error('XAmzContentSHA256Mismatch', {
    extra: {
      ClientComputedContentSHA256: claimed.toString('hex'),
      S3ComputedContentSHA256: computed.toString('hex'),
    },
  })
}

const HEX_SHA256 = /^[0-9A-Fa-f]{64}$/
