/** `sealgate decrypt-bucket`: everything in a bucket as plaintext files, without the gateway. The way out. */
import { Command } from 'commander'
import { random } from '../compose.ts'
import { decryptObject } from '../gateway/steps/decrypt-object.ts'
import type { CommandContext } from './context.ts'
import { PlaintextFolder } from './decrypt-bucket/plaintext-folder.ts'
import { type JobFlags, runJobCommand, withJobOptions } from './job.ts'

interface DecryptFlags extends Omit<JobFlags, 'bucket'> {
  readonly out: string
}

export function decryptBucketCommand(context: CommandContext): Command {
  const command = new Command('decrypt-bucket')
    .description('write everything in a bucket to a folder, in plaintext, without the gateway')
    .argument('<bucket>', 'the bucket')
    .requiredOption('--out <folder>', 'a new folder, or one that an earlier run has begun')
  return withJobOptions(command, { dryRun: 'open what lies beside the bodies, and write nothing', ofBucket: true })
    .addHelpText(
      'after',
      '\nExamples:\n  sealgate decrypt-bucket backups --out ./plain/backups\n  sealgate decrypt-bucket backups --out ./plain/backups --shard 0/4\n\nA file appears once all of it is verified. `objects/` in the folder has each object under its key, and `index.jsonl` says for each file\nwhich object it is, with content headers and user metadata. Keys that cannot be paths, and with --all-versions earlier versions, lie in\n`unnamed/`. A run that was killed goes on where it was. Nothing in the store is changed.\n',
    )
    .action((bucket: string, flags: DecryptFlags) => decryptBucket(context, bucket, flags))
}

async function decryptBucket(context: CommandContext, bucket: string, flags: DecryptFlags): Promise<void> {
  let folder: PlaintextFolder | undefined
  await runJobCommand(context, flags, {
    job: 'decrypt-bucket',
    buckets: [bucket],
    prepare: ({ gateway }, { shard }) => {
      if (flags.dryRun === true) return { step: decryptObject(gateway, keepNothing) }
      const made = new PlaintextFolder(flags.out, { bucket, shard, random })
      folder = made
      return { identity: made.id, step: decryptObject(gateway, (...object) => made.keep(...object)) }
    },
  })
  await folder?.end()
}

const keepNothing = (): Promise<never> => Promise.reject(new Error('a dry run keeps nothing'))
