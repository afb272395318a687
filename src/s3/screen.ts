/**
 * Screens what a request asks for beside its operation. A header that changes what is stored or under which conditions, and
 * that is not built, is refused: ignored, it would store something else than the client believes.
 */
import { requireNullVersion } from './copy-source.ts'
import { invalidArgument, S3Error, unbuiltHeader } from './errors.ts'
import { isCustomerKeyHeader, isCustomerSecret, SSE } from './encryption-headers.ts'
import { Headers } from './headers.ts'
import { isHeaderValue } from './metadata.ts'
import { isKeptHeader, isNativeHeader } from './native-headers.ts'
import { OPERATIONS } from './operation.ts'
import type { OperationName } from './operation-name.ts'
import type { OperationRow } from './operation-row.ts'
import type { Query } from './query.ts'
import { checkStorageClass } from './storage-class.ts'

export interface ScreenOptions {
  /** The account id that owns everything, for `x-amz-expected-bucket-owner`. */
  readonly ownerId: string
  /** The store keeps versions, locks, tags and whatever else S3 has beside contents. */
  readonly versions: boolean
  /** The store speaks S3 itself, and judges what concerns those. */
  readonly native: boolean
  /** Of a store that speaks S3: the sub-resources that it knows, as `object?tagging`. */
  readonly forwards?: ReadonlySet<string>
}

/** Headers of authentication and transport, and those that cannot change what is stored: accepted by every operation. */
const COMMON = new Set([
  'x-amz-content-sha256',
  'x-amz-date',
  'x-amz-expected-bucket-owner',
  // Nobody is billed here, and a client that agrees to pay loses nothing.
  'x-amz-request-payer',
  'x-amz-security-token',
  'x-amz-user-agent',
  // Sent by the AWS SDK for C++ with every request: the one version of the API that there is.
  'x-amz-api-version',
  // Offers to take a digest behind the body (AWS SDK for Java); an answer that does not name it has none.
  'x-amz-te',
])

/** Refuses or accepts one value of a header. */
type Judge = (value: string, name: string, options: ScreenOptions) => void

/** Accepts the words that ask for nothing but what happens anyway, refuses the others that S3 knows, and calls the rest invalid. */
const words =
  (accepted: readonly string[], known: readonly string[], invalid: (name: string, value: string) => S3Error): Judge =>
  (value, name) => {
    if (accepted.includes(value)) return
    throw known.includes(value) ? unbuiltHeader(`${name}: ${value}`) : invalid(name, value)
  }

const badValue = (name: string, value: string): S3Error =>
  invalidArgument(`Value for ${name} header is invalid.`, name, value)

const ownedBy: Judge = (value, _name, { ownerId }) => {
  if (value !== ownerId) throw new S3Error('AccessDenied')
}

/** Names of headers that say who must own a bucket. They are for the gateway, never for the store. */
export const OWNER_HEADERS = ['x-amz-expected-bucket-owner', 'x-amz-source-expected-bucket-owner']

/** The one thing that is screened of a request that is handed on: the store knows no owner but the gateway. Throws `AccessDenied` (B112). */
export const screenOwner = (headers: Headers, options: ScreenOptions): void => {
  for (const name of OWNER_HEADERS) {
    const value = headers.get(name)
    if (value !== undefined) ownedBy(value, name, options)
  }
}

/** Every object belongs to the owner of the bucket and to nobody else, as with BucketOwnerEnforced, AWS's default. */
const ACL = words(
  ['private', 'bucket-owner-full-control'],
  [
    'public-read',
    'public-read-write',
    'authenticated-read',
    'aws-exec-read',
    'bucket-owner-read',
    'log-delivery-write',
  ],
  badValue,
)

const onlyStandard: Judge = (value, name) => {
  if (checkStorageClass(value) !== 'STANDARD') throw unbuiltHeader(`${name}: ${value}`)
}

/** Judged by value, once the operation accepts the header at all. */
const JUDGES: Readonly<Record<string, Judge>> = {
  'x-amz-bucket-object-lock-enabled': words(['false', 'False'], ['true', 'True'], badValue),
  'x-amz-expected-bucket-owner': ownedBy,
  // Asks listings for the state of restores: nothing here is archived, so there is none to show.
  'x-amz-optional-object-attributes': words(['RestoreStatus'], [], badValue),
  'x-amz-request-payer': words(['requester'], [], badValue),
  // Destinations are not asked either way.
  'x-amz-skip-destination-validation': words(['true', 'false', 'True', 'False'], [], badValue),
  'x-amz-source-expected-bucket-owner': ownedBy,
  'x-amz-storage-class': onlyStandard,
  // Objects have no tags, so that copying them changes nothing.
  'x-amz-tagging-directive': words(['COPY'], ['REPLACE'], badValue),
}

/** The same, of objects alone: what buckets say of it is kept. */
const OBJECT_JUDGES: Readonly<Record<string, Judge>> = { ...JUDGES, 'x-amz-acl': ACL }

/** Preconditions and partial writes of HTTP: on an operation that changes something they must not be lost. */
const WRITE_SEMANTICS = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'content-range']

