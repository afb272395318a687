/** Key managers as a file of settings says them. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { openManagers } from '../../src/compose/key-managers.ts'
import { timingOf } from '../../src/compose/timing.ts'
import { loadSettings } from '../../src/config/load.ts'
import type { KeyManager } from '../../src/keys/key-manager.ts'

interface Surroundings {
  readonly clock?: () => number
  readonly random?: (bytes: number) => Buffer
}

/** The only manager of these settings; it makes each call once. */
export async function managerOf(
  settings: object,
  alias = 'main',
  { clock = Date.now, random = randomBytes }: Surroundings = {},
): Promise<KeyManager> {
  const managers = { [alias]: { retry: { attempts: 1 }, breaker: { failures: 1_000 }, ...settings } }
  const loaded = loadSettings({
    env: { SEALGATE_KEYS_MANAGERS: JSON.stringify(managers), SEALGATE_KEYS_ACTIVE: alias },
    readFile: (path) => readFileSync(path, 'utf8'),
  })
  const manager = (await openManagers(loaded, { random, timing: timingOf({ clock, random }) })).get(alias)
  if (manager === undefined) throw new Error('there is no manager')
  return manager
}
