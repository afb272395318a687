/**
 * Wraps every bucket key of the keyring anew: under the newest version of its master key, or by another key manager
 * (docs/format.md, "Bucket keys, keyring and rotation"). No object is touched. A run that broke off is started again; it may run
 * beside gateways and beside itself, because a record is only replaced while it is what was read.
 */
import { Integrity } from '../errors.ts'
import { kidOf, sameBytes } from '../format/derive.ts'
import type { KeyringRecord } from '../keys/keyring.ts'
import { type KeyManager, managerNamed } from '../keys/key-manager.ts'
import type { KeyringEntry, StateKeyring } from '../state/keyring.ts'

export interface RewrapParts {
  readonly keyring: Pick<StateKeyring, 'entries' | 'replace'>
  readonly managers: ReadonlyMap<string, KeyManager>
}

export interface RewrapOptions {
  /** Only keys that this manager has wrapped. */
  readonly from?: string | undefined
  /** The manager that wraps them from now on; each key's own if absent. */
  readonly to?: string | undefined
  /** Looks whether each key can be opened and wrapped, and replaces nothing. */
  readonly dryRun?: boolean
  /** Only records after that kid (in hex), or all for '': a run that broke off goes on. */
  readonly after?: string
  /** Ends the run early. */
  readonly signal?: AbortSignal | undefined
  /** Hears how far the run is, each time that some records are done; what it throws ends it. */
  readonly onBatch?: (report: RewrapReport, lastKid: string) => Promise<void>
  readonly onRecord?: (record: RewrappedRecord) => void
}

export interface RewrappedRecord {
  readonly kid: string
  readonly namespace: string
  /** The manager that had wrapped it. */
  readonly alias: string
  /** `changed`: somebody else has replaced it meanwhile. `failed`: it is as it was, see `cause`. */
  readonly outcome: 'rewrapped' | 'changed' | 'failed'
  readonly cause?: unknown
}

export interface RewrapReport {
  readonly examined: number
  readonly rewrapped: number
  readonly changed: number
  readonly failed: number
  /** What lies in the place of a record and is none. */
  readonly unreadable: number
}

/** One run over the whole keyring. Throws `Invalid` for aliases without a manager, `Unavailable` if the keyring does not answer. */
export async function rewrapKeyring(parts: RewrapParts, options: RewrapOptions): Promise<RewrapReport> {
  const { from, to, after, signal, onRecord = () => undefined, onBatch = async () => undefined } = options
  if (to !== undefined) managerNamed(parts.managers, to)
  const report = { examined: 0, rewrapped: 0, changed: 0, failed: 0, unreadable: 0 }
  for await (const entries of parts.keyring.entries(signal, after)) {
    report.examined += entries.length
    report.unreadable += entries.filter(({ record }) => record === undefined).length
    const due = entries.flatMap(({ record, etag }) =>
      record === undefined || (from !== undefined && record.alias !== from) ? [] : [{ record, etag }],
    )
    for (const done of await Promise.all(due.map((entry) => rewrapOne(parts, options, entry)))) {
      report[done.outcome] += 1
      onRecord(done)
    }
    await onBatch({ ...report }, entries.at(-1)?.kid ?? '')
  }
  return report
}

/** One record; never throws, so that one does not keep the others. */
async function rewrapOne(
  parts: RewrapParts,
  { to, dryRun = false }: RewrapOptions,
  { record, etag }: Required<Pick<KeyringEntry, 'record' | 'etag'>>,
): Promise<RewrappedRecord> {
  const { kid, namespace, alias } = record
  const told = { kid: kid.toString('hex'), namespace, alias }
  try {
    const renewed = await renew(parts, record, to ?? alias)
    const replaced = dryRun || (await parts.keyring.replace(renewed, etag))
    return { ...told, outcome: replaced ? 'rewrapped' : 'changed' }
  } catch (cause) {
    return { ...told, outcome: 'failed', cause }
  }
}

/** The record with its key wrapped anew by `to`, which has been opened once: whoever loses the old wrapped form loses nothing. Throws what the managers throw. */
export async function renew(
  { managers }: Pick<RewrapParts, 'managers'>,
  record: KeyringRecord,
  to: string,
): Promise<KeyringRecord> {
  const { kid, namespace, day, wrapped, alias, tag } = record
  const [source, target] = [managerNamed(managers, alias), managerNamed(managers, to)]
  if (source.tag !== tag) throw new Integrity('unwrap failure', `key manager "${alias}" is of another provider`)
  const context = { namespace, day }
  const open = async (manager: KeyManager, bytes: Buffer): Promise<Buffer> => {
    const key = await manager.unwrap(bytes, context)
    if (sameBytes(kidOf(key), kid)) return key
    key.fill(0)
    throw new Integrity('unwrap failure', 'what was unwrapped is another key')
  }
  const renewed = source === target ? await source.rewrap(wrapped, context) : await moved(await open(source, wrapped))
  const key = await open(target, renewed)
  key.fill(0)
  return { ...record, alias: target.alias, tag: target.tag, wrapped: renewed }

  async function moved(key: Buffer): Promise<Buffer> {
    try {
      return await target.wrap(key, context)
    } finally {
      key.fill(0)
    }
  }
}
