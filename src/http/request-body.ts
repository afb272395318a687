/** The body of a request as verified plaintext: one decoder at the edge for every dialect of SigV4 payloads. */
import type { IncomingMessage } from 'node:http'
import type { Body } from '../backends/body.ts'
import type { RequestBody } from '../gateway/gateway.ts'
import { contentSha256Mismatch, type PayloadMode } from '../s3/auth/payload-mode.ts'
import { type AwsChunkedDecoder, chunkedDecoder } from '../s3/aws-chunked.ts'
import { newHasher } from '../s3/checksum.ts'
import { S3Error } from '../s3/errors.ts'
import type { Headers } from '../s3/headers.ts'
import type { OperationRow } from '../s3/operation-row.ts'
import type { Meter } from '../telemetry/meter.ts'

/** Bytes taken from the socket ahead of the consumer. Larger batches mean fewer, larger writes to the store. */
const READ_AHEAD_BYTES = 128 * 1024

/** The client closed the connection before the body was complete. Not an error of ours, and no object appears. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone'
}

/** Whether a failure is only the echo of the client's going away. */
export function clientIsGone(error: unknown): boolean {
  return error instanceof ClientGone || (error instanceof Error && clientIsGone(error.cause))
}

/**
 * The request's body, which the meter counts decoded. `beforeFirstByte` runs when somebody first asks for bytes: that is where `100 Continue` is sent, so
 * that a request refused from its headers never makes the client send its body (RFC 9110, 10.1.1).
 */
export function requestBody(
  raw: IncomingMessage,
  headers: Headers,
  payload: PayloadMode,
  { meter, beforeFirstByte }: { readonly meter: Meter; readonly beforeFirstByte: () => void },
): RequestBody {
  const wire = wireLength(headers)
  const decoder = chunkedDecoder(payload, headers)
  let trailers: Readonly<Record<string, string>> = {}
  const pieces = readPieces(raw, beforeFirstByte, (bytes) => {
    if (bytes === 0) meter.bodyEnded = performance.now()
    else if (decoder === undefined) meter.receivedBytes += bytes
  })
  const stream =
    decoder === undefined
      ? payload.kind === 'hash' || wire === undefined
        ? checkPlain(pieces, wire, payload)
        : pieces
      : decodeChunked(pieces, decoder, meter, (found) => {
          trailers = found
        })
  return { length: decoder?.decodedLength ?? wire, stream, trailers: () => trailers }
}

/** Throws `MissingContentLength` for an object or a part that says neither its length nor that it comes in chunks (S3 behaviour 25). */
export function requireLength(body: OperationRow['body'], headers: Headers): void {
  if (body !== 'object' || headers.has('content-length') || headers.has('transfer-encoding')) return
  throw new S3Error('MissingContentLength')
}

/** Content-Length, or `undefined` for a chunked body; a request with neither has no body (RFC 9112, 6.3). */
function wireLength(headers: Headers): number | undefined {
  if (headers.has('transfer-encoding')) return undefined
  const text = headers.get('content-length')
  return text === undefined ? 0 : Number(text)
}

async function* checkPlain(pieces: Body, length: number | undefined, payload: PayloadMode): Body {
  const hasher = payload.kind === 'hash' ? newHasher('SHA256') : undefined
  let bytes = 0
  for await (const batch of pieces) {
    for (const piece of batch) {
      bytes += piece.length
      hasher?.update(piece)
    }
    yield batch
  }
  if (length !== undefined && bytes !== length) throw new S3Error('IncompleteBody')
  if (hasher === undefined || payload.kind !== 'hash') return
  const computed = hasher.digest()
  if (!computed.equals(payload.sha256)) throw contentSha256Mismatch(payload.sha256, computed)
}

async function* decodeChunked(
  pieces: Body,
  decoder: AwsChunkedDecoder,
  meter: Meter,
  done: (trailers: Readonly<Record<string, string>>) => void,
): Body {
  for await (const batch of pieces) {
    const decoded: Buffer[] = []
    for (const piece of batch) {
      for (const part of decoder.push(piece)) {
        meter.receivedBytes += part.length
        decoded.push(part)
      }
    }
    if (decoded.length > 0) yield decoded
  }
  done(decoder.end().trailers)
}

/** What arrived, of which `onBytes` is told (of its end with 0), in batches of up to `READ_AHEAD_BYTES`: the pieces of the socket as they are, none joined, none copied. */
async function* readPieces(raw: IncomingMessage, beforeFirstByte: () => void, onBytes: (bytes: number) => void): Body {
  let batch: Buffer[] = []
  let held = 0
  let state: 'open' | 'ended' | 'gone' = 'open'
  let wake = (): void => {}
  const onData = (piece: Buffer): void => {
    batch.push(piece)
    held += piece.length
    if (held >= READ_AHEAD_BYTES) raw.pause()
    wake()
  }
  const settle = (to: 'ended' | 'gone') => (): void => {
    if (state === 'open') state = to
    wake()
  }
  const onEnd = settle('ended')
  const onGone = settle('gone')
  beforeFirstByte()
  if (raw.readableEnded) state = 'ended'
  else if (raw.destroyed) state = 'gone'
  raw.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone)
  try {
    for (;;) {
      if (held > 0) {
        const full = batch
        onBytes(held)
        batch = []
        held = 0
        raw.resume()
        yield full
      } else if (state === 'ended') {
        onBytes(0)
        return
      } else if (state === 'gone') {
        throw new ClientGone('the client closed the connection before its body was complete')
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  } finally {
    raw.off('data', onData).off('end', onEnd).off('close', onGone)
    raw.pause()
  }
}
