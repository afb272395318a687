/**
 * The request's way, in one sentence: address the request, detect the operation, authenticate, authorise, screen its
 * headers, run it, reply.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { EndUse } from '../access/usage.ts'
import type { Gateway, Operation, OperationRequest, OperationResponse, RequestBody } from '../gateway/gateway.ts'
import { forwardRequest } from '../gateway/forward.ts'
import { OPERATION_FUNCTIONS } from '../gateway/operations.ts'
import { parseTarget, type Target } from '../s3/address.ts'
import type { PayloadMode } from '../s3/auth/payload-mode.ts'
import { detectOperation } from '../s3/detect.ts'
import { S3Error } from '../s3/errors.ts'
import { Headers } from '../s3/headers.ts'
import { isBuilt, OPERATIONS } from '../s3/operation.ts'
import type { OperationName } from '../s3/operation-name.ts'
import { withQueryHeaders } from '../s3/screen.ts'
import {
  type AuthKind,
  type ClientFacts,
  passage,
  requestBegun,
  requestDone,
  type RequestEvent,
} from '../telemetry/channels.ts'
import { Meter } from '../telemetry/meter.ts'
import { pass } from '../telemetry/passage.ts'
import { clientFacts } from './client-facts.ts'
import { crossOrigin } from './cross-origin.ts'
import { type Arriving, enter, type EntranceParts } from './entrance.ts'
import { named, toS3Error } from './failures.ts'
import { enterByForm } from './form-entrance.ts'
import { objectFacts } from './object-facts.ts'
import { objectUrl, type Reached } from './object-url.ts'
import { holdFailure, type ReplyContext, sendError, sendResponse, sendSlowly } from './reply.ts'
import { ClientGone, clientIsGone, requestBody } from './request-body.ts'

export interface PipelineParts extends EntranceParts {
  /** The gateway as one request sees it. */
  readonly gatewayOf: (meter: Meter) => Gateway
  /** Base domains of virtual-host style. */
  readonly domains: readonly string[]
  /** Where clients reach the listener; see `objectUrl`. */
  readonly publicUrls: readonly string[]
  readonly admission: Admission
  readonly requestId: () => string
  readonly hostId: string
}

/** Admits a request of a credential (`undefined`: of nobody's) in a bucket ('': in none), or throws `SlowDown`. What it returns ends the use. */
export type Admission = (accessKey: string | undefined, bucket: string) => EndUse | undefined

/** What is known of a request so far, for the log. */
interface Trace {
  readonly at: number
  operation: OperationName | 'unknown'
  readonly meter: Meter
  bucket?: string
  key?: string
  accessKey?: string
  auth?: AuthKind
  objectBytes?: number
  versionId?: string
  traceId?: string
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
  const context: ReplyContext = {
    raw,
    res,
    requestId: parts.requestId(),
    hostId: parts.hostId,
    resource: (raw.url ?? '/').split('?', 1)[0] ?? '/',
    meter: new Meter(),
    started: performance.now(),
  }
  const trace: Trace = { operation: 'unknown', meter: context.meter, at: parts.gateway.clock() }
  beginTrace(raw, trace)
  let failure: unknown
  let complete = true
  try {
    if (passage.heard) await enterPassage(context, trace)
    complete = await answer(parts, context, trace, expectsContinue)
  } catch (error) {
    failure = await refuse(context, error)
  }
  context.endUse?.(context.meter.receivedBytes + context.meter.sentBytes)
  requestDone.publish(eventOf(context, trace, ending(res, failure, complete)))
}

/** From now on whoever holds the request is asked before it is answered. */
async function enterPassage(context: ReplyContext, trace: Trace): Promise<void> {
  await pass()
  context.hold = (status, failure) => {
    const end = failure === undefined ? { status, disconnected: false } : failureOf(failure)
    return pass(eventOf(context, trace, end))
  }
}

/** Tells the client, if there is somebody to tell. Resolves to what it was told. */
async function refuse(context: ReplyContext, error: unknown): Promise<unknown> {
  const { res } = context
  if (res.headersSent || res.destroyed) return error
  const failure = await holdFailure(context, error)
  // The client may have gone meanwhile.
  if (!res.destroyed) sendError(context, toS3Error(failure))
  return failure
}

type End = Pick<RequestEvent, 'status' | 'code' | 'cause' | 'disconnected'>

