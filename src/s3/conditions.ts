/** Conditional requests: reads (B46 to B48), copy sources (B66) and writes (B60, B61). Entity tags are bare, without quotes. */
import { parseHttpDate } from './dates.ts'
import { S3Error, unbuiltHeader } from './errors.ts'
import { unquoteEtag } from './etag.ts'
import type { Headers } from './headers.ts'

export type EtagCondition = '*' | readonly string[]

/** Dates are seconds since 1970. An invalid date is as if the header were absent. */
export interface Conditions {
  readonly ifMatch?: EtagCondition
  readonly ifNoneMatch?: EtagCondition
  readonly ifModifiedSince?: number
  readonly ifUnmodifiedSince?: number
}

/** What conditions are compared with: the client's own ETag without quotes, and the time of the last write. */
export interface Validators {
  readonly etag: string
  readonly lastModified: Date
}

export type ConditionPrefix = '' | 'x-amz-copy-source-'

/** Reads the four conditions of a GET or HEAD, or with a prefix those of a copy source. */
export const parseConditions = (headers: Headers, prefix: ConditionPrefix = ''): Conditions => {
  const ifMatch = etags(headers.get(`${prefix}if-match`))
  const ifNoneMatch = etags(headers.get(`${prefix}if-none-match`))
  const ifModifiedSince = date(headers.get(`${prefix}if-modified-since`))
  const ifUnmodifiedSince = date(headers.get(`${prefix}if-unmodified-since`))
  return {
    ...(ifMatch === undefined ? {} : { ifMatch }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch }),
    ...(ifModifiedSince === undefined ? {} : { ifModifiedSince }),
    ...(ifUnmodifiedSince === undefined ? {} : { ifUnmodifiedSince }),
  }
}

/** Whether there is anything to evaluate. */
export const hasConditions = (conditions: Conditions): boolean => Object.keys(conditions).length > 0

const date = (text: string | undefined): number | undefined => (text === undefined ? undefined : parseHttpDate(text))

/** A tag in quotes may hold commas; one without ends at the next comma. */
const ETAG_IN_LIST = /\s*((?:W\/)?(?:"[^"]*"|&quot;.*?&quot;|[^,]+))\s*(?:,|$)/gy

const etags = (text: string | undefined): EtagCondition | undefined => {
  if (text === undefined || text.trim() === '') return undefined
  if (text.trim() === '*') return '*'
  return [...text.matchAll(ETAG_IN_LIST)].map((match) => unquoteEtag(match[1] ?? ''))
}

const matches = (condition: EtagCondition, etag: string): boolean => condition === '*' || condition.includes(etag)

const failed = (condition: string): S3Error => new S3Error('PreconditionFailed', { extra: { Condition: condition } })

const wholeSeconds = (moment: Date): number => Math.floor(moment.getTime() / 1000)

/**
 * Decides a GET or HEAD (B46, in the order of RFC 9110 section 13.2.2): an If-Match that holds makes If-Unmodified-Since
 * irrelevant, an If-None-Match makes If-Modified-Since irrelevant. Throws `PreconditionFailed` (412) with `Condition`.
 */
export const evaluateRead = (conditions: Conditions, validators: Validators): 'ok' | 'not-modified' => {
  requireMatch(conditions, validators, '')
  return isFresh(conditions, validators) ? 'not-modified' : 'ok'
}

/** The same for a copy source, where every condition that fails is 412 (B66). */
export const evaluateCopySource = (conditions: Conditions, validators: Validators): void => {
  const prefix = 'x-amz-copy-source-'
  requireMatch(conditions, validators, prefix)
  if (isFresh(conditions, validators)) {
    throw failed(`${prefix}${conditions.ifNoneMatch === undefined ? 'If-Modified-Since' : 'If-None-Match'}`)
  }
}

const requireMatch = (conditions: Conditions, { etag, lastModified }: Validators, prefix: ConditionPrefix): void => {
  if (conditions.ifMatch !== undefined) {
    if (!matches(conditions.ifMatch, etag)) throw failed(`${prefix}If-Match`)
  } else if (conditions.ifUnmodifiedSince !== undefined && wholeSeconds(lastModified) > conditions.ifUnmodifiedSince) {
    throw failed(`${prefix}If-Unmodified-Since`)
  }
}

const isFresh = (conditions: Conditions, { etag, lastModified }: Validators): boolean => {
  if (conditions.ifNoneMatch !== undefined) return matches(conditions.ifNoneMatch, etag)
  return conditions.ifModifiedSince !== undefined && wholeSeconds(lastModified) <= conditions.ifModifiedSince
}

/**
 * If-Range (RFC 9110 section 13.1.5): whether the Range still speaks of the object the client has a piece of. Otherwise
 * the whole object is sent. Weak tags never match; a date must be exactly that of the last write.
 */
export const rangeApplies = (headers: Headers, { etag, lastModified }: Validators): boolean => {
  const text = headers.get('if-range')?.trim()
  if (text === undefined) return true
  const since = parseHttpDate(text)
  if (since !== undefined) return since === wholeSeconds(lastModified)
  return !text.startsWith('W/') && unquoteEtag(text) === etag
}

/** Conditions of a write. At most one is set. */
export interface WriteConditions {
  /** One bare tag, or `*`. */
  readonly ifMatch?: string
  readonly ifNoneMatch?: '*'
}

/** Reads the conditions of PutObject, CopyObject and CompleteMultipartUpload. `NotImplemented` where S3 says so (B60). */
export const parseWriteConditions = (headers: Headers): WriteConditions => {
  const ifMatch = headers.get('if-match')
  const ifNoneMatch = headers.get('if-none-match')
  if (ifMatch !== undefined && ifNoneMatch !== undefined) throw unbuiltHeader('If-Match and If-None-Match together')
  if (ifNoneMatch !== undefined) {
    if (unquoteEtag(ifNoneMatch) !== '*') throw unbuiltHeader('If-None-Match with anything but *')
    return { ifNoneMatch: '*' }
  }
  return ifMatch === undefined ? {} : { ifMatch: singleEtag(ifMatch) }
}

/** Reads the condition of DeleteObject. */
export const parseDeleteConditions = (headers: Headers): { readonly ifMatch?: string } => {
  if (headers.has('if-none-match')) throw unbuiltHeader('If-None-Match')
  const ifMatch = headers.get('if-match')
  return ifMatch === undefined ? {} : { ifMatch: singleEtag(ifMatch) }
}

const singleEtag = (text: string): string => {
  const list = etags(text)
  if (list === '*') return '*'
  const [etag] = list ?? []
  // A list would have to be tried tag by tag, and no store does that atomically.
  if (etag === undefined || list?.length !== 1) throw unbuiltHeader('If-Match with other than one ETag')
  return etag
}

/**
 * Decides a write against the object that is there now (`undefined`: none). Throws `PreconditionFailed` (412), or
 * `NoSuchKey` for an If-Match on a missing key (B60). The store repeats the decision atomically.
 */
export const evaluateWrite = (conditions: WriteConditions, current: { readonly etag: string } | undefined): void => {
  if (conditions.ifNoneMatch !== undefined && current !== undefined) throw failed('If-None-Match')
  if (conditions.ifMatch === undefined) return
  if (current === undefined) throw new S3Error('NoSuchKey')
  if (conditions.ifMatch !== '*' && conditions.ifMatch !== current.etag) throw failed('If-Match')
}
