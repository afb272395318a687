/** `sealgate put`: a file, or standard input, to an object; large ones in parts. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Command } from 'commander'
import { Internal, Invalid } from '../errors.ts'
import { md5 } from '../format/hash.ts'
import { childText, el, group, xmlDocument } from '../s3/xml.ts'
import { type ClientFlags, report, withClient, withClientOptions } from './client-options.ts'
import type { CommandContext } from './context.ts'
import { type Progress, startProgress } from './progress.ts'
import { parseObjectAddress, type S3Address } from './s3-address.ts'
import { type S3Client, S3Refusal } from './s3-client.ts'

/** Objects above this go up in parts of this size. */
const PART_BYTES = 16 * 1024 * 1024
const PARTS_AT_ONCE = 4

interface PutFlags extends ClientFlags {
  readonly createBucket?: boolean
  readonly contentType?: string
}

export function putCommand(context: CommandContext): Command {
  return withClientOptions(new Command('put'))
    .description('upload a file (- for standard input)')
    .argument('<file>', 'the file, or -')
    .argument('<address>', 's3://bucket/key')
    .option('--create-bucket', 'make the bucket if it is missing')
    .option('--content-type <type>', 'content type of the object')
    .addHelpText('after', '\nExample:\n  sealgate put backup.tar s3://backups/monday.tar --create-bucket\n')
    .action((file: string, target: string, flags: PutFlags) =>
      withClient(context, flags, async (client) => {
        const address = parseObjectAddress(target)
        if (flags.createBucket === true) await makeBucket(client, address.bucket)
        const size = file === '-' ? 0 : await sizeOf(file)
        const progress = startProgress(context, size, flags.json === true)
        const headers: Record<string, string> =
          flags.contentType === undefined ? {} : { 'content-type': flags.contentType }
        try {
          const source = file === '-' ? process.stdin : createReadStream(file, { highWaterMark: 1024 * 1024 })
          const { etag, bytes } = await upload(client, address, blocksOf(source), { headers, progress })
          report(context, flags, { put: target, bytes, etag }, `${target}  ${bytes} bytes  ${etag}`)
        } finally {
          progress.end()
        }
      }),
    )
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size
  } catch (cause) {
    throw new Invalid(`${file} cannot be read`, { cause })
  }
}

async function makeBucket(client: S3Client, bucket: string): Promise<void> {
  await client.read({ method: 'PUT', address: { bucket, key: '' } }).catch((error: unknown) => {
    if (!(error instanceof S3Refusal) || error.code !== 'BucketAlreadyOwnedByYou') throw error
  })
}

/** The source in blocks of exactly `PART_BYTES`, the last one shorter; at least one. */
async function* blocksOf(source: AsyncIterable<Buffer>): Blocks {
  let pieces: Buffer[] = []
  let held = 0
  for await (const piece of source) {
    pieces.push(piece)
    held += piece.length
    // One byte more than a block tells that this block is not the last.
    while (held > PART_BYTES) {
      const all = Buffer.concat(pieces)
      yield { block: all.subarray(0, PART_BYTES), last: false }
      pieces = [all.subarray(PART_BYTES)]
      held = all.length - PART_BYTES
    }
  }
  yield { block: Buffer.concat(pieces), last: true }
  return undefined
}

type Blocks = AsyncGenerator<{ block: Buffer; last: boolean }, undefined>

interface UploadOptions {
  readonly headers: Readonly<Record<string, string>>
  readonly progress: Progress
}

async function upload(
  client: S3Client,
  address: S3Address,
  blocks: Blocks,
  { headers, progress }: UploadOptions,
): Promise<{ etag: string; bytes: number }> {
  const { value: first } = await blocks.next()
  if (first === undefined) throw new Internal('a source without a block')
  if (!first.last) return uploadParts(client, address, first.block, blocks, { headers, progress })
  const digest = { 'content-md5': md5(first.block).toString('base64') }
  const answer = await client.read({ method: 'PUT', address, headers: { ...headers, ...digest }, body: first.block })
  progress.add(first.block.length)
  return { etag: answer.headers.etag ?? '', bytes: first.block.length }
}

async function uploadParts(
  client: S3Client,
  address: S3Address,
  first: Buffer,
  blocks: Blocks,
  { headers, progress }: UploadOptions,
): Promise<{ etag: string; bytes: number }> {
  const created = await client.document({
    method: 'POST',
    address,
    query: { uploads: '' },
    headers,
    body: Buffer.alloc(0),
  })
  const uploadId = childText(created, 'UploadId') ?? ''
  const parts: { number: number; etag: string }[] = []
  let bytes = 0
  let next = 1
  const send = async (block: Buffer): Promise<void> => {
    const number = next
    next += 1
    bytes += block.length
    const query = { partNumber: String(number), uploadId }
    const digest = { 'content-md5': md5(block).toString('base64') }
    const answer = await client.read({ method: 'PUT', address, query, headers: digest, body: block })
    parts.push({ number, etag: answer.headers.etag ?? '' })
    progress.add(block.length)
  }
  try {
    const running = new Set<Promise<void>>([send(first)])
    for await (const { block } of blocks) {
      if (running.size >= PARTS_AT_ONCE) await Promise.race(running)
      const one = send(block).finally(() => running.delete(one))
      running.add(one)
    }
    await Promise.all(running)
    const listed = parts
      .toSorted((a, b) => a.number - b.number)
      .map(({ number, etag }) => group('Part', el('PartNumber', number), el('ETag', etag)))
    const body = Buffer.from(xmlDocument('CompleteMultipartUpload', ...listed))
    const done = await client.document({ method: 'POST', address, query: { uploadId }, body })
    return { etag: childText(done, 'ETag') ?? '', bytes }
  } catch (error) {
    await client.read({ method: 'DELETE', address, query: { uploadId } }).catch(() => undefined)
    throw error
  }
}
