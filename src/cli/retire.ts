/** `sealgate keys retire`: nothing is sealed any more under a key manager, or under one bucket key. */
import { Command } from 'commander'
import type { Components } from '../compose.ts'
import { Invalid } from '../errors.ts'
import { needsInWords, needsOf, scanObjects } from '../jobs/manager-needs.ts'
import { report } from './client-options.ts'
import type { CommandContext } from './context.ts'
import { CONFIG, JSON_LINES, type KeyringFlags, withKeyring } from './keyring.ts'
import { startCountProgress } from './progress.ts'

interface RetireFlags extends KeyringFlags {
  readonly kid?: string
  readonly undo?: boolean
  readonly scan?: boolean
}

export const retireCommand = (context: CommandContext): Command =>
  new Command('retire')
    .description('seal nothing any more under a key manager that was rotated out, or under one bucket key')
    .argument('[alias]', 'the key manager')
    .option(...CONFIG)
    .option('--kid <hex>', 'a bucket key in place of a key manager: what is sealed under it still opens')
    .option('--scan', 'also look at every object: those whose key is not in the keyring need their key manager')
    .option('--undo', 'take it back')
    .option(...JSON_LINES)
    .addHelpText(
      'after',
      '\nExamples:\n  sealgate keys retire old --scan\n  sealgate keys retire --kid 0011223344556677889900aabbccddee\n\nA key manager is refused while a bucket key of the keyring, an upload in progress or a key in use needs it, and with --scan while an object does.\n',
    )
    .action((alias: string | undefined, flags: RetireFlags) => {
      if ((alias === undefined) === (flags.kid === undefined))
        throw new Invalid('name a key manager, or a bucket key by --kid')
      return withKeyring(context, flags, (opened, signal) =>
        alias === undefined
          ? retireKey(context, flags, opened)
          : retireManager(context, flags, { ...opened, alias }, signal),
      )
    })

async function retireManager(
  context: CommandContext,
  flags: RetireFlags,
  { alias, rotations, ...opened }: Components & { readonly alias: string },
  signal: AbortSignal,
): Promise<void> {
  if (flags.undo === true) {
    await rotations.retire(alias, { undo: true })
    report(context, flags, { manager: alias, retired: false }, `"${alias}" may wrap new keys again`)
    return
  }
  const needs = await needsOf(opened, alias, signal)
  const objects = flags.scan === true ? await scan(context, flags, { ...opened, alias }, signal) : 0
  const needed = needs.keys + needs.uploads + needs.slots + objects
  if (needed > 0) throw new Invalid(`"${alias}" is still needed by ${needsInWords({ ...needs, objects })}`)
  await rotations.retire(alias)
  report(
    context,
    flags,
    { manager: alias, retired: true, ...needs },
    `"${alias}" is retired: nothing in the keyring needs it, and no gateway seals under it. It may leave the settings.`,
  )
}

/** How many objects need it. */
async function scan(
  context: CommandContext,
  flags: RetireFlags,
  { alias, gateway, keyring }: Pick<Components, 'gateway' | 'keyring'> & { readonly alias: string },
  signal: AbortSignal,
): Promise<number> {
  const bar = startCountProgress(context, flags.json === true)
  let done = 0
  try {
    const found = await scanObjects({ store: gateway.store, keyring }, alias, {
      signal,
      onObjects: (count) => {
        done += count
        bar.update({ done, total: undefined, text: '' })
      },
    })
    bar.end()
    const { examined, unrecorded, needing, unreadable, examples } = found
    const first = examples.length === 0 ? '' : `, the first of them: ${examples.join(' ')}`
    const damaged = unreadable === 0 ? '' : `; ${unreadable} cannot be read`
    report(
      context,
      flags,
      { scanned: found },
      `${examined} objects looked at: ${unrecorded} with a key that is not in the keyring, ${needing} of them by "${alias}"${first}${damaged}`,
    )
    return needing
  } finally {
    bar.end()
  }
}

async function retireKey(
  context: CommandContext,
  flags: RetireFlags,
  { keyring, rotations }: Components,
): Promise<void> {
  const { kid = '', undo = false } = flags
  if (!/^[0-9a-f]{32}$/.test(kid))
    throw new Invalid('--kid is 32 hex digits in lower case, as `sealgate keys list --keys` tells them')
  const status = undo ? 'active' : 'retired'
  if (!(await keyring.mark(Buffer.from(kid, 'hex'), status))) throw new Invalid(`the keyring has no key ${kid}`)
  await rotations.refresh()
  report(
    context,
    flags,
    { kid, status },
    undo
      ? `the key ${kid} is active again`
      : `the key ${kid} is retired: what it sealed opens, and nothing new is sealed under it`,
  )
}
