/** `sealgate get`: an object to a file, or to standard output. A file appears whole or not at all. */
import { pipeline } from 'node:stream/promises'
import { Command } from 'commander'
import { Invalid, Unavailable } from '../errors.ts'
import { type ClientFlags, report, withClient, withClientOptions } from './client-options.ts'
import type { CommandContext } from './context.ts'
import { type Progress, startProgress } from './progress.ts'
import { parseObjectAddress } from './s3-address.ts'
import { writeWhole } from './whole-file.ts'

interface GetFlags extends ClientFlags {
  readonly range?: string
}

export function getCommand(context: CommandContext): Command {
  return withClientOptions(new Command('get'))
    .description('download an object to a file (- for standard output)')
    .argument('<address>', 's3://bucket/key')
    .argument('<file>', 'the file, or -')
    .option('--range <first-last>', 'only these bytes: first-last, first- or -count')
    .addHelpText('after', '\nExample:\n  sealgate get s3://backups/monday.tar monday.tar\n')
    .action((source: string, file: string, flags: GetFlags) =>
      withClient(context, flags, async (client, signal) => {
        const address = parseObjectAddress(source)
        const answer = await client.send({ method: 'GET', address, headers: rangeHeader(flags.range) })
        const size = Number(answer.headers['content-length'] ?? Number.NaN)
        if (Number.isNaN(size)) throw new Unavailable(`${client.endpoint} does not say how long the object is`)
        const progress = startProgress(context, size, flags.json === true || file === '-')
        const pieces = received(answer.body, size, progress)
        try {
          if (file === '-') await pipeline(pieces, context.stdout, { end: false, signal })
          else await writeWhole(file, pieces, signal)
        } finally {
          progress.end()
        }
        const { etag = '' } = answer.headers
        if (file !== '-')
          report(context, flags, { get: source, file, bytes: size, etag }, `${file}  ${size} bytes  ${etag}`)
      }),
    )
}

/** S3 ignores a range that it cannot read and sends everything; here it is an error. */
function rangeHeader(range: string | undefined): Record<string, string> {
  if (range === undefined) return {}
  if (!/^(\d+-\d*|-\d+)$/.test(range)) {
    throw new Invalid(`--range ${range}: write first-last, for example 0-1023, or first- or -count`)
  }
  return { range: `bytes=${range}` }
}

/** Exactly `size` bytes. Throws `Unavailable` if the body is cut short: so the gateway refuses to go on over damaged data. */
async function* received(body: AsyncIterable<Buffer>, size: number, progress: Progress): AsyncGenerator<Buffer> {
  let bytes = 0
  const cut = (options?: ErrorOptions): Unavailable =>
    new Unavailable(
      `the transfer broke off after ${bytes} of ${size} bytes: the connection was lost, or the stored object is damaged; the log of the gateway says which`,
      options,
    )
  try {
    for await (const piece of body) {
      bytes += piece.length
      progress.add(piece.length)
      yield piece
    }
  } catch (cause) {
    throw cut({ cause })
  }
  if (bytes !== size) throw cut()
}
