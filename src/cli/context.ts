/** What commands see of the process. Only main.ts makes one; tests make their own. */
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { Writable } from 'node:stream'
import { loadSettings } from '../config/load.ts'
import type { Settings } from '../config/settings.ts'
import { Invalid } from '../errors.ts'

export interface CommandContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdout: Writable & { readonly isTTY?: boolean }
  readonly stderr: Writable & { readonly isTTY?: boolean }
  /** Resolves with the name of the signal that asks the process to stop. A command that never looks at it just ends. */
  readonly stopSignal: Promise<string>
  /** Calls `listener` whenever the process is told to read its settings anew. From then on that signal does not end it. */
  readonly onHangup: (listener: () => void) => void
}

/** The settings of the file named by `--config`, or `sealgate.yaml` if there is one, and of the environment. `onRead` is told of each file and folder, also of one that is not there. Throws `Invalid` with every fault. */
export function settingsOf(
  context: CommandContext,
  configPath: string | undefined,
  onRead: (path: string) => void = () => undefined,
): Settings {
  return loadSettings({
    ...(configPath === undefined ? {} : { configPath }),
    env: context.env,
    readFile: (path) => {
      onRead(path)
      return readFileSync(path, 'utf8')
    },
    listFolder: (path) => {
      onRead(path)
      return readdirSync(path)
    },
    cores: availableParallelism(),
  })
}

/** Runs `work`; when the process is asked to stop, its signal aborts, so that it can clean up, and the stop is what is thrown. */
export async function stoppable<T>(context: CommandContext, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController()
  let stopped: Error | undefined
  void context.stopSignal.then((name) => {
    stopped = new Error(`stopped by ${name}`)
    stop.abort(stopped)
  })
  try {
    return await work(stop.signal)
  } catch (error) {
    throw stopped ?? error
  }
}

/** The text of a small file that an option names. Throws `Invalid` if it cannot be read. */
export function readOptionFile(option: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new Invalid(`${option} ${path} cannot be read`, { cause })
  }
}

export function print(context: CommandContext, text: string): void {
  context.stdout.write(`${text}\n`)
}
