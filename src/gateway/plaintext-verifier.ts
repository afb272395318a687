/** Checks what a client said about its bytes while they pass: length, Content-MD5, checksum. Computes only what was asked for and what the ETag needs. */
import type { ChecksumValue } from '../format/tail-record.ts'
import { type Hasher, newMd5 } from '../format/hash.ts'
import { CHECKSUMS, type ChecksumHasher, type ChecksumName, newHasher, TYPE_CODES } from '../s3/checksum.ts'
import { parseTrailerChecksum, type UploadChecksum, verifyChecksum } from '../s3/checksum-headers.ts'
import { S3Error } from '../s3/errors.ts'

/** What the client announced. */
export interface PlaintextClaims {
  /** Exact bytes; `undefined` if unknown. */
  readonly length: number | undefined
  readonly contentMd5: Buffer | undefined
  /** Whether the MD5 is wanted beyond the comparison: it costs more than the cipher. */
  readonly keepMd5: boolean
  readonly checksum: UploadChecksum
  /** A checksum to compute although the client sent none. */
  readonly extraChecksum?: ChecksumName | undefined
}

/** What is known of a body once it was read to its end and every claim held. */
export interface VerifiedPlaintext {
  readonly bytes: number
  /** `undefined` unless it was to be kept. */
  readonly md5: Buffer | undefined
  readonly checksum: (ChecksumValue & { readonly name: ChecksumName }) | undefined
}

export class PlaintextVerifier {
  readonly #claims: PlaintextClaims
  readonly #md5: Hasher | undefined
  readonly #name: ChecksumName | undefined
  readonly #hasher: ChecksumHasher | undefined
  #bytes = 0

  constructor(claims: PlaintextClaims) {
    this.#claims = claims
    this.#md5 = claims.keepMd5 || claims.contentMd5 !== undefined ? newMd5() : undefined
    this.#name = claims.checksum.kind === 'none' ? claims.extraChecksum : claims.checksum.name
    this.#hasher = this.#name === undefined ? undefined : newHasher(this.#name)
  }

  update(piece: Buffer): void {
    this.#bytes += piece.length
    if (this.#claims.length !== undefined && this.#bytes > this.#claims.length) throw new S3Error('IncompleteBody')
    this.#md5?.update(piece)
    this.#hasher?.update(piece)
  }

  /** Compares everything. Throws `IncompleteBody`, `BadDigest`, `InvalidRequest` or `MalformedTrailerError`; called once. */
  finish(trailers: Readonly<Record<string, string>>): VerifiedPlaintext {
    const { length, contentMd5, keepMd5 } = this.#claims
    if (length !== undefined && this.#bytes !== length) throw new S3Error('IncompleteBody')
    const computed = this.#md5?.digest()
    if (contentMd5 !== undefined && computed?.equals(contentMd5) !== true) {
      throw new S3Error('BadDigest', {
        message: 'The Content-MD5 you specified did not match what we received.',
        extra: { ExpectedDigest: contentMd5.toString('hex'), CalculatedDigest: computed?.toString('hex') ?? '' },
      })
    }
    const md5 = keepMd5 ? computed : undefined
    const value = this.#hasher?.digest()
    if (this.#name === undefined || value === undefined) return { bytes: this.#bytes, md5, checksum: undefined }
    const expected = expectedChecksum(this.#claims.checksum, trailers)
    if (expected !== undefined) verifyChecksum(this.#name, expected, value)
    const checksum = { name: this.#name, algorithm: CHECKSUMS[this.#name].code, type: TYPE_CODES.FULL_OBJECT, value }
    return { bytes: this.#bytes, md5, checksum }
  }
}

function expectedChecksum(claim: UploadChecksum, trailers: Readonly<Record<string, string>>): Buffer | undefined {
  if (claim.kind === 'none') return undefined
  if (claim.kind === 'header') return claim.value
  const text = trailers[claim.header]
  if (text === undefined) throw new S3Error('MalformedTrailerError')
  return parseTrailerChecksum(claim.name, text)
}
