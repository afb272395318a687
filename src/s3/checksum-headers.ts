/** The checksum headers of requests and responses (B36 to B39). */
import { timingSafeEqual } from 'node:crypto'
import { CHECKSUMS, type ChecksumName, type ChecksumRow, type ChecksumType } from './checksum.ts'
import { invalidArgument, S3Error } from './errors.ts'
import type { Headers } from './headers.ts'

export type UploadChecksum =
  | { readonly kind: 'none' }
  | { readonly kind: 'header'; readonly name: ChecksumName; readonly value: Buffer }
  /** The value follows the body, in the trailer called `header`. */
  | { readonly kind: 'trailer'; readonly name: ChecksumName; readonly header: string }

const PREFIX = 'x-amz-checksum-'
/** Headers that begin with the prefix and are no checksums. */
const NOT_VALUES = new Set([`${PREFIX}algorithm`, `${PREFIX}type`, `${PREFIX}mode`])

const ALGORITHMS = Object.keys(CHECKSUMS)

const invalid = (message: string): S3Error => new S3Error('InvalidRequest', { message })

/** The row of an algorithm as a client names it, in any case. `InvalidRequest` with the valid ones for another (B36). */
const rowOf = (text: string, argument: string): ChecksumRow => {
  const name = text.trim().toUpperCase()
  const known = Object.values(CHECKSUMS).find((candidate) => candidate.name === name)
  if (known !== undefined) return known
  throw invalid(`Value for ${argument} header is invalid. Valid values are: ${ALGORITHMS.join(', ')}.`)
}

/** The raw value, if the text is canonical base64 of the right length. */
const decode = ({ bytes }: ChecksumRow, text: string): Buffer | undefined => {
  const value = Buffer.from(text, 'base64')
  return value.length === bytes && value.toString('base64') === text ? value : undefined
}

/** The one checksum header of a request, its row and its text. */
const valueHeader = (headers: Headers): { readonly row: ChecksumRow; readonly text: string } | undefined => {
  const names = [...headers.names()].filter((name) => name.startsWith(PREFIX) && !NOT_VALUES.has(name))
  const [name] = names
  if (name === undefined) return undefined
  if (names.length > 1)
    throw invalid('Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.')
  return { row: rowOf(name.slice(PREFIX.length), name), text: (headers.get(name) ?? '').trim() }
}

const trailerHeader = (headers: Headers): { readonly row: ChecksumRow; readonly header: string } | undefined => {
  const text = headers.get('x-amz-trailer')
  if (text === undefined) return undefined
  const header = text.trim().toLowerCase()
  if (!header.startsWith(PREFIX) || NOT_VALUES.has(header)) {
    throw invalid('The value specified in the x-amz-trailer header is not supported')
  }
  return { row: rowOf(header.slice(PREFIX.length), 'x-amz-trailer'), header }
}

/**
 * The checksum that a body announces (PutObject, UploadPart, request documents): in a header, in a trailer, or none.
 * `InvalidRequest` for two of them, an ill-formed value, an algorithm named without its value or with another's (B36).
 */
export const parseUploadChecksum = (headers: Headers): UploadChecksum => {
  const header = valueHeader(headers)
  const trailer = trailerHeader(headers)
  if (header !== undefined && trailer !== undefined) throw invalid('Expecting a single x-amz-checksum- header')
  const announced = headers.get('x-amz-sdk-checksum-algorithm')
  const row = header?.row ?? trailer?.row
  if (announced !== undefined && announced !== '') {
    const wanted = rowOf(announced, 'x-amz-sdk-checksum-algorithm')
    if (row === undefined) {
      throw invalid(
        'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.',
      )
    }
    if (row !== wanted) throw invalid('Value for x-amz-sdk-checksum-algorithm header is invalid.')
  }
  if (trailer !== undefined) return { kind: 'trailer', name: trailer.row.name, header: trailer.header }
  if (header === undefined) return { kind: 'none' }
  return { kind: 'header', name: header.row.name, value: headerValue(header) }
}

const headerValue = ({ row, text }: { readonly row: ChecksumRow; readonly text: string }): Buffer => {
  const value = decode(row, text)
  if (value === undefined) throw invalid(`Value for ${row.header} header is invalid.`)
  return value
}

/** The value in a trailer. Throws `InvalidRequest` (B33). */
export const parseTrailerChecksum = (name: ChecksumName, text: string): Buffer => {
  const value = decode(CHECKSUMS[name], text.trim())
  if (value === undefined) throw invalid(`Value for ${CHECKSUMS[name].header} trailing header is invalid.`)
  return value
}

