/** `sealgate scrub`: reads every object and authenticates all of it. */
import { Command } from 'commander'
import { Invalid } from '../errors.ts'
import { scrubObject } from '../gateway/steps/scrub-object.ts'
import type { CommandContext } from './context.ts'
import { type JobFlags, runJobCommand, withJobOptions } from './job.ts'

interface ScrubFlags extends JobFlags {
  readonly sample?: string
  readonly seed?: string
}

export function scrubCommand(context: CommandContext): Command {
  const command = new Command('scrub').description('read every object and authenticate all of it')
  return withJobOptions(command, {
    dryRun: 'open only what lies beside the bodies, and keep no record of how far it is',
  })
    .option('--sample <percent>', 'only so many per cent of the objects, chosen by a hash')
    .option('--seed <text>', 'of the sample: the same one chooses the same objects; default: drawn for each run')
    .addHelpText(
      'after',
      '\nExamples:\n  sealgate scrub\n  sealgate scrub --bucket backups --sample 5 --bytes-per-second 50MiB\n\nChecks every chunk, header, pad, tail, foot and trailer, the sealed metadata and facts, and whether the keyring has the bucket key. Objects\nthat fail are listed; nothing is changed, and nothing of the contents is shown. A run that was killed goes on where it was.\n',
    )
    .action((flags: ScrubFlags) =>
      runJobCommand(context, flags, {
        job: 'scrub',
        sample: sampleOf(flags),
        prepare: ({ gateway, keyring }) => ({ step: scrubObject(gateway, keyring) }),
      }),
    )
}

function sampleOf({ sample, seed }: ScrubFlags): { percent: number; seed?: string } | undefined {
  if (sample === undefined && seed === undefined) return undefined
  const percent = /^\d{1,3}(\.\d{1,6})?$/.test(sample ?? '') ? Number(sample) : 0
  if (percent <= 0 || percent > 100)
    throw new Invalid(`--sample ${sample ?? '(none)'}: write per cent, above 0 and up to 100`)
  return { percent, ...(seed === undefined ? {} : { seed }) }
}
