/** What receives spans over OTLP, as a collector does: over HTTP or gRPC. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js'
import protobuf from 'protobufjs'
import { pem } from './pem.ts'

export interface ReceivedSpan {
  readonly name: string
  /** As the protocol numbers them: 1 internal, 2 server, 3 client. */
  readonly kind: number
  readonly traceId: string
  readonly spanId: string
  /** Empty at the root. */
  readonly parentSpanId: string
  /** Milliseconds since 1970. */
  readonly begun: number
  readonly milliseconds: number
  readonly attributes: Readonly<Record<string, unknown>>
  /** 2 is an error. */
  readonly status: number
}

export interface OtlpReceiver {
  readonly endpoint: string
  readonly spans: ReceivedSpan[]
  readonly resources: Readonly<Record<string, unknown>>[]
  readonly headers: IncomingHttpHeaders[]
  /** While it is set, nothing is taken. */
  refuse: boolean
  readonly close: () => Promise<void>
}

// The part of opentelemetry/proto that spans are made of.
const { root } = protobuf.parse(
  `syntax = "proto3";
message Request { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message Resource { repeated KeyValue attributes = 1; }
message ScopeSpans { repeated Span spans = 2; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
  fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9; Status status = 15;
}
message Status { string message = 2; int32 code = 3; }
message KeyValue { string key = 1; Value value = 2; }
message Value { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }`,
)
const Request = root.lookupType('Request')

interface KeyValue {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}
interface Decoded {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] }
    readonly scopeSpans: readonly { readonly spans: readonly DecodedSpan[] }[]
  }[]
}
interface DecodedSpan extends Omit<ReceivedSpan, 'attributes' | 'status' | 'begun' | 'milliseconds'> {
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly KeyValue[]
  readonly status?: { readonly code?: number }
}

const attributesOf = (list: readonly KeyValue[] = []): Record<string, unknown> =>
  Object.fromEntries(
    list.map(({ key, value }) => [key, 'intValue' in value ? Number(value['intValue']) : Object.values(value)[0]]),
  )
const hex = (base64: string | undefined): string => Buffer.from(base64 ?? '', 'base64').toString('hex')

function decode(bytes: Uint8Array, into: Pick<OtlpReceiver, 'spans' | 'resources'>): void {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it is what the definition above says
  const decoded = Request.toObject(Request.decode(bytes), { longs: String, bytes: String, arrays: true }) as Decoded
  for (const { resource, scopeSpans } of decoded.resourceSpans) {
    into.resources.push(attributesOf(resource.attributes))
    for (const span of scopeSpans.flatMap(({ spans }) => spans)) {
      const begun = Number(BigInt(span.startTimeUnixNano) / 1_000n) / 1_000
      into.spans.push({
        name: span.name,
        kind: span.kind,
        traceId: hex(span.traceId),
        spanId: hex(span.spanId),
        parentSpanId: hex(span.parentSpanId),
        begun,
        milliseconds: Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e6,
        attributes: attributesOf(span.attributes),
        status: span.status?.code ?? 0,
      })
    }
  }
}

/** The certificate of the tests, for `localhost`. */
export interface ReceiverOptions {
  readonly secure?: boolean
}

export async function receiveHttp({ secure = false }: ReceiverOptions = {}): Promise<OtlpReceiver> {
  const received: Omit<OtlpReceiver, 'endpoint' | 'close'> = { spans: [], resources: [], headers: [], refuse: false }
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece)
    const wrong = request.url !== '/v1/traces' || request.headers['content-type'] !== 'application/x-protobuf'
    if (received.refuse || wrong) return void response.writeHead(wrong ? 404 : 400).end()
    received.headers.push(request.headers)
    decode(Buffer.concat(pieces), received)
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
  }
  const listener = (request: IncomingMessage, response: ServerResponse): void => void answer(request, response)
  const server = secure ? createSecureServer({ cert: pem('cert'), key: pem('key') }, listener) : createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return Object.assign(received, {
    endpoint: addressOf(port, secure),
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  })
}

export async function receiveGrpc({ secure = false }: ReceiverOptions = {}): Promise<OtlpReceiver> {
  const received: Omit<OtlpReceiver, 'endpoint' | 'close'> = { spans: [], resources: [], headers: [], refuse: false }
  const server = new Server()
  server.addService(
    {
      Export: {
        path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
        requestStream: false,
        responseStream: false,
        requestSerialize: (value: Buffer) => value,
        requestDeserialize: (value: Buffer) => value,
        responseSerialize: (value: Buffer) => value,
        responseDeserialize: (value: Buffer) => value,
      },
    },
    {
      Export: ({ request, metadata }: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
        if (received.refuse) return answer({ code: status.INVALID_ARGUMENT })
        received.headers.push(Object.fromEntries(Object.entries(metadata.getMap()).map(([k, v]) => [k, String(v)])))
        decode(request, received)
        return answer(null, Buffer.alloc(0))
      },
    },
  )
  const credentials = secure
    ? ServerCredentials.createSsl(null, [
        { cert_chain: Buffer.from(pem('cert')), private_key: Buffer.from(pem('key')) },
      ])
    : ServerCredentials.createInsecure()
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error === null ? resolve(bound) : reject(error))),
  )
  return Object.assign(received, {
    endpoint: addressOf(port, secure),
    close: async () => server.forceShutdown(),
  })
}

const addressOf = (port: number, secure: boolean): string =>
  secure ? `https://localhost:${port}` : `http://127.0.0.1:${port}`
