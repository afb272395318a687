import type { Command } from 'commander'
import { type CommandContext, print, readOptionFile, settingsOf, stoppable } from './context.ts'
import { S3Client } from './s3-client.ts'

export interface ClientFlags {
  readonly config?: string
  readonly endpoint?: string
  readonly caFile?: string
  readonly json?: boolean
}

/** The options that every command with a gateway on the other side has. */
export function withClientOptions(command: Command): Command {
  return command
    .option('-c, --config <file>', 'settings (YAML): where the gateway listens, and the credential')
    .option('--endpoint <url>', 'the gateway, if it is not where the settings say')
    .option('--ca-file <file>', 'CA certificate (PEM) of the gateway')
    .option('--json', 'JSON lines in place of text')
}

/** Runs `work` with a client and closes it. A stop of the process aborts what is under way. */
export async function withClient(
  context: CommandContext,
  flags: ClientFlags,
  work: (client: S3Client, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { endpoint, caFile } = flags
  await stoppable(context, async (signal) => {
    const client = new S3Client(settingsOf(context, flags.config), {
      signal,
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(caFile === undefined ? {} : { ca: readOptionFile('--ca-file', caFile) }),
    })
    try {
      await work(client, signal)
    } finally {
      await client.close()
    }
  })
}

/** One result: a JSON line or its text. */
export function report(context: CommandContext, flags: { readonly json?: boolean }, json: unknown, text: string): void {
  print(context, flags.json === true ? JSON.stringify(json) : text)
}
