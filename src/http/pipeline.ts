/**
 * The request's way, in one sentence: address the request, detect the operation, authenticate, authorise, screen its
 * headers, run it, reply.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Gateway, OperationRequest } from '../gateway/gateway.ts'
import { forwardRequest } from '../gateway/forward.ts'
import { OPERATION_FUNCTIONS } from '../gateway/operations.ts'
import { parseTarget, type Target } from '../s3/address.ts'
import { authenticate } from '../s3/auth/authenticate.ts'
import { detectOperation } from '../s3/detect.ts'
import { S3Error } from '../s3/errors.ts'
import { Headers } from '../s3/headers.ts'
import { isBuilt, OPERATIONS, requireBuilt } from '../s3/operation.ts'
import type { OperationName } from '../s3/operation-name.ts'
import { screenRequest, withQueryHeaders } from '../s3/screen.ts'
import { requestDone, type RequestEvent } from '../telemetry/channels.ts'
import type { Authoriser } from './authoriser.ts'
import { toS3Error } from './failures.ts'
import { type ReplyContext, sendError, sendResponse, sendSlowly } from './reply.ts'
import { ClientGone, clientIsGone, requestBody, requireLength } from './request-body.ts'

export interface PipelineParts {
  readonly gateway: Gateway
  readonly authoriser: Authoriser
  /** Base domains of virtual-host style. */
  readonly domains: readonly string[]
  /** The region that scopes must name; `undefined` accepts any. */
  readonly region: string | undefined
  readonly requestId: () => string
  readonly hostId: string
}

/** What is known of a request so far, for the log. */
interface Trace {
  operation: OperationName | 'unknown'
  bucket?: string
  key?: string
  accessKey?: string
}

/** Operations that may take minutes because they move or join data. */
const SLOW: ReadonlySet<OperationName> = new Set(['CopyObject', 'UploadPartCopy', 'CompleteMultipartUpload'])

/** What the log says of a request whose client went away before any answer; nobody is sent it. */
const CLIENT_GONE_STATUS = 499

/** One for all: every request ends with it, and nobody asks where it was made. */
const CLOSED = new ClientGone('the client closed the connection')

/** Serves one request to its end. Never throws. `expectsContinue`: the client waits for 100 before it sends its body. */
export async function serve(
  parts: PipelineParts,
  raw: IncomingMessage,
  res: ServerResponse,
  expectsContinue: boolean,
): Promise<void> {
  const started = performance.now()
  const context: ReplyContext = {
    raw,
    res,
    requestId: parts.requestId(),
    hostId: parts.hostId,
    resource: (raw.url ?? '/').split('?', 1)[0] ?? '/',
  }
  const trace: Trace = { operation: 'unknown' }
  let failure: unknown
  let complete = true
  try {
    complete = await answer(parts, context, trace, expectsContinue)
  } catch (error) {
    failure = error
    if (!res.headersSent && !res.destroyed) sendError(context, toS3Error(error))
  }
  const end = ending(res, failure, complete)
  requestDone.publish({
    requestId: context.requestId,
    method: raw.method ?? '',
    ...trace,
    ...end,
    milliseconds: performance.now() - started,
  })
}

/** How a request ended, for the log. */
function ending(
  res: ServerResponse,
  failure: unknown,
  complete: boolean,
): Pick<RequestEvent, 'status' | 'code' | 'cause' | 'disconnected'> {
  if (failure === undefined) return { status: res.statusCode, disconnected: !complete }
  if (clientIsGone(failure))
    return { status: res.headersSent ? res.statusCode : CLIENT_GONE_STATUS, disconnected: true }
  const { status, code, cause } = toS3Error(failure)
  return { status, code, cause: cause ?? failure, disconnected: false }
}

async function answer(
  parts: PipelineParts,
  context: ReplyContext,
  trace: Trace,
  expectsContinue: boolean,
): Promise<boolean> {
  const { raw, res } = context
  const wire = new Headers(raw.rawHeaders)
  const method = raw.method ?? ''
  requireHost(raw, wire)
  const target = parseTarget(raw.url ?? '/', wire.get('host'), parts.domains)
  Object.assign(
    trace,
    target.bucket === undefined ? {} : { bucket: target.bucket },
    target.key === undefined ? {} : { key: target.key },
  )

  const headers = withQueryHeaders(wire, target.query)
  const operation: OperationName = detectOperation(method, target, target.query, headers)
  trace.operation = operation

  const caller = authenticate(
    { method, rawPath: target.rawPath, query: target.query, headers: wire },
    { now: new Date(parts.gateway.clock()), region: parts.region, lookup: parts.authoriser.lookup },
  )
  trace.accessKey = caller.accessKey
  const { native, versions } = parts.gateway.store.capabilities
  requireBuilt(operation, native)

  const row = OPERATIONS[operation]
  const may = parts.authoriser.of(caller.accessKey)
  may.operation(operation, row, target)

  const own = isBuilt(operation) && !(native && row.class === 'forwarded') ? OPERATION_FUNCTIONS[operation] : undefined
  if (own !== undefined)
    screenRequest(operation, headers, target.query, { ownerId: parts.gateway.owner.id, versions, native })
  requireLength(row.body, wire)

  const run = own ?? forwardRequest
  const gone = new AbortController()
  res.on('close', () => gone.abort(CLOSED))
  const request: OperationRequest = {
    operation,
    method,
    ...place(target),
    query: target.query,
    headers,
    body: requestBody(raw, wire, caller.payload, () => {
      if (expectsContinue) res.writeContinue()
    }),
    authorise: may.action,
    visible: may.sees,
    signal: gone.signal,
  }
  const running = run(parts.gateway, request).catch((error: unknown) => {
    const missing = toS3Error(error).code === 'NoSuchKey' && !may.mayMiss(request.bucket, request.key)
    throw missing ? new S3Error('AccessDenied', { cause: error }) : error
  })
  return SLOW.has(operation) ? sendSlowly(context, running, toS3Error) : sendResponse(context, await running)
}

/** A request of HTTP/1.1 names one host (RFC 9112, 3.2): two readers might disagree about which of several counts. */
function requireHost(raw: IncomingMessage, wire: Headers): void {
  const hosts = wire.all('host').length
  if (hosts === 1 || (hosts === 0 && raw.httpVersion === '1.0')) return
  throw new S3Error('InvalidRequest', { message: 'A request needs exactly one Host header' })
}

const place = (target: Target): { bucket: string; key: string } => ({
  bucket: target.bucket ?? '',
  key: target.key ?? '',
})
