/** Where a request goes: bucket and key out of path and host, path style and virtual-host style at once. */
import { S3Error } from './errors.ts'
import { Query } from './query.ts'

/** The longest key, in bytes of UTF-8. */
export const MAX_KEY_BYTES = 1024

export interface Target {
  /** Absent for the service itself. Of characters that a bucket may have had at any time; see `isValidBucketName` for new ones. */
  readonly bucket?: string
  /** Absent for the bucket itself; otherwise literal, never normalised and never empty. */
  readonly key?: string
  /** Undecoded path, ASCII: what the client has signed. */
  readonly rawPath: string
  readonly query: Query
  readonly style: 'path' | 'virtual'
}

/**
 * Addresses a request. `rawUrl` is the request target in wire form, `domains` the names under which buckets are hosts.
 * A host that is none of them (an IP address, a service name) means path style. Throws `InvalidURI`, `KeyTooLongError`
 * and, for what can be no name of a bucket, like the empty one of `//key`, `InvalidBucketName`.
 */
export function parseTarget(rawUrl: string, host: string | undefined, domains: readonly string[]): Target {
  const url = asciiUrl(originForm(rawUrl))
  const mark = url.indexOf('?')
  const rawPath = mark < 0 ? url : url.slice(0, mark)
  const { path, query } = decode(rawPath, mark < 0 ? '' : url.slice(mark + 1))
  const hosted = bucketOfHost(host ?? '', domains)
  // Split after decoding: the signature covers the decoded path, so the address depends on nothing that is not signed.
  const [bucket, key] = hosted === undefined ? splitPath(path) : [hosted, path.slice(1)]
  if (bucket === '' ? path !== '/' : !ADDRESSABLE.test(bucket)) {
    throw new S3Error('InvalidBucketName', { extra: { BucketName: bucket } })
  }
  requireKeyLength(key)
  return {
    ...(bucket === '' ? {} : { bucket }),
    ...(key === '' ? {} : { key }),
    rawPath,
    query,
    style: hosted === undefined ? 'path' : 'virtual',
  }
}

/** May a bucket be called that? 3 to 63 of lower-case letters, digits, dots and hyphens, no IP address and no reserved prefix or suffix (S3 User Guide, "Bucket naming rules"). */
export function isValidBucketName(name: string): boolean {
  return (
    BUCKET_NAME.test(name) &&
    !name.includes('..') &&
    !IPV4.test(name) &&
    !RESERVED_PREFIXES.some((prefix) => name.startsWith(prefix)) &&
    !RESERVED_SUFFIXES.some((suffix) => name.endsWith(suffix))
  )
}

const BUCKET_NAME = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/
const RESERVED_PREFIXES = ['xn--', 'sthree-']
const RESERVED_SUFFIXES = ['-s3alias', '--ol-s3', '--x-s3']

/** Older buckets have capitals, underscores and up to 255 characters. With anything else a name would be more than one in the address that a store is sent. */
const ADDRESSABLE = /^(?!\.{1,2}$)[\w.-]{1,255}$/

const invalidUri = (cause?: unknown): S3Error => new S3Error('InvalidURI', { cause })

/** Strips the scheme and the host of an absolute request target (RFC 9112, section 3.2.2). */
function originForm(rawUrl: string): string {
  if (rawUrl.startsWith('/')) return rawUrl
  const absolute = /^https?:\/\/[^/?#]*/i.exec(rawUrl)
  if (absolute === null) throw invalidUri()
  const rest = rawUrl.slice(absolute[0].length)
  return rest.startsWith('/') ? rest : `/${rest}`
}

/** Raw bytes beyond ASCII are escaped, so that decoding reads them as UTF-8. */
function asciiUrl(url: string): string {
  return url.replaceAll(/[\u0080-\uffff]/g, (character) => {
    const byte = character.charCodeAt(0)
    if (byte > 0xff) throw invalidUri()
    return `%${byte.toString(16).toUpperCase()}`
  })
}

/** Decodes once, and strictly: bad escapes and bad UTF-8 are `InvalidURI`. A `+` in a path is a plus. */
function decode(rawPath: string, rawQuery: string): { path: string; query: Query } {
  try {
    return { path: decodeURIComponent(rawPath), query: new Query(rawQuery) }
  } catch (error) {
    throw invalidUri(error)
  }
}

function splitPath(path: string): [bucket: string, key: string] {
  const slash = path.indexOf('/', 1)
  return slash < 0 ? [path.slice(1), ''] : [path.slice(1, slash), path.slice(slash + 1)]
}

/** The bucket of `bucket.domain[:port]`; `undefined` if the host is a domain itself or none of ours. */
function bucketOfHost(host: string, domains: readonly string[]): string | undefined {
  if (domains.length === 0) return undefined
  const name = host.toLowerCase().replace(/:\d*$/, '')
  let bucket: string | undefined
  for (const domain of domains) {
    const suffix = domain.toLowerCase()
    if (name === suffix) return undefined
    // Of nested domains the longest counts, that is the shortest bucket.
    if (!name.endsWith(`.${suffix}`)) continue
    const found = name.slice(0, -suffix.length - 1)
    if (found !== '' && (bucket === undefined || found.length < bucket.length)) bucket = found
  }
  return bucket
}

/** Whether a name leads out of what it begins with: to S3 `..` is a name as any other, to a store that keeps objects as files it is the way up. */
export const climbs = (key: string): boolean => /(?:^|\/)\.\.(?:\/|$)/.test(key)

/** Throws `KeyTooLongError` (B19). */
export function requireKeyLength(key: string): void {
  const size = Buffer.byteLength(key)
  if (size <= MAX_KEY_BYTES) return
  throw new S3Error('KeyTooLongError', { extra: { Size: String(size), MaxSizeAllowed: String(MAX_KEY_BYTES) } })
}
