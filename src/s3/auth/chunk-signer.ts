/** The chain of signatures of an aws-chunked upload (S3 API reference, "sigv4-streaming" and "sigv4-streaming-trailers"). */
import { EMPTY_SHA256 } from './canonical-request.ts'
import type { Scope } from './scope.ts'
import { signatureMismatch } from './signature-mismatch.ts'
import { sameSignature, signatureOf } from './signing-key.ts'

export interface ChunkSignerOptions {
  readonly accessKey: string
  readonly key: Buffer
  readonly amzDate: string
  readonly scope: Scope
  /** Signature of the request itself, with which the chain begins. */
  readonly seed: string
}

/** Signs or verifies the chunks of one upload in order; each signature covers the one before it. */
export class ChunkSigner {
  readonly #options: ChunkSignerOptions
  #previous: string

  constructor(options: ChunkSignerOptions) {
    this.#options = options
    this.#previous = options.seed
  }

  /** The signature of the next chunk, given the SHA-256 of its data in hex. */
  sign(sha256: string): string {
    this.#previous = this.#signatureOf(this.#chunkText(sha256))
    return this.#previous
  }

  /** The signature of the trailers, given the SHA-256 of their canonical form in hex. Ends the chain. */
  signTrailer(sha256: string): string {
    return this.#signatureOf(this.#trailerText(sha256))
  }

  /** Verifies the signature of the next chunk; throws `SignatureDoesNotMatch`. */
  verify(sha256: string, provided: string): void {
    const text = this.#chunkText(sha256)
    this.#previous = this.#require(text, provided)
  }

  /** Verifies the signature of the trailers; throws `SignatureDoesNotMatch`. */
  verifyTrailer(sha256: string, provided: string): void {
    this.#require(this.#trailerText(sha256), provided)
  }

  #require(text: string, provided: string): string {
    const computed = this.#signatureOf(text)
    if (sameSignature(computed, provided)) return computed
    throw signatureMismatch({ accessKey: this.#options.accessKey, signature: provided, stringToSign: text })
  }

  #signatureOf(text: string): string {
    return signatureOf(this.#options.key, text)
  }

  #chunkText(sha256: string): string {
    return `${this.#head('PAYLOAD')}\n${EMPTY_SHA256}\n${sha256}`
  }

  #trailerText(sha256: string): string {
    return `${this.#head('TRAILER')}\n${sha256}`
  }

  #head(what: string): string {
    return `AWS4-HMAC-SHA256-${what}\n${this.#options.amzDate}\n${this.#options.scope.text}\n${this.#previous}`
  }
}
