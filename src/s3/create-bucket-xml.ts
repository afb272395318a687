/** The request document of CreateBucket (B96). */
import { S3Error } from './errors.ts'
import { childText, parseXml } from './xml.ts'

export const MAX_CREATE_BUCKET_BYTES = 64 * 1024

export interface CreateBucketRequest {
  readonly locationConstraint?: string
}

/** Elements that ask for what is not built: directory buckets and tags. */
const UNBUILT = new Set(['Location', 'Bucket', 'Tags'])

/** Reads the document; an empty body is one without a constraint. Throws `MalformedXML`, or `NotImplemented` for directory buckets and tags. */
export const parseCreateBucket = (bytes: Uint8Array): CreateBucketRequest => {
  if (bytes.byteLength === 0) return {}
  const root = parseXml(bytes, MAX_CREATE_BUCKET_BYTES)
  if (root.name !== 'CreateBucketConfiguration') throw new S3Error('MalformedXML')
  for (const { name, children } of root.children) {
    if (UNBUILT.has(name) && children.length > 0) {
      throw new S3Error('NotImplemented', {
        message: `The element ${name} of CreateBucketConfiguration is not implemented.`,
      })
    }
    if (name !== 'LocationConstraint' && !UNBUILT.has(name)) throw new S3Error('MalformedXML')
  }
  const locationConstraint = childText(root, 'LocationConstraint')?.trim() ?? ''
  return locationConstraint === '' ? {} : { locationConstraint }
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
