/** Reads the settings anew when a file of theirs has changed, or when the process is told to (SIGHUP). */
import { type Stats, unwatchFile, watchFile } from 'node:fs'
import { resolve } from 'node:path'
import { clock } from '../../compose.ts'
import { filesOf, type Live, readLive } from '../../compose/live.ts'
import { mergeSettings } from '../../config/reload.ts'
import type { Settings } from '../../config/settings.ts'
import { alarm, settingsRead } from '../../telemetry/channels.ts'
import type { createLogger } from '../../telemetry/logger.ts'
import { type CommandContext, settingsOf } from '../context.ts'

/** Files are looked at, not subscribed to: mounted secrets are exchanged by links, and network file systems tell nothing. */
const LOOK_MILLISECONDS = 1_000
/** Whoever writes one file may be about to write the next. */
const QUIET_MILLISECONDS = 300

const CHANGED = 'a file has changed'

/** What tells that a file is another, or has been written. */
const SEEN = ['ino', 'size', 'mtimeMs', 'ctimeMs'] as const

export interface ReloadingParts {
  readonly context: CommandContext
  readonly configPath: string | undefined
  readonly logger: ReturnType<typeof createLogger>
  /** Puts it into effect. What it throws leaves the old settings in place. */
  readonly apply: (live: Live) => Promise<void> | void
}

/** What was read when the process started. */
export interface Start {
  /** As `--config` named it. */
  readonly configPath: string | undefined
  readonly live: Live
  /** All files that were looked for. */
  readonly files: ReadonlySet<string>
}

/** Settings, and what they name. Throws `Invalid` with every fault. */
export function readSettings(
  context: CommandContext,
  configPath: string | undefined,
): { readonly settings: Settings; readonly files: ReadonlySet<string> } {
  const files = new Set<string>()
  const settings = settingsOf(context, configPath, (path) => void files.add(path))
  return { settings, files: new Set([...files, ...filesOf(settings)]) }
}

/** Begins to look. Returns what ends it. */
export function keepReloading(parts: ReloadingParts, start: Omit<Start, 'configPath'>): () => Promise<void> {
  const watched = new Set<string>()
  let { live } = start
  let running = Promise.resolve()
  let soon: NodeJS.Timeout | undefined
  let ended = false
  const reload = (why: string): void => {
    clearTimeout(soon)
    running = running.then(async () => {
      if (ended) return
      const done = await reloadOnce(parts, live, why)
      live = done.live
      look(done.files)
    })
  }
  const notice = (now: Stats, before: Stats): void => {
    // Reading a file changes it too, and one that is not there is told of once.
    if (SEEN.every((field) => now[field] === before[field])) return
    clearTimeout(soon)
    soon = setTimeout(reload, QUIET_MILLISECONDS, CHANGED)
  }
  const look = (files: ReadonlySet<string>): void => {
    for (const path of files) {
      // Of a relative path nothing can be said once the folder of the process is gone.
      const file = resolve(path)
      if (ended || watched.has(file)) continue
      watched.add(file)
      watchFile(file, { persistent: false, interval: LOOK_MILLISECONDS }, notice)
    }
  }
  look(start.files)
  settingsRead.publish({ outcome: 'started', at: clock() })
  // What has changed since it was read, while stores were opened, is older than what the first look knows.
  soon = setTimeout(() => isStale(parts, live) && reload(CHANGED), QUIET_MILLISECONDS)
  parts.context.onHangup(() => reload('SIGHUP'))
  return async () => {
    ended = true
    clearTimeout(soon)
    for (const file of watched) unwatchFile(file, notice)
    await running
  }
}

function isStale({ context, configPath }: ReloadingParts, live: Live): boolean {
  try {
    const { settings } = readSettings(context, configPath)
    return JSON.stringify(readLive(settings)) !== JSON.stringify(live)
  } catch {
    return true
  }
}

/** All of it or nothing: what is wrong with the new settings is said, and the old ones stay. */
async function reloadOnce({ context, configPath, logger, apply }: ReloadingParts, old: Live, why: string) {
  let files: ReadonlySet<string> = new Set()
  try {
    const read = readSettings(context, configPath)
    files = read.files
    const { settings, changed, waiting } = mergeSettings(old.settings, read.settings)
    const live = readLive(settings)
    await apply(live)
    logger.level = settings.log.level
    settingsRead.publish({ outcome: 'applied', at: clock() })
    logger.info({ changed: [...changed, ...exchanged(old, live)], why }, 'the settings were read anew')
    if (waiting.length > 0) logger.warn({ settings: waiting }, 'these settings have changed and wait for a restart')
    return { live, files }
  } catch (cause) {
    settingsRead.publish({ outcome: 'refused', at: clock() })
    alarm.publish({ what: 'the settings were not read anew: the old ones stay', detail: { why }, cause })
    return { live: old, files }
  }
}

/** Files whose content has changed under the same settings. */
function exchanged(old: Live, { settings, credentials, tls, adminTls }: Live): string[] {
  const found: string[] = []
  if (settings.credentials === undefined && JSON.stringify(credentials) !== JSON.stringify(old.credentials)) {
    found.push('the credentials file')
  }
  if (tls?.cert !== old.tls?.cert || tls?.key !== old.tls?.key) found.push('the certificate')
  if (JSON.stringify(adminTls) !== JSON.stringify(old.adminTls)) found.push('the certificates of the admin listener')
  return found
}
