/** What GET and HEAD have in common: which bytes are meant, and the headers that describe the object. */
import { CHECKSUMS, checksumOfCode, newHasher, typeOfCode } from '../s3/checksum.ts'
import { checksumHeaders, checksumModeEnabled, type StoredChecksum } from '../s3/checksum-headers.ts'
import { evaluateRead, parseConditions, rangeApplies } from '../s3/conditions.ts'
import { httpDate } from '../s3/dates.ts'
import { quoteEtag } from '../s3/etag.ts'
import { responseOverrides } from '../s3/metadata.ts'
import { contentRange, type RequestedRange, resolvePart, resolveRange } from '../s3/range.ts'
import type { ChecksumValue, TailRecord } from '../format/tail-record.ts'
import { checksumOf } from '../format/tlv.ts'
import type { Gateway, OperationRequest } from './gateway.ts'
import { toldOf } from './encryption.ts'
import { describedHeaders } from './object-metadata.ts'
import type { PlainRange } from './read-body.ts'
import { allTlvs, readTail, type StoredObject } from './sealed-object.ts'

/** What a read asks for beside conditions. */
export interface Wanted {
  readonly range: RequestedRange | undefined
  readonly part: number | undefined
}

/** The bytes to send and the headers for them. `range` is absent for the whole object. */
export interface ReadView {
  readonly status: 200 | 206 | 304
  readonly headers: Record<string, string>
  readonly range?: PlainRange
  readonly length: number
}

/** Evaluates conditions and range against an object. Throws `PreconditionFailed`, `InvalidRange`, `InvalidPartNumber`. */
export async function viewOf(
  gateway: Gateway,
  sealed: StoredObject,
  request: OperationRequest,
  wanted: Wanted,
): Promise<ReadView> {
  const validators = { etag: sealed.etag, lastModified: sealed.info.lastModified }
  const verdict = evaluateRead(parseConditions(request.headers), validators)
  const tlvs = await allTlvs(gateway, sealed, request.signal)
  const customerKey = sealed.kind === 'sealed' ? sealed.customerKey : undefined
  const kept: Record<string, string> = Object.assign(
    {
      'accept-ranges': 'bytes',
      etag: quoteEtag(sealed.etag),
      'last-modified': httpDate(sealed.info.lastModified),
    },
    toldOf(gateway, tlvs, customerKey),
    sealed.info.attributes,
    describedHeaders(tlvs),
  )
  const overrides = responseOverrides(request.query, true)
  if (verdict === 'not-modified') return { status: 304, length: 0, headers: cacheHeaders(kept) }
  const headers = Object.assign(kept, overrides)
  if (wanted.part !== undefined) return partView(gateway, sealed, request, wanted.part, headers)
  if (wanted.range !== undefined && rangeApplies(request.headers, validators)) {
    const range = await resolveVerified(gateway, sealed, wanted.range, request.signal)
    return {
      status: 206,
      range,
      length: range.last - range.first + 1,
      headers: Object.assign(headers, { 'content-range': contentRange(range, sealed.size) }),
    }
  }
  if (checksumModeEnabled(request.headers)) {
    addChecksum(headers, await storedChecksum(gateway, sealed, request.signal))
  }
  return { status: 200, length: sealed.size, headers }
}

function addChecksum(headers: Record<string, string>, checksum: StoredChecksum | undefined): void {
  if (checksum !== undefined) Object.assign(headers, checksumHeaders(checksum))
}

/** `InvalidRange` tells a size, and a client that reads to the end may stop there: one that only the stored size implies is verified first. */
async function resolveVerified(
  gateway: Gateway,
  sealed: StoredObject,
  range: RequestedRange,
  signal: AbortSignal,
): Promise<PlainRange> {
  try {
    return resolveRange(range, sealed.size)
  } catch (error) {
    if (sealed.kind === 'sealed' && !sealed.envelope.flags.sizeInMetadata) await readTail(gateway, sealed, signal)
    throw error
  }
}

