/** `sealgate keys status`, `rewrap` and `export`: the keyring, which holds every wrapped bucket key (docs/format.md, "Bucket keys, keyring and rotation"). */
import { writeFileSync } from 'node:fs'
import { Command } from 'commander'
import type { Components } from '../compose.ts'
import type { Settings } from '../config/settings.ts'
import { Invalid, Unavailable } from '../errors.ts'
import { countKeyring } from '../jobs/count-keyring.ts'
import { type RewrapReport, rewrapKeyring } from '../jobs/rewrap-keyring.ts'
import { formatKeyringRecord } from '../keys/keyring.ts'
import { report } from './client-options.ts'
import { withComponents } from './components.ts'
import { type CommandContext, settingsOf } from './context.ts'
import { type DeepFlags, deepRewrap, requireShallow, withDeepOptions } from './deep-rewrap.ts'
import { rotationText } from './rotation-text.ts'

export interface KeyringFlags {
  readonly config?: string
  readonly json?: boolean
}

type RewrapFlags = KeyringFlags & DeepFlags

interface ExportFlags extends KeyringFlags {
  readonly out: string
}

export const CONFIG = ['-c, --config <file>', 'settings (YAML): where the state and the key managers are'] as const
export const JSON_LINES = ['--json', 'JSON lines in place of text'] as const

export const keyringCommands = (context: CommandContext): readonly Command[] => [
  new Command('status')
    .description('how many bucket keys each key manager has wrapped, and how far a rotation is')
    .option(...CONFIG)
    .option(...JSON_LINES)
    .addHelpText(
      'after',
      '\nExample:\n  sealgate keys status\n\nA key manager whose row says 0 is not needed to read any object of this keyring.\n',
    )
    .action((flags: KeyringFlags) => withKeyring(context, flags, (opened) => status(context, flags, opened))),
  withDeepOptions(
    new Command('rewrap').description(
      'wrap every bucket key anew, under the newest master key or by another key manager; no object is touched without --deep',
    ),
  )
    .option('--from <alias>', 'only keys that this key manager has wrapped; default: all')
    .option(
      '--to <alias>',
      'the key manager that wraps them from now on; default: the one that had, or of objects the active one',
    )
    .addHelpText(
      'after',
      "\nExamples:\n  sealgate keys rewrap\n  sealgate keys rewrap --from old --to main\n  sealgate keys rewrap --deep --bucket backups --shard 0/4\n\nThe gateway may run meanwhile. A run that broke off is started again. Every gateway must have both key managers in its settings before;\nan old one may go once `keys status` says that nothing is wrapped by it, and the keyring is then part of what a backup needs.\nAfterwards --deep puts the new form into the objects themselves, so that they can be read without the keyring: no data moves, and what\nmay not be touched (earlier versions, Object Lock, customers' keys) is counted. It can be shared among processes and goes on where it was.\n",
    )
    .action(async (flags: RewrapFlags) => {
      if (flags.deep === true) return deepRewrap(context, flags)
      requireShallow(flags)
      return withKeyring(context, flags, (opened, signal) => rewrap(context, flags, opened, signal))
    }),
  new Command('export')
    .description('write the keyring into one file, for `decrypt --keyring` and for backups')
    .option(...CONFIG)
    .requiredOption('-o, --out <file>', 'the file, which must not be there yet')
    .option(...JSON_LINES)
    .addHelpText(
      'after',
      '\nExample:\n  sealgate keys export --out keyring.json\n\nThe file holds wrapped keys only: without their key manager they open nothing.\n',
    )
    .action((flags: ExportFlags) => withKeyring(context, flags, (opened) => exportKeyring(context, flags, opened))),
]

/** Opens what the settings name. A stop of the process ends what is under way. */
export async function withKeyring(
  context: CommandContext,
  flags: KeyringFlags,
  work: (opened: Components, signal: AbortSignal, settings: Settings) => Promise<void>,
): Promise<void> {
  const settings = settingsOf(context, flags.config)
  if (settings.state.type === 'memory') throw new Invalid('a state store in memory can be seen by the gateway alone')
  await withComponents(context, settings, (opened, signal) => work(opened, signal, settings))
}

