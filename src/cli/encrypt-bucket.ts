/** `sealgate encrypt-bucket`: what a bucket holds in plaintext is sealed, in its place or into another bucket. */
import { Command } from 'commander'
import { type Components, hides } from '../compose.ts'
import type { Settings } from '../config/settings.ts'
import { Invalid } from '../errors.ts'
import { keepsVersions } from '../gateway/steps/replacement.ts'
import { sealObject } from '../gateway/steps/seal-object.ts'
import type { JobReport } from '../jobs/engine.ts'
import type { CommandContext } from './context.ts'
import { type JobFlags, runJobCommand, withJobOptions } from './job.ts'
import { tell } from './job-output.ts'
import { type ReplacementFlags, replacementOf, withReplacementOptions } from './replacement-options.ts'

interface EncryptFlags extends Omit<JobFlags, 'bucket'>, ReplacementFlags {
  readonly into?: string
}

export function encryptBucketCommand(context: CommandContext): Command {
  const command = new Command('encrypt-bucket')
    .description('seal what a bucket holds in plaintext, in its place or into another bucket')
    .argument('<bucket>', 'the bucket, whose contents the settings declare `mixed`')
    .option('--into <bucket>', 'another bucket, which gets the sealed objects too; what it has that is newer stays')
  return withReplacementOptions(
    withJobOptions(command, { dryRun: 'say what would be sealed, and change nothing', ofBucket: true }),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  sealgate encrypt-bucket media --dry-run\n  sealgate encrypt-bucket media --bytes-per-second 50MiB\n  sealgate encrypt-bucket media --into media-sealed\n\nEvery gateway must read the bucket as `mixed` before. They may run meanwhile: a write of a client at the same moment wins. In a bucket\nthat keeps versions the plaintext stays as an earlier version until it is deleted.\n',
    )
    .action(async (bucket: string, flags: EncryptFlags) => {
      const { into } = flags
      const options = { ...replacementOf(flags), ...(into === undefined ? {} : { into }) }
      const inPlace = into === undefined && flags.dryRun !== true
      let earlierStay = false
      await runJobCommand(context, flags, {
        job: 'encrypt-bucket',
        buckets: [bucket],
        prepare: async (opened, { settings, signal }) => {
          requireMixed(opened, bucket)
          if (into !== undefined) await requireTarget(opened, settings, bucket, into)
          else earlierStay = await keepsVersions(opened.gateway, bucket, signal)
          return { identity: options, step: sealObject(opened.gateway, options) }
        },
        ...(inPlace ? { after: (report) => advise(context, flags, { bucket, report, earlierStay }) } : {}),
      })
    })
}

/** What is in plaintext where it may not be has been planted, or lost its envelope: it must not become an object of ours. */
function requireMixed({ gateway }: Components, bucket: string): void {
  if (gateway.rules(bucket).contents === 'mixed') return
  throw new Invalid(
    `the settings say that all contents of the bucket "${bucket}" are sealed: write \`contents: mixed\` for it, also in those of every gateway`,
  )
}

async function requireTarget({ gateway }: Components, settings: Settings, bucket: string, into: string): Promise<void> {
  if (into === bucket) throw new Invalid(`--into ${into}: leave it out to seal objects in their place`)
  if (hides(settings)(into) || (await gateway.store.headBucket(into)) === undefined)
    throw new Invalid(`--into ${into}: there is no such bucket; make it through the gateway first`)
}

interface Advised {
  readonly bucket: string
  readonly report: JobReport
  /** What was sealed in its place lies below it in plaintext. */
  readonly earlierStay: boolean
}

/** What the settings may say from now on. */
function advise(context: CommandContext, flags: EncryptFlags, { bucket, report, earlierStay }: Advised): void {
  const { begun, counts } = report
  const sealedSince = new Date(begun).toISOString()
  const whole = (flags.prefix ?? '') === '' && flags.shard === undefined
  const nothingLeft = whole && counts.untouchable === 0 && counts.overtaken === 0 && !earlierStay
  const text = `Settings for the bucket "${bucket}", once all shards are done: \`sealedSince: ${sealedSince}\`, so that listings look no longer at what is newer.${
    nothingLeft
      ? '\nNothing that was seen stays in plaintext: if nobody writes there but through Sealgate, `contents: sealed` is right by now.'
      : ''
  }`
  tell(context, flags, { event: 'advice', bucket, sealedSince, nothingLeft }, text)
}
