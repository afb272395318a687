/** `sealgate re-encrypt`: new data keys, and every byte rewritten under them. */
import { Command } from 'commander'
import { Invalid } from '../errors.ts'
import { reencryptObject } from '../gateway/steps/re-encrypt-object.ts'
import type { CommandContext } from './context.ts'
import { type JobFlags, runJobCommand, withJobOptions } from './job.ts'
import { type ReplacementFlags, replacementOf, withReplacementOptions } from './replacement-options.ts'

interface ReencryptFlags extends JobFlags, ReplacementFlags {
  readonly before?: string
}

export function reencryptCommand(context: CommandContext): Command {
  const command = new Command('re-encrypt').description(
    'give every object a new data key, and rewrite its data under it',
  )
  return withReplacementOptions(withJobOptions(command, { dryRun: 'say what would be rewritten, and change nothing' }))
    .option('--before <time>', 'only objects whose data key is older; default: than the run')
    .addHelpText(
      'after',
      '\nExamples:\n  sealgate re-encrypt --bucket backups --dry-run\n  sealgate re-encrypt --before 2026-05-01 --bytes-per-second 50MiB\n\nAll data goes through this process once in each direction. What clients see of an object stays: contents, metadata, parts, checksums,\ntags. The gateway may run meanwhile: a write of a client at the same moment wins. Earlier versions stay as they are, and are counted with\n--all-versions. For new envelopes alone there is `sealgate keys rewrap --deep`, which moves no data.\n',
    )
    .action(async (flags: ReencryptFlags) => {
      const before = timeOf(flags.before)
      const replacement = replacementOf(flags)
      await runJobCommand(context, flags, {
        job: 're-encrypt',
        prepare: ({ gateway }) => ({
          identity: { ...replacement, before: before ?? null },
          step: reencryptObject(gateway, { ...replacement, ...(before === undefined ? {} : { before }) }),
        }),
      })
    })
}

function timeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const known = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/.test(text)
  const time = known ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time)) throw new Invalid(`--before ${text}: write a day or a time, for example 2026-05-01T12:00:00Z`)
  return time
}