/**
 * Checks headers and query of a built operation against its row. Throws `NotImplemented` for a header that is not built,
 * `InvalidArgument` for one that does not belong there or a value S3 does not know, `AccessDenied` for another owner (B112).
 * Takes the effective headers, see `withQueryHeaders`.
 */
export const screenRequest = (name: OperationName, headers: Headers, query: Query, options: ScreenOptions): void => {
  const row = OPERATIONS[name]
  for (const header of headers.names()) {
    if (!header.startsWith('x-amz-') || isJudgedElsewhere(name, header, options)) continue
    // Some SDKs send a checksum with every request, also of the body that a GET does not have.
    if (row.body === 'none' && row.access !== 'write' && header.startsWith('x-amz-checksum-')) continue
    screenHeader(row, header, headers.get(header) ?? '', options)
  }
  if (row.access === 'write') {
    for (const header of WRITE_SEMANTICS) {
      if (headers.has(header) && !row.headers.includes(header)) throw unbuiltHeader(header)
    }
  }
  screenVersion(row, query, options)
}

/** Headers that mean something only to a store that has the sub-resource too: it would ignore them otherwise. */
const BELONGS_TO: readonly (readonly [prefix: string, subresource: string])[] = [
  ['x-amz-bucket-object-lock', 'bucket?object-lock'],
  ['x-amz-bypass-governance-retention', 'object?retention'],
  ['x-amz-object-lock', 'object?retention'],
  ['x-amz-tagging', 'object?tagging'],
]

/** By the store, or where the operation reads it. */
const isJudgedElsewhere = (name: OperationName, header: string, options: ScreenOptions): boolean => {
  const { versions, native, forwards } = options
  if (!versions || !native) return versions && isKeptHeader(name, header)
  if (!isNativeHeader(name, header)) return false
  return BELONGS_TO.every(([prefix, subresource]) => !header.startsWith(prefix) || forwards?.has(subresource) !== false)
}

const screenHeader = (row: OperationRow, header: string, value: string, options: ScreenOptions): void => {
  if (header.startsWith('x-amz-meta-')) return
  if (!COMMON.has(header) && !row.headers.includes(header)) throw refusal(row, header, value)
  const judges = row.resource === 'object' ? OBJECT_JUDGES : JUDGES
  judges[header]?.(value, header, options)
}

const refusal = (row: OperationRow, header: string, value: string): S3Error => {
  if (header.startsWith('x-amz-copy-source') && !header.includes('server-side-encryption')) {
    return invalidArgument('You can only specify a copy source header for copy requests.', header, value)
  }
  // S3 says so for reads of any object (B105), and for parts, whose upload has said it.
  if (header.startsWith(SSE) && !isCustomerKeyHeader(header)) {
    return invalidArgument(`${header} header is not supported for this operation.`, header, value)
  }
  return unbuiltHeader(header)
}

/** Without versions only the null version exists, and a store that has its own knows its ids (B52). */
const screenVersion = (row: OperationRow, query: Query, { versions, native }: ScreenOptions): void => {
  const versionId = query.get('versionId')
  if (versionId === undefined) return
  if (row.query.includes('versionId')) {
    if (!versions || (versionId === '' && !native)) requireNullVersion(versionId)
  } else if (row.resource === 'object') {
    throw invalidArgument('This operation does not accept a version-id.', 'versionId', versionId)
  }
}

/** Parameters of presigned URLs that are not headers in disguise: authentication, and what a client wrote about itself. */
const NOT_HEADERS = new Set([
  'x-amz-algorithm',
  'x-amz-content-sha256',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-expires',
  // Hoisted by SDKs without the checksum that it announces, which S3 then does not ask for.
  'x-amz-sdk-checksum-algorithm',
  'x-amz-security-token',
  'x-amz-signature',
  'x-amz-signedheaders',
  'x-amz-user-agent',
])

const HEADER_NAME = /^[!#$%&'*+.^_`|~\da-z-]+$/

/**
 * The headers that a presigned request means: SDKs move `x-amz-*` headers into the query when they sign a URL, and S3
 * reads them there. A header that was really sent wins. Throws `InvalidArgument` for what no header could hold, and for a
 * customer's key in any URL.
 */
export const withQueryHeaders = (headers: Headers, query: Query): Headers => {
  const presigned = query.has('X-Amz-Signature')
  const hoisted: string[] = []
  for (const [parameter, value] of query.entries) {
    const name = parameter.toLowerCase()
    // URLs end in logs, bookmarks and histories.
    if (isCustomerSecret(name)) {
      throw new S3Error('InvalidArgument', {
        message: "A customer's key is sent in headers, never in a URL.",
        extra: { ArgumentName: parameter },
      })
    }
    if (!presigned || !name.startsWith('x-amz-') || NOT_HEADERS.has(name) || headers.has(name)) continue
    // Headers are bytes: the UTF-8 of the value.
    const bytes = Buffer.from(value).toString('latin1')
    if (!HEADER_NAME.test(name) || !isHeaderValue(bytes)) {
      throw invalidArgument('The query parameter cannot be represented as a header.', parameter, value)
    }
    hoisted.push(name, bytes)
  }
  return hoisted.length === 0 ? headers : new Headers([...headers.entries.flat(), ...hoisted])
}
