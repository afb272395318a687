/** The spans of one request, made when it has ended: of itself, of calls of stores, of keys, and one of all its ciphering. */
import type { ClientFacts, RequestEvent } from '../channels.ts'
import type { FollowedRequest, SeenKeyCall } from './followed-request.ts'
import { bounded, objectName, type ObjectNames } from './names.ts'
import type { Span, SpanValue } from './span.ts'

/** What the settings say. */
export interface SpanFacts {
  readonly objects: ObjectNames
  /** Where the stores are, if they are elsewhere. */
  readonly stores: Readonly<Partial<Record<'backend' | 'state', { readonly address: string; readonly port: number }>>>
}

interface Making {
  readonly recent: readonly SeenKeyCall[]
  readonly random: (bytes: number) => Buffer
  readonly facts: SpanFacts
}

type Attributes = Record<string, SpanValue>

/** Those that HTTP defines; any other word is a client's own. */
const METHODS = new Set(['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'OPTIONS', 'PATCH', 'CONNECT', 'TRACE'])
const LONGEST = { bucket: 255, agent: 256, host: 255, id: 256, target: 1_024 } as const

export function spansOf(event: RequestEvent, request: FollowedRequest, making: Making): readonly Span[] {
  const { traceId, spanId, parent, begun } = request
  const timeOf = (at: number): number => event.at + (at - begun)
  const child = (name: string, kind: Span['kind'], at: number, rest: Partial<Span>, under = spanId): Span => ({
    traceId,
    spanId: making.random(8).toString('hex'),
    parent: { spanId: under, remote: false },
    name,
    kind,
    begun: timeOf(at),
    milliseconds: 0,
    attributes: {},
    failed: false,
    ...rest,
  })
  const own: Span = {
    traceId,
    spanId,
    parent: parent === undefined ? undefined : { spanId: parent.spanId, remote: true },
    name: event.operation === 'unknown' ? 'HTTP' : `S3/${event.operation}`,
    kind: 'server',
    begun: event.at,
    milliseconds: event.milliseconds,
    attributes: attributesOf(event, request, making.facts),
    failed: event.status >= 500,
  }
  return [
    own,
    ...storeSpans(request, making, child),
    ...keySpans(request, making, child),
    ...cipherSpan(event, request, child),
  ]
}

type Child = (name: string, kind: Span['kind'], at: number, rest: Partial<Span>, under?: string) => Span

function storeSpans({ storeCalls }: FollowedRequest, { facts }: Making, child: Child): readonly Span[] {
  return storeCalls.map(({ store, call, outcome, begun, milliseconds, spanId }) => {
    const where = facts.stores[store]
    const failed = outcome === 'unavailable' || outcome === 'failed'
    return child(`${store}/${call}`, 'client', begun, {
      ...(spanId === undefined ? {} : { spanId }),
      milliseconds,
      failed,
      attributes: {
        'sealgate.store': store,
        'sealgate.store.call': call,
        'sealgate.outcome': outcome,
        ...(where === undefined ? {} : { 'server.address': where.address, 'server.port': where.port }),
        ...(failed ? { 'error.type': outcome } : {}),
      },
    })
  })
}

/** What a manager did meanwhile belongs below the wait: several requests may have waited for the same call. */
function keySpans({ keyWaits }: FollowedRequest, { recent }: Making, child: Child): readonly Span[] {
  return keyWaits.flatMap(({ begun, milliseconds, manager }) => {
    const wait = child('bucket-key', 'internal', begun, {
      milliseconds,
      failed: manager === undefined,
      attributes: manager === undefined ? { 'error.type': 'no-key' } : { 'sealgate.key.manager': manager },
    })
    const calls = recent
      .filter(
        (one) =>
          (manager === undefined || one.manager === manager) &&
          one.ended <= begun + milliseconds + SLACK &&
          one.ended - one.milliseconds >= begun - SLACK,
      )
      .slice(0, MOST_CALLS)
    return [wait, ...calls.map((one) => keyCallSpan(one, wait.spanId, child))]
  })
}

/** Of one wait. */
const MOST_CALLS = 8
/** The clock of key calls counts whole milliseconds. */
const SLACK = 1

function keyCallSpan({ manager, call, outcome, milliseconds, ended }: SeenKeyCall, under: string, child: Child): Span {
  const failed = outcome !== 'ok'
  const attributes = {
    'sealgate.key.manager': manager,
    'sealgate.key.call': call,
    'sealgate.outcome': outcome,
    ...(failed ? { 'error.type': outcome } : {}),
  }
  return child(`key-manager/${call}`, 'client', ended - milliseconds, { milliseconds, failed, attributes }, under)
}

/** One for all chunks: as long as they took together, from when the key was there. */
function cipherSpan({ meter }: RequestEvent, { keyWaits, begun }: FollowedRequest, child: Child): readonly Span[] {
  if (meter.cipherMilliseconds === 0) return []
  const last = keyWaits.at(-1)
  const attributes: Attributes = {
    'sealgate.cipher.total': true,
    ...(meter.key === undefined ? {} : { 'sealgate.key.manager': meter.key.manager, 'sealgate.key.id': meter.key.kid }),
  }
  const at = last === undefined ? begun : last.begun + last.milliseconds
  return [child('cipher', 'internal', at, { milliseconds: meter.cipherMilliseconds, attributes })]
}

function attributesOf(event: RequestEvent, request: FollowedRequest, { objects }: SpanFacts): Attributes {
  const { operation, bucket, key, status, code, meter, accessKey, versionId } = event
  const client = event.client()
  const failure = code ?? (status >= 500 ? String(status) : undefined)
  const name = key === undefined ? undefined : objectName(key, objects)
  const attributes: Attributes = {
    ...httpAttributes(event, client),
    ...(operation === 'unknown' ? {} : { 'rpc.system': 'aws-api', 'rpc.service': 'S3', 'rpc.method': operation }),
    'aws.request_id': event.requestId,
    'aws.extended_request_id': event.hostId,
    ...(bucket === undefined ? {} : { 'aws.s3.bucket': bounded(bucket, LONGEST.bucket) }),
    ...(name === undefined ? {} : { 'aws.s3.key': name }),
    ...queryAttributes(client, objects),
    ...(failure === undefined ? {} : { 'error.type': failure }),
    ...(accessKey === undefined ? {} : { 'enduser.id': bounded(accessKey, LONGEST.id) }),
    ...(versionId === undefined ? {} : { 'sealgate.version_id': bounded(versionId, LONGEST.id) }),
    'sealgate.bytes.received': meter.receivedBytes,
    'sealgate.bytes.sent': meter.sentBytes,
    'sealgate.bytes.store_read': meter.storeReadBytes,
    'sealgate.bytes.store_written': meter.storeWrittenBytes,
    ...(event.disconnected ? { 'sealgate.disconnected': true } : {}),
    ...(request.untold === 0 ? {} : { 'sealgate.spans.left_out': request.untold }),
  }
  return attributes
}

function httpAttributes({ method, status, meter }: RequestEvent, client: ClientFacts): Attributes {
  const { address, port } = hostAndPort(client.host)
  return {
    'http.request.method': METHODS.has(method) ? method : '_OTHER',
    'http.response.status_code': status,
    'http.response.body.size': meter.sentBytes,
    'url.scheme': client.tls === undefined ? 'http' : 'https',
    'network.protocol.version': client.httpVersion,
    'client.address': client.address,
    ...(address === '' ? {} : { 'server.address': bounded(address, LONGEST.host) }),
    ...(port === undefined ? {} : { 'server.port': port }),
    ...(client.userAgent === undefined ? {} : { 'user_agent.original': bounded(client.userAgent, LONGEST.agent) }),
    ...(client.tls === undefined
      ? {}
      : { 'tls.protocol.version': client.tls.version, 'tls.cipher': client.tls.cipher }),
  }
}

/** Path and query hold object names: as they are only where names are kept. */
function queryAttributes({ target }: ClientFacts, objects: ObjectNames): Attributes {
  const mark = target.indexOf('?')
  const query = mark < 0 ? '' : target.slice(mark + 1)
  const path = mark < 0 ? target : target.slice(0, mark)
  const fields = query.length > LONGEST_QUERY ? new URLSearchParams() : new URLSearchParams(query)
  const upload = fields.get('uploadId')
  const part = fields.get('partNumber')
  return {
    ...(upload === null ? {} : { 'aws.s3.upload_id': bounded(upload, LONGEST.id) }),
    ...(part === null || !/^\d{1,5}$/.test(part) ? {} : { 'aws.s3.part_number': Number(part) }),
    ...(objects.names === 'keep' ? { 'url.path': bounded(path, LONGEST.target) } : {}),
    ...(objects.names === 'keep' && query !== '' ? { 'url.query': bounded(query, LONGEST.target) } : {}),
  }
}

const LONGEST_QUERY = 8_192

function hostAndPort(host: string): { readonly address: string; readonly port: number | undefined } {
  const found = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(host)
  return { address: found?.[1] ?? '', port: found?.[2] === undefined ? undefined : Number(found[2]) }
}
