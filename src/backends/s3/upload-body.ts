/** A body on its way to a store, with a checksum of the ciphertext where the profile has a dialect for it. */
import { Internal, Invalid } from '../../errors.ts'
import { EMPTY_SHA256, UNSIGNED_PAYLOAD } from '../../s3/auth/canonical-request.ts'
import { newHasher } from '../../s3/checksum.ts'
import { contentMd5 } from '../../s3/content-md5.ts'
import { type Body, HeldBody } from '../body.ts'
import type { ChecksumDialect } from './profiles.ts'

/** What is sent for a body, made anew for each attempt. */
export interface OutgoingBody {
  readonly payloadHash: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer | Body | undefined
}

export const NO_BODY: OutgoingBody = { payloadHash: EMPTY_SHA256, headers: {}, body: undefined }

/** A document in memory. `md5`: the operation demands Content-MD5. */
export function documentBody(bytes: Buffer, md5: boolean): OutgoingBody {
  return {
    payloadHash: hashed('SHA256', [bytes]).toString('hex'),
    headers: {
      'content-length': String(bytes.length),
      ...(bytes.length === 0 ? {} : { 'content-type': 'application/xml' }),
      ...(md5 ? { 'content-md5': contentMd5([bytes]) } : {}),
    },
    body: bytes,
  }
}

/** Up to this a body in memory goes out as one buffer, with its head in one write. */
const JOIN_BYTES = 128 * 1024

/** The body of an object or a part. `length` is exact. */
export function objectBody(body: Body, length: number, dialect: ChecksumDialect): OutgoingBody {
  if (body instanceof HeldBody) return heldBody(body, length, dialect)
  if (dialect === 'crc32') return trailingBody(body, length)
  return {
    payloadHash: UNSIGNED_PAYLOAD,
    headers: { 'content-length': String(length) },
    body: counted(body, length),
  }
}

function heldBody(body: HeldBody, length: number, dialect: ChecksumDialect): OutgoingBody {
  if (body.length !== length) throw wrongLength(body.length, length)
  const { pieces } = body
  return {
    payloadHash: dialect === 'sha256' ? hashed('SHA256', pieces).toString('hex') : UNSIGNED_PAYLOAD,
    headers: {
      'content-length': String(length),
      ...(dialect === 'crc32' ? { 'x-amz-checksum-crc32': hashed('CRC32', pieces).toString('base64') } : {}),
    },
    body: length <= JOIN_BYTES ? Buffer.concat(pieces) : body,
  }
}

const TRAILER = 'x-amz-checksum-crc32'
const CHUNK_BYTES = 1024 * 1024
const CRLF = '\r\n'

/** `STREAMING-UNSIGNED-PAYLOAD-TRAILER` (S3 API reference, "sigv4-streaming-trailers"): chunks of a fixed size, so that the length is known. */
function trailingBody(body: Body, length: number): OutgoingBody {
  const whole = Math.floor(length / CHUNK_BYTES)
  const rest = length - whole * CHUNK_BYTES
  const framed = (bytes: number): number => bytes.toString(16).length + bytes + 2 * CRLF.length
  const end = `0${CRLF}${TRAILER}:${'0'.repeat(8)}${CRLF}${CRLF}`.length
  const total = whole * framed(CHUNK_BYTES) + (rest === 0 ? 0 : framed(rest)) + end
  return {
    payloadHash: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    headers: {
      'content-length': String(total),
      'content-encoding': 'aws-chunked',
      'x-amz-decoded-content-length': String(length),
      'x-amz-trailer': TRAILER,
    },
    body: chunked(body, length),
  }
}

async function* chunked(body: Body, length: number): Body {
  const hasher = newHasher('CRC32')
  let left = length
  let inChunk = 0
  let bytes = 0
  for await (const batch of body) {
    const out: Buffer[] = []
    for (let piece of batch) {
      bytes += piece.length
      if (bytes > length) throw wrongLength(bytes, length)
      hasher.update(piece)
      while (piece.length > 0) {
        if (inChunk === 0) {
          inChunk = Math.min(left, CHUNK_BYTES)
          out.push(Buffer.from(`${inChunk.toString(16)}${CRLF}`))
        }
        const now = piece.subarray(0, inChunk)
        piece = piece.subarray(now.length)
        out.push(now)
        inChunk -= now.length
        left -= now.length
        if (inChunk === 0) out.push(Buffer.from(CRLF))
      }
    }
    yield out
  }
  if (bytes !== length) throw wrongLength(bytes, length)
  yield [Buffer.from(`0${CRLF}${TRAILER}:${hasher.digest().toString('base64')}${CRLF}${CRLF}`)]
}

/** Refuses a body of another length: neither a short nor a long one may become an object. */
async function* counted(body: Body, length: number): Body {
  let bytes = 0
  for await (const batch of body) {
    for (const piece of batch) bytes += piece.length
    if (bytes > length) throw wrongLength(bytes, length)
    yield batch
  }
  if (bytes !== length) throw wrongLength(bytes, length)
}

function wrongLength(found: number, announced: number): Invalid {
  return new Invalid(`a body of ${found} bytes where ${announced} were announced`)
}

function hashed(name: 'SHA256' | 'CRC32', pieces: readonly Buffer[]): Buffer {
  const hasher = newHasher(name)
  for (const piece of pieces) hasher.update(piece)
  return hasher.digest()
}

/**
 * The same body with `last` run before its final batch leaves: a store that has all bytes of an announced length has the object.
 */
export async function* beforeLast(body: Body, last: () => Promise<unknown>): Body {
  let held: readonly Buffer[] | undefined
  for await (const batch of body) {
    if (held !== undefined) yield held
    held = batch
  }
  await last()
  if (held !== undefined) yield held
}

/** The same body until the signal aborts, also while its source is silent. */
async function* untilAborted(body: Body, signal: AbortSignal | undefined): Body {
  const source = body[Symbol.asyncIterator]()
  let interrupt = (): void => undefined
  const onAbort = (): void => interrupt()
  signal?.addEventListener('abort', onAbort)
  try {
    for (;;) {
      const step = await new Promise<IteratorResult<readonly Buffer[]>>((resolve, reject) => {
        interrupt = () => reject(signal?.reason instanceof Error ? signal.reason : new Error('aborted'))
        if (signal?.aborted === true) interrupt()
        else source.next().then(resolve, reject)
      })
      if (step.done === true) return
      yield step.value
    }
  } finally {
    signal?.removeEventListener('abort', onAbort)
    void source.return?.().then(undefined, () => undefined)
  }
}

/** A body whose length nobody knows is gathered up to this. */
const UNKNOWN_LENGTH_BYTES = 64 * 1024 * 1024

/** An S3 request announces its length: a body without one is gathered. */
export async function withLength(
  body: Body,
  length: number | undefined,
  signal: AbortSignal | undefined,
): Promise<{ readonly body: Body; readonly length: number }> {
  if (body instanceof HeldBody) {
    if (length !== undefined && length !== body.length) {
      throw new Invalid(`a body of ${body.length} bytes where ${length} were announced`)
    }
    return { body, length: body.length }
  }
  if (length !== undefined) return { body, length }
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const batch of untilAborted(body, signal)) {
    for (const piece of batch) bytes += piece.length
    if (bytes > UNKNOWN_LENGTH_BYTES)
      throw new Internal('a body of unknown length does not go to an S3 store as a whole')
    pieces.push(...batch)
  }
  return { body: new HeldBody(pieces), length: bytes }
}
