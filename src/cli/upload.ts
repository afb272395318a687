/** One source to one object: whole, or in parts side by side. */
import { createReadStream } from 'node:fs'
import { Invalid, Internal } from '../errors.ts'
import { newMd5 } from '../format/hash.ts'
import { childText, el, group, xmlDocument } from '../s3/xml.ts'
import type { Progress } from './progress.ts'
import type { S3Address } from './s3-address.ts'
import type { RequestBody, S3Client } from './s3-client.ts'

/** Files up to this size go up in one request. */
export const WHOLE_BYTES = 64 * 1024 * 1024
const PARTS_AT_ONCE = 4
const MAX_PARTS = 10_000
const READ_BYTES = 1024 * 1024

/** A piece of the source, for one request. */
interface Block {
  readonly bytes: number
  readonly last: boolean
  /** May be read more than once: for its hash, then for the request. */
  readonly read: () => Iterable<Buffer> | AsyncIterable<Buffer>
}

type Blocks = AsyncGenerator<Block, undefined>

/** A file in ranges that are read when they are sent: of no size is it held in memory. `partBytes` grows so far that its parts suffice. */
export async function* fileBlocks(path: string, size: number, partBytes: number): Blocks {
  const step = size <= WHOLE_BYTES ? Math.max(1, size) : Math.max(partBytes, Math.ceil(size / MAX_PARTS))
  let start = 0
  do {
    const first = start
    const bytes = Math.min(step, size - first)
    const range = { start: first, end: first + bytes - 1, highWaterMark: READ_BYTES }
    start += bytes
    yield { bytes, last: start >= size, read: () => (bytes === 0 ? [] : createReadStream(path, range)) }
  } while (start < size)
  return undefined
}

/** A stream in blocks of exactly `partBytes`, the last one shorter; at least one. Throws `Invalid` behind the last part that S3 knows. */
export async function* streamBlocks(source: AsyncIterable<Buffer>, partBytes: number): Blocks {
  let pieces: Buffer[] = []
  let held = 0
  let blocks = 0
  for await (const piece of source) {
    pieces.push(piece)
    held += piece.length
    // One byte more than a block tells that this block is not the last.
    while (held > partBytes) {
      const all = Buffer.concat(pieces)
      blocks += 1
      if (blocks >= MAX_PARTS)
        throw new Invalid(`more than ${MAX_PARTS} parts of ${partBytes} bytes: name a larger --part-size`)
      yield { bytes: partBytes, last: false, read: () => [all.subarray(0, partBytes)] }
      pieces = [all.subarray(partBytes)]
      held = all.length - partBytes
    }
  }
  yield { bytes: held, last: true, read: () => pieces }
  return undefined
}

interface UploadTarget {
  readonly client: S3Client
  readonly address: S3Address
  readonly headers: Readonly<Record<string, string>>
  readonly progress: Progress
  /** Told when a part failed, so that whoever waits for the source can stop waiting. */
  readonly onFailure: (error: unknown) => void
}

interface Uploaded {
  readonly etag: string
  readonly bytes: number
}

/** Sends every block with its Content-MD5. An upload in parts that fails is aborted. */
export async function upload(target: UploadTarget, blocks: Blocks): Promise<Uploaded> {
  const { value: first } = await blocks.next()
  if (first === undefined) throw new Internal('a source without a block')
  if (!first.last) return uploadParts(target, first, blocks)
  const { client, address, headers } = target
  const answer = await client.read({ method: 'PUT', address, ...(await contentOf(first, target.progress, headers)) })
  return { etag: answer.headers.etag ?? '', bytes: first.bytes }
}

async function uploadParts(target: UploadTarget, first: Block, blocks: Blocks): Promise<Uploaded> {
  const { client, address, headers } = target
  const start = { method: 'POST', address, query: { uploads: '' }, headers, body: Buffer.alloc(0) }
  const uploadId = childText(await client.document(start), 'UploadId') ?? ''
  const failed = new AbortController()
  const running = new Set<Promise<void>>()
  const etags: string[] = []
  let bytes = 0
  const send = async (block: Block, number: number): Promise<void> => {
    const query = { partNumber: String(number), uploadId }
    const answer = await client.read({ method: 'PUT', address, query, ...(await contentOf(block, target.progress)) })
    etags[number - 1] = answer.headers.etag ?? ''
    bytes += block.bytes
  }
  /** Resolves when one more may start. What is in `running` never rejects: the first failure is kept in `failed`. */
  let number = 0
  const begin = async (block: Block): Promise<void> => {
    number += 1
    const one = send(block, number)
      .catch((error: unknown) => {
        failed.abort(error)
        target.onFailure(error)
      })
      .finally(() => running.delete(one))
    running.add(one)
    if (running.size >= PARTS_AT_ONCE) await Promise.race(running)
    failed.signal.throwIfAborted()
  }
  try {
    await begin(first)
    for await (const block of blocks) await begin(block)
    await Promise.all(running)
    failed.signal.throwIfAborted()
    const parts = etags.map((etag, i) => group('Part', el('PartNumber', i + 1), el('ETag', etag)))
    const body = Buffer.from(xmlDocument('CompleteMultipartUpload', ...parts))
    const done = await client.document({ method: 'POST', address, query: { uploadId }, body })
    return { etag: childText(done, 'ETag') ?? '', bytes }
  } catch (error) {
    // A part that came behind the abort would stay.
    await Promise.all(running)
    await client.read({ method: 'DELETE', address, query: { uploadId }, cleanup: true }).catch(() => undefined)
    throw failed.signal.aborted ? failed.signal.reason : error
  }
}

/** Headers and body of the request that carries a block. */
async function contentOf(
  block: Block,
  progress: Progress,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly headers: Record<string, string>; readonly body: RequestBody }> {
  const md5 = newMd5()
  for await (const piece of block.read()) md5.update(piece)
  async function* pieces(): AsyncGenerator<Buffer> {
    for await (const piece of block.read()) {
      yield piece
      progress.add(piece.length)
    }
  }
  const digest = md5.digest().toString('base64')
  return { headers: { ...headers, 'content-md5': digest }, body: { length: block.bytes, pieces: pieces() } }
}
