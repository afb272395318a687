/** `sealgate keys rotate`: a new master key version or another key manager, over all gateways (docs/format.md, "Rotation"). */
import { userInfo } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import type { Components } from '../compose.ts'
import type { Settings } from '../config/settings.ts'
import { Invalid } from '../errors.ts'
import type { Rotations, RotationStatus } from '../jobs/rotation.ts'
import { addMasterKey } from './add-master-key.ts'
import { report } from './client-options.ts'
import type { CommandContext } from './context.ts'
import { CONFIG, JSON_LINES, type KeyringFlags, withKeyring } from './keyring.ts'
import { startCountProgress } from './progress.ts'
import { rotationText } from './rotation-text.ts'

interface RotateFlags extends KeyringFlags {
  readonly from?: string
  readonly to?: string
  readonly generate?: boolean
  readonly abort?: boolean
  readonly resume?: boolean
  readonly force?: boolean
  readonly wait: boolean
}

/** Between two looks, in milliseconds. */
const LOOK = 250

export const rotateCommand = (context: CommandContext): Command =>
  new Command('rotate')
    .description('wrap new bucket keys, then all others, by a new version of the master key or by another key manager')
    .option(...CONFIG)
    .option('--to <alias>', 'the key manager that wraps from now on; default: the same one, whose master key is new')
    .option('--from <alias>', 'the key manager to leave; default: the one that wraps new keys now')
    .option('--generate', 'first add a master key to the file of the local key manager, and make it the active one')
    .option('--abort', 'give up the rotation under way: the old key manager wraps new keys again')
    .option('--resume', 'let one go on that waits; ask the old key manager again after one that is done')
    .option('--force', 'with --resume or a new one: past gateways that do not answer, and keys that do not open')
    .option('--no-wait', 'begin only: the gateways do the rest')
    .option(...JSON_LINES)
    .addHelpText(
      'after',
      '\nExamples:\n  sealgate keys rotate --generate\n  sealgate keys rotate --to vault\n  sealgate keys rotate --abort\n\nNo object is touched, and gateways serve meanwhile. Every gateway must have both key managers in its settings before. Whoever stops this command\nstops nothing: the gateways go on, and `sealgate keys status` tells how far it is.\n',
    )
    .action((flags: RotateFlags) => {
      const { generate, abort, resume, to, from } = flags
      if (abort === true && (resume === true || to !== undefined || from !== undefined || generate === true)) {
        throw new Invalid('--abort stands alone')
      }
      if (resume === true && (to !== undefined || from !== undefined || generate === true)) {
        throw new Invalid('--resume takes the rotation that is there')
      }
      return withKeyring(context, flags, (opened, signal, settings) =>
        rotate(context, flags, { settings, ...opened }, signal),
      )
    })

async function rotate(
  context: CommandContext,
  flags: RotateFlags,
  { settings, rotations }: Components & { readonly settings: Settings },
  signal: AbortSignal,
): Promise<void> {
  const by = `sealgate keys rotate, ${userName()}`
  const { force = false } = flags
  if (flags.abort === true) {
    tell(context, flags, await rotations.abort({ by }))
    return
  }
  let begun: RotationStatus
  if (flags.resume === true) begun = await rotations.resume({ by, force })
  else {
    if (flags.generate === true) {
      const remedy = ': make the new version where its master key is'
      await addMasterKey(settings, flags.to ?? (await rotations.succession()).sealsBy, { activate: true, remedy })
    }
    const { from, to } = flags
    const named = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) }
    begun = await rotations.start({ ...named, by, force })
  }
  tell(context, flags, begun)
  if (!flags.wait) return
  const last = await follow(context, flags, { rotations, begun }, signal)
  if (last?.stalled === undefined) return
  throw new Error(`the rotation waits: ${last.stalled}; --resume, --resume --force or --abort`)
}

/** Takes the steps that gateways do not, until the keyring is wrapped anew, or somebody has to look. */
async function follow(
  context: CommandContext,
  flags: RotateFlags,
  { rotations, begun }: { readonly rotations: Rotations; readonly begun: RotationStatus },
  signal: AbortSignal,
): Promise<RotationStatus | undefined> {
  const bar = startCountProgress(context, flags.json === true, 'keys')
  let seen: string = begun.phase
  try {
    for (;;) {
      signal.throwIfAborted()
      const stepping = rotations.step(signal)
      // The work may take long: how far it is stands in the record.
      let current: RotationStatus | undefined
      for (let going = true; going; ) {
        going = await Promise.race([stepping.then(() => false), sleep(LOOK, true)])
        current = await rotations.current()
        if (current === undefined) return undefined
        bar.update({ done: current.examined, total: current.total, text: current.phase })
        if (seen !== current.phase) tell(context, flags, current)
        seen = current.phase
      }
      const goesOn = current?.phase === 'draining' || current?.phase === 'rewrapping'
      if (!goesOn || current?.stalled !== undefined) return current
      if ((await stepping) === 'waiting') await sleep(LOOK)
    }
  } finally {
    bar.end()
  }
}

function tell(context: CommandContext, flags: KeyringFlags, rotation: RotationStatus): void {
  report(context, flags, rotation, rotationText(rotation))
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    // In a container a user may have no name.
    return `user ${process.getuid?.() ?? 'unknown'}`
  }
}
