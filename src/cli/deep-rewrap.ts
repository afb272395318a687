/** `sealgate keys rewrap --deep`: a new envelope on every object, with the bucket key of today as its key manager wraps it now. */
import type { Command } from 'commander'
import { Invalid } from '../errors.ts'
import { rewrapObject } from '../gateway/steps/rewrap-object.ts'
import { managerNamed } from '../keys/key-manager.ts'
import type { CommandContext } from './context.ts'
import { type JobFlags, runJobCommand, withJobOptions } from './job.ts'
import { type ReplacementFlags, replacementOf, withReplacementOptions } from './replacement-options.ts'

export interface DeepFlags extends JobFlags, ReplacementFlags {
  readonly deep?: boolean
  readonly from?: string
  readonly to?: string
}

export const withDeepOptions = (command: Command): Command =>
  withReplacementOptions(
    withJobOptions(command.option('--deep', 'new envelopes on objects too, whose data stays where it is'), {
      dryRun: 'open and wrap, and change nothing',
    }),
  )

/** What both forms of the command know. */
const SHALLOW: readonly string[] = ['config', 'from', 'to', 'dryRun', 'json']

/** Throws `Invalid` for an option that chooses among objects, where none is touched. */
export function requireShallow(flags: DeepFlags): void {
  const stranger = Object.keys(flags).find((name) => !SHALLOW.includes(name))
  if (stranger === undefined) return
  const option = stranger.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  throw new Invalid(`--${option} is about objects, which are touched with --deep alone`)
}

export async function deepRewrap(context: CommandContext, flags: DeepFlags): Promise<void> {
  const { from, to } = flags
  const options = {
    ...replacementOf(flags),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  }
  await runJobCommand(context, flags, {
    job: 'rewrap-deep',
    prepare: ({ gateway, managers }, { settings }) => {
      if (to !== undefined) managerNamed(managers, to)
      return { identity: options, step: rewrapObject(gateway, { ...options, active: settings.keys.active }) }
    },
  })
}
