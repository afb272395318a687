/** `sealgate keys list`: key managers, and the bucket keys that they have wrapped. */
import { Command } from 'commander'
import type { Components } from '../compose.ts'
import type { Settings } from '../config/settings.ts'
import { countKeyring } from '../jobs/count-keyring.ts'
import { report } from './client-options.ts'
import type { CommandContext } from './context.ts'
import { CONFIG, JSON_LINES, type KeyringFlags, withKeyring } from './keyring.ts'

interface ListFlags extends KeyringFlags {
  readonly keys?: boolean
}

export const listCommand = (context: CommandContext): Command =>
  new Command('list')
    .description('key managers: whether they answer, what they are for, how many bucket keys they have wrapped')
    .option(...CONFIG)
    .option('--keys', 'each bucket key of the keyring in place of the key managers')
    .option(...JSON_LINES)
    .addHelpText('after', '\nExamples:\n  sealgate keys list\n  sealgate keys list --keys --json\n')
    .action((flags: ListFlags) =>
      withKeyring(context, flags, (opened, signal, settings) =>
        flags.keys === true
          ? listKeys(context, flags, opened, signal)
          : listManagers(context, flags, { settings, ...opened }, signal),
      ),
    )

async function listManagers(
  context: CommandContext,
  flags: ListFlags,
  { settings, keyring, managers, rotations }: Components & { readonly settings: Settings },
  signal: AbortSignal,
): Promise<void> {
  const { retired, sealsBy } = await rotations.succession()
  const counted = await countKeyring(keyring, managers.keys(), signal)
  for (const [alias, manager] of [...managers].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const problem = await manager.health().then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : 'it does not answer'),
    )
    const tally = counted.managers.get(alias)
    const keys = (tally?.active ?? 0) + (tally?.retired ?? 0)
    const use = alias === sealsBy ? 'wraps new keys' : retired.includes(alias) ? 'retired' : 'opens only'
    const provider = settings.keys.managers[alias]?.type ?? ''
    report(
      context,
      flags,
      {
        manager: alias,
        provider,
        use,
        keys,
        healthy: problem === undefined,
        ...(problem === undefined ? {} : { problem }),
      },
      `${alias.padEnd(15)}  ${provider.padEnd(15)}  ${use.padEnd(14)}  ${String(keys).padStart(7)} keys  ${problem ?? 'answers'}`,
    )
  }
}

async function listKeys(
  context: CommandContext,
  flags: ListFlags,
  { keyring }: Components,
  signal: AbortSignal,
): Promise<void> {
  for await (const entries of keyring.entries(signal)) {
    for (const { kid, record } of entries) {
      if (record === undefined) {
        report(context, flags, { kid, damaged: true }, `${kid}  damaged`)
        continue
      }
      const { alias, namespace, status, created } = record
      const time = new Date(created).toISOString()
      report(
        context,
        flags,
        { kid, namespace, manager: alias, status, created: time },
        `${kid}  ${time}  ${alias.padEnd(15)}  ${status.padEnd(7)}  ${namespace}`,
      )
    }
  }
}
