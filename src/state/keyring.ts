/** The keyring in the state store: `keyring/k/<kid hex>` and `keyring/active/<namespace>/<manager>/<period>` (docs/format.md, "State store"). */
import { StoreError, type WriteCondition } from '../backends/object-store.ts'
import { Integrity, Unavailable } from '../errors.ts'
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

export class StateKeyring implements Keyring {
  readonly #store: StateStore

  constructor(store: StateStore) {
    this.#store = store
  }

  async find(kid: Buffer): Promise<KeyringRecord | undefined> {
    const record = await this.#read(recordPath(kid))
    if (record !== undefined && !record.kid.equals(kid)) {
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

  async #read(path: string): Promise<KeyringRecord | undefined> {
    const found = await this.#store.get(path)
    return found === undefined ? undefined : parseKeyringRecord(found.bytes.toString())
  }

  /** Whether it was ours that became the record. */
  async #create(path: string, record: KeyringRecord): Promise<boolean> {
    try {
      await this.#store.put(path, Buffer.from(formatKeyringRecord(record)), ONLY_NEW)
      return true
    } catch (error) {
      if (error instanceof StoreError && error.refusal === 'precondition-failed') return false
      throw error
    }
  }
}

const recordPath = (kid: Buffer): string => `keyring/k/${kid.toString('hex')}`

const slotPath = ({ namespace, manager, period }: KeySlot): string =>
  `keyring/active/${pathSegment(namespace)}/${manager}/${period}`
