/** Small hashes for callers that must not touch `node:crypto` themselves. */
import { createHash, hash } from 'node:crypto'

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
  return hash('md5', bytes, 'buffer')
}

/** The SHA-256 of bytes at hand, 32 bytes. */
export function sha256(bytes: Buffer): Buffer {
  return hash('sha256', bytes, 'buffer')
}

/** The SHA-256 of bytes, or of a string's UTF-8, as 64 lower-case hex digits. */
export function sha256Hex(bytes: Buffer | string): string {
  return hash('sha256', bytes, 'hex')
}

function newHasher(name: 'md5' | 'sha256'): Hasher {
  const inner = createHash(name)
  return {
    update: (piece) => void inner.update(piece),
    digest: () => inner.digest(),
  }
}
