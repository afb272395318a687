/** Small hashes for callers that must not touch `node:crypto` themselves. */
import { createHash } from 'node:crypto'

/** An incremental hash. `digest` ends it. */
export interface Hasher {
  update(piece: Buffer): void
  digest(): Buffer
}

/** An incremental MD5, the ETag's hash: never used for security. */
export function newMd5(): Hasher {
  return newHasher('md5')
}

/** An incremental SHA-256. */
export function newSha256(): Hasher {
  return newHasher('sha256')
}

/** The MD5 of bytes at hand, 16 bytes. */
export function md5(bytes: Buffer): Buffer {
  return createHash('md5').update(bytes).digest()
}

/** The SHA-256 of bytes at hand, 32 bytes. */
export function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest()
}

/** The SHA-256 of bytes, or of a string's UTF-8, as 64 lower-case hex digits. */
export function sha256Hex(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function newHasher(name: 'md5' | 'sha256'): Hasher {
  const hash = createHash(name)
  return {
    update: (piece) => void hash.update(piece),
    digest: () => hash.digest(),
  }
}
