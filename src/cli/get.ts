/** `sealgate get`: an object to a file, or to standard output. A file appears whole or not at all. */
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Command } from 'commander'
import { Unavailable } from '../errors.ts'
import { type ClientFlags, report, withClient, withClientOptions } from './client-options.ts'
import type { CommandContext } from './context.ts'
import { startProgress } from './progress.ts'
import { parseObjectAddress } from './s3-address.ts'

interface GetFlags extends ClientFlags {
  readonly range?: string
}

export function getCommand(context: CommandContext): Command {
  return withClientOptions(new Command('get'))
    .description('download an object to a file (- for standard output)')
    .argument('<address>', 's3://bucket/key')
    .argument('<file>', 'the file, or -')
    .option('--range <first-last>', 'only these bytes')
    .addHelpText('after', '\nExample:\n  sealgate get s3://backups/monday.tar monday.tar\n')
    .action((source: string, file: string, flags: GetFlags) =>
      withClient(context, flags, async (client) => {
        const headers: Record<string, string> = flags.range === undefined ? {} : { range: `bytes=${flags.range}` }
        const answer = await client.send({ method: 'GET', address: parseObjectAddress(source), headers })
        const size = Number(answer.headers['content-length'] ?? 0)
        const progress = startProgress(context, size, flags.json === true || file === '-')
        let bytes = 0
        const counted = new Transform({
          transform: (piece: Buffer, _encoding, done) => {
            bytes += piece.length
            progress.add(piece.length)
            done(null, piece)
          },
        })
        const partial = `${file}.partial-${process.pid}`
        try {
          if (file === '-') await pipeline(answer.body, counted, context.stdout, { end: false })
          else await pipeline(answer.body, counted, createWriteStream(partial, { flags: 'wx', flush: true }))
          if (bytes !== size) throw new Unavailable(`the gateway sent ${bytes} of ${size} bytes`)
          if (file !== '-') await rename(partial, file)
        } catch (error) {
          if (file !== '-') await rm(partial, { force: true })
          throw error
        } finally {
          progress.end()
        }
        const { etag = '' } = answer.headers
        if (file !== '-') report(context, flags, { get: source, file, bytes, etag }, `${file}  ${bytes} bytes  ${etag}`)
      }),
    )
}
