/** A result or an error becomes status, headers and body; here and nowhere else. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Body } from '../backends/body.ts'
import type { EndUse } from '../access/usage.ts'
import type { OperationResponse } from '../gateway/gateway.ts'
import type { S3Error } from '../s3/errors.ts'
import { renderError } from '../s3/result-xml.ts'
import { XML_DECLARATION } from '../s3/xml.ts'
import type { Meter } from '../telemetry/meter.ts'
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
  readonly meter: Meter
  /** In the time of `performance.now()`; `answered`: when the answer began. */
  readonly started: number
  answered?: number
  /** What it has used counts from its end on. */
  endUse?: EndUse | undefined
  /** Waits for those who must know what the client will be told. What it throws is told in place of that. */
  hold?: (status: number, failure?: unknown) => Promise<void>
  /** What a browser is told of the origin that has asked. */
  crossOrigin?: Readonly<Record<string, string>> | undefined
}

/** Names and values in turn, as `writeHead` takes them without a copy. */
type Head = (string | number)[]

function headOf(context: ReplyContext, headers: Readonly<Record<string, string>> = {}): Head {
  const head: Head = ['x-amz-request-id', context.requestId, 'x-amz-id-2', context.hostId, 'server', 'Sealgate']
  for (const name of Object.keys(headers)) head.push(name, headers[name] ?? '')
  if (context.crossOrigin !== undefined) head.push(...Object.entries(context.crossOrigin).flat())
  return head
}

function begin(context: ReplyContext, status: number, head: Head): void {
  context.answered = performance.now()
  context.res.writeHead(status, head)
}

function counted({ meter }: ReplyContext, text: string): string {
  meter.sentBytes += Buffer.byteLength(text)
  return text
}

/**
 * Sends a response. A body that fails after the status line destroys the connection: a client must never take a torn
 * object for a whole one. Resolves to false if the client had gone; throws what the body threw.
 */
export async function sendResponse(context: ReplyContext, response: OperationResponse): Promise<boolean> {
  const { raw } = context
  const head = headOf(context, response.headers)
  const body = response.body
  if (typeof body === 'string') {
    if (response.headers?.['content-type'] === undefined) head.push('content-type', 'application/xml')
    head.push('content-length', Buffer.byteLength(body))
    if (context.hold !== undefined) await context.hold(response.status)
    const end = settleConnection(context)
    begin(context, response.status, head)
    end(raw.method === 'HEAD' ? '' : counted(context, body))
    return true
  }
  if (body === undefined) {
    const announced = response.headers?.['content-length'] !== undefined
    if (response.status !== 204 && response.status !== 304 && raw.method !== 'HEAD' && !announced) {
      head.push('content-length', 0)
    }
    if (context.hold !== undefined) await context.hold(response.status)
    const end = settleConnection(context)
    begin(context, response.status, head)
    end('')
    return true
  }
  return sendStream(context, response.status, head, body)
}

async function sendStream(
  context: ReplyContext,
  status: number,
  head: Head,
  body: Exclude<OperationResponse['body'], string | undefined>,
): Promise<boolean> {
  const { res } = context
  const stream = await primed(body.stream)
  if (context.hold !== undefined) await leaveIfHeld(stream, context.hold(status))
  head.push('content-length', body.length)
  const end = settleConnection(context)
  begin(context, status, head)
  try {
    const complete = await writeBody(res, stream, context.meter)
    if (complete) end('')
    return complete
  } catch (error) {
    res.destroy()
    throw error
  }
}

/** A body that nobody will be sent must not stay open. */
async function leaveIfHeld(stream: Body, held: Promise<void>): Promise<void> {
  try {
    await held
  } catch (error) {
    await stream[Symbol.asyncIterator]().return?.(undefined)
    throw error
  }
}

/** Resolves to what the client is to be told: why it failed, or why that may not be told. */
export async function holdFailure(context: ReplyContext, error: unknown): Promise<unknown> {
  try {
    await context.hold?.(0, error)
    return error
  } catch (held) {
    return held
  }
}

/** Sends an error document; without a body for HEAD and 304 (S3 behaviour 49). */
export function sendError(context: ReplyContext, error: S3Error): void {
  const { raw } = context
  const bare = raw.method === 'HEAD' || error.status === 304
  const document = bare ? '' : errorDocument(context, error, true)
  const end = settleConnection(context)
  const head = headOf(context, error.headers)
  if (!bare) head.push('content-type', 'application/xml', 'content-length', Buffer.byteLength(document))
  begin(context, error.status, head)
  end(counted(context, document))
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
  begin(context, 200, headOf(context, { 'content-type': 'application/xml' }))
  res.write(counted(context, XML_DECLARATION))
  const beat = setInterval(() => res.write(' '), KEEP_ALIVE_EVERY_MILLISECONDS)
  try {
    const { body } = await running
    if (context.hold !== undefined) await context.hold(200)
    const rest =
      typeof body === 'string' ? body.slice(body.startsWith(XML_DECLARATION) ? XML_DECLARATION.length : 0) : ''
    res.end(counted(context, rest))
    return !res.destroyed
  } catch (error) {
    const failure = await holdFailure(context, error)
    res.end(counted(context, errorDocument(context, toS3Error(failure), false)))
    throw failure
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
 * rest is read and dropped, otherwise the connection is closed after a bounded linger. Bytes left unread would be taken
 * for the next request. Call it before the head is written; what it returns writes the last piece and ends the answer.
 */
function settleConnection({ raw, res }: ReplyContext): (last: string) => void {
  const end = (last: string): void => void res.end(last)
  if (raw.complete) return end
  const announced = Number(raw.headers['content-length'] ?? Number.NaN)
  const awaitsContinue = raw.headers.expect !== undefined
  if (announced === 0 || (raw.headers['transfer-encoding'] === undefined && Number.isNaN(announced))) return end
  raw.on('data', () => undefined).resume()
  if (announced <= DRAIN_BYTES && !awaitsContinue) return end
  res.setHeader('connection', 'close')
  return (last) => lingeringEnd(raw, res, last)
}

/**
 * Gives the whole answer at once and ends it when the client has stopped sending, or soon. Node closes the connection
 * with the end of its last answer, and bytes that come after would reset it before the client has read what we said.
 */
function lingeringEnd(raw: IncomingMessage, res: ServerResponse, last: string): void {
  res.flushHeaders()
  if (last !== '') res.write(last)
  const timer = setTimeout(end, LINGER_MILLISECONDS).unref()
  function end(): void {
    clearTimeout(timer)
    res.end()
  }
  raw.once('end', end).once('close', end)
}
