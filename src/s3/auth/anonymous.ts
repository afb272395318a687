/** Requests that do not say who sends them. */
import { S3Error } from '../errors.ts'
import type { Headers } from '../headers.ts'
import type { Query } from '../query.ts'
import { UNSIGNED_PAYLOAD } from './canonical-request.ts'
import { type PayloadMode, requirePayloadHash, UNSIGNED_TRAILER } from './payload-mode.ts'
import { isPresigned } from './presigned.ts'

/** Without the least trace of a signature, of whatever version. */
export function isAnonymous(headers: Headers, query: Query): boolean {
  return !headers.has('authorization') && !isPresigned(query) && !query.has('AWSAccessKeyId') && !query.has('Signature')
}

/** What is to be checked of an anonymous body. Throws `AccessDenied` for chunks that are signed by nobody. */
export function anonymousPayload(headers: Headers): PayloadMode {
  const value = headers.get('x-amz-content-sha256') ?? UNSIGNED_PAYLOAD
  requirePayloadHash(value)
  if (value === UNSIGNED_PAYLOAD) return { kind: 'unsigned' }
  if (value === UNSIGNED_TRAILER) return { kind: 'unsigned-trailer' }
  if (value.startsWith('STREAMING-')) throw new S3Error('AccessDenied')
  return { kind: 'hash', sha256: Buffer.from(value, 'hex') }
}
