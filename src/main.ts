/** Start: arguments, environment, signals, exit codes. The only reader of `process.argv` and `process.env`. */
import { type Command, CommanderError } from 'commander'
import type { CommandContext } from './cli/context.ts'
import { createProgram, type EXIT_CODES } from './cli/program.ts'
import { S3Refusal } from './cli/s3-client.ts'
import { Integrity, Invalid, Unavailable } from './errors.ts'

let stopSignal: Promise<string> | undefined

const context: CommandContext = {
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  // Made when it is first asked for: until then signals end the process as they end any other.
  get stopSignal() {
    stopSignal ??= new Promise((resolve) => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal))
    })
    return stopSignal
  },
  onHangup: (listener) => void process.on('SIGHUP', listener),
}

function exitCodeOf(error: unknown): keyof typeof EXIT_CODES {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof Invalid) return 2
  if (error instanceof Unavailable || (error instanceof S3Refusal && error.status === 503)) return 3
  if (error instanceof Integrity) return 4
  return 1
}

/** The message and its causes, one a line. */
function explain(error: unknown): string {
  const lines: string[] = []
  for (let at: unknown = error; at instanceof Error; at = at.cause) lines.push(at.message)
  if (lines.length === 0) lines.push('an unknown error')
  return lines.map((line, i) => (i === 0 ? `sealgate: ${line}` : `  because ${line}`)).join('\n')
}

/** Usage errors come here as errors too, so that there is one place for exit codes. */
function overrideExit(command: Command): Command {
  command.exitOverride()
  for (const child of command.commands) overrideExit(child)
  return command
}

// With these SDKs write their requests to stderr: Google's whole ones, with the keys in them, Azure's with the names of vault, key and caller.
delete process.env['GOOGLE_SDK_NODE_LOGGING']
delete process.env['AZURE_LOG_LEVEL']

// Whoever reads our output may stop reading (`| head`); the command still ends as it should.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

try {
  await overrideExit(createProgram(context)).parseAsync(process.argv)
} catch (error) {
  // Commander has printed its own message.
  if (!(error instanceof CommanderError)) process.stderr.write(`${explain(error)}\n`)
  process.exitCode = exitCodeOf(error)
}
