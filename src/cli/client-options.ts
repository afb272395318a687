import type { Command } from 'commander'
import { type CommandContext, print, settingsOf } from './context.ts'
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

/** Runs `work` with a client and closes it. */
export async function withClient(
  context: CommandContext,
  flags: ClientFlags,
  work: (client: S3Client) => Promise<void>,
): Promise<void> {
  const { endpoint, caFile } = flags
  const client = new S3Client(settingsOf(context, flags.config), {
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(caFile === undefined ? {} : { caFile }),
  })
  try {
    await work(client)
  } finally {
    await client.close()
  }
}

/** One result: a JSON line or its text. */
export function report(context: CommandContext, flags: { readonly json?: boolean }, json: unknown, text: string): void {
  print(context, flags.json === true ? JSON.stringify(json) : text)
}
