/** `sealgate audit`: what the audit log says of itself. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { Integrity, Invalid } from '../errors.ts'
import { parseFileName } from '../telemetry/audit-log/chain-file.ts'
import { type VerifiedFile, verifyFiles } from '../telemetry/audit-log/verify.ts'
import { type CommandContext, print } from './context.ts'

export function auditCommand(context: CommandContext): Command {
  const audit = new Command('audit').description('the audit log')
  audit
    .command('verify')
    .description('check the hash chain of an audit log, and say where it breaks')
    .argument('<file...>', 'files of the log, or folders of them')
    .option('--head <sha256>', 'a head that was noted earlier: it must be among the lines')
    .option('--json', 'JSON lines in place of text')
    .addHelpText(
      'after',
      '\nExample:\n  sealgate audit verify /var/log/sealgate/audit\n\nWhoever can write all files can make a whole new chain of them: keep heads, or the lines themselves, elsewhere.\n',
    )
    .action(async (paths: string[], flags: { readonly json?: boolean; readonly head?: string }) => {
      const files = await verifyFiles(paths.flatMap(filesAt), flags.head)
      for (const file of files) print(context, flags.json === true ? JSON.stringify(file) : textOf(file))
      const broken = files.reduce((sum, { faults }) => sum + faults.length, 0)
      if (broken > 0) throw new Integrity('audit chain failure', `the chain breaks at ${broken} places`)
      if (flags.head !== undefined && !files.some(({ hasHead }) => hasHead))
        throw new Integrity('audit chain failure', `no line has the hash ${flags.head}: lines are missing or others`)
    })
  return audit
}

/** Of a folder all files that have the name of one; what is named itself counts whatever its name. */
function filesAt(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path]
    const found = readdirSync(path).filter((name) => parseFileName(name) !== undefined)
    if (found.length === 0) throw new Invalid(`there is no audit log in ${path}`)
    return found.map((name) => join(path, name))
  } catch (cause) {
    if (cause instanceof Invalid) throw cause
    throw new Invalid(`${path} cannot be read`, { cause })
  }
}

function textOf({ path, lines, head, state, faults, notes }: VerifiedFile): string {
  const verdict = faults.length === 0 ? 'whole' : 'BROKEN'
  const open = state === 'open' ? ', open: it is being written, or its process ended without a word' : ''
  return [
    `${path}: ${verdict}, ${lines} lines, head ${head}${open}`,
    ...faults.map(({ text }) => `  ${text}`),
    ...notes.map((note) => `  note: ${note}`),
  ].join('\n')
}