/** What a 304 may carry (RFC 9110, 15.4.5), and which version it speaks of (S3 behaviour 47). */
function cacheHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const kept = ['etag', 'last-modified', 'cache-control', 'expires', 'x-amz-version-id']
  return Object.fromEntries(Object.entries(headers).filter(([name]) => kept.includes(name)))
}

async function partView(
  gateway: Gateway,
  sealed: StoredObject,
  request: OperationRequest,
  part: number,
  headers: Record<string, string>,
): Promise<ReadView> {
  const record = await tailOfParts(gateway, sealed, request.signal)
  const found = resolvePart(part, record === undefined ? undefined : partSizes(record), sealed.size)
  if (record !== undefined) headers['x-amz-mp-parts-count'] = String(record.segments)
  if (checksumModeEnabled(request.headers)) {
    const whole = record === undefined ? await storedChecksum(gateway, sealed, request.signal) : undefined
    addChecksum(headers, record === undefined ? whole : partChecksum(record, part))
  }
  if (found === undefined) return { status: 206, length: 0, headers }
  const range = { first: found.first, last: found.last }
  headers['content-range'] = contentRange(range, sealed.size)
  return { status: 206, range, length: range.last - range.first + 1, headers }
}

/** The verified tail of an object that the client wrote in parts; `undefined` for any other, whatever the gateway made of it. */
export async function tailOfParts(
  gateway: Gateway,
  sealed: StoredObject,
  signal: AbortSignal,
): Promise<TailRecord | undefined> {
  if (sealed.kind === 'plain' || sealed.envelope.flags.sizeInMetadata) return undefined
  const record = await readTail(gateway, sealed, signal)
  return record.kind === 1 ? undefined : record
}

/** Plaintext bytes of each part. */
const partSizes = ({ segments, plaintextBytes, entries }: TailRecord): number[] =>
  segments === 1 ? [plaintextBytes] : entries.map((entry) => entry.plaintextBytes)

/** The part's own checksum, which S3 tells where it is one of which the object's is composed, or where it is the object's. */
function partChecksum({ segments, checksum, entries }: TailRecord, part: number): StoredChecksum | undefined {
  const row = checksum === undefined ? undefined : checksumOfCode(checksum.algorithm)
  if (checksum === undefined || row === undefined) return undefined
  const type = typeOfCode(checksum.type)
  if (segments > 1 && type === 'FULL_OBJECT') return undefined
  const value = segments === 1 ? checksum.value : entries[part - 1]?.checksum
  return value === undefined || value.length === 0 ? undefined : { name: row.name, type, value }
}

/** The checksum of the whole object, if one is kept: free from the headers, one small read from the tail if `fromTail` allows. */
export async function storedChecksum(
  gateway: Gateway,
  sealed: StoredObject,
  signal: AbortSignal,
  fromTail = gateway.checksums.onGet === 'always',
): Promise<StoredChecksum | undefined> {
  if (sealed.kind === 'plain') return undefined
  const near = checksumOf(sealed.metadata.tlvs)
  if (near !== undefined) return named(near, undefined)
  if (!fromTail || sealed.facts?.checksumAlgorithm === 0) return undefined
  const record = await readTail(gateway, sealed, signal)
  if (record.checksum === undefined || !record.checksumValid) return undefined
  return named(record.checksum, record.kind === 2 ? record.segments : undefined)
}

/** Names a stored checksum. Of an upload with one part the tail keeps the part's own value, from which the composite is made (docs/format.md, "Tail record"). */
function named(stored: ChecksumValue, parts: number | undefined): StoredChecksum | undefined {
  const row = checksumOfCode(stored.algorithm)
  if (row === undefined) return undefined
  const type = typeOfCode(stored.type)
  if (type === 'FULL_OBJECT') return { name: row.name, type, value: stored.value }
  if (parts !== 1) return { name: row.name, type, value: stored.value, parts: parts ?? 1 }
  const hasher = newHasher(CHECKSUMS[row.name].name)
  hasher.update(stored.value)
  return { name: row.name, type, value: hasher.digest(), parts: 1 }
}
