/** Start: arguments, environment, signals, exit codes. The only reader of `process.argv` and `process.env`. */
import { Command, CommanderError } from 'commander'
import type { CommandContext } from './cli/context.ts'
import { serveCommand } from './cli/serve.ts'
import { Integrity, Invalid, Unavailable } from './errors.ts'

/** What the exit code of a command says; the same in docs/cli.md. */
const EXIT = { ok: 0, failed: 1, invalid: 2, unavailable: 3, integrity: 4 } as const

const context: CommandContext = {
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  stopSignal: new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal))
  }),
}

function exitCodeOf(error: unknown): number {
  if (error instanceof Invalid) return EXIT.invalid
  if (error instanceof Unavailable) return EXIT.unavailable
  if (error instanceof Integrity) return EXIT.integrity
  return EXIT.failed
}

/** The message and its causes, one a line; a stack only for what nobody foresaw. */
function explain(error: unknown): string {
  const lines: string[] = []
  for (let at: unknown = error; at instanceof Error; at = at.cause) lines.push(at.message)
  if (lines.length === 0) lines.push('an unknown error')
  return lines.map((line, i) => (i === 0 ? `sealgate: ${line}` : `  because ${line}`)).join('\n')
}

const program = new Command('sealgate')
  .description('S3-compatible encryption gateway')
  .version('0.1.0')
  .exitOverride()
  .configureHelp({ showGlobalOptions: true })
  .addCommand(serveCommand(context), { isDefault: true })

try {
  await program.parseAsync(process.argv)
  process.exitCode ??= EXIT.ok
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.invalid
  } else {
    process.stderr.write(`${explain(error)}\n`)
    process.exitCode = exitCodeOf(error)
  }
}
