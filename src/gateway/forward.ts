/** Operations that know nothing of contents: verified here, signed anew, handed to a store that speaks S3 and back, unchanged but for numbers that are sizes. */
import type { Capabilities } from '../backends/capabilities.ts'
import type { ForwardResponse } from '../backends/object-store.ts'
import { Unavailable } from '../errors.ts'
import { encodeComponent } from '../s3/auth/canonical-request.ts'
import { NativeError, S3Error, unbuiltHeader } from '../s3/errors.ts'
import { namedBuckets } from '../s3/named-buckets.ts'
import { isNativeHeader } from '../s3/native-headers.ts'
import { OPERATIONS } from '../s3/operation.ts'
import type { OperationName } from '../s3/operation-name.ts'
import type { OperationRow } from '../s3/operation-row.ts'
import type { Query } from '../s3/query.ts'
import { OWNER_HEADERS } from '../s3/screen.ts'
import type { Gateway, OperationRequest, OperationResponse } from './gateway.ts'
import { readDocument } from './request-document.ts'

/** What changes in the documents of an operation on their way. */
export interface Translation {
  readonly request?: (document: Buffer) => Buffer
  readonly answer?: (document: Buffer) => Buffer
}

export async function forwardRequest(
  gateway: Gateway,
  request: OperationRequest,
  translation: Translation = {},
): Promise<OperationResponse> {
  const { status, headers, body } = await forwarded(gateway, request, translation)
  const length = headers['content-length']
  if (request.method === 'HEAD' || status === 204 || status === 304) {
    await drained(body)
    return { status, headers: kept(headers) }
  }
  if (translation.answer !== undefined) {
    const document = translation.answer(await drained(body))
    return { status, headers: kept(headers), body: document.toString('utf8') }
  }
  if (length !== undefined && /^\d{1,15}$/.test(length)) {
    return { status, headers: kept(headers), body: { stream: body, length: Number(length) } }
  }
  const pieces = await drained(body)
  return { status, headers: kept(headers), body: pieces.toString('utf8') }
}

/** Sends the request on. Throws `NativeError` for what the store refuses, and `AccessDenied` for a bucket named in its document that the caller may not write to. */
export async function forwarded(
  gateway: Gateway,
  request: OperationRequest,
  translation: Translation = {},
): Promise<ForwardResponse> {
  const { store, limits } = gateway
  if (store.forward === undefined) throw new S3Error('NotImplemented')
  requireKnown(store.capabilities, request.operation)
  const { method, bucket, key, query, signal } = request
  const document = await readDocument(request, limits.xmlBytes)
  // The store would write there with the gateway's own rights.
  for (const other of namedBuckets(request.operation, document, limits.xmlBytes)) request.authorise('write', other, '')
  const response = await store.forward({
    method,
    bucket,
    key,
    rawQuery: declaredQuery(query, request.operation),
    headers: forwardHeaders(request),
    body: translation.request === undefined ? document : translation.request(document),
    signal,
  })
  if (response.refused !== undefined) throw new NativeError(response.refused, undefined)
  return response
}

/** Throws `NotImplemented` for a sub-resource that the store would take for the bucket or the object itself. */
function requireKnown({ forwards }: Capabilities, operation: OperationName): void {
  const { resource, subresource }: OperationRow = OPERATIONS[operation]
  if (subresource === undefined || forwards?.has(`${resource}?${subresource}`) === true) return
  const message = `${operation} is not implemented. The store behind this endpoint is not known to have ?${subresource}.`
  throw new S3Error('NotImplemented', { message })
}

/** An XML document of the store. Throws `NativeError`. */
export async function forwardedDocument(gateway: Gateway, request: OperationRequest) {
  const { headers, body } = await forwarded(gateway, request)
  return { headers: kept(headers), document: (await drained(body)).toString('utf8') }
}

const kept = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => isEndToEnd(name)))

/** Twice the longest listing: 1,000 keys of 1,024 bytes, encoded. */
const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024

/** A document whole. Throws `Unavailable` for one that has no end. */
export async function drained(body: ForwardResponse['body']): Promise<Buffer> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const batch of body) {
    for (const piece of batch) bytes += piece.length
    if (bytes > MAX_DOCUMENT_BYTES) {
      throw new Unavailable(`the store sent a document of more than ${MAX_DOCUMENT_BYTES} bytes`)
    }
    pieces.push(...batch)
  }
  return Buffer.concat(pieces)
}

/** Headers of one hop, those that name a server, and those that the reply writes itself. */
const HOP = new Set([
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'server',
  'transfer-encoding',
  'x-amz-id-2',
  'x-amz-request-id',
])

const isEndToEnd = (name: string): boolean =>
  !HOP.has(name) && (name.startsWith('x-amz-') || ['content-type', 'etag', 'last-modified', 'location'].includes(name))

/** What a client signed and framed its request with, where the store gets our own, and what the gateway has judged. */
const OURS = new Set([
  'x-amz-content-sha256',
  'x-amz-date',
  'x-amz-decoded-content-length',
  ...OWNER_HEADERS,
  'x-amz-security-token',
  'x-amz-trailer',
  'x-amz-user-agent',
])

/** What goes with any operation, beside the headers of its own. */
const WITH_ANY = new Set([
  'x-amz-api-version',
  'x-amz-bucket-object-lock-token',
  'x-amz-bypass-governance-retention',
  'x-amz-mfa',
  'x-amz-request-payer',
  'x-amz-te',
])

/** Throws `NotImplemented` for a header that is not one of the operation: stores choose by some of them what they do (MinIO copies under `?retention` too). */
function forwardHeaders({ operation, headers }: OperationRequest): Record<string, string> {
  const { headers: own }: OperationRow = OPERATIONS[operation]
  const kept: Record<string, string> = {}
  for (const name of headers.names()) {
    if (name === 'content-type') kept[name] = headers.get(name) ?? ''
    const checksum = name.startsWith('x-amz-checksum-') || name === 'x-amz-sdk-checksum-algorithm'
    if (!name.startsWith('x-amz-') || name.startsWith('x-amz-meta-') || checksum || OURS.has(name)) continue
    if (!own.includes(name) && !WITH_ANY.has(name) && !isNativeHeader(operation, name)) {
      throw unbuiltHeader(name)
    }
    kept[name] = headers.get(name) ?? ''
  }
  return kept
}

/**
 * What the operation knows of the query, each parameter once: stores disagree about which of two equal names counts, and some have
 * parameters of their own. What was authorised here is the first value, and nothing else is sent.
 */
function declaredQuery(query: Query, operation: OperationName): string {
  const { subresource, selector, query: parameters }: OperationRow = OPERATIONS[operation]
  const selected = selector !== undefined && 'query' in selector ? [selector.query] : []
  const names = new Set([...(subresource === undefined ? [] : [subresource]), ...selected, ...parameters])
  return [...names]
    .filter((name) => query.has(name))
    .map((name) => `${encodeComponent(name)}=${encodeComponent(query.get(name) ?? '')}`)
    .join('&')
}
