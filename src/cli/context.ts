/** What commands see of the process. Only main.ts makes one; tests make their own. */
import { readFileSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { loadSettings } from '../config/load.ts'
import type { Settings } from '../config/settings.ts'

export interface CommandContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdout: Writable & { readonly isTTY?: boolean }
  readonly stderr: Writable & { readonly isTTY?: boolean }
  /** Resolves with the name of the signal that asks the process to stop. */
  readonly stopSignal: Promise<string>
}

/** The settings of the file named by `--config`, or `sealgate.yaml` if there is one, and of the environment. Throws `Invalid` with every fault. */
export function settingsOf(context: CommandContext, configPath: string | undefined): Settings {
  return loadSettings({
    ...(configPath === undefined ? {} : { configPath }),
    env: context.env,
    readFile: (path) => readFileSync(path, 'utf8'),
  })
}

export function print(context: CommandContext, text: string): void {
  context.stdout.write(`${text}\n`)
}
