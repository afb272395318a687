/** The request document of DeleteObjects (B62). */
import { MAX_KEY_BYTES } from './address.ts'
import { S3Error, type S3ErrorCode } from './errors.ts'
import { unquoteEtag } from './etag.ts'
import { childrenNamed, childText, parseXml, type XmlElement } from './xml.ts'

/** 1,000 keys of 1,024 bytes, with room for escapes. */
export const MAX_DELETE_BYTES = 2 * 1024 * 1024

const MAX_KEYS = 1000

export interface DeleteEntry {
  readonly key: string
  /** As the client named it; which versions there are is for others to know. */
  readonly versionId?: string
  /** Bare tag or `*`: delete only if the object still has it. */
  readonly etag?: string
  /** The key is not to be touched: answer this error for it. */
  readonly error?: { readonly code: S3ErrorCode; readonly message: string }
}

export interface DeleteRequest {
  /** Answer with errors only. */
  readonly quiet: boolean
  readonly objects: readonly DeleteEntry[]
}

const ROOT_CHILDREN = new Set(['Object', 'Quiet'])
const OBJECT_CHILDREN = new Set(['Key', 'VersionId', 'ETag', 'LastModifiedTime', 'Size'])

/**
 * Reads the document. Throws `MalformedXML` for anything outside the schema: an element that is skipped could be a condition.
 * The conditions of directory buckets become an error of their key.
 */
export const parseDelete = (bytes: Uint8Array): DeleteRequest => {
  const root = parseXml(bytes, MAX_DELETE_BYTES)
  const objects = childrenNamed(root, 'Object')
  const known = root.children.every((element) => ROOT_CHILDREN.has(element.name))
  if (root.name !== 'Delete' || !known || objects.length === 0 || objects.length > MAX_KEYS) {
    throw new S3Error('MalformedXML')
  }
  return { quiet: parseQuiet(childText(root, 'Quiet')), objects: objects.map(parseObject) }
}

const parseQuiet = (text: string | undefined): boolean => {
  const word = text?.trim().toLowerCase() ?? 'false'
  if (word !== 'true' && word !== 'false' && word !== '') throw new S3Error('MalformedXML')
  return word === 'true'
}

const parseObject = (element: XmlElement): DeleteEntry => {
  const names = element.children.map((child) => child.name)
  const key = childText(element, 'Key')
  const valid = names.every((name) => OBJECT_CHILDREN.has(name)) && new Set(names).size === names.length
  if (!valid || key === undefined || key === '') throw new S3Error('MalformedXML')
  const etag = childText(element, 'ETag')
  const versionId = childText(element, 'VersionId')
  const error = refusal(element, key)
  return {
    key,
    ...(versionId === undefined || versionId === '' ? {} : { versionId }),
    ...(etag === undefined || etag.trim() === '' ? {} : { etag: unquoteEtag(etag) }),
    ...(error === undefined ? {} : { error }),
  }
}

const refusal = (element: XmlElement, key: string): DeleteEntry['error'] => {
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) return { code: 'KeyTooLongError', message: 'Your key is too long.' }
  if (childText(element, 'LastModifiedTime') !== undefined || childText(element, 'Size') !== undefined) {
    return { code: 'NotImplemented', message: 'Conditions on LastModifiedTime and Size are not implemented.' }
  }
  return undefined
}
