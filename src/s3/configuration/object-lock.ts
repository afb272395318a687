/** The Object Lock configuration of a bucket (B100). */
import { S3Error } from '../errors.ts'
import { child, childText, el, group as wrap, type XmlElement, xmlDocument } from '../xml.ts'
import { admitRoot, group, integer, malformed, oneOf, optional, required } from './schema.ts'

/** What every new version is locked with. */
export interface DefaultRetention {
  readonly mode: 'GOVERNANCE' | 'COMPLIANCE'
  readonly days?: number
  readonly years?: number
}

const OBJECT_LOCK = group({
  ObjectLockEnabled: required(oneOf('Enabled')),
  Rule: optional(
    group({
      DefaultRetention: required(
        group({
          Mode: required(oneOf('GOVERNANCE', 'COMPLIANCE')),
          Days: optional(integer),
          Years: optional(integer),
        }),
      ),
    }),
  ),
})

const MAX_DAYS = 36_500
const MAX_YEARS = 100
const DAY_MS = 86_400_000

/** The default retention that the document asks for. Throws `MalformedXML`, `InvalidRetentionPeriod`. */
export const acceptObjectLock = (root: XmlElement): DefaultRetention | undefined => {
  const rule = child(admitRoot(root, 'ObjectLockConfiguration', OBJECT_LOCK), 'Rule')
  const retention = rule === undefined ? undefined : child(rule, 'DefaultRetention')
  if (retention === undefined) return undefined
  const days = childText(retention, 'Days')
  const years = childText(retention, 'Years')
  if ((days === undefined) === (years === undefined)) throw malformed()
  checkPeriod(Number(days ?? years), days === undefined ? MAX_YEARS : MAX_DAYS)
  const mode = childText(retention, 'Mode') === 'COMPLIANCE' ? 'COMPLIANCE' : 'GOVERNANCE'
  return { mode, ...(days === undefined ? { years: Number(years) } : { days: Number(days) }) }
}

function checkPeriod(count: number, most: number): void {
  if (count < 1) {
    throw new S3Error('InvalidRetentionPeriod', {
      message: 'Default retention period must be a positive integer value.',
    })
  }
  if (count > most) throw new S3Error('InvalidRetentionPeriod', { message: 'Default retention period is too large.' })
}

/** The document of a bucket with Object Lock. */
export const renderObjectLock = (retention: DefaultRetention | undefined): string =>
  xmlDocument(
    'ObjectLockConfiguration',
    el('ObjectLockEnabled', 'Enabled'),
    retention === undefined
      ? ''
      : wrap(
          'Rule',
          wrap(
            'DefaultRetention',
            el('Mode', retention.mode),
            el('Days', retention.days),
            el('Years', retention.years),
          ),
        ),
  )

/** Until when a version that is made `now` (milliseconds since 1970) is retained: days of 24 hours, or years of the calendar. */
export const retainedUntil = ({ days, years }: DefaultRetention, now: number): Date => {
  if (days !== undefined) return new Date(now + days * DAY_MS)
  const until = new Date(now)
  until.setUTCFullYear(until.getUTCFullYear() + (years ?? 0))
  return until
}
