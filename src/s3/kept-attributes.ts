/** What clients say of an object beside its contents: values, and what S3 says of wrong ones (B69, B100). */
import { type DefaultRetention, retainedUntil } from './configuration/object-lock.ts'
import { invalidArgument, S3Error } from './errors.ts'

type Attributes = Readonly<Record<string, string>>

const LOCK_MODE = 'x-amz-object-lock-mode'
const RETAIN_UNTIL = 'x-amz-object-lock-retain-until-date'
const LEGAL_HOLD = 'x-amz-object-lock-legal-hold'

/** Checks one value and gives it as it is kept; `undefined`: it says nothing. */
type Judge = (value: string, name: string, now: number) => string | undefined

const oneOf =
  (words: readonly string[], message: string): Judge =>
  (value, name) => {
    if (words.includes(value)) return value
    throw invalidArgument(message, name, value)
  }

/** Those whose objects can be read at any time. */
const STORAGE_CLASSES = [
  'STANDARD',
  'REDUCED_REDUNDANCY',
  'STANDARD_IA',
  'ONEZONE_IA',
  'INTELLIGENT_TIERING',
  'GLACIER_IR',
]
const ARCHIVES = ['GLACIER', 'DEEP_ARCHIVE']

const storageClass: Judge = (value, name) => {
  if (STORAGE_CLASSES.includes(value)) return value
  if (!ARCHIVES.includes(value)) throw new S3Error('InvalidStorageClass')
  throw new S3Error('NotImplemented', {
    message: `A header you provided implies functionality that is not implemented: ${name}: ${value}.`,
  })
}

const MAX_TAGS = 10

const tagging: Judge = (value, name) => {
  const invalid = (): S3Error =>
    invalidArgument(
      "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
      name,
      value,
    )
  const keys = new Set<string>()
  const pairs = value.split('&').filter((pair) => pair !== '')
  for (const pair of pairs) {
    const at = pair.indexOf('=')
    const key = decoded(at < 0 ? pair : pair.slice(0, at), invalid)
    const text = at < 0 ? '' : decoded(pair.slice(at + 1), invalid)
    if (key.length === 0 || key.length > 128 || text.length > 256 || keys.has(key)) throw invalid()
    keys.add(key)
  }
  if (pairs.length > MAX_TAGS)
    throw new S3Error('BadRequest', { message: `Object tags cannot be greater than ${MAX_TAGS}` })
  return pairs.length === 0 ? undefined : pairs.join('&')
}

const decoded = (text: string, invalid: () => S3Error): string => {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw invalid()
  }
}

const retainUntil: Judge = (value, name, now) => {
  const until = /^\d{4}-\d\d-\d\dT/.test(value) ? Date.parse(value) : Number.NaN
  if (Number.isNaN(until)) {
    throw invalidArgument('The retain until date must be provided in ISO 8601 format', name, value)
  }
  if (until <= now) throw invalidArgument('The retain until date must be in the future!', name, value)
  return new Date(until).toISOString()
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
  'x-amz-storage-class': storageClass,
  'x-amz-tagging': tagging,
}

/** The attributes as they are kept; `now` in milliseconds since 1970. Throws `InvalidArgument`, `InvalidStorageClass`, `BadRequest`, `NotImplemented`. */
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

/** What a bucket's default retention says of a version that is made `now` (milliseconds since 1970). */
export const retainedBy = (retention: DefaultRetention, now: number): Attributes => ({
  [LOCK_MODE]: retention.mode,
  [RETAIN_UNTIL]: retainedUntil(retention, now).toISOString(),
})
