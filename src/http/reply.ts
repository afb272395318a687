/** A result or an error becomes status, headers and body; here and nowhere else. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { OperationResponse } from '../gateway/gateway.ts'
import type { S3Error } from '../s3/errors.ts'
import { renderError } from '../s3/result-xml.ts'
import { XML_DECLARATION } from '../s3/xml.ts'
import { primed, writeBody } from './response-body.ts'

/** An unread body of at most this many bytes is read and thrown away, so that the connection can serve the next request. */
const DRAIN_BYTES = 256 * 1024
/** How long a closing connection may go on sending what nobody reads, so that the client sees the answer before the reset. */
const LINGER_MILLISECONDS = 2_000
/** After this long without a result, the operations that may take minutes send white space to keep the connection alive. */
const KEEP_ALIVE_AFTER_MILLISECONDS = 10_000
const KEEP_ALIVE_EVERY_MILLISECONDS = 5_000

export interface ReplyContext {
  readonly raw: IncomingMessage
  readonly res: ServerResponse
  readonly requestId: string
  readonly hostId: string
  readonly resource: string
}

function baseHeaders(context: ReplyContext): Record<string, string> {
  return { 'x-amz-request-id': context.requestId, 'x-amz-id-2': context.hostId, server: 'Sealgate' }
}

/**
 * Sends a response. A body that fails after the status line destroys the connection: a client must never take a torn
 * object for a whole one. Resolves to false if the client had gone; throws what the body threw.
 */
export async function sendResponse(context: ReplyContext, response: OperationResponse): Promise<boolean> {
  const { raw, res } = context
  const headers: Record<string, string | number> = { ...baseHeaders(context), ...response.headers }
  const body = response.body
  if (typeof body === 'string') {
    headers['content-type'] ??= 'application/xml'
    headers['content-length'] = Buffer.byteLength(body)
    settleConnection(context)
    res.writeHead(response.status, headers).end(raw.method === 'HEAD' ? undefined : body)
    return true
  }
  if (body === undefined) {
    if (response.status !== 204 && response.status !== 304 && raw.method !== 'HEAD') headers['content-length'] = 0
    settleConnection(context)
    res.writeHead(response.status, headers).end()
    return true
  }
  const stream = await primed(body.stream)
  headers['content-length'] = body.length
  settleConnection(context)
  res.writeHead(response.status, headers)
  try {
    const complete = await writeBody(res, stream)
    if (complete) res.end()
    return complete
  } catch (error) {
    res.destroy()
    throw error
  }
}

/** Sends an error document; without a body for HEAD and 304 (S3 behaviour 49). */
export function sendError(context: ReplyContext, error: S3Error): void {
  const { raw, res } = context
  const bare = raw.method === 'HEAD' || error.status === 304
  const document = bare ? '' : errorDocument(context, error, true)
  settleConnection(context)
  res
    .writeHead(error.status, {
      ...baseHeaders(context),
      ...error.headers,
      ...(bare ? {} : { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(document) }),
    })
    .end(document)
}

function errorDocument(context: ReplyContext, error: S3Error, declaration: boolean): string {
  const { requestId, hostId, resource } = context
  return renderError(
    { code: error.code, message: error.message, resource, requestId, hostId, extra: error.extra },
    { declaration },
  )
}

/**
 * Runs an operation that may take minutes (copies, Complete). A quick result is sent as any other; a slow one gets status
 * 200, the XML declaration and white space until its document, or an `<Error>` in the 200, is there (S3 behaviour 65).
 */
export async function sendSlowly(
  context: ReplyContext,
  running: Promise<OperationResponse>,
  toS3Error: (error: unknown) => S3Error,
): Promise<boolean> {
  const { res } = context
  const quick = await Promise.race([running, timer(KEEP_ALIVE_AFTER_MILLISECONDS)])
  if (quick !== undefined) return sendResponse(context, quick)
  res.writeHead(200, { ...baseHeaders(context), 'content-type': 'application/xml' })
  res.write(XML_DECLARATION)
  const beat = setInterval(() => res.write(' '), KEEP_ALIVE_EVERY_MILLISECONDS)
  try {
    const { body } = await running
    res.end(typeof body === 'string' ? body.slice(body.startsWith(XML_DECLARATION) ? XML_DECLARATION.length : 0) : '')
    return !res.destroyed
  } catch (error) {
    res.end(errorDocument(context, toS3Error(error), false))
    throw error
  } finally {
    clearInterval(beat)
  }
}

function timer(milliseconds: number): Promise<undefined> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(undefined), milliseconds).unref()
  })
}

/**
 * Keeps the connection usable after an answer that came before the end of the request's body (S3 behaviour 113): a small
 * rest is read and dropped, otherwise the connection is closed after a bounded linger. Bytes left unread would be taken for the next request.
 */
function settleConnection({ raw, res }: ReplyContext): void {
  if (raw.complete) return
  const announced = Number(raw.headers['content-length'] ?? Number.NaN)
  const awaitsContinue = raw.headers.expect !== undefined
  if (announced === 0 || (raw.headers['transfer-encoding'] === undefined && Number.isNaN(announced))) return
  let dropped = 0
  raw.on('data', (piece: Buffer) => {
    dropped += piece.length
    if (dropped > DRAIN_BYTES) raw.pause()
  })
  raw.resume()
  if (announced <= DRAIN_BYTES && !awaitsContinue) return
  res.setHeader('connection', 'close')
  res.on('finish', () => setTimeout(() => raw.socket.destroy(), LINGER_MILLISECONDS).unref())
}
