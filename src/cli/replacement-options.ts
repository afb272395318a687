/** Options of jobs that put another object in the place of one. */
import type { Command } from 'commander'
import type { ReplacementOptions } from '../gateway/steps/replacement.ts'

export interface ReplacementFlags {
  readonly offline?: boolean
  readonly besideLocked?: boolean
}

export const withReplacementOptions = (command: Command): Command =>
  command
    .option('--offline', 'nobody else writes meanwhile: goes on where the store decides no condition on a write')
    .option('--beside-locked', 'make newer versions, locked as long, beside those under Object Lock, which stay')

export const replacementOf = ({ offline, besideLocked }: ReplacementFlags): Required<ReplacementOptions> => ({
  offline: offline === true,
  besideLocked: besideLocked === true,
})
