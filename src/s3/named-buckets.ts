/** Buckets that a configuration names as the place where the store shall write: replicas, logs, reports, restored objects. */
import { invalidArgument, type S3Error } from './errors.ts'
import type { OperationName } from './operation-name.ts'
import { parseXml, type XmlElement } from './xml.ts'

/** By operation: the elements that name a bucket. */
const ELEMENTS: Readonly<Partial<Record<OperationName, string>>> = {
  PutBucketAnalyticsConfiguration: 'Bucket',
  PutBucketInventoryConfiguration: 'Bucket',
  PutBucketLogging: 'TargetBucket',
  PutBucketReplication: 'Bucket',
  RestoreObject: 'BucketName',
}

/** All of them, wherever they stand in the document. Throws `MalformedXML`, and `InvalidArgument` for what names no bucket. */
export const namedBuckets = (operation: OperationName, document: Buffer, maxBytes: number): string[] => {
  const element = ELEMENTS[operation]
  if (element === undefined || document.length === 0) return []
  return [...new Set(texts(parseXml(document, maxBytes), element).map(bucketOf))]
}

const texts = (element: XmlElement, name: string): string[] => {
  // Stores do not agree on the text around an element that does not belong there.
  if (element.name === name && element.children.length > 0) throw noBucket(element.text)
  return [...(element.name === name ? [element.text] : []), ...element.children.flatMap((inner) => texts(inner, name))]
}

/** Of a name, or of the ARN of a bucket: `arn:aws:s3:::name`, in any partition. */
const bucketOf = (text: string): string => {
  const name = /^(?:arn:[\w-]+:s3:::)?([A-Za-z0-9._-]{3,255})$/.exec(text.trim())?.[1]
  if (name !== undefined) return name
  throw noBucket(text)
}

const noBucket = (text: string): S3Error =>
  invalidArgument('A destination must be the name or the ARN of a bucket.', 'Bucket', text)
