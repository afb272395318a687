/** What all commands that run a job over objects have in common: options, progress, the list of failures, the report, the exit code. */
import type { Command } from 'commander'
import { type Components, hides, clock, random } from '../compose.ts'
import { timingOf } from '../compose/timing.ts'
import type { Settings } from '../config/settings.ts'
import { parseSize } from '../config/units.ts'
import { Denied, Integrity, Invalid, Unavailable } from '../errors.ts'
import { type JobOptions, type JobReport, runJob } from '../jobs/engine.ts'
import { parseShard, type Shard, WHOLE } from '../jobs/shard.ts'
import type { ObjectStep } from '../object-step.ts'
import { JobRecords } from '../state/job-records.ts'
import { withComponents } from './components.ts'
import { type CommandContext, settingsOf } from './context.ts'
import { JobOutput } from './job-output.ts'

export interface JobFlags {
  readonly config?: string
  readonly bucket?: readonly string[]
  readonly prefix?: string
  readonly allVersions?: boolean
  readonly shard?: string
  readonly concurrency?: string
  readonly objectsPerSecond?: string
  readonly bytesPerSecond?: string
  readonly dryRun?: boolean
  readonly restart?: boolean
  readonly json?: boolean
}

/** What one command adds to it. */
export interface JobPlan extends Pick<JobOptions, 'sample'> {
  /** `[a-z-]+`: the name of its records and reports. */
  readonly job: string
  /** In place of `--bucket`. */
  readonly buckets?: readonly string[]
  /** In place of `--all-versions`. */
  readonly allVersions?: boolean
  readonly prepare: (opened: Components, asked: JobAsked) => Prepared | Promise<Prepared>
  /** Where nothing failed. */
  readonly after?: (report: JobReport) => void
}

export interface JobAsked {
  readonly settings: Settings
  readonly shard: Shard
  readonly signal: AbortSignal
}

/** What is done with each object, and the options that make it another run. */
export interface Prepared extends Pick<JobOptions, 'identity'> {
  readonly step: ObjectStep
}

const DEFAULT_CONCURRENCY = 8
const MOST_CONCURRENCY = 256

/** The options that every job has. `dryRun` says what the job's dry run does. `ofBucket`: an argument names the bucket. */
export function withJobOptions(
  command: Command,
  { dryRun, ofBucket = false }: { readonly dryRun: string; readonly ofBucket?: boolean },
): Command {
  const added = (name: string, before: readonly string[] = []): string[] => [...before, name]
  command.option('-c, --config <file>', 'settings (YAML): where the stores and the keys are')
  if (!ofBucket) command.option('--bucket <name>', 'only this bucket; may be given several times. Default: all', added)
  return command
    .option('--prefix <prefix>', 'only objects whose names begin so')
    .option('--all-versions', 'every version, where the store keeps them; default: the current ones')
    .option('--shard <i/n>', 'only the i-th of n shares of the objects, from 0/n on')
    .option('--concurrency <number>', `objects at once, at most ${MOST_CONCURRENCY}; default: ${DEFAULT_CONCURRENCY}`)
    .option('--objects-per-second <number>', 'no more than so many objects a second')
    .option('--bytes-per-second <size>', 'no more than so many bytes a second on average, for example 50MiB')
    .option('--dry-run', dryRun)
    .option('--restart', 'begin anew where an earlier run of the same options has not ended')
    .option('--json', 'JSON lines also on a terminal')
}

