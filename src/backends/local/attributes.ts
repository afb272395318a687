/** What S3 keeps beside an object: what is shown of it, and what a lock forbids. */
import { type Attributes, StoreError } from '../object-store.ts'

const TAGGING = 'x-amz-tagging'
const STORAGE_CLASS = 'x-amz-storage-class'
const LOCK_MODE = 'x-amz-object-lock-mode'
const RETAIN_UNTIL = 'x-amz-object-lock-retain-until-date'
const LEGAL_HOLD = 'x-amz-object-lock-legal-hold'
const LOCKS = [LOCK_MODE, RETAIN_UNTIL, LEGAL_HOLD] as const

/** Lets a version go that is under retention in the mode GOVERNANCE. */
export const BYPASS = 'x-amz-bypass-governance-retention'

/** What GET and HEAD say of kept attributes, as S3 does: tags are counted, STANDARD is not named, the rest is not shown. */
export function shownAttributes(kept: Attributes): Record<string, string> {
  const shown: Record<string, string> = {}
  const tags = (kept[TAGGING] ?? '').split('&').filter((tag) => tag !== '').length
  if (tags > 0) shown['x-amz-tagging-count'] = String(tags)
  const storageClass = kept[STORAGE_CLASS]
  if (storageClass !== undefined && storageClass !== 'STANDARD') shown[STORAGE_CLASS] = storageClass
  for (const name of LOCKS) {
    const value = kept[name]
    if (value !== undefined) shown[name] = value
  }
  return shown
}

/** Throws `invalid-state` for a lock on what is kept without versions: nothing could keep it. */
export function requireLockable(attributes: Attributes, objectLock: boolean): void {
  if (objectLock || LOCKS.every((name) => attributes[name] === undefined)) return
  throw new StoreError('invalid-state', 'Bucket is missing Object Lock Configuration')
}

/** Throws `locked` for a version under legal hold or retention at `now`. `bypass`: the caller may pass over GOVERNANCE. */
export function requireUnlocked(attributes: Attributes, now: number, bypass: boolean): void {
  if (attributes[LEGAL_HOLD] === 'ON') throw locked()
  const until = Date.parse(attributes[RETAIN_UNTIL] ?? '')
  const mode = attributes[LOCK_MODE]
  // A date that cannot be read keeps the version: better too long than not at all.
  const retained = mode !== undefined && !(until <= now)
  if (retained && !(bypass && mode === 'GOVERNANCE')) throw locked()
}

/** In S3's words. */
const locked = (): StoreError => new StoreError('locked', 'Access Denied because object protected by object lock.')
