/** The slots of the keys in use: they carry wrapped forms too, which new objects take over. */
import { Integrity } from '../../errors.ts'
import type { KeyringRecord } from '../../keys/keyring.ts'
import type { SlotEntry, StateKeyring } from '../../state/keyring.ts'
import { renew, type RewrapParts } from '../rewrap-keyring.ts'

export interface SlotParts extends RewrapParts {
  readonly keyring: StateKeyring
}

/** Gives the slots of a manager the forms that the keyring has by now; no manager is asked for those. Returns how many stay as they were. */
export async function renewSlots(parts: SlotParts, manager: string, signal?: AbortSignal): Promise<number> {
  let failed = 0
  for await (const entries of parts.keyring.slots(manager, signal)) {
    const done = await Promise.all(entries.map((entry) => renewSlot(parts, manager, entry)))
    failed += done.filter((one) => !one).length
  }
  return failed
}

async function renewSlot(parts: SlotParts, manager: string, entry: SlotEntry): Promise<boolean> {
  const { record } = entry
  // What is damaged is replaced by nobody: its readers go by it, with an alarm.
  if (record?.alias !== manager) return true
  try {
    const known = await recordedForm(parts, record)
    const { wrapped } = known ?? (await renew(parts, record, manager))
    if (!wrapped.equals(record.wrapped)) await parts.keyring.replaceSlot(entry, { ...record, wrapped })
    return true
  } catch {
    return false
  }
}

async function recordedForm({ keyring }: SlotParts, record: KeyringRecord): Promise<KeyringRecord | undefined> {
  try {
    const known = await keyring.find(record.kid)
    return known?.alias === record.alias ? known : undefined
  } catch (error) {
    if (!(error instanceof Integrity)) throw error
    return undefined
  }
}

/** Takes away the slots of a manager under which nobody seals any more; the keys themselves stay in the keyring. */
export async function clearSlots(keyring: StateKeyring, manager: string, signal?: AbortSignal): Promise<void> {
  for await (const entries of keyring.slots(manager, signal)) {
    await Promise.all(entries.map((entry) => keyring.clearSlot(entry)))
  }
}
