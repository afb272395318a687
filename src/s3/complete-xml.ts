/** The request of CompleteMultipartUpload (B72, B73, B77). */
import { CHECKSUMS, type ChecksumName } from './checksum.ts'
import { invalidArgument, S3Error } from './errors.ts'
import { unquoteEtag } from './etag.ts'
import type { Headers } from './headers.ts'
import { MAX_PART_NUMBER } from './range.ts'
import { childText, parseXml, type XmlElement } from './xml.ts'

/** 10,000 parts with ETag and checksum, indented. */
export const MAX_COMPLETE_BYTES = 4 * 1024 * 1024

export interface CompletePart {
  readonly partNumber: number
  /** Without quotes. */
  readonly etag: string
  readonly checksum?: { readonly name: ChecksumName; readonly value: Buffer }
}

/**
 * The listed parts, in strictly ascending order. Throws `MalformedXML` (also for an empty list or body),
 * `InvalidArgument` for a part number outside 1 to 10,000, `InvalidPartOrder`, `InvalidRequest` for an ill-formed checksum.
 */
export const parseComplete = (bytes: Uint8Array): readonly CompletePart[] => {
  const root = parseXml(bytes, MAX_COMPLETE_BYTES)
  const onlyParts = root.children.every((element) => element.name === 'Part')
  if (root.name !== 'CompleteMultipartUpload' || !onlyParts || root.children.length === 0) {
    throw new S3Error('MalformedXML')
  }
  const parts = root.children.map(parsePart)
  parts.reduce((previous, { partNumber }) => {
    if (partNumber <= previous) throw new S3Error('InvalidPartOrder')
    return partNumber
  }, 0)
  return parts
}

const parsePart = (element: XmlElement): CompletePart => {
  const number = childText(element, 'PartNumber')?.trim()
  const etag = childText(element, 'ETag')
  if (number === undefined || !/^[+-]?\d+$/.test(number) || etag === undefined) throw new S3Error('MalformedXML')
  const partNumber = Number(number)
  if (partNumber < 1 || partNumber > MAX_PART_NUMBER) {
    throw invalidArgument('PartNumber must be an integer between 1 and 10000', 'PartNumber', number)
  }
  const checksum = partChecksum(element)
  return { partNumber, etag: unquoteEtag(etag), ...(checksum === undefined ? {} : { checksum }) }
}

const partChecksum = (element: XmlElement): CompletePart['checksum'] => {
  const others = element.children.filter(({ name }) => name !== 'PartNumber' && name !== 'ETag')
  const [checksum] = others
  if (checksum === undefined) return undefined
  if (others.length > 1) throw new S3Error('MalformedXML')
  const row = Object.values(CHECKSUMS).find(({ element: name }) => name === checksum.name)
  if (row === undefined) throw new S3Error('MalformedXML')
  const text = checksum.text.trim()
  const value = Buffer.from(text, 'base64')
  if (value.length !== row.bytes || value.toString('base64') !== text) {
    throw new S3Error('InvalidRequest', { message: `Value for ${row.element} of a part is invalid.` })
  }
  return { name: row.name, value }
}

/** The plaintext bytes that the client says the object has (`x-amz-mp-object-size`). Throws `InvalidRequest` (B77). */
export const parseObjectSize = (headers: Headers): number | undefined => {
  const text = headers.get('x-amz-mp-object-size')?.trim()
  if (text === undefined) return undefined
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new S3Error('InvalidRequest', { message: 'Value for x-amz-mp-object-size header is invalid.' })
}
