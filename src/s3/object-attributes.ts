/** GetObjectAttributes: what is asked for, and the document that answers (B55). */
import { CHECKSUMS, type ChecksumName } from './checksum.ts'
import type { StoredChecksum } from './checksum-headers.ts'
import { invalidArgument, S3Error } from './errors.ts'
import type { Headers } from './headers.ts'
import { MAX_PART_NUMBER } from './range.ts'
import { el, group, xmlDocument } from './xml.ts'

const ATTRIBUTES = ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize'] as const

export type ObjectAttribute = (typeof ATTRIBUTES)[number]

const HEADER = 'x-amz-object-attributes'
const MAX_PAGE = 1000

/** The attributes asked for. Throws `InvalidRequest` if there are none, `InvalidArgument` for one that S3 does not know (B55). */
export const parseObjectAttributes = (headers: Headers): ReadonlySet<ObjectAttribute> => {
  const names = (headers.get(HEADER) ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  if (names.length === 0) {
    throw new S3Error('InvalidRequest', {
      message: `The ${HEADER} header specifying the attributes to be retrieved is either missing or empty`,
    })
  }
  return new Set(names.map(known))
}

const known = (name: string): ObjectAttribute => {
  const attribute = ATTRIBUTES.find((candidate) => candidate === name)
  if (attribute !== undefined) return attribute
  throw invalidArgument('Invalid attribute name specified.', HEADER, name)
}

/** Which parts of the list are asked for. */
export interface PartsPage {
  /** 0 to 1,000. */
  readonly maxParts: number
  /** Start after this part number. */
  readonly partNumberMarker: number
}

/** The page of the part list. What is no count is as if it were absent: S3 ignores it here, unlike in ListParts. */
export const parsePartsPage = (headers: Headers): PartsPage => ({
  maxParts: Math.min(count(headers.get('x-amz-max-parts')) ?? MAX_PAGE, MAX_PAGE),
  partNumberMarker: Math.min(count(headers.get('x-amz-part-number-marker')) ?? 0, MAX_PART_NUMBER),
})

const count = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,9}$/.test(text.trim()) ? Number(text) : undefined

export interface AttributePart {
  readonly partNumber: number
  /** Plaintext bytes. */
  readonly size: number
  readonly checksum: { readonly name: ChecksumName; readonly value: Buffer }
}

export interface AttributeParts {
  readonly count: number
  /** Every part in order; absent where none has a checksum of its own to show, which leaves the number alone, as in S3. */
  readonly parts?: readonly AttributePart[]
}

/** What is known; only what is asked for is written. */
export interface KnownAttributes {
  /** Without quotes, which this one document has not. */
  readonly etag: string
  readonly checksum: StoredChecksum | undefined
  readonly parts: AttributeParts | undefined
  readonly storageClass: string
  /** Plaintext bytes. */
  readonly size: number
}

export const renderObjectAttributes = (
  asked: ReadonlySet<ObjectAttribute>,
  { etag, checksum, parts, storageClass, size }: KnownAttributes,
  page: PartsPage,
): string => {
  const when = (attribute: ObjectAttribute, render: () => string): string => (asked.has(attribute) ? render() : '')
  return xmlDocument(
    'GetObjectAttributesResponse',
    when('ETag', () => el('ETag', etag)),
    when('Checksum', () => (checksum === undefined ? '' : renderChecksum(checksum))),
    when('ObjectParts', () => (parts === undefined ? '' : renderParts(parts, page))),
    when('StorageClass', () => el('StorageClass', storageClass)),
    when('ObjectSize', () => el('ObjectSize', size)),
  )
}

/** A composite value has no `-N` here, unlike everywhere else in S3. */
const renderChecksum = ({ name, type, value }: StoredChecksum): string =>
  group('Checksum', el(CHECKSUMS[name].element, value.toString('base64')), el('ChecksumType', type))

const renderParts = ({ count: total, parts }: AttributeParts, { maxParts, partNumberMarker }: PartsPage): string => {
  if (parts === undefined) return group('ObjectParts', el('PartsCount', total))
  const following = parts.filter(({ partNumber }) => partNumber > partNumberMarker)
  const page = following.slice(0, maxParts)
  return group(
    'ObjectParts',
    el('PartsCount', total),
    el('PartNumberMarker', partNumberMarker),
    el('NextPartNumberMarker', page.at(-1)?.partNumber ?? partNumberMarker),
    el('MaxParts', maxParts),
    el('IsTruncated', maxParts > 0 && page.length < following.length),
    ...page.map(renderPart),
  )
}

const renderPart = ({ partNumber, size, checksum: { name, value } }: AttributePart): string =>
  group('Part', el(CHECKSUMS[name].element, value.toString('base64')), el('PartNumber', partNumber), el('Size', size))
