/** The keyring in the state store: `keyring/k/<kid hex>` and `keyring/active/<namespace>/<manager>/<period>` (docs/format.md, "State store"). */
import { StoreError, type WriteCondition } from '../backends/object-store.ts'
import { Integrity, Unavailable } from '../errors.ts'
import { sameBytes } from '../format/derive.ts'
import {
  formatKeyringRecord,
  type Keyring,
  type KeyringRecord,
  type KeySlot,
  parseKeyringRecord,
} from '../keys/keyring.ts'
import { pathSegment } from './path-segment.ts'
import type { StateStore } from './state-store.ts'

const ONLY_NEW: WriteCondition = { ifNoneMatch: '*' }
/** Records read at once where all are gone over. */
const PARALLEL = 16

/** One record as it lies in the keyring. */
export interface KeyringEntry {
  /** In hex, as the record's name tells it. */
  readonly kid: string
  /** Absent if what lies there is no record of this kid. */
  readonly record?: KeyringRecord
  /** For `replace`. */
  readonly etag: string
}

export class StateKeyring implements Keyring {
  readonly #store: StateStore

  constructor(store: StateStore) {
    this.#store = store
  }

  async find(kid: Buffer): Promise<KeyringRecord | undefined> {
    const record = await this.#read(recordPath(kid))
    if (record !== undefined && !sameBytes(record.kid, kid)) {
      throw new Integrity(
        'unwrap failure',
        `the keyring has the key ${record.kid.toString('hex')} in the place of ${kid.toString('hex')}`,
      )
    }
    return record
  }

  async record(record: KeyringRecord): Promise<void> {
    await this.#create(recordPath(record.kid), record)
  }

  async active(slot: KeySlot): Promise<KeyringRecord | undefined> {
    return this.#read(slotPath(slot))
  }

  async publishActive(slot: KeySlot, record: KeyringRecord): Promise<KeyringRecord> {
    if (await this.#create(slotPath(slot), record)) return record
    const winner = await this.active(slot)
    if (winner === undefined) throw new Unavailable('the active bucket key was deleted while we looked for it')
    return winner
  }

  /** Every record that is there, in order of kid, some at a time. Those that are written meanwhile may or may not be among them. */
  async *entries(signal?: AbortSignal): AsyncGenerator<readonly KeyringEntry[]> {
    for (let after: string | undefined; ; ) {
      const page = await this.#store.list(RECORDS, after === undefined ? {} : { after })
      const paths = page.records.map(({ path }) => path)
      for (let at = 0; at < paths.length; at += PARALLEL) {
        signal?.throwIfAborted()
        const found = await Promise.all(paths.slice(at, at + PARALLEL).map((path) => this.#entry(path)))
        yield found.filter((entry) => entry !== undefined)
      }
      after = paths.at(-1)
      if (!page.truncated || after === undefined) return
    }
  }

  /** Puts `record` in the place of what had that ETag. False if something else is there by now. */
  async replace(record: KeyringRecord, etag: string): Promise<boolean> {
    return this.#put(recordPath(record.kid), record, { ifMatch: etag })
  }

  async #entry(path: string): Promise<KeyringEntry | undefined> {
    const found = await this.#store.get(path)
    if (found === undefined) return undefined
    const entry = { kid: path.slice(RECORDS.length), etag: found.etag }
    try {
      const record = parseKeyringRecord(found.bytes.toString())
      return record.kid.toString('hex') === entry.kid ? { ...entry, record } : entry
    } catch (error) {
      if (!(error instanceof Integrity)) throw error
      return entry
    }
  }

  async #read(path: string): Promise<KeyringRecord | undefined> {
    const found = await this.#store.get(path)
    return found === undefined ? undefined : parseKeyringRecord(found.bytes.toString())
  }

  /** Whether it was ours that became the record. */
  #create(path: string, record: KeyringRecord): Promise<boolean> {
    return this.#put(path, record, ONLY_NEW)
  }

  async #put(path: string, record: KeyringRecord, condition: WriteCondition): Promise<boolean> {
    try {
      await this.#store.put(path, Buffer.from(formatKeyringRecord(record)), condition)
      return true
    } catch (error) {
      if (error instanceof StoreError && error.refusal === 'precondition-failed') return false
      throw error
    }
  }
}

const RECORDS = 'keyring/k/'
const recordPath = (kid: Buffer): string => `${RECORDS}${kid.toString('hex')}`

const slotPath = ({ namespace, manager, period }: KeySlot): string =>
  `keyring/active/${pathSegment(namespace)}/${manager}/${period}`
