/** `sealgate put`: a file, or standard input, to an object; large ones in parts. */
import { constants, createReadStream, type Stats } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { addAbortSignal, type Readable } from 'node:stream'
import { Command } from 'commander'
import { parseSize } from '../config/units.ts'
import { Invalid } from '../errors.ts'
import { type ClientFlags, report, withClient, withClientOptions } from './client-options.ts'
import type { CommandContext } from './context.ts'
import { startProgress } from './progress.ts'
import { parseObjectAddress } from './s3-address.ts'
import { type S3Client, S3Refusal } from './s3-client.ts'
import { fileBlocks, streamBlocks, upload } from './upload.ts'

/** S3's bounds for a part that is not the last. */
const LEAST_PART_BYTES = 5 * 1024 * 1024
const MOST_PART_BYTES = 1024 * 1024 * 1024

interface PutFlags extends ClientFlags {
  readonly createBucket?: boolean
  readonly contentType?: string
  readonly partSize: string
}

export function putCommand(context: CommandContext): Command {
  return withClientOptions(new Command('put'))
    .description('upload a file (- for standard input); files above 64 MiB, and longer streams, in parts')
    .argument('<file>', 'the file, or -')
    .argument('<address>', 's3://bucket/key')
    .option('--create-bucket', 'make the bucket if it is missing')
    .option('--content-type <type>', 'content type of the object')
    .option('--part-size <size>', 'size of parts; of a stream four are held in memory', '16MiB')
    .addHelpText('after', '\nExample:\n  sealgate put backup.tar s3://backups/monday.tar --create-bucket\n')
    .action((file: string, target: string, flags: PutFlags) =>
      withClient(context, flags, async (client, signal) => {
        const address = parseObjectAddress(target)
        const partBytes = parsePartSize(flags.partSize)
        const found = file === '-' ? undefined : await statOf(file)
        if (flags.createBucket === true) await makeBucket(client, address.bucket)
        const headers: Record<string, string> =
          flags.contentType === undefined ? {} : { 'content-type': flags.contentType }
        const size = found?.isFile() === true ? found.size : undefined
        const failed = new AbortController()
        const blocks =
          size === undefined
            ? streamBlocks(stoppableStream(file, AbortSignal.any([signal, failed.signal])), partBytes)
            : fileBlocks(file, size, partBytes)
        const progress = startProgress(context, size ?? 0, flags.json === true)
        try {
          const onFailure = (error: unknown): void => failed.abort(error)
          const { etag, bytes } = await upload({ client, address, headers, progress, onFailure }, blocks)
          report(context, flags, { put: target, bytes, etag }, `${target}  ${bytes} bytes  ${etag}`)
        } finally {
          progress.end()
        }
      }),
    )
}

function parsePartSize(text: string): number {
  const bytes = parseSize(text) ?? 0
  if (bytes >= LEAST_PART_BYTES && bytes <= MOST_PART_BYTES) return bytes
  throw new Invalid(`--part-size ${text}: write a size from 5MiB to 1GiB, for example 64MiB`)
}

async function statOf(file: string): Promise<Stats> {
  let found: Stats
  try {
    await access(file, constants.R_OK)
    found = await stat(file)
  } catch (cause) {
    throw new Invalid(`${file} cannot be read`, { cause })
  }
  if (found.isDirectory()) throw new Invalid(`${file} is a folder; name a file`)
  return found
}

/** Standard input, or a pipe by its name; it ends with an error when the signal aborts, however long it would have been silent. */
function stoppableStream(file: string, signal: AbortSignal): Readable {
  return addAbortSignal(signal, file === '-' ? process.stdin : createReadStream(file))
}

async function makeBucket(client: S3Client, bucket: string): Promise<void> {
  await client.read({ method: 'PUT', address: { bucket, key: '' } }).catch((error: unknown) => {
    if (!(error instanceof S3Refusal) || error.code !== 'BucketAlreadyOwnedByYou') throw error
  })
}
