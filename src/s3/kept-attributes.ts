/** What clients say of an object beside its contents: values, and what S3 says of wrong ones (B69, B100). */
import { invalidArgument, S3Error } from './errors.ts'
import { LEGAL_HOLD, LOCK_MODE, requireFuture, RETAIN_UNTIL, retentionDate } from './object-lock.ts'
import { checkStorageClass } from './storage-class.ts'
import { parseTaggingHeader, renderTaggingHeader, TAGGING_HEADER } from './tags.ts'

type Attributes = Readonly<Record<string, string>>

/** Checks one value and gives it as it is kept; `undefined`: it says nothing. */
type Judge = (value: string, name: string, now: number) => string | undefined

const oneOf =
  (words: readonly string[], message: string): Judge =>
  (value, name) => {
    if (words.includes(value)) return value
    throw invalidArgument(message, name, value)
  }

/** In one spelling; no tags at all are not worth keeping. */
const tagging: Judge = (value) => renderTaggingHeader(parseTaggingHeader(value)) || undefined

const retainUntil: Judge = (value, name, now) => {
  const until = retentionDate(value)
  if (until === undefined) {
    throw invalidArgument('The retain until date must be provided in ISO 8601 format', name, value)
  }
  requireFuture(until, name, value, now)
  return until.toISOString()
}

/** A flag that is only worth keeping where it is set. */
const flag: Judge = (value, name) => {
  const word = value.toLowerCase()
  if (word === 'true') return word
  if (word === 'false') return undefined
  throw invalidArgument(`Value for ${name} header is invalid.`, name, value)
}

const JUDGES: Readonly<Record<string, Judge>> = {
  'x-amz-bucket-object-lock-enabled': flag,
  'x-amz-bypass-governance-retention': flag,
  [LEGAL_HOLD]: oneOf(['ON', 'OFF'], "Legal Hold must be either of 'ON' or 'OFF'"),
  [LOCK_MODE]: oneOf(['GOVERNANCE', 'COMPLIANCE'], 'Unknown wormMode directive.'),
  [RETAIN_UNTIL]: retainUntil,
  'x-amz-storage-class': checkStorageClass,
  [TAGGING_HEADER]: tagging,
}

/** The attributes as they are kept; `now` in milliseconds since 1970. Throws `InvalidArgument`, `InvalidStorageClass`, `InvalidTag`, `BadRequest`, `NotImplemented`. */
export const judgeAttributes = (given: Attributes, now: number): Attributes => {
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(given)) {
    const judge = JUDGES[name]
    const judged = judge === undefined ? value : judge(value, name, now)
    if (judged !== undefined) kept[name] = judged
  }
  if ((kept[LOCK_MODE] === undefined) !== (kept[RETAIN_UNTIL] === undefined)) {
    throw new S3Error('InvalidArgument', { message: `${RETAIN_UNTIL} and ${LOCK_MODE} must both be supplied` })
  }
  return kept
}

/** Whether they ask for a retention or a legal hold. */
export const locksVersion = (attributes: Attributes): boolean =>
  [LOCK_MODE, RETAIN_UNTIL, LEGAL_HOLD].some((name) => attributes[name] !== undefined)
