/** Opening a sealed record of which nobody says under whose bucket key it lies (docs/format.md, "State store"). */
import { Integrity } from '../errors.ts'
import { openStateRecord, parseStateRecordPrefix } from '../format/state-record.ts'
import type { BucketKeys } from '../keys/key-manager.ts'
import type { Keyring } from '../keys/keyring.ts'

export interface SealedRecordParts {
  readonly keys: Pick<BucketKeys, 'open'>
  readonly keyring: Pick<Keyring, 'find'>
}

/**
 * The JSON of a record. The namespace is the one that the keyring has for the record's bucket key; a wrong one does not open it.
 * Throws `Integrity` if it cannot be opened, `Unavailable` or `Denied` if nobody can tell.
 */
export async function openSealedRecord(
  { keys, keyring }: SealedRecordParts,
  path: string,
  bytes: Buffer,
): Promise<unknown> {
  const { wrapped } = parseStateRecordPrefix(bytes)
  const known = await keyring.find(wrapped.kid)
  if (known === undefined) {
    throw new Integrity('unwrap failure', `the keyring has no key ${wrapped.kid.toString('hex')}, which ${path} needs`)
  }
  const { key } = await keys.open(wrapped, known.namespace)
  return openStateRecord(key, path, bytes)
}
