/** `sealgate uploads`: multipart uploads in progress, and what is left of those that nobody will finish. */
import { Command } from 'commander'
import { type Components, clock } from '../compose.ts'
import type { Settings } from '../config/settings.ts'
import { parseDuration } from '../config/units.ts'
import { Integrity, Invalid, Unavailable } from '../errors.ts'
import { type CleanUploadsReport, cleanUploads, type DueUpload } from '../jobs/clean-uploads.ts'
import { listUploads } from '../jobs/list-uploads.ts'
import type { AbandonedUploads } from '../state/abandoned-uploads.ts'
import type { CreateRecord } from '../state/upload-records.ts'
import { report } from './client-options.ts'
import { withComponents } from './components.ts'
import { type CommandContext, print, settingsOf } from './context.ts'

interface UploadsFlags {
  readonly config?: string
  readonly json?: boolean
}

interface CleanFlags extends UploadsFlags {
  readonly olderThan?: string
  readonly dryRun?: boolean
}

const LEAST_AGE = '1h'

export function uploadsCommand(context: CommandContext): Command {
  const uploads = new Command('uploads').description('multipart uploads in progress')
  uploads
    .command('list')
    .description('every upload that has state, with its last change')
    .option('-c, --config <file>', 'settings (YAML): where the stores and the keys are')
    .option('--json', 'JSON lines in place of text')
    .addHelpText(
      'after',
      '\nExample:\n  sealgate uploads list\n\n`open` may go on, `abandoned` and `leftover` are what `uploads clean` is for, of `completed` only the answer is kept.\n',
    )
    .action((flags: UploadsFlags) =>
      withStores(context, flags, async ({ components, settings, signal }) => {
        await list(context, flags, components.abandonedUploads, settings.uploads.abandonedAfter, signal)
      }),
    )
  uploads
    .command('clean')
    .description('abort uploads that their clients abandoned, and delete what crashes left of others')
    .option('-c, --config <file>', 'settings (YAML): where the stores and the keys are')
    .option(
      '--older-than <duration>',
      `without a change for so long, at least ${LEAST_AGE}; default: uploads.abandonedAfter`,
    )
    .option('--dry-run', 'show what would be deleted, and change nothing')
    .option('--json', 'JSON lines in place of text')
    .addHelpText(
      'after',
      '\nExamples:\n  sealgate uploads clean --dry-run\n  sealgate uploads clean --older-than 30d\n\nThe gateway may run meanwhile. It does the same by itself every hour; see docs/operations.md.\n',
    )
    .action((flags: CleanFlags) =>
      withStores(context, flags, ({ components, settings, signal }) =>
        clean(context, flags, { components, settings, signal }),
      ),
    )
  return uploads
}

interface Opened {
  readonly components: Components
  readonly settings: Settings
  readonly signal: AbortSignal
}

async function withStores(
  context: CommandContext,
  flags: UploadsFlags,
  work: (opened: Opened) => Promise<void>,
): Promise<void> {
  const settings = settingsOf(context, flags.config)
  if (settings.backend.type === 'memory' || settings.state.type === 'memory')
    throw new Invalid('a store in memory can be seen by the gateway alone, which collects abandoned uploads by itself')
  await withComponents(context, settings, (components, signal) => work({ components, settings, signal }))
}

async function clean(
  context: CommandContext,
  flags: CleanFlags,
  { components, settings, signal }: Opened,
): Promise<void> {
  const dryRun = flags.dryRun === true
  const abandonedAfter = flags.olderThan === undefined ? settings.uploads.abandonedAfter : ageOf(flags.olderThan)
  const parts = { uploads: components.abandonedUploads, store: components.gateway.store, clock }
  const done = await cleanUploads(parts, {
    abandonedAfter,
    dryRun,
    signal,
    // Whoever asks for it wants all of it, and can stop it.
    limit: Number.POSITIVE_INFINITY,
    onUpload: (due) => report(context, flags, jsonOf(due), textOf(due)),
  })
  signal.throwIfAborted()
  const { examined, abandoned, leftovers, unreadable, failed } = done
  report(
    context,
    flags,
    { examined, abandoned, leftovers, unreadable, failed, dryRun },
    `${abandoned} abandoned uploads and ${leftovers} leftovers ${dryRun ? 'would be ' : ''}deleted, of ${examined} uploads`,
  )
  if (abandonedAfter === false && flags.json !== true)
    print(context, 'uploads.abandonedAfter is off: only leftovers are looked for; name an age with --older-than')
  refuseIncomplete(done)
}

function ageOf(text: string): number {
  const age = parseDuration(text)
  if (age !== undefined && age >= (parseDuration(LEAST_AGE) ?? 0)) return age
  throw new Invalid(`--older-than ${text}: write a duration of at least ${LEAST_AGE}, for example 7d`)
}

/** What stayed although it was due decides the exit code. */
function refuseIncomplete({ unreadable, failed, whyUnreadable, whyFailed }: CleanUploadsReport): void {
  if (failed > 0) {
    const message = `${failed} uploads could not be deleted and stay; run it again`
    throw whyFailed instanceof Unavailable
      ? new Unavailable(message, { cause: whyFailed })
      : new Error(message, { cause: whyFailed })
  }
  if (unreadable > 0) {
    const message = `${unreadable} uploads do not open and stay`
    throw whyUnreadable instanceof Integrity
      ? new Integrity(whyUnreadable.layer, message, { cause: whyUnreadable })
      : new Error(message, { cause: whyUnreadable })
  }
}

function jsonOf({ id, kind, outcome, changed, record, cause }: DueUpload): unknown {
  const why = cause === undefined ? {} : { why: cause.message }
  return { id, kind, outcome, changed: new Date(changed).toISOString(), ...addressOf(record), ...why }
}

function textOf({ id, kind, outcome, changed, record }: DueUpload): string {
  return `${new Date(changed).toISOString()}  ${outcome.padEnd(10)}  ${kind.padEnd(9)}  ${nameOf(id, record)}`
}

async function list(
  context: CommandContext,
  flags: UploadsFlags,
  uploads: AbandonedUploads,
  abandonedAfter: number | false,
  signal: AbortSignal,
): Promise<void> {
  for await (const some of listUploads(uploads, { now: clock(), abandonedAfter, signal })) {
    for (const { id, state, attempts, changed, record } of some) {
      const at = new Date(changed).toISOString()
      report(
        context,
        flags,
        { id, state, attempts, changed: at, ...addressOf(record) },
        `${at}  ${state.padEnd(10)}  ${String(attempts).padStart(6)} parts  ${nameOf(id, record)}`,
      )
    }
  }
}

function addressOf(record: CreateRecord | undefined): Readonly<Record<string, string>> {
  if (record === undefined) return {}
  const { bucket, key, uploadId } = record
  return { bucket, key, uploadId }
}

/** The object's address, or the folder in the state store if nothing says whose it is. Keys are anybody's text: none may steer a terminal. */
function nameOf(id: string, record: CreateRecord | undefined): string {
  if (record === undefined) return `uploads/${id}/`
  const escaped = (control: string): string => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`
  return `s3://${record.bucket}/${record.key.replaceAll(/\p{Cc}/gu, escaped)}`
}