/** The algorithm that CopyObject shall compute, or `undefined` to keep the source's. */
export const parseCopyChecksum = (headers: Headers): ChecksumName | undefined => {
  const text = headers.get('x-amz-checksum-algorithm')
  return text === undefined ? undefined : rowOf(text, 'x-amz-checksum-algorithm').name
}

/** What CreateMultipartUpload fixes for its parts (B38). */
export interface MultipartChecksum {
  readonly name: ChecksumName
  readonly type: ChecksumType
}

export const parseMultipartChecksum = (headers: Headers): MultipartChecksum | undefined => {
  const algorithm = headers.get('x-amz-checksum-algorithm')
  const type = parseType(headers)
  if (algorithm === undefined) {
    if (type === undefined) return undefined
    throw invalid('The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.')
  }
  const row = rowOf(algorithm, 'x-amz-checksum-algorithm')
  return { name: row.name, type: typeFor(row, type) }
}

const parseType = (headers: Headers): ChecksumType | undefined => {
  const text = headers.get('x-amz-checksum-type')?.trim().toUpperCase()
  if (text === undefined || text === 'FULL_OBJECT' || text === 'COMPOSITE') return text
  throw invalid('Value for x-amz-checksum-type header is invalid. Valid values are: COMPOSITE, FULL_OBJECT.')
}

const typeFor = (row: ChecksumRow, type: ChecksumType | undefined): ChecksumType => {
  if (type === undefined) return row.types[0]
  if (!row.types.includes(type)) {
    throw invalid(`The ${type} checksum type cannot be used with the ${row.name.toLowerCase()} checksum algorithm.`)
  }
  return type
}

/** What CompleteMultipartUpload expects of the whole object. */
export interface CompleteChecksum {
  readonly name?: ChecksumName
  readonly value?: Buffer
  /** The `N` of a value ending in `-N`. */
  readonly parts?: number
  readonly type?: ChecksumType
}

/** Reads the checksum headers of CompleteMultipartUpload: a value, with `-N` if it is composite, and a type. */
export const parseCompleteChecksum = (headers: Headers): CompleteChecksum => {
  const type = parseType(headers)
  const header = valueHeader(headers)
  if (header === undefined) return type === undefined ? {} : { type }
  const { row } = header
  if (type !== undefined) typeFor(row, type)
  const [, base64 = '', count] = /^([^-]*)(?:-(\d{1,5}))?$/.exec(header.text) ?? []
  if (count !== undefined && type === 'FULL_OBJECT') throw invalid(`Value for ${row.header} header is invalid.`)
  return {
    name: row.name,
    value: headerValue({ row, text: base64 }),
    ...(count === undefined ? {} : { parts: Number(count) }),
    ...(type === undefined ? {} : { type }),
  }
}

/** Whether GET or HEAD shall answer with checksums (B37). `InvalidArgument` for a value other than ENABLED. */
export const checksumModeEnabled = (headers: Headers): boolean => {
  const mode = headers.get('x-amz-checksum-mode')
  if (mode === undefined) return false
  if (mode.trim().toUpperCase() === 'ENABLED') return true
  throw invalidArgument(
    'Value for x-amz-checksum-mode header is invalid. Valid value: ENABLED.',
    'x-amz-checksum-mode',
    mode,
  )
}

/** The checksum kept with an object or part. */
export interface StoredChecksum {
  readonly name: ChecksumName
  readonly type: ChecksumType
  readonly value: Buffer
  /** Number of parts of a COMPOSITE one. Absent for a part's own value. */
  readonly parts?: number
}

/** The text of a checksum: base64, and `-N` if it is composite. */
export const checksumText = ({ type, value, parts }: StoredChecksum): string =>
  `${value.toString('base64')}${type === 'COMPOSITE' && parts !== undefined ? `-${parts}` : ''}`

/** The response headers of a checksum. */
export const checksumHeaders = (checksum: StoredChecksum): Record<string, string> => ({
  [CHECKSUMS[checksum.name].header]: checksumText(checksum),
  'x-amz-checksum-type': checksum.type,
})

/** The response header of a part's checksum, which has no type of its own: that is the upload's. */
export const partChecksumHeader = ({
  name,
  value,
}: Pick<StoredChecksum, 'name' | 'value'>): Record<string, string> => ({
  [CHECKSUMS[name].header]: value.toString('base64'),
})

/** Throws `BadDigest` if the value computed over the plaintext is not the one announced. */
export const verifyChecksum = (name: ChecksumName, expected: Buffer, actual: Buffer): void => {
  if (expected.length === actual.length && timingSafeEqual(expected, actual)) return
  throw new S3Error('BadDigest', {
    message: `The ${name} you specified did not match the calculated checksum.`,
    extra: { ExpectedDigest: expected.toString('base64'), CalculatedDigest: actual.toString('base64') },
  })
}
