/** The tree of commands. */
import { Command } from 'commander'
import { auditCommand } from './audit.ts'
import { checkConfigCommand } from './check-config.ts'
import type { CommandContext } from './context.ts'
import { decryptCommand } from './decrypt.ts'
import { decryptBucketCommand } from './decrypt-bucket.ts'
import { doctorCommand } from './doctor.ts'
import { encryptBucketCommand } from './encrypt-bucket.ts'
import { getCommand } from './get.ts'
import { inspectCommand } from './inspect.ts'
import { keysCommand } from './keys.ts'
import { lsCommand } from './ls.ts'
import { presignCommand } from './presign.ts'
import { putCommand } from './put.ts'
import { reencryptCommand } from './re-encrypt.ts'
import { rmCommand } from './rm.ts'
import { scrubCommand } from './scrub.ts'
import { serveCommand } from './serve.ts'
import { uploadsCommand } from './uploads.ts'
import { VERSION } from './version.ts'

/** What the exit code of a command says. */
export const EXIT_CODES = {
  0: 'it is done, and for `doctor`: every check passed',
  1: 'it failed: the gateway refused, a check failed, or something unforeseen',
  2: 'the arguments or the settings are wrong; repeating will not help',
  3: 'something does not answer or has no room: the gateway, the store, the disk; try again',
  4: 'stored data is not what was written, or does not open under this key',
} as const

const EXIT_LINE =
  '\nExit codes: 0 done, 1 failed, 2 wrong arguments or settings, 3 no answer or no room, 4 damaged data or wrong key\n'

export function createProgram(context: CommandContext): Command {
  const codes = Object.entries(EXIT_CODES).map(([code, meaning]) => `  ${code}  ${meaning}`)
  const program = new Command('sealgate')
    .description('S3-compatible encryption gateway')
    .version(VERSION)
    .addHelpText('after', `\nExit codes:\n${codes.join('\n')}\n`)
    .addCommand(serveCommand(context))
    .addCommand(doctorCommand(context))
    .addCommand(checkConfigCommand(context))
    .addCommand(putCommand(context))
    .addCommand(getCommand(context))
    .addCommand(lsCommand(context))
    .addCommand(rmCommand(context))
    .addCommand(presignCommand(context))
    .addCommand(inspectCommand(context))
    .addCommand(decryptCommand(context))
    .addCommand(uploadsCommand(context))
    .addCommand(scrubCommand(context))
    .addCommand(encryptBucketCommand(context))
    .addCommand(reencryptCommand(context))
    .addCommand(decryptBucketCommand(context))
    .addCommand(keysCommand(context))
    .addCommand(auditCommand(context))
  for (const command of program.commands) addExitCodes(command)
  return program
}

/** Every command that does something says its exit codes in one line. */
function addExitCodes(command: Command): void {
  for (const child of command.commands) addExitCodes(child)
  if (command.commands.length === 0) command.addHelpText('after', EXIT_LINE)
}
