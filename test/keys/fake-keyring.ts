/** A keyring in memory whose records a test can look at, forge and make unreachable. */
import { Unavailable } from '../../src/errors.ts'
import {
  formatKeyringRecord,
  type Keyring,
  type KeyringRecord,
  type KeySlot,
  parseKeyringRecord,
} from '../../src/keys/keyring.ts'

export class FakeKeyring implements Keyring {
  /** JSON texts by kid in hex and by slot. */
  readonly records = new Map<string, string>()
  readonly slots = new Map<string, string>()
  /** What was called, in order. */
  readonly calls: string[] = []
  down = false

  async find(kid: Buffer): Promise<KeyringRecord | undefined> {
    this.#answer('find')
    return read(this.records.get(kid.toString('hex')))
  }

  async record(record: KeyringRecord): Promise<void> {
    this.#answer('record')
    const kid = record.kid.toString('hex')
    if (!this.records.has(kid)) this.records.set(kid, formatKeyringRecord(record))
  }

  async active(slot: KeySlot): Promise<KeyringRecord | undefined> {
    this.#answer('active')
    // Replicas that ask at the same time all see the slot empty before one of them fills it.
    const seen = this.slots.get(slotName(slot))
    await new Promise((resolve) => setImmediate(resolve))
    return read(seen)
  }

  async publishActive(slot: KeySlot, record: KeyringRecord): Promise<KeyringRecord> {
    this.#answer('publish')
    const name = slotName(slot)
    if (!this.slots.has(name)) this.slots.set(name, formatKeyringRecord(record))
    return read(this.slots.get(name)) ?? record
  }

  #answer(call: string): void {
    if (this.down) throw new Unavailable('the state store is down')
    this.calls.push(call)
  }
}

export const slotName = ({ namespace, manager, period }: KeySlot): string => `${namespace}/${manager}/${period}`

function read(text: string | undefined): KeyringRecord | undefined {
  return text === undefined ? undefined : parseKeyringRecord(text)
}