/** Runs the job to its end, or until the process is asked to stop. Throws what the exit code is made of. */
export async function runJobCommand(context: CommandContext, flags: JobFlags, plan: JobPlan): Promise<void> {
  const choices = choicesOf(flags)
  const settings = settingsOf(context, flags.config)
  if (settings.backend.type === 'memory' || settings.state.type === 'memory')
    throw new Invalid('a store in memory can be seen by the gateway alone')
  await withComponents(context, settings, async (opened, signal) => {
    const named = plan.buckets ?? flags.bucket
    const buckets = await bucketsOf(opened, settings, named)
    const { step, identity } = await plan.prepare(opened, { settings, shard: choices.shard, signal })
    const output = new JobOutput(context, { job: plan.job, flags, now: clock })
    const { sample } = plan
    const report = await runJob(partsOf(opened), step, {
      ...choices,
      ...output.listeners,
      job: plan.job,
      identity: [named === undefined ? null : buckets, identity ?? null],
      sample,
      buckets,
      allVersions: plan.allVersions ?? flags.allVersions === true,
      namespace: opened.gateway.rules(buckets[0] ?? '').namespace,
      count: true,
      signal,
    }).finally(() => output.endBar())
    output.end(report, sample?.percent)
    refuseFailures(report, output.firstDamage, output.firstUnavailable)
    plan.after?.(report)
  })
}

const partsOf = ({ gateway, state, keyring }: Components) => ({
  store: gateway.store,
  records: new JobRecords({ state, keys: gateway.keys, keyring, random }),
  timing: timingOf({ clock, random }),
  random,
})

function choicesOf(
  flags: JobFlags,
): Pick<JobOptions, 'shard' | 'prefix' | 'concurrency' | 'rate' | 'dryRun' | 'restart'> {
  const { shard: shardText, bytesPerSecond, objectsPerSecond, concurrency } = flags
  const shard = shardText === undefined ? WHOLE : parseShard(shardText)
  if (shard === undefined) throw new Invalid(`--shard ${shardText}: write 0/8 to 7/8 for each of eight`)
  const bytes = bytesPerSecond === undefined ? undefined : parseSize(bytesPerSecond)
  if (bytesPerSecond !== undefined && (bytes ?? 0) === 0)
    throw new Invalid(`--bytes-per-second ${bytesPerSecond}: write a size, for example 50MiB`)
  return {
    shard,
    prefix: flags.prefix ?? '',
    concurrency: numberOf('--concurrency', concurrency, MOST_CONCURRENCY) ?? DEFAULT_CONCURRENCY,
    rate: { objects: numberOf('--objects-per-second', objectsPerSecond, 1_000_000), bytes },
    dryRun: flags.dryRun === true,
    restart: flags.restart === true,
  }
}

function numberOf(option: string, text: string | undefined, most: number): number | undefined {
  if (text === undefined) return undefined
  const number = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (number < 1 || number > most) throw new Invalid(`${option} ${text}: write a number from 1 to ${most}`)
  return number
}

/** In ascending order. Throws `Invalid` for one that is not there. */
async function bucketsOf(
  { gateway: { store } }: Components,
  settings: Settings,
  named: readonly string[] | undefined,
): Promise<string[]> {
  const hidden = hides(settings)
  if (named === undefined) {
    const all = await store.listBuckets().catch((error: unknown) => {
      if (error instanceof Denied) throw new Invalid('the store lists no buckets to us: name them', { cause: error })
      throw error
    })
    return all
      .map(({ name }) => name)
      .filter((name) => !hidden(name))
      .sort()
  }
  for (const name of named) {
    if (hidden(name) || (await store.headBucket(name)) === undefined) throw new Invalid(`there is no bucket "${name}"`)
  }
  return [...new Set(named)].sort()
}

/** What failed decides the exit code: damage before all else. */
function refuseFailures(
  { counts, stopped }: JobReport,
  damage: Integrity | undefined,
  unavailable: Unavailable | undefined,
): void {
  if (stopped !== undefined) throw stopped
  if (counts.failed === 0) return
  const message = `${counts.failed} objects failed`
  if (counts.damaged > 0) {
    const text = `${message}, ${counts.damaged} of them because they are not what was written`
    throw new Integrity(damage?.layer ?? 'payload failure', text, { cause: damage })
  }
  if (counts.unavailable > 0) throw new Unavailable(`${message}; run it again`, { cause: unavailable })
  throw new Error(message)
}
