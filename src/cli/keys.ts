/** `sealgate keys`: master keys, and the bucket keys that they wrap. */
import { Command } from 'commander'
import { requireFips } from '../compose/fips.ts'
import { addMasterKey } from './add-master-key.ts'
import { report } from './client-options.ts'
import { type CommandContext, settingsOf } from './context.ts'
import { keyringCommands } from './keyring.ts'
import { listCommand } from './list-keys.ts'
import { retireCommand } from './retire.ts'
import { rotateCommand } from './rotate.ts'

interface GenerateFlags {
  readonly config?: string
  readonly manager?: string
  readonly activate?: boolean
  readonly json?: boolean
}

export function keysCommand(context: CommandContext): Command {
  const keys = new Command('keys').description('master keys, and the bucket keys that they wrap')
  keys
    .command('generate')
    .description('add a master key to the file of a local key manager')
    .option('-c, --config <file>', 'settings (YAML)')
    .option('--manager <alias>', 'the key manager; default: the active one')
    .option('--activate', 'wrap new bucket keys with it: from the next start or `keys rotate` on')
    .option('--json', 'JSON in place of text')
    .addHelpText('after', '\nExample:\n  sealgate keys generate --activate\n')
    .action(async (flags: GenerateFlags) => {
      const settings = settingsOf(context, flags.config)
      const alias = flags.manager ?? settings.keys.active
      const activate = flags.activate === true
      requireFips(settings)
      const { id, file } = await addMasterKey(settings, alias, { activate, remedy: '; name another with --manager' })
      const use = activate ? 'It wraps new bucket keys from the next start or `keys rotate` on.' : 'It is not active.'
      report(
        context,
        flags,
        { id, file, active: activate },
        `master key ${id} added to ${file}. ${use} Back the file up.`,
      )
    })
  for (const command of keyringCommands(context)) keys.addCommand(command)
  keys.addCommand(listCommand(context)).addCommand(rotateCommand(context)).addCommand(retireCommand(context))
  return keys
}