function eventOf({ raw, requestId, hostId, started, answered }: ReplyContext, trace: Trace, end: End): RequestEvent {
  let client: ClientFacts | undefined
  return {
    requestId,
    hostId,
    method: raw.method ?? '',
    client: () => (client ??= clientFacts(raw)),
    ...trace,
    ...end,
    milliseconds: performance.now() - started,
    ...(answered === undefined
      ? {}
      : {
          firstByteMilliseconds: answered - started,
          turnAroundMilliseconds: answered - (trace.meter.bodyEnded ?? started),
        }),
  }
}

function beginTrace({ headers }: IncomingMessage, trace: Trace): void {
  if (!requestBegun.heard) return
  const { meter } = trace
  const header = (name: string): string | undefined => headers[name]?.toString()
  requestBegun.publish({ meter, header })
  if (meter.trace?.sampled === true) trace.traceId = meter.trace.traceId
}

/** How a request ended, for the log. */
function ending(res: ServerResponse, failure: unknown, complete: boolean): End {
  if (failure === undefined) return { status: res.statusCode, disconnected: !complete }
  if (clientIsGone(failure))
    return { status: res.headersSent ? res.statusCode : CLIENT_GONE_STATUS, disconnected: true }
  return failureOf(failure)
}

function failureOf(failure: unknown): End {
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

  const origin = wire.get('origin')
  if (origin !== undefined && method !== 'OPTIONS') {
    context.crossOrigin = await crossOrigin(parts.gateway, { bucket: target.bucket ?? '', origin, method })
  }
  const headers = withQueryHeaders(wire, target.query)
  const operation: OperationName = detectOperation(method, target, target.query, headers)
  trace.operation = operation

  const own = ownFunction(parts.gateway, operation)
  const { meter } = trace
  const beforeFirstByte = (): void => {
    if (expectsContinue) res.writeContinue()
  }
  const open = (payload: PayloadMode): RequestBody => requestBody(raw, wire, payload, { meter, beforeFirstByte })
  const arriving: Arriving = { operation, method, target, wire, headers, secure: isSecure(raw), open, trace }
  const entered =
    operation === 'PostObject' ? await enterByForm(parts, arriving) : enter(parts, arriving, own !== undefined)

  context.endUse = parts.admission(trace.accessKey, target.bucket ?? '')
  const run = own ?? forwardRequest
  const gone = new AbortController()
  res.on('close', () => gone.abort(CLOSED))
  const { may, key, body, form } = entered
  const bucket = target.bucket ?? ''
  const request: OperationRequest = {
    operation,
    method,
    bucket,
    key,
    query: target.query,
    headers: entered.headers,
    body,
    authorise: may.action,
    visible: may.sees,
    urlOf: (name) => objectUrl(parts.publicUrls, reachedBy(raw, wire, target), name),
    signal: gone.signal,
    ...(form === undefined ? {} : { form }),
  }
  const running = run(parts.gatewayOf(meter), request).catch((error: unknown) => {
    entered.release?.()
    const missing = toS3Error(error).code === 'NoSuchKey' && !may.mayMiss(bucket, key)
    throw missing ? new S3Error('AccessDenied', { cause: error }) : named(error, bucket, key)
  })
  if (SLOW.has(operation)) return sendSlowly(context, running, toS3Error)
  return reply(context, trace, may.told(await running))
}

function reply(context: ReplyContext, trace: Trace, response: OperationResponse): Promise<boolean> {
  Object.assign(trace, objectFacts(trace.operation, response, trace.meter))
  return sendResponse(context, response)
}

/** A request of HTTP/1.1 names one host (RFC 9112, 3.2): two readers might disagree about which of several counts. */
function requireHost(raw: IncomingMessage, wire: Headers): void {
  const hosts = wire.all('host').length
  if (hosts === 1 || (hosts === 0 && raw.httpVersion === '1.0')) return
  throw new S3Error('InvalidRequest', { message: 'A request needs exactly one Host header' })
}

/** The connection is asked: headers that tell of TLS are anybody's to write. */
const isSecure = ({ socket }: IncomingMessage): boolean => 'encrypted' in socket && socket.encrypted === true

const reachedBy = (raw: IncomingMessage, wire: Headers, { style, bucket = '' }: Target): Reached => ({
  host: wire.get('host') ?? '',
  style,
  bucket,
  secure: isSecure(raw),
})

/** What runs an operation here; `undefined` for one that the store is handed as it is. */
function ownFunction({ store }: Gateway, operation: OperationName): Operation | undefined {
  const handedOn = store.capabilities.native && OPERATIONS[operation].class === 'forwarded'
  return isBuilt(operation) && !handedOn ? OPERATION_FUNCTIONS[operation] : undefined
}
