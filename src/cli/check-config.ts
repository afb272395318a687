/** `sealgate check-config`: the settings as they would be used, secrets left out. */
import { Command } from 'commander'
import { stringify } from 'yaml'
import { FIELDS } from '../config/fields.ts'
import type { Settings } from '../config/settings.ts'
import { type CommandContext, print, settingsOf } from './context.ts'

export function checkConfigCommand(context: CommandContext): Command {
  return new Command('check-config')
    .description('check the settings and print them as they would be used, without secrets')
    .option('-c, --config <file>', 'settings (YAML)')
    .option('--json', 'JSON in place of YAML')
    .addHelpText('after', '\nExample:\n  sealgate check-config --config sealgate.yaml\n')
    .action((flags: { config?: string; json?: boolean }) => {
      const shown = withoutSecrets(settingsOf(context, flags.config))
      print(context, flags.json === true ? JSON.stringify(shown) : stringify(shown).trimEnd())
    })
}

/** As the schema marks them. Only text under such a name is a secret: `keys` is also a section. */
const SECRETS: ReadonlySet<string> = new Set(FIELDS.filter(({ secret }) => secret).map(({ path }) => path.at(-1) ?? ''))

/** A copy in which every secret string is replaced. */
function withoutSecrets(settings: Settings): unknown {
  const text = JSON.stringify(settings, (name, value: unknown) =>
    SECRETS.has(name) && typeof value === 'string' ? '(not shown)' : value,
  )
  return JSON.parse(text) as unknown
}
