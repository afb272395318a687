/** docs/cli.md, from the tree of commands itself. */
import type { Command } from 'commander'
import type { CommandContext } from '../../src/cli/context.ts'
import { createProgram, EXIT_CODES } from '../../src/cli/program.ts'

/** A context that no action will see: only help texts are asked for. */
const NOBODY: CommandContext = {
  env: {},
  stdout: process.stdout,
  stderr: process.stderr,
  stopSignal: new Promise(() => undefined),
  onHangup: () => undefined,
}

export function renderCli(): string {
  const program = createProgram(NOBODY)
  const codes = Object.entries(EXIT_CODES).map(([code, meaning]) => `| ${code} | ${meaning} |`)
  return [
    '# Command line',
    '',
    'Generated from the commands themselves by `npm run docs`; a test keeps it equal.',
    '',
    'In a checkout write `npx sealgate …`. Settings come from `sealgate.yaml` or `--config`, and from the environment',
    '([configuration.md](configuration.md)). With `--json` results are JSON lines; messages and progress go to standard error.',
    '',
    '| exit code | meaning |',
    '|---|---|',
    ...codes,
    '',
    ...leaves(program).flatMap(([name, command]) => section(name, command)),
  ].join('\n')
}

/** Every command that does something, with its full name. */
function leaves(command: Command, prefix = 'sealgate'): [string, Command][] {
  return command.commands.flatMap((child) => {
    const name = `${prefix} ${child.name()}`
    return child.commands.length > 0 ? leaves(child, name) : [[name, child] satisfies [string, Command]]
  })
}

function section(name: string, command: Command): string[] {
  let help = ''
  command.configureOutput({
    writeOut: (text) => {
      help += text
    },
    getOutHelpWidth: () => 110,
  })
  command.outputHelp()
  return [`## ${name}`, '', '```', help.trim(), '```', '']
}
