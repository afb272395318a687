/** What a client says about an object, as sealed TLVs, and back as response headers: one write side, one read side. */
import { TLV, type Tlv, textOf, textTlv, userMetadataOf, userMetadataTlv } from '../format/tlv.ts'
import type { Headers } from '../s3/headers.ts'
import {
  type ContentHeaders,
  objectHeaders,
  readContentHeaders,
  readUserMetadata,
  readWebsiteRedirect,
  type UserMetadata,
  WEBSITE_REDIRECT,
} from '../s3/metadata.ts'

/** Content headers and their tags (docs/format.md, "Sealed metadata"). */
const CONTENT_TAGS = [
  ['contentType', TLV.contentType],
  ['cacheControl', TLV.cacheControl],
  ['contentDisposition', TLV.contentDisposition],
  ['contentEncoding', TLV.contentEncoding],
  ['contentLanguage', TLV.contentLanguage],
  ['expires', TLV.expires],
] as const satisfies readonly (readonly [keyof ContentHeaders, number])[]

/** The program that wrote an object, for support. */
const PROGRAM = 'sealgate 0.1'

/** The TLVs of a write. Throws `MetadataTooLarge` by S3's own 2 KB rule on the client's part. */
export function describeObject(headers: Headers): Tlv[] {
  return [...describeContent(headers, readUserMetadata(headers)), textTlv(TLV.program, PROGRAM)]
}

/** What headers say of contents, and user metadata. */
export function describeContent(headers: Headers, user: UserMetadata): Tlv[] {
  const content = readContentHeaders(headers)
  const tlvs: Tlv[] = []
  for (const [name, tag] of CONTENT_TAGS) {
    const value = content[name]
    if (value !== undefined) tlvs.push(textTlv(tag, value))
  }
  tlvs.push(...redirectOf(headers))
  for (const [name, value] of user) tlvs.push(userMetadataTlv(name, value))
  return tlvs
}

function redirectOf(headers: Headers): Tlv[] {
  const redirect = readWebsiteRedirect(headers)
  return redirect === undefined ? [] : [textTlv(TLV.websiteRedirect, redirect)]
}

/** The TLVs that a copy keeps of its source: all but what says where the object is, how it is encrypted and who wrote it. A redirect is the request's or none (S3 behaviour 68). */
export function carriedOver(tlvs: readonly Tlv[], headers: Headers): Tlv[] {
  const { websiteRedirect, program, checksum, md5, serverSideEncryption, kmsDetails } = TLV
  const dropped: readonly number[] = [websiteRedirect, program, checksum, md5, serverSideEncryption, kmsDetails]
  const kept = tlvs.filter((tlv) => !dropped.includes(tlv.tag))
  return [...kept, ...redirectOf(headers), textTlv(TLV.program, PROGRAM)]
}

/** The response headers that say again what the client said. */
export function describedHeaders(tlvs: readonly Tlv[]): Record<string, string> {
  const content: { -readonly [K in keyof ContentHeaders]: ContentHeaders[K] } = {}
  for (const [name, tag] of CONTENT_TAGS) {
    const value = textOf(tlvs, tag)
    if (value !== undefined) content[name] = value
  }
  const redirect = textOf(tlvs, TLV.websiteRedirect)
  return {
    ...objectHeaders(content, userMetadataOf(tlvs)),
    ...(redirect === undefined ? {} : { [WEBSITE_REDIRECT]: redirect }),
  }
}
