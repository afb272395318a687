/** The `Content-MD5` header (RFC 1864). */
import { S3Error } from './errors.ts'
import type { Headers } from './headers.ts'
import { newMd5Hash, requireMd5 } from './md5.ts'

/** The 16 bytes a client promises its body to hash to, or `undefined`; anything else is `InvalidDigest`. Throws `NotImplemented` under the FIPS profile. */
export function parseContentMd5(headers: Headers): Buffer | undefined {
  const text = headers.get('content-md5')
  if (text === undefined) return undefined
  requireMd5()
  const digest = Buffer.from(text, 'base64')
  // Node's decoder skips what it does not know, so only a value that encodes back to itself was base64.
  if (digest.length === 16 && digest.toString('base64') === text) return digest
  throw new S3Error('InvalidDigest', {
    message: 'The Content-MD5 you specified was invalid.',
    extra: { 'Content-MD5': text },
  })
}

/** The value of the header for a body in pieces. */
export function contentMd5(pieces: readonly Uint8Array[]): string {
  const hash = newMd5Hash()
  for (const piece of pieces) hash.update(piece)
  return hash.digest('base64')
}
