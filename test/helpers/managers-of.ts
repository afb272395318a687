/** Key managers as a file of settings says them. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { openManagers } from '../../src/compose/key-managers.ts'
import { timingOf } from '../../src/compose/timing.ts'
import { loadSettings } from '../../src/config/load.ts'
import type { KeyManager } from '../../src/keys/key-manager.ts'

/** The only manager of these settings; it makes each call once. */
export async function managerOf(settings: object, alias = 'main'): Promise<KeyManager> {
  const managers = { [alias]: { retry: { attempts: 1 }, breaker: { failures: 1_000 }, ...settings } }
  const loaded = loadSettings({
    env: { SEALGATE_KEYS_MANAGERS: JSON.stringify(managers), SEALGATE_KEYS_ACTIVE: alias },
    readFile: (path) => readFileSync(path, 'utf8'),
  })
  const timing = timingOf({ clock: Date.now, random: randomBytes })
  const manager = (await openManagers(loaded, { random: randomBytes, timing })).get(alias)
  if (manager === undefined) throw new Error('there is no manager')
  return manager
}
