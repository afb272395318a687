/** The request document of CreateBucket (B96). */
import { S3Error } from './errors.ts'
import { admit } from './configuration/schema.ts'
import { checkBucketTags, type Tag, TAG_SET, tagsIn } from './tags.ts'
import { child, childText, parseXml } from './xml.ts'

export const MAX_CREATE_BUCKET_BYTES = 64 * 1024

export interface CreateBucketRequest {
  readonly locationConstraint?: string
  readonly tags: readonly Tag[]
}

/** Elements that ask for directory buckets. */
const UNBUILT = new Set(['Location', 'Bucket'])
const KNOWN = new Set(['LocationConstraint', 'Tags'])

/** Reads the document; an empty body is one without a constraint. Throws `MalformedXML`, `InvalidTag`, or `NotImplemented` for directory buckets. */
export const parseCreateBucket = (bytes: Uint8Array): CreateBucketRequest => {
  if (bytes.byteLength === 0) return { tags: [] }
  const root = parseXml(bytes, MAX_CREATE_BUCKET_BYTES)
  if (root.name !== 'CreateBucketConfiguration') throw new S3Error('MalformedXML')
  for (const { name, children } of root.children) {
    if (UNBUILT.has(name) && children.length > 0) {
      throw new S3Error('NotImplemented', {
        message: `The element ${name} of CreateBucketConfiguration is not implemented.`,
      })
    }
    if (!KNOWN.has(name) && !UNBUILT.has(name)) throw new S3Error('MalformedXML')
  }
  const locationConstraint = childText(root, 'LocationConstraint')?.trim() ?? ''
  const found = child(root, 'Tags')
  const tags = checkBucketTags(found === undefined ? [] : tagsIn(admit(found, TAG_SET)))
  return locationConstraint === '' ? { tags } : { tags, locationConstraint }
}

/**
 * Checks a constraint against the region the gateway answers for (`undefined`: any). Throws `InvalidLocationConstraint`
 * for us-east-1, which S3 spells as no constraint at all, and `IllegalLocationConstraintException` for another region.
 * No constraint is accepted everywhere: the gateway has one place only.
 */
export const checkLocation = (constraint: string | undefined, region: string | undefined): void => {
  if (constraint === undefined || region === undefined) return
  if (constraint === 'us-east-1')
    throw new S3Error('InvalidLocationConstraint', { extra: { LocationConstraint: constraint } })
  const wanted = constraint === 'EU' ? 'eu-west-1' : constraint
  if (wanted !== region) {
    throw new S3Error('IllegalLocationConstraintException', {
      message: `The ${constraint} location constraint is incompatible for the region specific endpoint this request was sent to.`,
    })
  }
}
