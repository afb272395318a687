/** Lifecycle rules of a bucket (S3 API reference, "PutBucketLifecycleConfiguration"; B103). */
import { invalidArgument, S3Error } from '../errors.ts'
import { checkObjectTags, TAG, tagsIn } from '../tags.ts'
import { child, childText, childrenNamed, type XmlElement } from '../xml.ts'
import {
  admitRoot,
  anyText,
  boolean,
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
import { checkRuleIds, withRuleIds } from './rule-ids.ts'

const MAX_RULES = 1_000
/** Bytes of the largest object that S3 knows. */
const MAX_OBJECT_BYTES = 50 * 1024 ** 4

const DATE = matching(/^\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))?$/)
const BYTES = matching(/^-?\d{1,15}$/)
const SIZES = { ObjectSizeGreaterThan: optional(BYTES), ObjectSizeLessThan: optional(BYTES) }
/** What a transition may move to. */
const COLDER = oneOf('GLACIER', 'STANDARD_IA', 'ONEZONE_IA', 'INTELLIGENT_TIERING', 'DEEP_ARCHIVE', 'GLACIER_IR')

const FILTER: Shape = group({
  Prefix: optional(anyText),
  Tag: optional(TAG),
  ...SIZES,
  And: optional(group({ Prefix: optional(anyText), Tag: many(TAG), ...SIZES })),
})

const RULE: Shape = group({
  ID: optional(anyText),
  Prefix: optional(anyText),
  Filter: optional(FILTER),
  Status: required(STATUS),
  Expiration: optional(
    group({ Date: optional(DATE), Days: optional(integer), ExpiredObjectDeleteMarker: optional(boolean) }),
  ),
  Transition: many(group({ Date: optional(DATE), Days: optional(integer), StorageClass: required(COLDER) })),
  NoncurrentVersionExpiration: optional(
    group({ NoncurrentDays: optional(integer), NewerNoncurrentVersions: optional(integer) }),
  ),
  NoncurrentVersionTransition: many(
    group({
      NoncurrentDays: optional(integer),
      StorageClass: required(COLDER),
      NewerNoncurrentVersions: optional(integer),
    }),
  ),
  AbortIncompleteMultipartUpload: optional(group({ DaysAfterInitiation: required(integer) })),
})

const LIFECYCLE: Shape = group({ Rule: many(RULE, 1, MAX_RULES) })

const invalidRequest = (message: string): S3Error => new S3Error('InvalidRequest', { message })

/** The document as it is kept. `newId` names rules that came without an id. Throws `MalformedXML`, `InvalidArgument`, `InvalidRequest`, `InvalidTag`. */
export const acceptLifecycle = (root: XmlElement, newId: () => string): string => {
  const admitted = admitRoot(root, 'LifecycleConfiguration', LIFECYCLE)
  const rules = admitted.children
  checkRuleIds(rules)
  const second = rules.some((rule) => child(rule, 'Filter') !== undefined)
  for (const rule of rules) {
    if (second && child(rule, 'Prefix') !== undefined) {
      throw invalidRequest(
        'Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in the Filter.',
      )
    }
    checkRule(rule)
  }
  return renderAdmitted({ ...admitted, children: withRuleIds(rules, newId) })
}

/** Whether a rule of a kept document asks for anything. */
export const lifecycleActs = (document: string): boolean => document.includes('<Status>Enabled</Status>')

function checkRule(rule: XmlElement): void {
  const filter = child(rule, 'Filter')
  if ((filter === undefined) === (child(rule, 'Prefix') === undefined)) throw malformed()
  const { tagged, sized } = filter === undefined ? { tagged: false, sized: false } : checkFilter(filter)
  const expiration = child(rule, 'Expiration')
  const abort = child(rule, 'AbortIncompleteMultipartUpload')
  const actions = rule.children.filter(({ name }) => !['ID', 'Prefix', 'Filter', 'Status'].includes(name))
  if (actions.length === 0) throw invalidRequest('At least one action needs to be specified in a rule.')
  if (abort !== undefined) {
    if (tagged) throw invalidRequest('AbortIncompleteMultipartUpload cannot be specified with Tags.')
    if (sized) throw invalidRequest('AbortIncompleteMultipartUpload cannot be specified with Object Size.')
    positive(childText(abort, 'DaysAfterInitiation'), "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action")
  }
  if (expiration !== undefined) checkExpiration(expiration, tagged, sized)
  checkTransitions(rule, expiration)
  checkNoncurrent(rule)
}

/** Whether it looks at tags and at sizes. */
function checkFilter(filter: XmlElement): { readonly tagged: boolean; readonly sized: boolean } {
  if (filter.children.length > 1) throw malformed()
  const and = child(filter, 'And')
  if (and !== undefined && and.children.length < 2) throw malformed()
  const parts = and ?? filter
  checkObjectTags(tagsIn(parts))
  const least = sizeOf(parts, 'ObjectSizeGreaterThan')
  const most = sizeOf(parts, 'ObjectSizeLessThan')
  if (least !== undefined && most !== undefined && most <= least) {
    throw invalidRequest("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.")
  }
  return {
    tagged: child(parts, 'Tag') !== undefined,
    sized: least !== undefined || most !== undefined,
  }
}

