/** Tags of buckets and objects (B69): a document, or a header of the form of a query. */
import { encodeComponent } from './auth/canonical-request.ts'
import { child, childText, el, group, parseXml, type XmlElement, xmlDocument } from './xml.ts'
import { admitRoot, anyText, group as shape, many, required } from './configuration/schema.ts'
import { invalidArgument, S3Error } from './errors.ts'

export interface Tag {
  readonly key: string
  readonly value: string
}

/** The header that gives tags, and the name under which they are kept, in its form. */
export const TAGGING_HEADER = 'x-amz-tagging'

export const MAX_OBJECT_TAGS = 10
const MAX_BUCKET_TAGS = 50
/** Of UTF-16, as S3 counts them. */
const MAX_KEY_CHARACTERS = 128
const MAX_VALUE_CHARACTERS = 256
/** Letters, numbers and spaces of any script, and a few signs. */
const ALLOWED = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u

export const TAG = shape({ Key: required(anyText), Value: required(anyText) })
export const TAG_SET = shape({ Tag: many(TAG) })
const TAGGING = shape({ TagSet: required(TAG_SET) })

const invalidTag = (message: string, key: string): S3Error =>
  new S3Error('InvalidTag', { message, extra: { TagKey: key } })

interface Bounds {
  readonly limit: number
  /** What S3 says of too many, and of a name of its own. */
  readonly tooMany: string
  readonly system: string
}

const OF_OBJECTS: Bounds = {
  limit: MAX_OBJECT_TAGS,
  tooMany: `Object tags cannot be greater than ${MAX_OBJECT_TAGS}`,
  system: 'Your TagKey cannot be prefixed with aws:',
}
const OF_BUCKETS: Bounds = {
  limit: MAX_BUCKET_TAGS,
  tooMany: `Bucket tags cannot be greater than ${MAX_BUCKET_TAGS}`,
  system: 'System tags cannot be added/updated by requester',
}

/** Throws `BadRequest` for too many tags, `InvalidTag` for one that S3 does not take. */
function check(tags: readonly Tag[], { limit, tooMany, system }: Bounds): readonly Tag[] {
  if (tags.length > limit) throw new S3Error('BadRequest', { message: tooMany })
  const keys = new Set<string>()
  for (const { key, value } of tags) {
    if (key === '' || key.length > MAX_KEY_CHARACTERS || !ALLOWED.test(key)) {
      throw invalidTag('The TagKey you have provided is invalid', key)
    }
    if (value.length > MAX_VALUE_CHARACTERS || !ALLOWED.test(value)) {
      throw new S3Error('InvalidTag', {
        message: 'The TagValue you have provided is invalid',
        extra: { TagKey: key, TagValue: value },
      })
    }
    if (key.toLowerCase().startsWith('aws:')) throw invalidTag(system, key)
    if (keys.has(key)) throw invalidTag('Cannot provide multiple Tags with the same key', key)
    keys.add(key)
  }
  return tags
}

export const checkObjectTags = (tags: readonly Tag[]): readonly Tag[] => check(tags, OF_OBJECTS)
export const checkBucketTags = (tags: readonly Tag[]): readonly Tag[] => check(tags, OF_BUCKETS)

/** The tags of a `Tagging` document, unchecked. Throws `MalformedXML`. */
export const parseTagging = (document: Uint8Array, maxBytes: number): readonly Tag[] => {
  const root = admitRoot(parseXml(document, maxBytes), 'Tagging', TAGGING)
  return tagsIn(child(root, 'TagSet'))
}

/** The tags of the document of an object, checked. Throws `MalformedXML`, `InvalidTag`, `BadRequest`. */
export const parseObjectTagging = (document: Uint8Array, maxBytes: number): readonly Tag[] =>
  checkObjectTags(parseTagging(document, maxBytes))

/** The tags below an admitted element. */
export const tagsIn = (set: XmlElement | undefined): readonly Tag[] =>
  (set?.children ?? [])
    .filter(({ name }) => name === 'Tag')
    .map((tag) => ({ key: childText(tag, 'Key') ?? '', value: childText(tag, 'Value') ?? '' }))

export const renderTagging = (tags: readonly Tag[]): string =>
  xmlDocument(
    'Tagging',
    group('TagSet', ...tags.map(({ key, value }) => group('Tag', el('Key', key), el('Value', value)))),
  )

/** The tags of `TAGGING_HEADER`, checked. Throws `InvalidArgument` for a header that is no query or has a name twice, `InvalidTag`, `BadRequest`. */
export const parseTaggingHeader = (header: string): readonly Tag[] => {
  const tags = tagsOfHeader(header)
  const names = new Set(tags.map(({ key }) => key))
  if (names.has('') || names.size < tags.length) throw badHeader(header)
  return checkObjectTags(tags)
}

/** The tags of a header that was checked when it was kept. */
export const tagsOfHeader = (header: string): readonly Tag[] =>
  header
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const at = pair.indexOf('=')
      return {
        key: decoded(at < 0 ? pair : pair.slice(0, at), header),
        value: decoded(at < 0 ? '' : pair.slice(at + 1), header),
      }
    })

function decoded(text: string, header: string): string {
  try {
    const unicode = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(text, 'latin1'))
    return decodeURIComponent(unicode.replaceAll('+', ' '))
  } catch {
    throw badHeader(header)
  }
}

const badHeader = (header: string): S3Error =>
  invalidArgument(
    "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
    TAGGING_HEADER,
    header,
  )

/** The same tags as a header: ASCII, whatever they hold. */
export const renderTaggingHeader = (tags: readonly Tag[]): string =>
  tags.map(({ key, value }) => `${encodeComponent(key)}=${encodeComponent(value)}`).join('&')
