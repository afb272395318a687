/** A new master key for a key manager that keeps its own in a file. */
import { clock, random } from '../compose.ts'
import { withPassphrase } from '../compose/master-keys.ts'
import type { Settings } from '../config/settings.ts'
import { Invalid } from '../errors.ts'
import { generateMasterKey } from '../keys/master-keys.ts'

interface AddedMasterKey {
  /** In hex. */
  readonly id: string
  readonly file: string
}

/** Adds it, derived from the passphrase if the manager has one. Throws `Invalid`, with `remedy`, for a manager without a file of master keys. */
export async function addMasterKey(
  settings: Settings,
  alias: string,
  { activate, remedy }: { readonly activate: boolean; readonly remedy: string },
): Promise<AddedMasterKey> {
  const manager = settings.keys.managers[alias]
  if (manager?.type !== 'local' || manager.file === undefined) {
    throw new Invalid(`the key manager "${alias}" keeps no master keys file${remedy}`)
  }
  const { file } = manager
  const id = await withPassphrase(alias, manager, (passphrase) =>
    generateMasterKey(file, {
      random,
      now: clock(),
      activate,
      ...(passphrase === undefined ? {} : { passphrase }),
    }),
  )
  return { id, file }
}
