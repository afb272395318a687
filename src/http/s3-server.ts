/** The S3 listener: Fastify with one raw route. Nothing is parsed, decoded or routed before the pipeline sees the wire form that was signed. */
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer, Server as SecureServer } from 'node:https'
import type { Socket } from 'node:net'
import { type FastifyInstance, fastify } from 'fastify'
import { S3_ERRORS, type S3ErrorCode } from '../s3/errors.ts'
import { renderError } from '../s3/result-xml.ts'
import { alarm } from '../telemetry/channels.ts'
import { answerAtHead, trackConnections } from './connections.ts'
import { type PipelineParts, serve } from './pipeline.ts'

export interface S3ServerOptions {
  readonly tls?: { readonly cert: string; readonly key: string }
  /** Milliseconds for the whole header section. */
  readonly headerTimeout: number
  /** Milliseconds of silence on a connection with a request in progress. Bodies may take hours, silence may not. */
  readonly idleTimeout: number
  /** Milliseconds an idle keep-alive connection is kept. */
  readonly keepAliveTimeout: number
  readonly maxHeaderBytes: number
  readonly maxConnections: number
}

/** Exchanges what can change while it runs; connections that are open stay as they are. */
export function changeS3Server(
  { server }: FastifyInstance,
  { tls, maxConnections }: Pick<S3ServerOptions, 'tls' | 'maxConnections'>,
): void {
  server.maxConnections = maxConnections
  if (tls !== undefined && server instanceof SecureServer) {
    server.setSecureContext({ ...tls, minVersion: LEAST_TLS })
  }
}

const LEAST_TLS = 'TLSv1.2'

/** Makes the listener; `app.listen` starts it, `app.close` stops it. */
export function createS3Server(parts: PipelineParts, options: S3ServerOptions): FastifyInstance {
  const waiting = new WeakSet<IncomingMessage>()
  const app = fastify({
    logger: false,
    // The router sees one constant path: it would decode and normalise what SigV4 signed as it came.
    rewriteUrl: (raw) => {
      raws.set(raw, raw.url ?? '/')
      return '/'
    },
    serverFactory: (handler) => createServer(options, handler),
    forceCloseConnections: 'idle',
    // Fastify's own refusal is JSON; while we stop, what still comes on an open connection is served, and the connection ends.
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => refuseUnparsable(parts, error, socket, answerAtHead(app.server, socket)),
  })
  const raws = new WeakMap<object, string>()
  app.addHook('onRequest', async (request, reply) => {
    const raw = request.raw
    raw.url = raws.get(raw) ?? '/'
    reply.hijack()
    await serve(parts, raw, reply.raw, waiting.has(raw))
  })
  app.all('/', async () => undefined)
  app.setNotFoundHandler(async () => undefined)

  app.server.on('timeout', (socket: Socket) => endSilence(parts, socket, answerAtHead(app.server, socket)))

  // With a listener Node does not send `100 Continue` by itself; the pipeline sends it when the body is first read.
  app.server.on('checkContinue', (raw: IncomingMessage, res: ServerResponse) => {
    waiting.add(raw)
    app.routing(raw, res)
  })
  // An Expect that nobody knows is tolerated (S3 behaviour 24).
  app.server.on('checkExpectation', (raw: IncomingMessage, res: ServerResponse) => app.routing(raw, res))
  return app
}

function createServer(options: S3ServerOptions, handler: (raw: IncomingMessage, res: ServerResponse) => void): Server {
  const settings = {
    maxHeaderSize: options.maxHeaderBytes,
    headersTimeout: options.headerTimeout,
    keepAliveTimeout: options.keepAliveTimeout,
    requestTimeout: 0,
    // Node's own answer has no document; the pipeline has one.
    requireHostHeader: false,
    connectionsCheckingInterval: Math.min(30_000, Math.max(1_000, Math.floor(options.headerTimeout / 2))),
  }
  const server =
    options.tls === undefined
      ? createHttpServer(settings, handler)
      : createHttpsServer({ ...settings, ...options.tls, minVersion: LEAST_TLS }, handler)
  trackConnections(server, options.tls !== undefined)
  server.maxConnections = options.maxConnections
  server.setTimeout(options.idleTimeout)
  return server
}

/**
 * Silence in the middle of a request is told (S3 behaviour 27): to a client that owes us bytes as `RequestTimeout`, to one
 * that waits for a silent store as `ServiceUnavailable`. An idle connection just ends, and so does an answer under way:
 * nothing may be written into it.
 */
function endSilence(parts: PipelineParts, socket: Socket, res: ServerResponse | undefined): void {
  if (res === undefined || res.headersSent || res.writableEnded) {
    socket.destroy()
    return
  }
  const { complete, readableFlowing, url } = res.req
  // A client owes us something only while we listen.
  const ours = complete || readableFlowing !== true
  if (ours)
    alarm.publish({
      what: 'a request waited too long for a store or a key',
      detail: { path: (url ?? '').split('?', 1)[0] ?? '' },
    })
  closeWith(parts, socket, ours ? 'ServiceUnavailable' : 'RequestTimeout')
}

/** Why Node's parser refused, as S3 says it. */
const PARSER_ERRORS: Readonly<Record<string, S3ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'RequestHeaderSectionTooLarge',
  HPE_INVALID_URL: 'InvalidURI',
  ERR_HTTP_REQUEST_TIMEOUT: 'RequestTimeout',
}
const CUT_SHORT = 'HPE_INVALID_EOF_STATE'

/**
 * Answers what never became a request, or a body that breaks off, and closes: after a parser error nothing on the
 * connection can be trusted. While a whole request `before` it waits for its answer, or gets it, there is nothing to say.
 */
function refuseUnparsable(
  parts: PipelineParts,
  error: Error & { code?: string },
  socket: Socket,
  before: ServerResponse | undefined,
): void {
  const taken = before !== undefined && (before.headersSent || before.req.complete)
  if (!socket.writable || error.code === 'ECONNRESET' || taken) {
    socket.destroy()
    return
  }
  const cut = before !== undefined && error.code === CUT_SHORT
  closeWith(parts, socket, cut ? 'IncompleteBody' : (PARSER_ERRORS[error.code ?? ''] ?? 'BadRequest'))
}

/** An error document on a connection that ends with it, written past Node's own response. */
function closeWith(parts: PipelineParts, socket: Socket, code: S3ErrorCode): void {
  const [status, message] = S3_ERRORS[code]
  const { hostId } = parts
  const requestId = parts.requestId()
  const body = renderError({ code, message, requestId, hostId, extra: {} })
  const headers = [
    `x-amz-request-id: ${requestId}`,
    `x-amz-id-2: ${hostId}`,
    'content-type: application/xml',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`HTTP/1.1 ${status} ${code}\r\n${headers.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}
