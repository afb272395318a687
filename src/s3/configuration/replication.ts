/** Replication rules of a bucket (S3 API reference, "PutBucketReplication"). */
import { invalidArgument, S3Error } from '../errors.ts'
import { STORAGE_CLASSES } from '../storage-class.ts'
import { checkObjectTags, TAG, tagsIn } from '../tags.ts'
import { child, childText, type XmlElement } from '../xml.ts'
import { checkRuleIds, withRuleIds } from './rule-ids.ts'
import {
  admitRoot,
  anyText,
  group,
  integer,
  malformed,
  many,
  matching,
  oneOf,
  optional,
  renderAdmitted,
  required,
  type Shape,
  STATUS,
} from './schema.ts'

const MAX_RULES = 1_000
const MINUTES = optional(group({ Minutes: required(integer) }))
const SWITCH = optional(group({ Status: required(STATUS) }))

const DESTINATION: Shape = group({
  Bucket: required(anyText),
  Account: optional(matching(/^\d{12}$/)),
  StorageClass: optional(oneOf(...STORAGE_CLASSES)),
  AccessControlTranslation: optional(group({ Owner: required(oneOf('Destination')) })),
  EncryptionConfiguration: optional(group({ ReplicaKmsKeyID: optional(anyText) })),
  ReplicationTime: optional(group({ Status: required(STATUS), Time: MINUTES })),
  Metrics: optional(group({ Status: required(STATUS), EventThreshold: MINUTES })),
})

const RULE: Shape = group({
  ID: optional(anyText),
  Priority: optional(integer),
  Prefix: optional(anyText),
  Filter: optional(
    group({
      Prefix: optional(anyText),
      Tag: optional(TAG),
      And: optional(group({ Prefix: optional(anyText), Tag: many(TAG) })),
    }),
  ),
  Status: required(STATUS),
  SourceSelectionCriteria: optional(group({ SseKmsEncryptedObjects: SWITCH, ReplicaModifications: SWITCH })),
  ExistingObjectReplication: SWITCH,
  Destination: required(DESTINATION),
  DeleteMarkerReplication: optional(group({ Status: optional(STATUS) })),
})

const REPLICATION: Shape = group({ Role: required(anyText), Rule: many(RULE, 1, MAX_RULES) })

const invalidRequest = (message: string): S3Error => new S3Error('InvalidRequest', { message })

export interface AcceptedReplication {
  /** As it is kept. */
  readonly document: string
  /** The buckets that replicas go to. */
  readonly destinations: readonly string[]
}

/** `newId` names rules that came without an id. Throws `MalformedXML`, `InvalidRequest`, `InvalidArgument`, `InvalidTag`. */
export const acceptReplication = (root: XmlElement, newId: () => string): AcceptedReplication => {
  const admitted = admitRoot(root, 'ReplicationConfiguration', REPLICATION)
  const role = childText(admitted, 'Role') ?? ''
  if (!/^arn:[^:]+:iam::[^:]*:.+/.test(role.trim())) throw invalidArgument('Invalid ARN of the replication role.')
  const rules = admitted.children.filter(({ name }) => name === 'Rule')
  checkRuleIds(rules)
  const destinations = new Set(rules.map(checkRule))
  checkPriorities(rules)
  const kept = admitted.children.filter(({ name }) => name !== 'Rule')
  return {
    document: renderAdmitted({ ...admitted, children: [...kept, ...withRuleIds(rules, newId)] }),
    destinations: [...destinations],
  }
}

/** The schema has two versions: one with `Filter`, and an older one with `Prefix`. Gives the destination. */
function checkRule(rule: XmlElement): string {
  const filter = child(rule, 'Filter')
  if (filter !== undefined && child(rule, 'Prefix') !== undefined) throw malformed()
  const markers = child(rule, 'DeleteMarkerReplication')
  const schema =
    'version of Cross Region Replication configuration schema. Please refer to S3 Developer Guide for more information.'
  if (filter === undefined) {
    if (markers !== undefined) throw invalidRequest(`DeleteMarkerReplication cannot be used for this ${schema}`)
    if (child(rule, 'Priority') !== undefined) throw invalidRequest(`Priority cannot be used for this ${schema}`)
  } else {
    if (child(rule, 'Priority') === undefined) throw invalidRequest(`Priority must be specified for this ${schema}`)
    if (markers === undefined) throw invalidRequest(`DeleteMarkerReplication must be specified for this ${schema}`)
    checkFilter(filter, childText(markers, 'Status'))
  }
  const bucket = childText(child(rule, 'Destination') ?? rule, 'Bucket')?.trim() ?? ''
  const [, name] = /^arn:aws[\w-]*:s3:::([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])$/.exec(bucket) ?? []
  if (name === undefined) throw invalidArgument('Invalid bucket ARN')
  return name
}

function checkFilter(filter: XmlElement, markers: string | undefined): void {
  if (filter.children.length > 1) throw malformed()
  const and = child(filter, 'And')
  if (and !== undefined && and.children.length < 2) throw malformed()
  const tags = checkObjectTags(tagsIn(and ?? filter))
  if (tags.length > 0 && markers === 'Enabled') {
    throw invalidRequest(
      'Delete marker replication is not supported if any Tag filter is specified. Please refer to S3 Developer Guide for more information.',
    )
  }
}

function checkPriorities(rules: readonly XmlElement[]): void {
  const priorities = rules.map((rule) => childText(rule, 'Priority')).filter((text) => text !== undefined)
  if (priorities.length > 0 && priorities.length < rules.length) throw malformed()
  if (priorities.some((text) => Number(text) < 0)) throw invalidArgument('Priority must not be negative.')
  if (new Set(priorities).size < priorities.length) throw invalidRequest('Found duplicate priority number')
}
