/** What events of a bucket are told to whom (S3 API reference, "PutBucketNotificationConfiguration"). */
import { invalidArgument } from '../errors.ts'
import { child, childText, childrenNamed, type XmlElement } from '../xml.ts'
import { checkRuleIds, withRuleIds } from './rule-ids.ts'
import { admitRoot, anyText, group, many, matching, optional, renderAdmitted, required, type Shape } from './schema.ts'

const FILTER = optional(
  group({
    S3Key: optional(
      group({ FilterRule: many(group({ Name: required(matching(/^.{1,16}$/)), Value: required(anyText) })) }),
    ),
  }),
)

const target = (name: string): Shape =>
  group({ Id: optional(anyText), [name]: required(anyText), Event: many(anyText, 1), Filter: FILTER })

/** Kind of destination → the element that names it, and the service in its ARN. */
const TARGETS = {
  TopicConfiguration: ['Topic', 'sns'],
  QueueConfiguration: ['Queue', 'sqs'],
  CloudFunctionConfiguration: ['CloudFunction', 'lambda'],
} as const

const NOTIFICATION = group({
  TopicConfiguration: many(target('Topic'), 0, 100),
  QueueConfiguration: many(target('Queue'), 0, 100),
  CloudFunctionConfiguration: many(target('CloudFunction'), 0, 100),
  EventBridgeConfiguration: optional(group({})),
})

/** Every event that S3 can tell; a wildcard stands for all that begin so. */
const EVENTS: readonly string[] = [
  's3:ReducedRedundancyLostObject',
  ...['Put', 'Post', 'Copy', 'CompleteMultipartUpload'].map((one) => `s3:ObjectCreated:${one}`),
  ...['Delete', 'DeleteMarkerCreated'].map((one) => `s3:ObjectRemoved:${one}`),
  ...['Post', 'Completed', 'Delete'].map((one) => `s3:ObjectRestore:${one}`),
  ...[
    'OperationFailedReplication',
    'OperationNotTracked',
    'OperationMissedThreshold',
    'OperationReplicatedAfterThreshold',
  ].map((one) => `s3:Replication:${one}`),
  's3:LifecycleTransition',
  's3:IntelligentTiering',
  's3:ObjectAcl:Put',
  ...['Delete', 'DeleteMarkerCreated'].map((one) => `s3:LifecycleExpiration:${one}`),
  ...['Put', 'Delete'].map((one) => `s3:ObjectTagging:${one}`),
  ...['Put', 'Delete'].map((one) => `s3:ObjectAnnotation:${one}`),
]

/** The document as it is kept. `newId` names destinations that came without an id. Throws `MalformedXML`, `InvalidArgument`. */
export const acceptNotification = (root: XmlElement, newId: () => string): string => {
  const admitted = admitRoot(root, 'NotificationConfiguration', NOTIFICATION)
  const targets = admitted.children.filter(({ name }) => name in TARGETS)
  checkRuleIds(targets, 'Id')
  const watched = targets.map(watchedBy)
  for (const [index, one] of watched.entries()) {
    if (watched.slice(0, index).some((other) => overlap(one, other))) {
      throw invalidArgument(
        'Configurations overlap. Configurations on the same bucket cannot share a common event type.',
      )
    }
  }
  const bridge = childrenNamed(admitted, 'EventBridgeConfiguration')
  return renderAdmitted({ ...admitted, children: [...withRuleIds(targets, newId, 'Id'), ...bridge] })
}

interface Watched {
  readonly events: ReadonlySet<string>
  readonly prefix: string
  readonly suffix: string
}

function watchedBy(target: XmlElement): Watched {
  for (const [kind, [name, service]] of Object.entries(TARGETS)) {
    if (target.name === kind) checkArn(childText(target, name) ?? '', service)
  }
  const events = childrenNamed(target, 'Event').flatMap(({ text }) => eventsOf(text.trim()))
  const rules = child(child(target, 'Filter') ?? target, 'S3Key')?.children ?? []
  const found = { prefix: '', suffix: '' }
  const seen = new Set<string>()
  for (const rule of rules) {
    const name = childText(rule, 'Name')?.toLowerCase() ?? ''
    if (name !== 'prefix' && name !== 'suffix') {
      throw invalidArgument('filter rule name must be either prefix or suffix')
    }
    if (seen.has(name)) throw invalidArgument(`Cannot specify more than one ${name} rule in a filter.`)
    seen.add(name)
    found[name] = childText(rule, 'Value') ?? ''
    if (Buffer.byteLength(found[name]) > 1_024)
      throw invalidArgument('Size of filter rule value cannot exceed 1024 bytes')
  }
  return { events: new Set(events), ...found }
}

function checkArn(arn: string, service: string): void {
  if (!new RegExp(`^arn:[\\w-]+:${service}:[\\w-]*:[\\w-]*:[^\\s]+$`).test(arn.trim())) {
    throw invalidArgument('The ARN could not be parsed.')
  }
}

/** Throws `InvalidArgument` for an event that S3 does not have. */
function eventsOf(name: string): readonly string[] {
  const events = name.endsWith(':*') ? EVENTS.filter((event) => event.startsWith(name.slice(0, -1))) : [name]
  if (events.length === 0 || events.some((event) => !EVENTS.includes(event))) {
    throw invalidArgument(`A specified event is not supported for notifications: ${name}`)
  }
  return events
}

/** Whether one event of one object could go to both. */
function overlap(a: Watched, b: Watched): boolean {
  if (![...a.events].some((event) => b.events.has(event))) return false
  const prefixes = a.prefix.startsWith(b.prefix) || b.prefix.startsWith(a.prefix)
  return prefixes && (a.suffix.endsWith(b.suffix) || b.suffix.endsWith(a.suffix))
}

/** Whether a kept document tells anybody anything. */
export const notificationActs = (document: string): boolean =>
  /<(?:Topic|Queue|CloudFunction|EventBridge)Configuration>/.test(document)
