/** The keyring in the state store: `keyring/k/<kid hex>` and `keyring/active/<namespace>/<manager>/<period>` (docs/format.md, "State store"). */
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

/** Records read at once where all are gone over. */
const PARALLEL = 16
const MARK_ATTEMPTS = 8

/** One record as it lies in the keyring. */
export interface KeyringEntry {
  /** In hex, as the record's name tells it. */
  readonly kid: string
  /** Absent if what lies there is no record of this kid. */
  readonly record?: KeyringRecord
  /** For `replace`. */
  readonly etag: string
}

/** What lies in the place of a key in use. */
export interface SlotEntry {
  readonly path: string
  /** Absent if it is no record. */
  readonly record?: KeyringRecord
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

  /** Every record that is there, in order of kid, some at a time; `afterKid` (in hex) leaves out what comes before. Those that are written meanwhile may or may not be among them. */
  async *entries(signal?: AbortSignal, afterKid = ''): AsyncGenerator<readonly KeyringEntry[]> {
    for await (const paths of this.#paths(RECORDS, afterKid === '' ? undefined : RECORDS + afterKid)) {
      signal?.throwIfAborted()
      const found = await Promise.all(paths.map((path) => this.#entry(path)))
      yield found.filter((entry) => entry !== undefined)
    }
  }

  /** How many records there are. */
  async count(): Promise<number> {
    let found = 0
    for await (const paths of this.#paths(RECORDS)) found += paths.length
    return found
  }

  /** What lies in the slots of one manager, some at a time. */
  async *slots(manager: string, signal?: AbortSignal): AsyncGenerator<readonly SlotEntry[]> {
    for await (const paths of this.#paths(SLOTS)) {
      signal?.throwIfAborted()
      const own = paths.filter((path) => path.split('/').at(-2) === manager)
      const found = await Promise.all(own.map((path) => this.#slot(path)))
      yield found.filter((entry) => entry !== undefined)
    }
  }

  /** Puts `record` into the slot of that path in the place of what had that ETag. False if something else is there by now. */
  async replaceSlot({ path, etag }: Pick<SlotEntry, 'path' | 'etag'>, record: KeyringRecord): Promise<boolean> {
    return this.#put(path, record, etag)
  }

  /** Nobody seals under its manager any more. */
  async clearSlot({ path }: Pick<SlotEntry, 'path'>): Promise<void> {
    await this.#store.delete(path)
  }

  async *#paths(base: string, from?: string): AsyncGenerator<readonly string[]> {
    for await (const records of this.#store.pages(base, from)) {
      const paths = records.map(({ path }) => path)
      for (let at = 0; at < paths.length; at += PARALLEL) yield paths.slice(at, at + PARALLEL)
    }
  }

  /** Puts `record` in the place of what had that ETag. False if something else is there by now. */
  async replace(record: KeyringRecord, etag: string): Promise<boolean> {
    return this.#put(recordPath(record.kid), record, etag)
  }

  /** Says of a key whether it may still be sealed under. False if there is no record of it. Throws `Unavailable` where it changes all the time. */
  async mark(kid: Buffer, status: KeyringRecord['status']): Promise<boolean> {
    for (let attempts = 0; attempts < MARK_ATTEMPTS; attempts += 1) {
      const entry = await this.#entry(recordPath(kid))
      if (entry?.record === undefined) return false
      if (entry.record.status === status || (await this.replace({ ...entry.record, status }, entry.etag))) return true
    }
    throw new Unavailable('the record of the key changes all the time; try again')
  }

  async #entry(path: string): Promise<KeyringEntry | undefined> {
    const found = await this.#store.get(path)
    if (found === undefined) return undefined
    const entry = { kid: path.slice(RECORDS.length), etag: found.etag }
    const record = parsed(found.bytes)
    return record?.kid.toString('hex') === entry.kid ? { ...entry, record } : entry
  }

  async #slot(path: string): Promise<SlotEntry | undefined> {
    const found = await this.#store.get(path)
    if (found === undefined) return undefined
    const record = parsed(found.bytes)
    return { path, etag: found.etag, ...(record === undefined ? {} : { record }) }
  }

  async #read(path: string): Promise<KeyringRecord | undefined> {
    const found = await this.#store.get(path)
    return found === undefined ? undefined : parseKeyringRecord(found.bytes.toString())
  }

  /** Whether it was ours that became the record. */
  #create(path: string, record: KeyringRecord): Promise<boolean> {
    return this.#put(path, record, undefined)
  }

  async #put(path: string, record: KeyringRecord, etag: string | undefined): Promise<boolean> {
    return (await this.#store.exchange(path, Buffer.from(formatKeyringRecord(record)), etag)) !== undefined
  }
}

const RECORDS = 'keyring/k/'
const SLOTS = 'keyring/active/'
const recordPath = (kid: Buffer): string => `${RECORDS}${kid.toString('hex')}`

const slotPath = ({ namespace, manager, period }: KeySlot): string =>
  `${SLOTS}${pathSegment(namespace)}/${manager}/${period}`

/** `undefined` for what is no record. */
function parsed(bytes: Buffer): KeyringRecord | undefined {
  try {
    return parseKeyringRecord(bytes.toString())
  } catch (error) {
    if (!(error instanceof Integrity)) throw error
    return undefined
  }
}