function sizeOf(parts: XmlElement, name: string): number | undefined {
  const text = childText(parts, name)
  if (text === undefined) return undefined
  const bytes = Number(text)
  const least = name === 'ObjectSizeLessThan' ? 1 : 0
  if (bytes < least || bytes > MAX_OBJECT_BYTES) {
    throw invalidRequest(`'${name}' should be between ${least} and ${MAX_OBJECT_BYTES}.`)
  }
  return bytes
}

function checkExpiration(expiration: XmlElement, tagged: boolean, sized: boolean): void {
  if (expiration.children.length !== 1) throw malformed()
  checkDate(childText(expiration, 'Date'))
  positive(childText(expiration, 'Days'), "'Days' for Expiration action")
  if (child(expiration, 'ExpiredObjectDeleteMarker') === undefined) return
  if (tagged) throw invalidRequest('ExpiredObjectDeleteMarker cannot be specified with Tags.')
  if (sized) throw invalidRequest('ExpiredObjectDeleteMarker cannot be specified with Object Size.')
}

function checkTransitions(rule: XmlElement, expiration: XmlElement | undefined): void {
  const transitions = childrenNamed(rule, 'Transition')
  for (const transition of transitions) {
    const days = childText(transition, 'Days')
    const date = childText(transition, 'Date')
    if ((days === undefined) === (date === undefined)) throw malformed()
    checkDate(date)
    checkTransitionDays(days, childText(transition, 'StorageClass'), "'Days' in Transition action")
  }
  checkDistinct(transitions, 'Transition')
  const dated = [...transitions, ...(expiration === undefined ? [] : [expiration])]
  const byDate = dated.some((action) => child(action, 'Date') !== undefined)
  const byDays = dated.some((action) => child(action, 'Days') !== undefined)
  if (byDate && byDays) {
    throw invalidRequest("Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule")
  }
  const expires = expiration === undefined ? undefined : childText(expiration, 'Days')
  const late = transitions.some((one) => expires !== undefined && Number(childText(one, 'Days')) >= Number(expires))
  if (late) {
    throw invalidArgument("'Days' in the Expiration action must be greater than 'Days' in the Transition action")
  }
}

function checkNoncurrent(rule: XmlElement): void {
  const expiration = child(rule, 'NoncurrentVersionExpiration')
  const transitions = childrenNamed(rule, 'NoncurrentVersionTransition')
  if (expiration !== undefined) {
    const days = childText(expiration, 'NoncurrentDays')
    if (days === undefined) throw malformed()
    positive(days, "'NoncurrentDays' for NoncurrentVersionExpiration action")
    checkNewer(expiration)
  }
  for (const transition of transitions) {
    const days = childText(transition, 'NoncurrentDays')
    if (days === undefined) throw malformed()
    const what = "'NoncurrentDays' in NoncurrentVersionTransition action"
    checkTransitionDays(days, childText(transition, 'StorageClass'), what)
    checkNewer(transition)
  }
  checkDistinct(transitions, 'NoncurrentVersionTransition')
}

function checkNewer(action: XmlElement): void {
  const text = childText(action, 'NewerNoncurrentVersions')
  if (text !== undefined && (Number(text) < 1 || Number(text) > 100)) {
    throw invalidArgument("'NewerNoncurrentVersions' must be between 1 and 100")
  }
}

function positive(days: string | undefined, what: string): void {
  if (days !== undefined && Number(days) < 1) throw invalidArgument(`${what} must be a positive integer`)
}

/** Objects stay 30 days before they may go to the two classes of infrequent access. */
const LEAST_DAYS: Readonly<Record<string, number>> = { STANDARD_IA: 30, ONEZONE_IA: 30 }

function checkTransitionDays(days: string | undefined, storageClass: string | undefined, what: string): void {
  if (days === undefined) return
  if (Number(days) < 0) throw invalidArgument(`${what} must be nonnegative`)
  const least = LEAST_DAYS[storageClass ?? ''] ?? 0
  if (Number(days) < least) {
    throw invalidArgument(`${what} must be greater than or equal to ${least} for storageClass '${storageClass}'`)
  }
}

function checkDistinct(transitions: readonly XmlElement[], what: string): void {
  const classes = transitions.map((one) => childText(one, 'StorageClass'))
  if (new Set(classes).size < classes.length) {
    throw invalidRequest(`'StorageClass' must be different for '${what}' actions in same 'Rule'`)
  }
}

function checkDate(date: string | undefined): void {
  if (date === undefined) return
  const time = Date.parse(date)
  if (Number.isNaN(time)) throw malformed()
  if (time % 86_400_000 !== 0) throw invalidArgument("'Date' must be at midnight GMT")
}
