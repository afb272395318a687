/** The S3 listener: Fastify with one raw route. Nothing is parsed, decoded or routed before the pipeline sees the wire form that was signed. */
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import { type FastifyInstance, fastify } from 'fastify'
import { S3_ERRORS, type S3ErrorCode } from '../s3/errors.ts'
import { renderError } from '../s3/result-xml.ts'
import { trackConnections } from './connections.ts'
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
    clientErrorHandler: refuseUnparsable,
  })
  const raws = new WeakMap<object, string>()
  const answering = new WeakMap<Socket, ServerResponse>()
  app.addHook('onRequest', async (request, reply) => {
    const raw = request.raw
    raw.url = raws.get(raw) ?? '/'
    reply.hijack()
    answering.set(raw.socket, reply.raw)
    await serve(parts, raw, reply.raw, waiting.has(raw))
  })
  app.all('/', async () => undefined)
  app.setNotFoundHandler(async () => undefined)

  // Silence in the middle of a request is told (S3 behaviour 27); an idle connection just ends.
  app.server.on('timeout', (socket: Socket) => {
    const res = answering.get(socket)
    if (res === undefined || res.headersSent || res.writableEnded) socket.destroy()
    else closeWith(socket, 'RequestTimeout')
  })

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
    connectionsCheckingInterval: Math.min(30_000, Math.max(1_000, Math.floor(options.headerTimeout / 2))),
  }
  const server =
    options.tls === undefined
      ? createHttpServer(settings, handler)
      : createHttpsServer({ ...settings, ...options.tls, minVersion: 'TLSv1.2' }, handler)
  trackConnections(server, options.tls !== undefined)
  server.maxConnections = options.maxConnections
  server.setTimeout(options.idleTimeout)
  return server
}

/** Why Node's parser refused, as S3 says it. */
const PARSER_ERRORS: Readonly<Record<string, S3ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'RequestHeaderSectionTooLarge',
  ERR_HTTP_REQUEST_TIMEOUT: 'RequestTimeout',
}

/** Answers what never became a request, and closes: after a parser error nothing on the connection can be trusted. */
function refuseUnparsable(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  closeWith(socket, PARSER_ERRORS[error.code ?? ''] ?? 'BadRequest')
}

/** An error document on a connection that ends with it, written past Node's own response. */
function closeWith(socket: Socket, code: S3ErrorCode): void {
  const [status, message] = S3_ERRORS[code]
  const body = renderError({ code, message, requestId: '', hostId: '', extra: {} })
  socket.end(
    `HTTP/1.1 ${status} ${code}\r\ncontent-type: application/xml\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  )
}