async function status(
  context: CommandContext,
  flags: KeyringFlags,
  { keyring, managers, rotations }: Components,
): Promise<void> {
  const rotation = await rotations.current()
  const { retired: gone, sealsBy } = await rotations.succession()
  const counted = await countKeyring(keyring, managers.keys())
  for (const [alias, { active, retired, oldest }] of counted.managers) {
    const configured = managers.has(alias)
    const since = oldest === undefined ? undefined : new Date(oldest).toISOString()
    const mayLeave = configured && gone.includes(alias) && active + retired === 0
    const note = configured
      ? leaveNote(mayLeave, alias === sealsBy)
      : '  NOT IN THE SETTINGS: what it wrapped cannot be read'
    report(
      context,
      flags,
      {
        manager: alias,
        configured,
        sealsNow: alias === sealsBy,
        mayLeave,
        active,
        retired,
        ...(since === undefined ? {} : { oldest: since }),
      },
      `${alias.padEnd(15)}  ${String(active + retired).padStart(7)} keys${since === undefined ? '' : `, the oldest of ${since}`}${note}`,
    )
  }
  const { unreadable } = counted
  if (unreadable > 0) report(context, flags, { unreadable }, `${unreadable} records are damaged`)
  if (rotation !== undefined) report(context, flags, { rotation }, rotationText(rotation))
}

const leaveNote = (mayLeave: boolean, sealsNow: boolean): string =>
  mayLeave ? '  retired: may leave the settings' : sealsNow ? '  wraps new keys' : ''

async function rewrap(
  context: CommandContext,
  flags: RewrapFlags,
  { keyring, managers }: Components,
  signal: AbortSignal,
): Promise<void> {
  const { from, to, dryRun = false } = flags
  let why: unknown
  const done = await rewrapKeyring(
    { keyring, managers },
    {
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
      dryRun,
      signal,
      onRecord: ({ kid, namespace, alias, outcome, cause }) => {
        why ??= cause
        if (outcome === 'rewrapped' && flags.json !== true) return
        report(context, flags, { kid, namespace, manager: alias, outcome }, `${outcome}  ${kid}  ${namespace}`)
      },
    },
  )
  const { examined, rewrapped, changed, failed, unreadable } = done
  report(
    context,
    flags,
    { examined, rewrapped, changed, failed, unreadable, dryRun },
    `${rewrapped} of ${examined} bucket keys ${dryRun ? 'can be ' : ''}wrapped anew${others(done)}`,
  )
  if (failed > 0) {
    const message = `${failed} bucket keys could not be wrapped anew and stay as they are; run it again`
    throw why instanceof Unavailable ? new Unavailable(message, { cause: why }) : new Error(message, { cause: why })
  }
}

function others({ changed, failed, unreadable }: RewrapReport): string {
  const parts = Object.entries({ 'changed by somebody else': changed, failed, damaged: unreadable })
  return parts.flatMap(([what, number]) => (number === 0 ? [] : [`, ${number} ${what}`])).join('')
}

async function exportKeyring(context: CommandContext, flags: ExportFlags, { keyring }: Components): Promise<void> {
  const records: string[] = []
  let unreadable = 0
  for await (const entries of keyring.entries()) {
    for (const { record } of entries) {
      if (record === undefined) unreadable += 1
      else records.push(formatKeyringRecord(record))
    }
  }
  try {
    writeFileSync(flags.out, `[\n${records.join(',\n')}\n]\n`, { flag: 'wx', mode: 0o600 })
  } catch (cause) {
    throw new Invalid(`--out ${flags.out} cannot be written, or is there already`, { cause })
  }
  report(
    context,
    flags,
    { keys: records.length, unreadable, file: flags.out },
    `${records.length} bucket keys written to ${flags.out}${unreadable === 0 ? '' : `; ${unreadable} damaged records were left out`}`,
  )
}
