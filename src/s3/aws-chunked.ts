/**
 * Decodes bodies in `aws-chunked` coding (S3 API reference, "sigv4-streaming" and "sigv4-streaming-trailers"):
 *
 *     hex-size[;chunk-signature=64-hex] CRLF  data CRLF  …  0[;chunk-signature=64-hex] CRLF
 *     *( trailer-name ":" value CRLF )  [ x-amz-trailer-signature:64-hex CRLF ]  CRLF
 *
 * Strict: what does not fit, or comes after the end, is refused. Bounded: nothing but the line at hand is kept.
 */
import { createHash, type Hash } from 'node:crypto'
import { Internal } from '../errors.ts'
import type { ChunkSigner } from './auth/chunk-signer.ts'
import type { PayloadMode } from './auth/payload-mode.ts'
import { invalidArgument, S3Error } from './errors.ts'
import type { Headers } from './headers.ts'

/** Every chunk but the last has at least this many bytes. */
export const MIN_CHUNK_BYTES = 8192
/** The longest line that may frame a chunk or carry a trailer, with its CRLF. */
export const MAX_LINE_BYTES = 1024
/** The most trailers a request may promise. */
export const MAX_TRAILERS = 8

const TRAILER_SIGNATURE = 'x-amz-trailer-signature'

export interface AwsChunkedOptions {
  /** Present if the chunks, and the trailers if there are any, are signed. */
  readonly signer?: ChunkSigner
  /** Lower-case names promised by `x-amz-trailer`. */
  readonly trailers: readonly string[]
  /** Bytes of the object, from `x-amz-decoded-content-length`. */
  readonly decodedLength: number
}

/** A decoder for the body of a request, or `undefined` if it is not chunked. `x-amz-content-sha256` decides, not `Content-Encoding`. */
export function chunkedDecoder(payload: PayloadMode, headers: Headers): AwsChunkedDecoder | undefined {
  const trailers = promisedTrailers(headers)
  const mayHaveTrailers = payload.kind === 'unsigned-trailer' || (payload.kind === 'signed-chunks' && payload.trailer)
  if (trailers.length > 0 && !mayHaveTrailers) {
    throw new S3Error('InvalidRequest', {
      message: 'The x-amz-trailer header needs an x-amz-content-sha256 that announces a trailer',
    })
  }
  if (payload.kind === 'hash' || payload.kind === 'unsigned') return undefined
  const decodedLength = requireDecodedLength(headers)
  if (payload.kind === 'unsigned-trailer') return new AwsChunkedDecoder({ trailers, decodedLength })
  if (payload.trailer && trailers.length === 0) throw new S3Error('MalformedTrailerError')
  return new AwsChunkedDecoder({ signer: payload.signer, trailers, decodedLength })
}

function promisedTrailers(headers: Headers): string[] {
  const text = headers.get('x-amz-trailer')
  if (text === undefined) return []
  const names = text.split(',').map((name) => name.trim().toLowerCase())
  const distinct = new Set(names).size === names.length
  if (names.length <= MAX_TRAILERS && distinct && names.every((name) => name.startsWith('x-amz-checksum-')))
    return names
  throw new S3Error('InvalidRequest', {
    message: 'The value specified in the x-amz-trailer header is not supported',
  })
}

function requireDecodedLength(headers: Headers): number {
  const name = 'x-amz-decoded-content-length'
  const text = headers.get(name)
  if (text === undefined || text === '') throw new S3Error('MissingContentLength')
  const length = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(length)) return length
  throw invalidArgument(`${name} must be a number of bytes`, name, text)
}

/** Where in the body the decoder stands. */
type Place = 'size' | 'data' | 'data-end' | 'trailers' | 'end-line' | 'done' | 'failed'

/** Decodes one body, piece by piece. */
export class AwsChunkedDecoder {
  /** Bytes of the object. */
  readonly decodedLength: number
  readonly #signer: ChunkSigner | undefined
  readonly #promised: readonly string[]
  readonly #trailers: Record<string, string> = {}
  #place: Place = 'size'
  /** The line at hand, as far as it has come. */
  #line = ''
  #chunkNumber = 0
  #chunkSize = MIN_CHUNK_BYTES
  #chunkLeft = 0
  #chunkSignature = ''
  #chunkHash: Hash | undefined
  #decoded = 0

  constructor(options: AwsChunkedOptions) {
    this.decodedLength = options.decodedLength
    this.#signer = options.signer
    this.#promised = options.trailers
  }

  /**
   * Takes the next piece of the body and gives the object's bytes in it, as views of the piece.
   * The bytes of a signed chunk come out before its signature, which covers the whole chunk, can be verified;
   * nothing may be kept for good before `end` has returned. Throws `S3Error`.
   */
  push(piece: Buffer): Buffer[] {
    const out: Buffer[] = []
    try {
      let at = 0
      while (at < piece.length) at = this.#place === 'data' ? this.#takeData(piece, at, out) : this.#takeLine(piece, at)
    } catch (error) {
      this.#place = 'failed'
      throw error
    }
    return out
  }

