/** Retention and legal hold of a version (S3 user guide, "Locking objects with Object Lock"; B100, B101). */
import { admitRoot, anyText, group, malformed, oneOf, optional, required } from './configuration/schema.ts'
import { invalidArgument, S3Error } from './errors.ts'
import { childText, el, parseXml, xmlDocument } from './xml.ts'

type Attributes = Readonly<Record<string, string>>

/** The headers that lock a new version, and the names under which they are kept. */
export const LOCK_MODE = 'x-amz-object-lock-mode'
export const RETAIN_UNTIL = 'x-amz-object-lock-retain-until-date'
export const LEGAL_HOLD = 'x-amz-object-lock-legal-hold'

export interface Retention {
  readonly mode: 'GOVERNANCE' | 'COMPLIANCE'
  readonly until: Date
}

const RETENTION = group({
  Mode: optional(oneOf('GOVERNANCE', 'COMPLIANCE')),
  RetainUntilDate: optional(anyText),
})
const HOLD = group({ Status: required(oneOf('ON', 'OFF')) })

/** What a bucket without Object Lock says of locks. */
export const noObjectLock = (): S3Error =>
  new S3Error('InvalidRequest', { message: 'Bucket is missing Object Lock Configuration' })

/** `undefined` for what is no date and time of ISO 8601 with its zone, up to the year 9999. */
export const retentionDate = (text: string): Date | undefined => {
  const known = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.test(text)
  const until = new Date(known ? text : Number.NaN)
  return until.getUTCFullYear() <= 9999 ? until : undefined
}

/** Throws `InvalidArgument` for a date that is past; `name` and `value` are those that the client gave. */
export const requireFuture = (until: Date, name: string, value: string, now: number): void => {
  if (until.getTime() <= now) throw invalidArgument('The retain until date must be in the future!', name, value)
}

/**
 * The retention of a document; `undefined` for an empty one, which takes it away. `now` in milliseconds since 1970. Throws
 * `MalformedXML`, `InvalidArgument` for a date that is past.
 */
export const parseRetention = (document: Uint8Array, maxBytes: number, now: number): Retention | undefined => {
  const root = admitRoot(parseXml(document, maxBytes), 'Retention', RETENTION)
  const mode = childText(root, 'Mode')
  const date = childText(root, 'RetainUntilDate')?.trim()
  if (mode === undefined && date === undefined) return undefined
  const until = date === undefined ? undefined : retentionDate(date)
  if (mode === undefined || date === undefined || until === undefined) throw malformed()
  requireFuture(until, 'RetainUntilDate', date, now)
  return { mode: mode === 'COMPLIANCE' ? mode : 'GOVERNANCE', until }
}

export const renderRetention = ({ mode, until }: Retention): string =>
  xmlDocument('Retention', el('Mode', mode), el('RetainUntilDate', until.toISOString()))

/** Whether the document says ON. Throws `MalformedXML`. */
export const parseLegalHold = (document: Uint8Array, maxBytes: number): boolean =>
  childText(admitRoot(parseXml(document, maxBytes), 'LegalHold', HOLD), 'Status') === 'ON'

export const renderLegalHold = (on: boolean): string => xmlDocument('LegalHold', el('Status', on ? 'ON' : 'OFF'))

/** The retention among kept attributes, in force or not. */
export const retentionOf = (attributes: Attributes): Retention | undefined => {
  const mode = attributes[LOCK_MODE]
  const until = attributes[RETAIN_UNTIL]
  if (mode === undefined || until === undefined) return undefined
  return { mode: mode === 'GOVERNANCE' ? mode : 'COMPLIANCE', until: new Date(until) }
}

/** Whether a legal hold is on; `undefined` if nobody ever said. */
export const legalHoldOf = (attributes: Attributes): boolean | undefined => {
  const word = attributes[LEGAL_HOLD]
  return word === undefined ? undefined : word === 'ON'
}

/** Of what is kept beside a version, the locks in force at `now`. A date that cannot be read counts: better too long than not at all. */
export const locksOf = (attributes: Attributes, now: number): Attributes => {
  const { [LOCK_MODE]: mode, [RETAIN_UNTIL]: until, [LEGAL_HOLD]: hold } = attributes
  const retained = mode !== undefined && until !== undefined && !(Date.parse(until) <= now)
  return {
    ...(retained ? { [LOCK_MODE]: mode, [RETAIN_UNTIL]: until } : {}),
    ...(hold === 'ON' ? { [LEGAL_HOLD]: hold } : {}),
  }
}

/** The same attributes, with no word of locks. */
export const withoutLocks = (attributes: Attributes): Attributes => {
  const { [LOCK_MODE]: _mode, [RETAIN_UNTIL]: _until, [LEGAL_HOLD]: _hold, ...others } = attributes
  return others
}

export const withLegalHold = (attributes: Attributes, on: boolean): Attributes => ({
  ...attributes,
  [LEGAL_HOLD]: on ? 'ON' : 'OFF',
})

export const withRetention = (attributes: Attributes, retention: Retention | undefined): Attributes => {
  const { [LOCK_MODE]: _, [RETAIN_UNTIL]: __, ...others } = attributes
  if (retention === undefined) return others
  return { ...others, [LOCK_MODE]: retention.mode, [RETAIN_UNTIL]: retention.until.toISOString() }
}

/**
 * Throws `AccessDenied` for a change that makes a retention in force weaker: COMPLIANCE can only be made longer, and GOVERNANCE
 * anything by who may pass over it (`bypass`).
 */
export const checkRetentionChange = (
  current: Retention | undefined,
  next: Retention | undefined,
  { now, bypass }: { readonly now: number; readonly bypass: boolean },
): void => {
  // A date that cannot be read keeps the version: better too long than not at all.
  if (current === undefined || current.until.getTime() <= now) return
  if (current.mode === 'GOVERNANCE' && bypass) return
  if (next?.mode === current.mode && next.until.getTime() >= current.until.getTime()) return
  throw new S3Error('AccessDenied', { message: 'Access Denied because object protected by object lock.' })
}
