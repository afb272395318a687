/** `sealgate presign`: a URL that carries its own right, for a while. */
import { Command } from 'commander'
import { parseDuration } from '../config/units.ts'
import { Invalid } from '../errors.ts'
import { type ClientFlags, report, withClient, withClientOptions } from './client-options.ts'
import { type CommandContext, settingsOf } from './context.ts'
import { parseObjectAddress } from './s3-address.ts'

const METHODS = ['GET', 'PUT', 'HEAD', 'DELETE']
const LONGEST_SECONDS = 7 * 86_400

interface PresignFlags extends ClientFlags {
  readonly publicUrl?: string
  readonly method: string
  readonly expires: string
}

export function presignCommand(context: CommandContext): Command {
  return withClientOptions(new Command('presign'))
    .description('print a presigned URL: whoever has it can use it until it expires')
    .argument('<address>', 's3://bucket/key')
    .option('--method <method>', `one of ${METHODS.join(', ')}`, 'GET')
    .option('--public-url <url>', 'sign for this address of server.publicUrls in place of the first')
    .option('--expires <duration>', 'how long it holds, at most 7d', '15m')
    .addHelpText('after', '\nExample:\n  sealgate presign s3://backups/monday.tar --expires 1h\n')
    .action((target: string, flags: PresignFlags) =>
      withClient(context, flags, async (client) => {
        const method = flags.method.toUpperCase()
        if (!METHODS.includes(method)) throw new Invalid(`--method ${flags.method}: write one of ${METHODS.join(', ')}`)
        const seconds = Math.floor((parseDuration(flags.expires) ?? 0) / 1_000)
        if (seconds < 1 || seconds > LONGEST_SECONDS) {
          throw new Invalid(`--expires ${flags.expires}: write a duration from 1s to 7d, for example 15m`)
        }
        const url = client.presign(method, parseObjectAddress(target), seconds, signedFor(context, flags))
        report(context, flags, { method, url, expiresSeconds: seconds }, url)
      }),
    )
}

/** The address that the URL is for; `undefined` for the one that the command itself would use. An endpoint given by hand comes first. */
function signedFor(context: CommandContext, { config, endpoint, publicUrl }: PresignFlags): string | undefined {
  const { publicUrls } = settingsOf(context, config).server
  if (publicUrl === undefined) return endpoint === undefined ? publicUrls[0] : undefined
  if (endpoint !== undefined) throw new Invalid('--endpoint and --public-url: give one of them')
  const chosen = publicUrls.find((url) => url === publicUrl.replace(/\/$/, ''))
  if (chosen !== undefined) return chosen
  throw new Invalid(`--public-url ${publicUrl}: server.publicUrls has ${publicUrls.join(', ') || 'none'}`)
}