  /** The body has ended: was it whole? Gives the trailers, whose values are for the checksums to judge. */
  end(): { readonly trailers: Readonly<Record<string, string>> } {
    if (this.#place === 'done') return { trailers: this.#trailers }
    if (this.#place === 'failed') throw new Internal('A body that was refused cannot be ended')
    throw this.#malformed()
  }

  #takeData(piece: Buffer, at: number, out: Buffer[]): number {
    const end = Math.min(piece.length, at + this.#chunkLeft)
    const data = piece.subarray(at, end)
    this.#chunkHash?.update(data)
    this.#chunkLeft -= data.length
    out.push(data)
    if (this.#chunkLeft === 0) {
      this.#verifyChunk()
      this.#place = 'data-end'
    }
    return end
  }

  #takeLine(piece: Buffer, at: number): number {
    if (this.#place === 'failed') throw new Internal('A body that was refused cannot go on')
    if (this.#place === 'done') {
      throw new S3Error('InvalidRequest', { message: 'The request body has data after its final chunk' })
    }
    const newline = piece.indexOf(0x0a, at)
    const end = newline < 0 ? piece.length : newline + 1
    if (this.#line.length + end - at > MAX_LINE_BYTES) throw this.#malformed()
    this.#line += piece.toString('latin1', at, end)
    if (this.#line.endsWith('\r\n')) {
      const line = this.#line.slice(0, -2)
      this.#line = ''
      this.#readLine(line)
    }
    return end
  }

  #malformed(): S3Error {
    const inTrailers = this.#place === 'trailers' || (this.#place === 'end-line' && this.#promised.length > 0)
    return new S3Error(inTrailers ? 'MalformedTrailerError' : 'IncompleteBody')
  }

  #readLine(line: string): void {
    if (this.#place === 'size') this.#beginChunk(line)
    else if (this.#place === 'trailers') this.#readTrailer(line)
    else if (line !== '') throw this.#malformed()
    else this.#place = this.#place === 'data-end' ? 'size' : 'done'
  }

  #beginChunk(line: string): void {
    const parts = (this.#signer === undefined ? UNSIGNED_CHUNK : SIGNED_CHUNK).exec(line)
    if (parts === null) throw this.#malformed()
    const size = Number.parseInt(parts[1] ?? '', 16)
    if (size > 0 && this.#chunkSize < MIN_CHUNK_BYTES) {
      throw new S3Error('InvalidChunkSizeError', {
        extra: { Chunk: String(this.#chunkNumber), BadChunkSize: String(this.#chunkSize) },
      })
    }
    this.#decoded += size
    const isWhole = this.#decoded === this.decodedLength
    if (this.#decoded > this.decodedLength || (size === 0 && !isWhole)) throw this.#malformed()
    this.#chunkNumber += 1
    this.#chunkSize = size
    this.#chunkLeft = size
    this.#chunkSignature = parts[2] ?? ''
    if (this.#signer !== undefined) this.#chunkHash = createHash('sha256')
    if (size > 0) this.#place = 'data'
    else this.#finishChunks()
  }

  #finishChunks(): void {
    this.#verifyChunk()
    this.#place = this.#promised.length > 0 ? 'trailers' : 'end-line'
  }

  #verifyChunk(): void {
    if (this.#signer === undefined || this.#chunkHash === undefined) return
    this.#signer.verify(this.#chunkHash.digest('hex'), this.#chunkSignature)
    this.#chunkHash = undefined
  }

  #readTrailer(line: string): void {
    // Some clients (minio-go) end a trailer with LF CRLF.
    const parts = TRAILER.exec(line.endsWith('\n') ? line.slice(0, -1) : line)
    const name = parts?.[1]?.toLowerCase() ?? ''
    const value = parts?.[2] ?? ''
    const complete = Object.keys(this.#trailers).length === this.#promised.length
    if (complete && this.#signer === undefined && line === '') this.#place = 'done'
    else if (complete && this.#signer !== undefined && name === TRAILER_SIGNATURE) this.#verifyTrailers(value)
    else if (this.#promised.includes(name) && !Object.hasOwn(this.#trailers, name)) this.#trailers[name] = value
    else throw this.#malformed()
  }

  #verifyTrailers(signature: string): void {
    const names = Object.keys(this.#trailers).sort()
    const canonical = names.map((name) => `${name}:${this.#trailers[name] ?? ''}\n`).join('')
    this.#signer?.verifyTrailer(createHash('sha256').update(canonical, 'latin1').digest('hex'), signature)
    this.#place = 'end-line'
  }
}

const UNSIGNED_CHUNK = /^([0-9A-Fa-f]{1,12})$/
const SIGNED_CHUNK = /^([0-9A-Fa-f]{1,12});chunk-signature=([0-9a-f]{64})$/
const TRAILER = /^([A-Za-z0-9-]+):[ \t]*([\x21-\x7e]*)[ \t]*$/
