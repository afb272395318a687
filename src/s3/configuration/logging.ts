/** Where the access log of a bucket goes (S3 API reference, "PutBucketLogging"). */
import { child, childText, type XmlElement } from '../xml.ts'
import { admitRoot, anyText, group, malformed, many, oneOf, optional, renderAdmitted, required } from './schema.ts'

const GRANTEE = group({
  ID: optional(anyText),
  DisplayName: optional(anyText),
  EmailAddress: optional(anyText),
  URI: optional(anyText),
})

const LOGGING = group({
  LoggingEnabled: optional(
    group({
      TargetBucket: required(anyText),
      TargetGrants: optional(
        group({
          Grant: many(
            group({ Grantee: required(GRANTEE), Permission: required(oneOf('FULL_CONTROL', 'READ', 'WRITE')) }),
          ),
        }),
      ),
      TargetPrefix: required(anyText),
      TargetObjectKeyFormat: optional(
        group({
          SimplePrefix: optional(group({})),
          PartitionedPrefix: optional(group({ PartitionDateSource: optional(oneOf('EventTime', 'DeliveryTime')) })),
        }),
      ),
    }),
  ),
})

export interface AcceptedLogging {
  /** As it is kept. */
  readonly document: string
  /** `undefined` if nothing is to be logged. */
  readonly target: string | undefined
  /** Somebody is to read the logs by ACL. */
  readonly grants: boolean
}

/** Throws `MalformedXML`. */
export const acceptLogging = (root: XmlElement): AcceptedLogging => {
  const admitted = admitRoot(root, 'BucketLoggingStatus', LOGGING)
  const enabled = child(admitted, 'LoggingEnabled')
  if (enabled === undefined) return { document: renderAdmitted(admitted), target: undefined, grants: false }
  const format = child(enabled, 'TargetObjectKeyFormat')
  if (format !== undefined && format.children.length !== 1) throw malformed()
  const grants = (child(enabled, 'TargetGrants')?.children.length ?? 0) > 0
  return {
    document: renderAdmitted(withoutEmptyGrants(admitted)),
    target: childText(enabled, 'TargetBucket')?.trim(),
    grants,
  }
}

const withoutEmptyGrants = (root: XmlElement): XmlElement => ({
  ...root,
  children: root.children
    .filter(({ name, children }) => name !== 'TargetGrants' || children.length > 0)
    .map(withoutEmptyGrants),
})
