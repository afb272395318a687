import { Invalid } from '../errors.ts'
import type { KeyManager } from './key-manager.ts'

/** The key manager of that alias. Throws `Invalid` if the settings have none. */
export function managerNamed(managers: ReadonlyMap<string, KeyManager>, alias: string): KeyManager {
  const manager = managers.get(alias)
  if (manager === undefined) throw new Invalid(`there is no key manager "${alias}" in the settings`)
  return manager
}
